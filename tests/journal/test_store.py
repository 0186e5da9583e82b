"""What a journal answers, on a small one whose content is written out here."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bulkload.core.existing import StoredSource
from bulkload.core.lifecycle import (
    Act,
    Attempting,
    Confirmed,
    Event,
    Extended,
    Failed,
    Found,
    GaveUp,
    Initiated,
    JobState,
    ParentsKnown,
    ProcessingReady,
    Restarted,
    SourcePrepared,
    SourceRejected,
    Stored,
)
from bulkload.core.plan_items import CellMetadata, Skip, Specification, UploadJob
from bulkload.core.terms import JobKey
from bulkload.errors import JournalError
from bulkload.journal import FILE_NAME, Parent, Store, events
from bulkload.journal.codec import job_to_text
from bulkload.journal.rows import Gone, RunRow

PREPARED = SourcePrepared(
    rows=5,
    size_bytes=6,
    sha256="spooled",
    content_digest="digest",
    source_bytes=7,
    source_mtime_ns=8,
    source_sha256="source",
    columns=("Time [s]", "Voltage [V]"),
    provenance='{"reader":"maccor"}',
)
REJECTED = SourceRejected(cause="unreadable", message="no reader knows it")


def ready(measurement_id: str) -> list[Event]:
    """Return the events of a measurement that was brought into Studio."""
    return [
        PREPARED,
        ParentsKnown(instance_id="i"),
        Initiated(measurement_id=measurement_id),
        Stored(),
        Confirmed(measurement_id=measurement_id),
        ProcessingReady(ready_updated_at="now"),
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A journal with one run."""
    with Store(tmp_path / FILE_NAME) as store:
        store.begin_run("bulkload upload archive", {"b": 1, "a": 2}, 10.0)
        yield store


def job(measurement: str, cell: str = "c", spec: str = "s") -> UploadJob:
    return UploadJob(key=JobKey(spec, cell, measurement), path=f"/a/{measurement}.csv")


def add(store: Store, planned: UploadJob, *happened: Event, run: int = 1) -> int:
    """Plan a job, have events happen to it in that run, and return its number."""
    assert store.add_job(run, planned, job_to_text(planned), "options")
    row = store.find_job(planned.key)
    assert row is not None
    if happened:
        events.append(store, run, row.id, 20.0, *happened)
    return row.id


# -- Runs ----------------------------------------------------------------------------------------


def test_runs_are_numbered_and_say_how_they_began_and_ended(tmp_path: Path) -> None:
    with Store(tmp_path / FILE_NAME) as store:
        assert store.last_run() is None
        assert store.last_upload() is None
        assert store.begin_run("bulkload upload", {"b": 1, "a": 2}, 10.0) == 1
        assert store.begin_run("bulkload rollback", {}, 20.0) == 2
        store.end_run(1, 15.0, {"exit_code": 3})
        first = RunRow(1, "bulkload upload", '{"a":2,"b":1}', 10.0, 15.0)
        second = RunRow(2, "bulkload rollback", "{}", 20.0, None)
        assert list(store.runs()) == [first, second]
        assert store.last_run() == second
        assert [json.loads(row["summary"] or "0") for row in store.rows("run_summaries")] == [
            {"exit_code": 3},
            0,
        ]
        # A run without a plan is no upload.
        assert store.last_upload() is None
        add(store, job("m"))
        assert store.last_upload() == first


def test_the_plan_before_is_that_of_the_last_run_that_had_one(store: Store) -> None:
    assert store.plan_before(1) is None
    assert store.begin_run("bulkload upload", {"is_plan": True}, 20.0) == 2
    assert store.begin_run("bulkload upload", {"is_plan": True}, 30.0) == 3
    assert store.plan_before(2) is None
    assert store.plan_before(3) == 2
    assert store.plan_before(4) == 3


