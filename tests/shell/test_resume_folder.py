"""A job folder carries all that a rerun needs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import archive, specification
from tests.jobs import Jobs


def test_resume_needs_the_job_folder_alone(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layout, specifications, patterns and --no-wait are those of the upload, from any folder."""
    archive(tmp_path / "made", measurements=4, rows=20)
    flat = tmp_path / "flat"
    flat.mkdir()
    for number in range(2):
        source = tmp_path / "made" / "spec 0" / "cell 0" / f"run {number}.csv"
        shutil.copy(source, flat / f"A1_run {number}.csv")
    shutil.copy(flat / "A1_run 0.csv", flat / "A1_run 9.csv")
    specification(tmp_path / "specs", name="spec 0")
    jobs.use(studio)
    options = ("--layout", "{cell}_{measurement}.*", "--specs", "specs", "--exclude", "*9.csv")
    ended = jobs.upload("flat", *options, "--no-wait", "--skip-check", "time_gaps")
    assert (ended.code, ended.counts) == (0, {"created": 2, "skipped": 1})
    shutil.copy(tmp_path / "made/spec 0/cell 0/run 3.csv", flat / "A1_run 3.csv")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = jobs.command("resume", tmp_path / "job", "--workers", "1")
    assert again.code == 0, again.out + again.err
    assert "3  created" in again.out
    assert "1  skipped" in again.out
    assert "not waited for" in again.out
    # A retry keeps them too, for the resume after it.
    assert jobs.command("retry", tmp_path / "job", "--workers", "1", "--wait").code == 0
    last = jobs.command("resume", tmp_path / "job", "--workers", "1")
    assert last.code == 0, last.out + last.err


def test_a_folder_of_an_earlier_version_says_what_to_run(jobs: Jobs, tmp_path: Path) -> None:
    ended = jobs.command("resume", tmp_path)
    assert (ended.code, "is not a job folder" in ended.err) == (2, True)
