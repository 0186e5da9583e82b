"""Places that cannot be written: one sentence, before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Jobs, running


@pytest.mark.parametrize("option", ["--summary", "--log-json", "--references"])
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nothere/out", "No such file or directory"),
        ("folder", "Is a directory"),
        ("file/out", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_an_output_that_cannot_be_written_is_found_first(
    option: str, path: str, reason: str, jobs: Jobs, studio: LocalStudio
) -> None:
    archive(jobs.folder / "archive", measurements=1)
    (jobs.folder / "folder").mkdir()
    (jobs.folder / "file").write_text("")
    jobs.use(studio)
    ended = jobs.upload("archive", option, path)
    assert ended.code == 2
    assert f"{option}: {path} cannot be written: {reason}" in ended.err
    assert studio.requests.total == 0


def test_a_path_that_was_tried_is_left_as_it_was(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "old.json").write_text("what was there")
    jobs.use(studio)
    jobs.upload("nowhere", "--summary", "new.json", "--references", "old.json")
    assert not (tmp_path / "new.json").exists()
    assert (tmp_path / "old.json").read_text() == "what was there"


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ("file/job", "Not a directory"),
        ("file", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_job_folder_that_cannot_be_made(
    job: str, reason: str, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    (tmp_path / "file").write_text("")
    words = ["upload", "archive", "--job", job, "--workers", "1"]
    with running(words, folder=tmp_path, studio=studio) as run:
        ended = run.wait()
    assert ended.code == 2
    assert reason in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert studio.requests.total == 0