def test_a_plan_is_taken_over_whole(store: Store) -> None:
    add(store, job("a"))
    add(store, job("b"))
    assert store.put_skip(1, Skip(where="x", rule="hidden"))
    for number in range(3):
        assert store.put_rejection(1, f"r{number}", "no_layout", "does not fit")
    store.begin_run("bulkload resume", {}, 20.0)
    assert store.take_over_plan(2, 1) == (2, 1, 3)
    assert store.count_jobs(1) == 0
    assert store.count_jobs(2) == 2
    assert store.has_skip(2, "hidden")
    assert store.take_over_plan(2, 1) == (0, 0, 0)


# -- The plan ------------------------------------------------------------------------------------


def test_specifications_and_cells_are_as_the_last_plan_states_them(store: Store) -> None:
    for name, payload in (("t", {"x": 1}), ("s", {"x": 2}), ("t", {"x": 3})):
        store.put_specification(Specification(name=name, payload=payload, origin="spec.json"))
    for spec, cell, payload in (("s", "d", {"y": 1}), ("s", "c", {"y": 2}), ("t", "c", {"y": 3})):
        store.put_cell(CellMetadata(spec=spec, cell=cell, payload=payload))
    assert store.specification("t") == {"x": 3}
    assert store.specification("u") is None
    assert list(store.specifications()) == [("s", {"x": 2}), ("t", {"x": 3})]
    assert store.cell("s", "c") == {"y": 2}
    assert store.cell("t", "d") is None
    assert list(store.cells()) == [
        ("s", "c", {"y": 2}),
        ("s", "d", {"y": 1}),
        ("t", "c", {"y": 3}),
    ]


def test_a_name_is_one_job_whatever_its_path(store: Store) -> None:
    number = add(store, job("m"))
    again = UploadJob(key=JobKey("s", "c", "m"), path="/other.csv")
    assert not store.add_job(1, again, job_to_text(again), "other options")
    row = store.get_job(number)
    assert (row.key, row.path, row.job) == (JobKey("s", "c", "m"), "/a/m.csv", job("m"))
    assert (row.plan_run, row.recipe, row.state) == (1, "options", JobState.PLANNED)
    assert store.find_job(JobKey("s", "c", "m")) == row
    assert store.find_job(JobKey("s", "c", "n")) is None


def test_a_job_is_found_by_whatever_names_it(store: Store) -> None:
    a, b = add(store, job("a"), *ready("id-a")), add(store, job("b"))
    for text in ("a", "id-a", "s / c / a", "/a/a.csv"):
        assert [row.id for row in store.named(text, "")] == [a], text
    assert [row.id for row in store.named("a", "/a/b.csv")] == [a, b]
    assert store.named("c", "") == []


def test_a_later_plan_takes_what_it_states_and_leaves_the_rest(store: Store) -> None:
    gave_up = GaveUp(cause="unavailable", message="busy")
    a, b, c = (add(store, job(name), gave_up) for name in "abc")
    store.begin_run("bulkload upload", {}, 20.0)
    store.take_unchanged(2, [a])
    changed = UploadJob(key=JobKey("s", "c", "b"), path="/new.csv")
    store.replan_job(2, b, path="/new.csv", payload=job_to_text(changed), options_digest="new")
    assert [store.get_job(one).plan_run for one in (a, b, c)] == [2, 2, 1]
    assert [store.get_job(one).has_given_up for one in (a, b, c)] == [0, 0, 1]
    assert [store.get_job(one).recipe for one in (a, b, c)] == ["options", "new", "options"]
    assert (store.get_job(b).path, store.get_job(b).job) == ("/new.csv", changed)
    assert list(store.planned(2)) == [job("a"), changed]
    assert list(store.planned(1)) == [job("c")]
    assert [store.count_jobs(run) for run in (1, 2, None)] == [1, 2, 3]
    # The next run tries again what was given up, of its own plan.
    store.try_again(2)
    assert store.get_job(c).has_given_up == 1
    store.try_again(1)
    assert store.get_job(c).has_given_up == 0


def test_an_entry_that_a_rule_leaves_out_is_kept_once_a_plan(store: Store) -> None:
    assert store.put_skip(1, Skip(where="a", rule="hidden"))
    assert not store.put_skip(1, Skip(where="a", rule="empty"))
    assert store.has_skip(1, "hidden")
    assert not store.has_skip(1, "empty")
    assert not store.has_skip(2, "hidden")
    assert store.put_skip(2, Skip(where="a", rule="empty"))
    assert store.has_skip(2, "empty")


