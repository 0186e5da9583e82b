"""What a measurement says in Studio of its source file, and what a later job makes of it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from bulkload.core.version import VERSION
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive, series, write, write_json
from tests.jobs import Jobs
from tests.official import judge_of

CELL = Path("archive/spec 0/cell 0")


@pytest.fixture
def uploaded(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> LocalStudio:
    """A Studio that holds an archive of two tests, whose journal is lost."""
    archive(tmp_path / "archive", measurements=2)
    jobs.use(studio)
    ended = jobs.upload("archive", "--transform", "set_capacity")
    assert ended.code == 0, ended.out + ended.err
    shutil.rmtree(tmp_path / "job")
    return studio


def read_backs(studio: LocalStudio) -> int:
    return studio.requests.by_endpoint["measurement.time_series"]


def setups(studio: LocalStudio) -> dict[str, Any]:
    with judge_of(studio) as judge:
        return {held.record.name: held.record.test_setup for held in judge.measurements()}


def test_a_measurement_names_its_source_and_its_changes(
    uploaded: LocalStudio, tmp_path: Path
) -> None:
    entry = setups(uploaded)["run 0"]["bulkload"]
    path = tmp_path / CELL / "run 0.csv"
    digest = entry.pop("content_digest")
    assert len(digest) == 64
    assert entry == {
        "source": "run 0.csv",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "reader": "ionworks",
        "version": VERSION,
        "changes": [{"code": "set_capacity", "evidence": "on request"}],
    }


def test_the_same_content_is_recognised_without_reading_it_back(
    jobs: Jobs, uploaded: LocalStudio
) -> None:
    before = read_backs(uploaded)
    ended = jobs.upload("archive", "--transform", "set_capacity", "--existing", "verify")
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"existing": 2}
    assert read_backs(uploaded) == before


def test_the_same_bytes_made_into_other_data_are_compared(
    jobs: Jobs, uploaded: LocalStudio
) -> None:
    ended = jobs.upload("archive", "--existing", "verify")
    assert ended.code == 3
    assert ended.counts == {"failed": 2}
    assert ended.rows["run 0"].cause == "existing_differs"
    assert read_backs(uploaded) == 2


def test_other_bytes_are_never_called_existing(
    jobs: Jobs, uploaded: LocalStudio, tmp_path: Path
) -> None:
    # The values are the same, in other bytes: nothing but its own hash makes it this file's.
    path = tmp_path / CELL / "run 0.csv"
    path.write_text(path.read_text("utf-8") + "\n", "utf-8")
    ended = jobs.upload("archive", "--transform", "set_capacity", "--existing", "verify")
    assert ended.code == 3
    assert ended.counts == {"existing": 1, "failed": 1}
    assert ended.rows["run 0"].cause == "existing_differs"
    assert "it came from a file with SHA-256" in ended.rows["run 0"].message
    assert read_backs(uploaded) == 0


def test_without_provenance_nothing_is_said_also_in_a_retry(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    jobs.use(studio)
    studio.faults.add(FaultRule(kind=FaultKind.PROCESSING_FAILED, endpoint="processing", times=1))
    first = jobs.upload("archive", "--no-provenance")
    assert first.counts == {"created": 1, "failed": 1}
    assert jobs.command("retry", "job", "--workers", "1").code == 0
    assert setups(studio) == {"run 0": None, "run 1": None}
    # What says nothing of its source is read back.
    shutil.rmtree(tmp_path / "job")
    assert jobs.upload("archive", "--existing", "verify").counts == {"existing": 2}
    assert read_backs(studio) == 2


def test_properties_and_files_name_their_sources_too(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    write_json(tmp_path / CELL / "size.properties.json", {"mass": {"value": 1, "unit": "g"}})
    (tmp_path / CELL / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    jobs.use(studio)
    assert jobs.upload("archive").code == 0
    held = setups(studio)
    assert held["size"]["bulkload"]["source"] == "size.properties.json"
    assert held["photo"]["bulkload"]["source"] == "photo.png"
    shutil.rmtree(tmp_path / "job")
    assert jobs.upload("archive", "--existing", "verify").counts == {"existing": 3}


def test_a_record_that_grew_names_no_hash(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=1)
    path = tmp_path / CELL / "run 0.csv"
    whole, short = series(rows=80), series(rows=80).slice(0, 60)
    write(path, short)
    jobs.use(studio)
    assert jobs.upload("archive", "--no-strict").code == 0
    write(path, whole)
    ended = jobs.upload("archive", "--no-strict")
    assert ended.counts == {"created": 1}, ended.out
    entry = setups(studio)["run 0"]["bulkload"]
    assert entry["source"] == "run 0.csv"
    assert not {"sha256", "content_digest"} & entry.keys()
    # The shorter file of before is not what Studio holds now.
    write(path, short)
    again = jobs.upload("archive", "--no-strict", "--existing", "verify", job="other")
    assert again.counts == {"failed": 1}
