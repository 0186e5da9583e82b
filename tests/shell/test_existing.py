"""What is in Studio already under a measurement's name, and what the settings make of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive, series, specification, sums, write
from tests.jobs import Jobs, StartStudio, event_names, running, until
from tests.official import judge_of

FIRST = Path("archive/spec 0/cell 0/run 0.csv")


@pytest.fixture
def uploaded(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> LocalStudio:
    """A Studio that holds an archive which another job folder brought there."""
    archive(tmp_path / "archive", measurements=3)
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    return studio


@pytest.fixture
def unsigned(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> LocalStudio:
    """A Studio that holds such an archive, and no word of where it came from."""
    archive(tmp_path / "archive", measurements=3)
    jobs.use(studio)
    assert jobs.upload("archive", "--no-provenance", job="first").code == 0
    return studio


@pytest.mark.usefixtures("uploaded")
def test_existing_fail_asks_for_new_names_only(jobs: Jobs) -> None:
    ended = jobs.upload("archive", "--existing", "fail")
    assert ended.code == 3
    assert ended.counts == {"failed": 3}
    assert ended.summary["causes"] == {"name_taken": 3}
    assert "--existing fail" in ended.rows["run 0"].message


def test_existing_verify_compares_with_what_studio_gives_back(
    jobs: Jobs, unsigned: LocalStudio, tmp_path: Path
) -> None:
    # The same data in another form is the same; one more row, or one other value, is not.
    one, other, third = (tmp_path / "archive/spec 0/cell 0" / f"run {n}" for n in range(3))
    text = one.with_suffix(".csv").read_text("utf-8")
    one.with_suffix(".csv").write_text(text.replace(",", "\t"), "utf-8")
    write(other.with_suffix(".csv"), series(rows=61, seed=1))
    write(third.with_suffix(".parquet"), series(seed=3))
    ended = jobs.upload("archive", "--existing", "verify")
    assert ended.code == 3
    assert ended.counts == {"existing": 1, "failed": 2}
    rows = ended.rows
    assert rows["run 0"].state == "existing"
    assert rows["run 1"].cause == rows["run 2"].cause == "existing_differs"
    assert "60 rows" in rows["run 1"].message
    assert "61" in rows["run 1"].message
    assert "different values" in rows["run 2"].message
    assert unsigned.requests.by_endpoint["measurement.initiate"] == 3


def test_a_record_that_studio_could_not_process_is_no_success(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    jobs.use(studio)
    studio.faults.add(FaultRule(kind=FaultKind.PROCESSING_FAILED, endpoint="processing", times=1))
    first = jobs.upload("archive", job="first")
    assert first.code == 3
    assert first.summary["causes"] == {"processing_failed": 1}
    assert "ordered fault" in first.rows["run 0"].message
    # Another job did not make it: it may not take it for a success, nor delete it.
    second = jobs.upload("archive", job="second")
    assert second.code == 3
    assert second.summary["causes"] == {"existing_failed": 1}
    assert studio.requests.by_endpoint["measurement.delete"] == 0
    # The same bytes would fail again: the same command leaves it, a retry asks for it.
    assert jobs.upload("archive", job="first").code == 3
    assert jobs.command("retry", "first").code == 0
    assert studio.requests.by_endpoint["measurement.delete"] == 1
    with judge_of(studio) as judge:
        (held,) = judge.measurements()
        assert held.record.processing_status == "ready"


FORMS = ("standard", "without_existing_id", "legacy_keys", "nested", "plain")


@pytest.mark.parametrize(
    ("form", "at"),
    [*((form, "initiate") for form in FORMS), ("standard", "confirm"), ("plain", "confirm")],
)
def test_a_conflict_of_any_form_is_an_answer(
    form: str, at: str, jobs: Jobs, start_studio: StartStudio, tmp_path: Path
) -> None:
    """Records that no listing shows until the server has refused their names."""
    made = archive(tmp_path / "archive", measurements=2)
    studio = start_studio(conflict_form=form, duplicate_at=at)
    jobs.use(studio)
    assert jobs.upload("archive", job="first").counts == {"created": 2}
    with judge_of(studio) as judge:
        for held in judge.measurements():
            studio.faults.hide(held.id, 1000.0)
    # Whoever looks the name up after the refusal is held until it can be seen.
    for nth in (2, 3):
        rule = FaultRule(kind=FaultKind.LATENCY, endpoint="measurement.list", nth=nth, seconds=1.0)
        studio.faults.add(rule)
    words = ["upload", "archive", "--job", "job", "--connections", "1", "--workers", "1"]
    with running(words, folder=tmp_path, studio=studio) as run:
        until(lambda: studio.requests.by_status[409] > 0, "a conflict")
        studio.faults.clear()
        ended = run.wait()
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"existing": len(made)}
    with judge_of(studio) as judge:
        assert len(judge.measurements()) == 2


def test_names_that_the_server_takes_for_the_same_are_the_same(
    jobs: Jobs, start_studio: StartStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    upper = tmp_path / "upper"
    specification(upper / "SPEC 0")
    for path in (tmp_path / "archive").rglob("run *"):
        copy = upper / "SPEC 0" / "CELL 0" / (path.stem.upper() + path.suffix)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    studio = start_studio(names_case_sensitive=False)
    jobs.use(studio)
    assert jobs.upload("upper", job="first").counts == {"created": 2}
    ended = jobs.upload("archive")
    assert studio.requests.by_status[409] > 0
    assert ended.code == 0, ended.out
    assert ended.counts == {"existing": 2}
    with judge_of(studio) as judge:
        assert len(judge.measurements()) == 2


def test_a_name_that_appears_after_the_look_is_resolved(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    """Two jobs race for the same archive: nothing is there twice, and both say so."""
    made = archive(tmp_path / "archive", cells=2, measurements=10)
    words = ["upload", "archive", "--workers", "1", "--job"]
    with (
        running([*words, "one"], folder=tmp_path, studio=studio, job="one") as one,
        running([*words, "two"], folder=tmp_path, studio=studio, job="two") as two,
    ):
        ends = [one.wait(), two.wait()]
    assert [ended.code for ended in ends] == [0, 0], [ended.out for ended in ends]
    created = sum(ended.summary["counts"]["created"] for ended in ends)
    existing = sum(ended.summary["counts"]["existing"] for ended in ends)
    assert (created, existing) == (len(made), len(made))
    with judge_of(studio) as judge:
        held = judge.by_key()
        assert set(held) == set(made)
        for key, table in made.items():
            assert sums(judge.time_series(held[key].id)) == sums(table)


def test_a_record_in_processing_is_waited_for_and_then_existing(
    jobs: Jobs, start_studio: StartStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    studio = start_studio(processing_s=1.5)
    jobs.use(studio)
    assert jobs.upload("archive", "--no-wait", job="first").code == 0
    ended = jobs.upload("archive", job="second")
    assert ended.code == 0
    assert ended.counts == {"existing": 1}
    assert event_names(tmp_path / "second", "run 0") == ["Found"]
    with judge_of(studio) as judge:
        assert judge.measurements()[0].record.processing_status == "ready"
