"""Specifications, lots and cells: made once, found once, refused once."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive, series, specification, write, write_json
from tests.jobs import Jobs
from tests.official import judge_of


def test_parents_are_made_once_however_many_measurements_wait(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", specs=2, cells=2, measurements=6)
    for cell in (tmp_path / "archive").glob("spec */cell *"):
        write_json(cell / "cell.json", {"batch": "2026-01"})
    jobs.use(studio)
    assert jobs.upload("archive").code == 0
    made = {name: studio.requests.by_endpoint[f"{name}.create"] for name in ("spec", "instance")}
    assert made == {"spec": 2, "instance": 4}
    assert studio.requests.by_endpoint["batch.create"] == 2


def test_a_refused_parent_is_asked_for_once_and_fails_its_measurements(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", cells=2, measurements=5)
    studio.faults.add(
        FaultRule(kind=FaultKind.STATUS, endpoint="instance.create", status=422, times=1)
    )
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.counts == {"created": 5, "failed": 5}
    assert studio.requests.by_endpoint["instance.create"] == 2
    assert {row.cause for row in ended.rows.values()} <= {"", "refused"}


def test_nothing_is_made_for_a_cell_whose_files_are_all_rejected(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    specification(tmp_path / "archive" / "spec")
    (tmp_path / "archive" / "spec" / "cell").mkdir()
    (tmp_path / "archive" / "spec" / "cell" / "run.csv").write_text("", "utf-8")
    jobs.use(studio)
    assert jobs.upload("archive").counts == {"rejected": 1}
    with judge_of(studio) as judge:
        assert list(judge.client.cell_spec.list()) == []


def test_a_name_taken_by_another_type_is_a_failure(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    specification(root / "spec")
    write_json(root / "spec" / "cell" / "run.properties.json", {"mass": {"value": 1, "unit": "g"}})
    jobs.use(studio)
    assert jobs.upload("archive").counts == {"created": 1}
    (root / "spec" / "cell" / "run.properties.json").unlink()
    write(root / "spec" / "cell" / "run.csv", series())
    ended = jobs.upload("archive", job="another")
    assert (ended.code, ended.counts) == (3, {"failed": 1})
    assert ended.rows["run"].cause == "name_taken"
    assert "properties" in ended.rows["run"].message


def test_a_measurement_that_failed_in_studio_is_withdrawn_by_a_retry(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", measurements=2)
    studio.faults.add(
        FaultRule(kind=FaultKind.PROCESSING_FAILED, endpoint="processing", subject="run 1", times=1)
    )
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.counts == {"created": 1, "failed": 1}
    assert ended.rows["run 1"].cause == "processing_failed"
    # The same bytes would fail again: the same command leaves them alone, and says so.
    before = studio.requests.total
    assert jobs.upload("archive").counts == {"created": 1, "failed": 1}
    assert studio.requests.total == before
    assert jobs.command("retry", "job", "--cause", "processing_failed", "--workers", "1").code == 0
    with judge_of(studio) as judge:
        held = judge.by_key()
        assert set(held) == set(made)
        read: pa.Table = judge.time_series(held["spec 0", "cell 0", "run 1"].id)
    assert read.num_rows == made["spec 0", "cell 0", "run 1"].num_rows