def test_all_that_is_wrong_with_an_entry_stands_in_one_place(store: Store) -> None:
    assert store.put_rejection(1, "/a", "no_layout", "does not fit")
    assert not store.put_rejection(1, "/a", "bad_value", "is not a number")
    assert not store.put_rejection(1, "/a", "no_layout", "does not fit")
    assert store.put_rejection(1, "/b", "no_layout", "does not fit either")
    kept = "SELECT location, cause, message, plan_run FROM rejection ORDER BY location"
    assert [tuple(row) for row in store._connection.execute(kept)] == [
        ("/a", "no_layout", "does not fit; is not a number", 1),
        ("/b", "no_layout", "does not fit either", 1),
    ]
    assert store.is_rejection_known("/a", "no_layout")
    assert not store.is_rejection_known("/a", "bad_value")
    assert not store.is_rejection_known("/c", "no_layout")
    # The next plan says anew what is wrong.
    assert store.put_rejection(2, "/a", "bad_value", "is not a number")
    assert next(tuple(row) for row in store._connection.execute(kept)) == (
        "/a",
        "bad_value",
        "is not a number",
        2,
    )


def test_names_that_differ_by_case_are_told_by_their_places(store: Store) -> None:
    store.begin_spellings()
    key = JobKey
    first = [(key("s", "c", "A"), "a"), (key("s", "d", "a"), "a"), (key("t", "c", "a"), "a")]
    assert store.put_spellings(first) == []
    # As before, in another case, and a name of its own.
    later = [(key("s", "c", "A"), "a"), (key("s", "c", "a"), "a"), (key("s", "c", "b"), "b")]
    assert store.put_spellings(later) == [1]
    store.begin_spellings()
    assert store.put_spellings(later[1:]) == []


# -- Jobs ----------------------------------------------------------------------------------------


def test_cells_are_gone_through_in_order_page_by_page(store: Store) -> None:
    cells = [("A", "cell 000"), *(("s", f"cell {number:03d}") for number in range(70))]
    for spec, cell in reversed(cells):
        add(store, job("m", cell, spec))
        add(store, job("n", cell, spec))
    add(store, job("m", "done"), *ready("id"))
    add(store, job("m", "given up"), GaveUp(cause="unavailable", message="busy"))
    assert list(store.cells_with_work(1)) == cells
    assert list(store.cells_with_work(2)) == []
    assert store.count_parents(1) == (2, 73)
    assert store.count_parents(2) == (0, 0)


def test_what_is_open_rejected_interrupted_or_not_there(store: Store) -> None:
    planned = add(store, job("planned"))
    begun = add(store, job("begun"), PREPARED)
    confirmed = add(store, job("confirmed"), *ready("id-1")[:-1])
    done = add(store, job("done"), *ready("id-2"))
    existing = add(store, job("existing"), Found(measurement_id="id-3"))
    rejected = add(store, job("rejected"), REJECTED)
    failed = add(store, job("failed"), Failed(cause="permission", message="not yours"))
    elsewhere = add(store, job("elsewhere", "d"))
    assert [row.id for row in store.open_jobs(1, "s", "c")] == [planned, begun, confirmed]
    assert [row.id for row in store.open_jobs(1, "s", "d")] == [elsewhere]
    assert store.open_jobs(2, "s", "c") == store.open_jobs(1, "t", "c") == []
    assert store.count_open(1) == 4
    assert store.count_open(2) == 0
    assert store.rejection_causes(1) == {"unreadable"}
    assert store.rejection_causes(2) == frozenset()
    assert store.unsettled(1) == [begun, rejected, failed]
    assert store.unsettled(2) == []
    assert store.interrupted(1) == [begun]
    assert store.interrupted(2) == []
    assert sorted(store.not_arrived(1, None)) == [planned, begun, rejected, failed, elsewhere]
    assert store.not_arrived(1, "permission") == [failed]
    assert store.not_arrived(2, None) == []
    assert store.created_ids() == [done]
    assert [row.id for row in store.created()] == [done]
    assert store.existing_ids() == [existing]
    assert store.count_existing() == 1
    assert store.count_state(1, JobState.REJECTED) == 1
    assert store.count_state(1, JobState.PLANNED) == 2
    assert store.count_state(2, JobState.REJECTED) == 0
    assert [row.id for row in store.jobs()] == [
        planned, begun, confirmed, done, existing, rejected, failed, elsewhere,
    ]  # fmt: skip


