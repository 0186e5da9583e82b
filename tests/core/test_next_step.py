"""The next step of a job, for every combination of what can be known of it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from bulkload.core.existing import Existing, FoundRecord, JobFacts, StoredSource
from bulkload.core.lifecycle import FINAL, JobState, Step
from bulkload.core.next_step import next_step
from bulkload.core.prepare_result import Prepared, SourceStamp
from bulkload.core.provenance import RecordedSource
from bulkload.core.terms import MeasurementType

NOW, BEFORE = (10, 20), (9, 19)
STORED = StoredSource(measurement_id="m", rows=60, content_digest="held", stamp=NOW)
OURS = JobFacts(state=JobState.PLANNED, known_ids=frozenset({"m"}), stamp=NOW, stored=STORED)
ANOTHERS = JobFacts(state=JobState.PLANNED, stamp=NOW)
FOUND = FoundRecord(id="m")
RECORDS = {
    "none": None,
    "ready": FOUND,
    "processing": replace(FOUND, is_processing=True),
    "failed": replace(FOUND, has_failed=True, processing_error="why"),
    "open": replace(FOUND, is_open=True),
    "file": replace(FOUND, type=MeasurementType.FILE),
}


def prepared(digest: str = "held", *, is_longer: bool = False) -> Prepared:
    return Prepared(
        rows=60,
        columns=(),
        size_bytes=1,
        sha256="",
        content_digest=digest,
        source=SourceStamp(size_bytes=10, mtime_ns=20, sha256=""),
        is_longer=is_longer,
    )


def step(facts: JobFacts, **changes: object) -> tuple[Step, str]:
    decision = next_step(replace(facts, **changes))  # type: ignore[arg-type]
    assert (
        bool(decision.message)
        == bool(decision.cause)
        == (decision.step in (Step.FAIL, Step.REJECT))
    )
    return decision.step, decision.cause


@pytest.mark.parametrize("state", sorted(FINAL))
@pytest.mark.parametrize("record", RECORDS)
def test_a_job_that_has_ended_needs_nothing(state: JobState, record: str) -> None:
    facts = replace(OURS, state=state, found=RECORDS[record], prepared=prepared())
    assert step(facts, is_to_attach=True) == (Step.END, "")


@pytest.mark.parametrize("state", JobState)
def test_a_job_that_this_run_gave_up_is_left_to_the_next_one(state: JobState) -> None:
    assert step(OURS, state=state, has_given_up=True, found=FOUND) == (Step.END, "")


def test_a_confirmed_job_waits_for_its_processing() -> None:
    confirmed = replace(OURS, state=JobState.CONFIRMED, found=FOUND, prepared=prepared("other"))
    assert step(confirmed) == (Step.WAIT, "")
    assert step(confirmed, is_to_attach=True) == (Step.ATTACH, "")


OPEN_STATES = ("planned", "prepared", "resolved", "initiated", "stored")


@pytest.mark.parametrize("state", OPEN_STATES)
def test_a_name_that_is_free_is_prepared_and_uploaded(state: str) -> None:
    free = replace(ANOTHERS, state=JobState(state))
    assert step(free) == (Step.PREPARE, "")
    assert step(free, prepared=prepared(), is_to_attach=True) == (Step.UPLOAD, "")


@pytest.mark.parametrize("existing", Existing)
def test_our_own_record_is_judged_by_what_it_holds_and_never_by_the_settings(
    existing: Existing,
) -> None:
    ours = replace(OURS, existing=existing, found=FOUND)
    assert step(ours) == (Step.ADOPT, "")
    assert step(ours, found=RECORDS["processing"]) == (Step.ADOPT, "")
    assert step(ours, found=RECORDS["failed"]) == (Step.WITHDRAW, "")
    assert step(ours, found=RECORDS["failed"], prepared=prepared()) == (Step.WITHDRAW, "")
    assert step(ours, found=RECORDS["file"]) == (Step.FAIL, "name_taken")
    # The source was touched: it is read, and holds what it held or not.
    assert step(ours, stamp=BEFORE) == (Step.PREPARE, "")
    assert step(ours, stamp=None) == (Step.PREPARE, "")
    assert step(ours, stamp=BEFORE, prepared=prepared("held")) == (Step.ADOPT, "")
    assert step(ours, prepared=prepared("other")) == (Step.FAIL, "source_changed")


def test_a_source_that_has_grown_extends_a_test_that_runs() -> None:
    longer = prepared("longer", is_longer=True)
    ours = replace(OURS, stamp=BEFORE, prepared=longer)
    assert step(ours, found=RECORDS["open"]) == (Step.EXTEND, "")
    # A test that has ended cannot be extended, nor one whose beginning has changed.
    assert step(ours, found=RECORDS["ready"]) == (Step.FAIL, "source_changed")
    other = prepared("other")
    assert step(ours, found=RECORDS["open"], prepared=other) == (Step.FAIL, "source_changed")
    # Another's record of the name is never extended.
    foreign = replace(ANOTHERS, prepared=longer, found=RECORDS["open"])
    assert step(foreign, stored=STORED) == (Step.REUSE, "")


def test_our_own_record_is_compared_where_nothing_says_what_it_holds() -> None:
    """As after an answer to confirm that was lost: the id is known, what was stored is not."""
    for stored in (None, replace(STORED, measurement_id="another")):
        ours = replace(OURS, stored=stored, found=FOUND)
        assert step(ours) == (Step.PREPARE, "")
        assert step(ours, prepared=prepared()) == (Step.COMPARE, "")
        assert step(ours, prepared=prepared(), difference="") == (Step.ADOPT, "")
        differs = step(ours, prepared=prepared(), difference="Studio holds 3 rows")
        assert differs == (Step.FAIL, "source_changed")


@pytest.mark.parametrize(
    ("record", "existing", "expected"),
    [
        ("ready", Existing.REUSE, (Step.REUSE, "")),
        ("processing", Existing.REUSE, (Step.WAIT, "")),
        ("failed", Existing.REUSE, (Step.FAIL, "existing_failed")),
        ("file", Existing.REUSE, (Step.FAIL, "name_taken")),
        ("ready", Existing.VERIFY, (Step.PREPARE, "")),
        ("processing", Existing.VERIFY, (Step.PREPARE, "")),
        ("failed", Existing.VERIFY, (Step.FAIL, "existing_failed")),
        ("file", Existing.VERIFY, (Step.FAIL, "name_taken")),
        ("ready", Existing.FAIL, (Step.FAIL, "name_taken")),
        ("processing", Existing.FAIL, (Step.FAIL, "name_taken")),
        ("failed", Existing.FAIL, (Step.FAIL, "existing_failed")),
        ("file", Existing.FAIL, (Step.FAIL, "name_taken")),
    ],
)
def test_a_record_that_existed_before_the_job(
    record: str, existing: Existing, expected: tuple[Step, str]
) -> None:
    assert step(ANOTHERS, found=RECORDS[record], existing=existing) == expected


def test_verify_reuses_only_what_was_compared_and_is_equal() -> None:
    verify = replace(ANOTHERS, existing=Existing.VERIFY, found=FOUND, prepared=prepared())
    assert step(verify) == (Step.COMPARE, "")
    assert step(verify, difference="") == (Step.REUSE, "")
    assert step(verify, difference="", found=RECORDS["processing"]) == (Step.WAIT, "")
    assert step(verify, difference="other values") == (Step.FAIL, "existing_differs")
    picture = replace(verify, type=MeasurementType.FILE, found=RECORDS["file"])
    assert step(picture) == (Step.COMPARE, "")
    assert step(picture, difference="") == (Step.REUSE, "")
    assert step(picture, difference="other content") == (Step.FAIL, "existing_differs")


SAID = RecordedSource(sha256="bytes", content_digest="held")


@pytest.mark.parametrize(
    ("source", "member", "expected"),
    [
        (SAID, None, (Step.REUSE, "")),
        # Other bytes are never the same, whatever they hold.
        (replace(SAID, sha256="others"), None, (Step.FAIL, "existing_differs")),
        # The same bytes prepared otherwise, another test of them, or nothing said: read back.
        (replace(SAID, content_digest="made otherwise"), None, (Step.COMPARE, "")),
        (replace(SAID, content_digest=None), None, (Step.COMPARE, "")),
        (SAID, "channel 2", (Step.COMPARE, "")),
        (replace(SAID, member="channel 2"), None, (Step.COMPARE, "")),
        (replace(SAID, member="channel 2"), "channel 2", (Step.REUSE, "")),
        (None, None, (Step.COMPARE, "")),
    ],
)
def test_verify_trusts_what_a_record_says_of_its_source(
    source: RecordedSource | None, member: str | None, expected: tuple[Step, str]
) -> None:
    here = replace(prepared(), source=SourceStamp(size_bytes=10, mtime_ns=20, sha256="bytes"))
    facts = replace(ANOTHERS, existing=Existing.VERIFY, prepared=here, member=member)
    assert step(facts, found=replace(FOUND, source=source)) == expected
    # Without the file nothing is known of its bytes.
    assert step(facts, found=replace(FOUND, source=source), prepared=None) == (Step.PREPARE, "")


def test_our_own_record_is_adopted_by_what_it_says_of_its_source() -> None:
    here = replace(prepared(), source=SourceStamp(size_bytes=10, mtime_ns=20, sha256="bytes"))
    ours = replace(OURS, stored=None, prepared=here)
    assert step(ours, found=replace(FOUND, source=SAID)) == (Step.ADOPT, "")
    other = replace(SAID, sha256="others")
    assert step(ours, found=replace(FOUND, source=other)) == (Step.COMPARE, "")


def test_only_our_own_record_is_ever_changed_and_every_step_can_happen() -> None:
    seen = set()
    for state, found, known, stored, existing, source, difference, attach in itertools.product(
        (JobState.PLANNED, JobState.CONFIRMED, JobState.READY),
        RECORDS.values(),
        (frozenset({"m"}), frozenset[str]()),
        (STORED, None),
        Existing,
        (None, prepared(), prepared("other"), prepared("longer", is_longer=True)),
        (None, "", "other values"),
        (True, False),
    ):
        facts = JobFacts(
            state=state,
            existing=existing,
            found=found,
            known_ids=known,
            stored=stored,
            stamp=NOW,
            prepared=source,
            difference=difference,
            is_to_attach=attach,
        )
        decided, _ = step(facts)
        seen.add(decided)
        assert known or decided not in {Step.WITHDRAW, Step.EXTEND, Step.ADOPT}
        # An answer is never asked for twice: the run comes to an end.
        assert decided is not Step.PREPARE or source is None
        assert decided is not Step.COMPARE or difference is None
        assert decided is not Step.UPLOAD or found is None
        if found is not None and found.has_failed:
            assert decided not in {Step.REUSE, Step.ADOPT, Step.EXTEND, Step.COMPARE}
    assert seen == set(Step) - {Step.REJECT}


def said(facts: JobFacts, **changes: object) -> str:
    return next_step(replace(facts, **changes)).message  # type: ignore[arg-type]


def test_every_failure_says_what_is_there_and_what_to_do() -> None:
    assert said(ANOTHERS, found=RECORDS["file"]) == (
        "Studio has a file measurement of this name (m), and this one is time_series; use "
        "another name"
    )
    assert said(ANOTHERS, found=RECORDS["failed"]) == (
        "Studio has a measurement of this name (m) that it could not process: why; delete it "
        "there, or use another name"
    )
    silent = replace(FOUND, has_failed=True)
    assert "could not process: without a reason; delete" in said(ANOTHERS, found=silent)
    assert said(ANOTHERS, found=FOUND, existing=Existing.FAIL) == (
        "Studio has a measurement of this name (m), and --existing fail asks for new ones only"
    )
    assert said(OURS, found=FOUND, prepared=prepared("other")) == (
        "the source changed since it was uploaded as m, and Studio still holds the earlier 60 "
        "rows; Studio keeps a measurement as it is: upload it under another name, or delete the "
        "old one"
    )
    compared = replace(ANOTHERS, existing=Existing.VERIFY, found=FOUND, prepared=prepared())
    assert said(compared, difference="Studio holds 3 rows") == (
        "Studio has a measurement of this name (m) that differs: Studio holds 3 rows; use "
        "another name, or delete the one in Studio"
    )
    source = RecordedSource(sha256="0123456789abcdef", content_digest="held", member=None)
    mine = replace(
        prepared(), source=SourceStamp(size_bytes=10, mtime_ns=20, sha256="fedcba9876543210")
    )
    assert said(compared, found=replace(FOUND, source=source), prepared=mine) == (
        "Studio has a measurement of this name (m) that differs: it came from a file with SHA-256 "
        "0123456789ab…, and this one has fedcba987654…; use another name, or delete the one in "
        "Studio"
    )


@pytest.mark.parametrize("existing", Existing)
@pytest.mark.parametrize("record", ["ready", "processing", "failed"])
def test_a_name_that_was_free_when_the_plan_was_written_is_not_reused(
    existing: Existing, record: str
) -> None:
    facts = replace(ANOTHERS, expects_new=True, existing=existing)
    assert step(facts, found=RECORDS[record]) == (Step.REJECT, "name_taken_since")
    # What this job itself made is its own.
    ours = step(replace(OURS, expects_new=True), found=RECORDS["ready"])
    assert ours == step(OURS, found=RECORDS["ready"])
    assert step(facts, found=None) == (Step.PREPARE, "")
