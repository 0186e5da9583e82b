"""A test that grows, the original file, the step summary, references: what goes beside the rows."""

from __future__ import annotations

import csv
import hashlib
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive, series, specification, sums, write, write_json
from tests.jobs import Jobs, event_names
from tests.official import judge_of

KEY = ("spec", "cell", "growing")


def growing(root: Path, rows: int, **metadata: str) -> pa.Table:
    """Write one measurement of so many rows, each version the beginning of the next."""
    specification(root / "spec")
    table = series(rows=400, steps=4).slice(0, rows)
    write(root / "spec" / "cell" / "growing.csv", table)
    write_json(root / "spec" / "cell" / "growing.meta.json", metadata)
    return table


def test_a_longer_version_of_a_running_test_is_appended(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    growing(tmp_path / "archive", 150)
    jobs.use(studio)
    assert jobs.upload("archive").counts == {"created": 1}
    first_id = jobs.upload("archive").rows["growing"].measurement_id
    longer = growing(tmp_path / "archive", 320)
    ended = jobs.upload("archive")
    assert (ended.code, ended.counts) == (0, {"created": 1}), ended.out
    assert ended.rows["growing"].measurement_id == first_id
    assert "Extended" in event_names(ended.job or tmp_path, "growing")
    with judge_of(studio) as judge:
        read = judge.time_series(judge.by_key()[KEY].id)
    assert read.num_rows == 320
    assert sums(read) == sums(longer)
    assert jobs.command("verify", "job", "--all").code == 0
    again = jobs.upload("archive")
    assert again.summary["requests"] == 0


def test_an_extension_that_studio_cannot_process_is_not_a_success(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    """The record stays ready with its old rows: only its error tells of the new ones."""
    growing(tmp_path / "archive", 150)
    jobs.use(studio)
    assert jobs.upload("archive").counts == {"created": 1}
    growing(tmp_path / "archive", 320)
    studio.faults.add(FaultRule(kind=FaultKind.PROCESSING_FAILED, endpoint="processing", times=1))
    ended = jobs.upload("archive")
    assert (ended.code, ended.counts) == (3, {"failed": 1})
    row = ended.rows["growing"]
    assert (row.state, row.cause) == ("failed", "processing_failed")
    assert "ordered fault" in row.message
    with judge_of(studio) as judge:
        assert judge.by_key()[KEY].record.processing_status == "ready"


def test_a_test_that_has_ended_is_not_appended_to(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    ended_at = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:30:00Z"}
    growing(tmp_path / "archive", 150, **ended_at)
    jobs.use(studio)
    jobs.upload("archive")
    growing(tmp_path / "archive", 320, **ended_at)
    ended = jobs.upload("archive")
    assert (ended.code, ended.counts) == (3, {"failed": 1})
    assert ended.rows["growing"].cause == "source_changed"
    assert "150 rows" in ended.rows["growing"].message


def test_another_beginning_is_not_an_extension(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    growing(tmp_path / "archive", 150)
    jobs.use(studio)
    jobs.upload("archive")
    other = series(rows=400, steps=4, seed=7).slice(0, 320)
    write(tmp_path / "archive" / "spec" / "cell" / "growing.csv", other)
    ended = jobs.upload("archive")
    assert ended.rows["growing"].cause == "source_changed"
    with judge_of(studio) as judge:
        assert judge.time_series(judge.by_key()[KEY].id).num_rows == 150


def test_a_file_that_was_only_touched_is_still_done(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    growing(tmp_path / "archive", 150)
    jobs.use(studio)
    jobs.upload("archive")
    os.utime(tmp_path / "archive" / "spec" / "cell" / "growing.csv", (1e9, 1e9))
    ended = jobs.upload("archive")
    assert (ended.code, ended.counts) == (0, {"created": 1})


def test_the_original_file_is_stored_once_and_linked(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    specification(root / "spec", name="spec")
    source = write(root / "spec" / "cell" / "one.csv", series())
    manifest = tmp_path / "plan.csv"
    manifest.write_text(
        "spec,cell,measurement,path\n"
        + "".join(f"spec,{cell},run,archive/spec/cell/one.csv\n" for cell in ("a", "b", "c")),
        "utf-8",
    )
    jobs.use(studio)
    ended = jobs.upload(manifest, "--specs", root / "spec" / "spec.json", "--attach-raw")
    assert ended.counts == {"created": 3}, ended.out
    with judge_of(studio) as judge:
        linked = {
            raw.id
            for held in judge.measurements()
            for raw in judge.client.cell_measurement.list_raw_data(held.id)
        }
        assert len(linked) == 1
        content = judge.client.raw_data.download(linked.pop())
    assert hashlib.sha256(content).digest() == hashlib.sha256(source.read_bytes()).digest()


def test_references_name_what_is_in_studio(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> None:
    made = archive(tmp_path / "archive", measurements=2)
    (tmp_path / "archive" / "spec 0" / "cell 0" / "bad.csv").write_text("", "utf-8")
    jobs.use(studio)
    jobs.upload("archive", "--references", tmp_path / "refs.csv")
    with (tmp_path / "refs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with judge_of(studio) as judge:
        ids = {held.key: held.id for held in judge.measurements()}
    assert {(r["spec"], r["cell"], r["measurement"]): r["id"] for r in rows} == ids
    assert all(row["reference"] == f"db:{row['id']}" for row in rows)
    assert len(rows) == len(made)


def test_the_step_summary_goes_along_on_request(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    jobs.use(studio)
    assert jobs.upload("archive", "--store-steps").code == 0
    with judge_of(studio) as judge:
        (held,) = judge.measurements()
        steps = judge.client.cell_measurement.steps(held.id)
    assert np.array_equal(np.asarray(steps["Step count"]), [0, 1, 2, 3])