def test_what_left_the_plan_is_named_and_counted(store: Store) -> None:
    for run in (2, 3):
        assert store.begin_run("bulkload upload", {}, 20.0) == run
    add(store, job("a"), *ready("id-a"), run=1)
    add(store, job("b"), *ready("id-b"), run=2)
    add(store, job("c"), Found(measurement_id="id-c"), run=2)
    add(store, job("never sent"), run=2)
    add(store, job("still there"), *ready("id-d"), run=3)
    assert store.gone(3, 2, 2) == Gone(total=3, names=("s / c / a", "s / c / b"), newly=2)
    assert store.gone(3, 9, 1).names == ("s / c / a", "s / c / b", "s / c / c")
    assert store.gone(3, 9, 1).newly == 3
    assert store.gone(3, 1, 3) == Gone(total=3, names=("s / c / a",), newly=0)
    assert store.gone(1, 9, 1) == Gone(total=0, names=(), newly=0)


# -- What happened to a job --------------------------------------------------------------------


def test_a_source_is_known_as_it_was_last_read(store: Store) -> None:
    number = add(store, job("m"))
    assert store.last_read(number) is None
    assert store.prepared_columns(number) == ()
    assert store.read_provenance(number) == {}
    events.append(store, 1, number, 30.0, PREPARED, Attempting(act=Act.INITIATE))
    assert store.last_read(number) == PREPARED
    assert store.prepared_columns(number) == ("Time [s]", "Voltage [V]")
    assert store.read_provenance(number) == {"reader": "maccor"}
    events.append(store, 1, number, 40.0, Restarted(reason="source_changed"), REJECTED)
    assert store.last_read(number) == REJECTED
    # Of a source that could not be read nothing is known; its columns are those of before.
    assert store.read_provenance(number) == {}
    assert store.prepared_columns(number) == ("Time [s]", "Voltage [V]")
    assert store.history(number) == [
        (30.0, "SourcePrepared"),
        (30.0, "Attempting"),
        (40.0, "Restarted"),
        (40.0, "SourceRejected"),
    ]


def test_what_is_shown_of_a_source_is_kept_with_its_job(store: Store) -> None:
    warnings = (("time_gap", "a gap of 3 s"), ("time_gap", "a gap of 9 s"))
    read = replace(PREPARED, warnings=warnings, changes=("set_sign",), summary="{}")
    row = store.get_job(add(store, job("m"), read))
    assert json.loads(row.warnings) == [["time_gap", "a gap of 3 s"], ["time_gap", "a gap of 9 s"]]
    assert (row.changes, row.summary) == ('["set_sign"]', "{}")
    assert (row.rows, row.size_bytes, row.sha256, row.content_digest) == (5, 6, "spooled", "digest")
    assert (row.source_bytes, row.source_mtime_ns, row.source_sha256) == (7, 8, "source")


