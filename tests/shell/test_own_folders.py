"""Job folders and local Studios that lie in the source: nothing of them is planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkload.localstudio import LocalStudio
from bulkload.sources.own_folders import is_own_folder
from tests.archives import archive
from tests.jobs import Jobs


def test_job_and_studio_in_the_source_are_left_out(jobs: Jobs, tmp_path: Path) -> None:
    source = tmp_path / "archive"
    made = archive(source)
    words = (source, "--local", source / "studio")
    first = jobs.upload(*words, job=source / "job")
    assert first.code == 0, first.err
    again = jobs.upload(*words, job=source / "job")
    assert again.code == 0, again.err
    assert again.counts == {"created": len(made), "skipped": 2}


def test_a_job_of_several_parts_is_left_out(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    source = tmp_path / "archive"
    made = archive(source)
    jobs.use(studio)
    for _ in range(2):
        planned = jobs.command("plan", source, "--parts", "2", "--job", source / "job")
        assert planned.code == 0, planned.err
    assert f"{len(made)} measurements in 2 parts; 1 entry left out by a rule" in planned.out


def test_a_survey_names_them_and_reads_nothing_of_them(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    source = tmp_path / "archive"
    made = archive(source)
    jobs.use(studio)
    assert jobs.upload(source, job=source / "job").code == 0
    surveyed = jobs.command("survey", source, "--out", tmp_path / "plan.csv")
    assert f"  {len(made)} data\n  1 system file: job\n" in surveyed.out
    plan = (tmp_path / "plan.csv").read_text("utf-8")
    assert "spec 0/cell 0/run 0.csv" in plan
    assert "job/" not in plan


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("journal.log", b"Monday: cell 4 was replaced\n"),
        ("journal.sqlite", b"SQLite format 3\0" + bytes(96)),
        ("job.json", b'{"version": 1}'),
        ("job.json", b"[]"),
        ("studio.json", b'{"url": "https://studio.example"}'),
    ],
)
def test_a_name_alone_leaves_nothing_out(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert not is_own_folder(tmp_path, {name, "cell 1.csv"})
