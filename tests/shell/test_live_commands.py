"""What each command gives the live view: its stages, its counts, and how far it came."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

import pytest
from rich.console import Console

from bulkload.core.snapshot import RunSnapshot, StageName
from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Jobs


@pytest.fixture
def last_shown(monkeypatch: pytest.MonkeyPatch) -> list[RunSnapshot]:
    """The state that each view had when its block ended."""
    kept: list[RunSnapshot] = []

    @contextmanager
    def look(console: Console, snapshot: Callable[[], RunSnapshot]) -> Iterator[None]:
        assert console.stderr, "a view must not get into what a command prints for a pipe"
        yield
        kept.append(snapshot())

    for name in ("check", "compare", "pack", "plan", "rollback", "survey", "verify"):
        monkeypatch.setattr(import_module(f"bulkload.cli.commands.{name}"), "shown_live", look)
    return kept


def done(shown: RunSnapshot) -> dict[StageName, int]:
    return {stage.name: stage.done for stage in shown.stages}


@pytest.fixture
def job(jobs: Jobs, studio: LocalStudio) -> Jobs:
    """An archive of three good files and a bad one, uploaded."""
    jobs.use(studio)
    archive(jobs.folder / "archive", measurements=3)
    good = next((jobs.folder / "archive").rglob("*.csv"))
    good.with_name("bad.csv").write_text("a,b\n1,2\n", "utf-8")
    return jobs


def test_plan_and_survey_and_check(job: Jobs, last_shown: list[RunSnapshot]) -> None:
    assert job.command("plan", "archive").code == 0
    assert done(last_shown.pop()) == {StageName.PLAN: 4}
    job.command("survey", "archive")
    looked = last_shown.pop()
    assert done(looked) == {StageName.PLAN: 5, StageName.LOOK: 4}
    assert (looked.planned, looked.counts) == (4, {"looked at": 4})
    assert job.command("check", "archive", "--workers", "1").code == 3
    planned, checked = last_shown
    assert done(planned) == {StageName.PLAN: 4, StageName.PREPARE: 0}
    assert done(checked) == {StageName.PLAN: 4, StageName.PREPARE: 4}
    assert {word: count for word, count in checked.counts.items() if count} == {
        "fit": 3, "rejected": 1
    }  # fmt: skip
    assert (checked.planned, checked.causes) == (4, {"unknown_format": 1})
    assert checked.examples["unknown_format"].startswith(str(job.folder / "archive"))
    assert checked.stages[1].capacity == 1
    assert checked.files_in_hand == 0
    assert checked.bytes_read > 0


def test_verify_and_rollback(job: Jobs, last_shown: list[RunSnapshot]) -> None:
    assert job.upload("archive").code == 3
    assert job.command("verify", "job", "--all").code == 0
    compared = last_shown.pop()
    assert done(compared) == {StageName.COMPARE: 3}
    assert (compared.planned, compared.counts) == (3, {"equal": 3})
    assert compared.requests > 0
    assert job.command("pack", "job", "--out", "pack").code == 0
    written = last_shown.pop()
    files = len(list((job.folder / "pack").iterdir())) - len(["MANIFEST.sha256"])
    assert done(written) == {StageName.WRITE: files}
    assert (written.planned, written.counts) == (files, {"written": files})
    assert job.command("verify", "pack", "--sample", "2").code == 0
    read_back = last_shown.pop()
    assert done(read_back) == {StageName.COMPARE: 2}
    assert (read_back.planned, read_back.counts) == (2, {"equal": 2})
    assert read_back.requests > 0
    assert job.command("verify", "pack", "--sources", "archive").code == 0
    hashed = last_shown.pop()
    assert (hashed.planned, hashed.counts, hashed.files_in_hand) == (4, {"equal": 4}, 0)
    next((job.folder / "archive").rglob("run 0.csv")).unlink()
    assert job.command("compare", "archive", "--workers", "1").code == 3
    planned, side_by_side = last_shown.pop(-2), last_shown.pop()
    assert done(planned) == {StageName.PLAN: 3, StageName.COMPARE: 0}
    assert done(side_by_side) == {StageName.PLAN: 3, StageName.COMPARE: 2}
    assert {word: count for word, count in side_by_side.counts.items() if count} == {
        "equal": 2, "missing in Studio": 1, "missing in the source": 1
    }  # fmt: skip
    assert (side_by_side.planned, side_by_side.files_in_hand) == (4, 0)
    assert side_by_side.requests > 0
    assert job.command("rollback", "job", "--yes").code == 0
    deleted = last_shown.pop()
    # Three measurements, their cell and its specification.
    assert done(deleted) == {StageName.DELETE: 5}
    assert (deleted.planned, deleted.counts) == (5, {"deleted": 5})
    assert deleted.files_in_hand == 0