def test_studio_holds_what_was_stored_last_and_appended_rows_once_they_are_processed(
    store: Store,
) -> None:
    first, *_, processed = ready("id-1")
    number = add(store, job("m"), *ready("id-1")[:3])
    assert store.get_job(number).stored is None
    held = StoredSource(measurement_id="id-1", rows=5, content_digest="digest", stamp=(7, 8))
    for event in ready("id-1")[3:]:
        events.append(store, 1, number, 30.0, event)
        assert store.get_job(number).stored == held
    grown = replace(PREPARED, rows=9, content_digest="longer", source_bytes=17, source_mtime_ns=18)
    again = Restarted(reason="source_changed")
    events.append(store, 1, number, 40.0, again, grown, Extended(measurement_id="id-1"))
    assert store.get_job(number).stored == held
    events.append(store, 1, number, 50.0, processed)
    longer = StoredSource(measurement_id="id-1", rows=9, content_digest="longer", stamp=(17, 18))
    assert store.get_job(number).stored == longer
    # Our own record that an earlier attempt made: it was compared with what is prepared.
    events.append(store, 1, number, 60.0, again, first, Confirmed(measurement_id="id-2"))
    assert store.get_job(number).stored == replace(held, measurement_id="id-2")


def test_an_act_was_attempted_once_it_was_about_to_be_sent(store: Store) -> None:
    a = add(store, job("a"), PREPARED, Attempting(act=Act.INITIATE))
    b = add(store, job("b"), PREPARED, Attempting(act=Act.EXTEND))
    assert store.has_attempted(a, Act.INITIATE)
    assert not store.has_attempted(a, Act.EXTEND)
    assert store.has_attempted(b, Act.EXTEND)
    assert not store.has_attempted(b, Act.INITIATE)


def test_a_record_belongs_to_the_run_that_was_given_its_id(store: Store) -> None:
    assert store.begin_run("bulkload upload", {}, 20.0) == 2
    number = add(store, job("m"), *ready("id-1"))
    assert store.runs_of_jobs() == {number: 1}
    events.append(store, 2, number, 30.0, Restarted(reason="retry"), *ready("id-2"))
    assert store.runs_of_jobs() == {number: 2}
    assert store.known_ids(number) == {"id-1", "id-2"}


def test_parents_and_original_files_are_known_until_they_are_dropped(store: Store) -> None:
    assert store.begin_run("bulkload upload", {}, 20.0) == 2
    spec = Parent("cell_specification", "s1", "s", None, "now")
    cell = Parent("cell_instance", "i1", "c", "s1", None)
    store.put_parent(1, spec)
    store.put_parent(2, cell)
    assert sorted(store.parents()) == [cell, spec]
    assert store.runs_of_parents() == {("cell_specification", "s1"): 1, ("cell_instance", "i1"): 2}
    store.drop_parent("cell_instance", "s1")
    assert len(store.parents()) == 2
    store.drop_parent("cell_instance", "i1")
    assert store.parents() == [spec]
    assert store.raw_data_id("ff") is None
    store.put_raw_data("ff", "r1")
    assert store.raw_data_id("ff") == "r1"
    assert store.raw_data_id("00") is None


# -- A file that fails ---------------------------------------------------------------------------


def test_what_the_file_fails_at_is_the_journals_error(store: Store) -> None:
    number = add(store, job("m"))
    store._connection.execute("DROP TABLE event")
    with pytest.raises(JournalError, match=r"^the journal cannot be read: no such table"):
        store.known_ids(number)
    with pytest.raises(JournalError, match=r"^the journal cannot be read: no such table"):
        store.last_read(number)
    with pytest.raises(JournalError, match=r"^the journal cannot be written: no such table"):
        events.append(store, 1, number, 30.0, PREPARED)
    with (
        pytest.raises(JournalError, match=r"^the journal cannot be written: no such table"),
        store.transaction(),
    ):
        store._connection.execute("DELETE FROM event")
    # The transaction is over, and the next one begins.
    with store.transaction():
        store.put_raw_data("ff", "r1")
    assert store.raw_data_id("ff") == "r1"


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.transaction():
            store.put_raw_data("ff", "r1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.raw_data_id("ff") is None
    assert not store._connection.in_transaction


def test_a_journal_that_may_only_be_read_is_not_written(store: Store, tmp_path: Path) -> None:
    with Store(tmp_path / FILE_NAME, is_read_only=True) as reader:
        with pytest.raises(JournalError, match="attempt to write a readonly database"):
            reader.put_raw_data("ff", "r1")
        assert reader.torn_bytes == 0
    with pytest.raises(sqlite3.ProgrammingError):
        reader._connection.execute("SELECT 1")
