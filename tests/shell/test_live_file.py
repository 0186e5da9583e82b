"""live.json: what a running upload says of itself, and what is known of one that is gone."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import pytest

from bulkload.core.limiting import LimitName
from bulkload.core.outcome import OutcomeKind
from bulkload.core.snapshot import Liveness, RunState, StageName
from bulkload.engine.live_file import FILE_NAME, LiveState, read_snapshots
from bulkload.engine.progress import Progress
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive
from tests.jobs import Jobs, running, until

WORDS = ["upload", "archive", "--job", "job", "--workers", "1"]


def state_of(job: Path) -> LiveState | None:
    return next(iter(read_snapshots(job, time.time())), None)


def test_the_last_state_says_how_the_run_ended(jobs: Jobs, studio: LocalStudio) -> None:
    jobs.use(studio)
    archive(jobs.folder / "archive", measurements=3)
    ended = jobs.upload("archive")
    assert ended.code == 0
    live = state_of(jobs.folder / "job")
    assert live is not None
    assert live.liveness is Liveness.ENDED
    shown = live.snapshot
    assert (shown.state, shown.exit_code, shown.run) == (RunState.ENDED, 0, 1)
    assert (shown.planned, shown.counts) == (3, {OutcomeKind.CREATED: 3})
    assert shown.command.startswith("bulkload upload archive --job job")
    done = {stage.name: stage.done for stage in shown.stages}
    assert done == {
        StageName.PLAN: 3, StageName.PREPARE: 3, StageName.API: 3, StageName.STORAGE: 3,
        StageName.PROCESSING: 3,
    }  # fmt: skip
    assert [stage.in_flight for stage in shown.stages] == [0] * 5
    assert (shown.files, shown.files_in_hand) == ((), 0)
    summary = ended.summary
    assert shown.requests == summary["requests"]
    assert shown.bytes_sent == summary["bytes_sent"]
    assert shown.rows == summary["rows"]
    assert [path.name for path in (jobs.folder / "job").glob("live.json*")] == [FILE_NAME]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_run_in_progress_is_read_from_outside_suspended_and_killed(
    studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=3)
    studio.faults.add(FaultRule(kind=FaultKind.LATENCY, endpoint="storage.put", seconds=600.0))
    job = tmp_path / "job"
    with running(WORDS, folder=tmp_path, studio=studio) as run:

        def is_sending() -> bool:
            live = state_of(job)
            stage = None if live is None else live.snapshot.stage(StageName.STORAGE)
            return stage is not None and stage.in_flight == 3

        until(is_sending, "three transfers in the live file")
        live = state_of(job)
        assert live is not None
        assert live.liveness is Liveness.ALIVE
        assert live.snapshot.pid == run.process.pid
        assert live.snapshot.state is RunState.RUNNING
        assert live.snapshot.planned == 3
        assert {file.stage for file in live.snapshot.files} == {StageName.STORAGE}
        names = {str(Path(file.path).relative_to(tmp_path)) for file in live.snapshot.files}
        assert len(names) == 3

        run.signal(signal.SIGSTOP)
        until(lambda: _liveness(job) is Liveness.PAUSED, "a suspended process")
        run.signal(signal.SIGCONT)
        until(lambda: _liveness(job) is Liveness.ALIVE, "a process that goes on")
        run.process.kill()
        run.process.wait()
        assert _liveness(job) is Liveness.DEAD
        live = state_of(job)
        assert live is not None
        assert live.snapshot.exit_code is None


def _liveness(job: Path) -> Liveness | None:
    live = state_of(job)
    return None if live is None else live.liveness


def test_a_run_whose_server_is_away_says_that_it_waits(studio: LocalStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=2)
    studio.faults.add(FaultRule(kind=FaultKind.STATUS, endpoint="*", status=503))
    job = tmp_path / "job"
    with running(WORDS, folder=tmp_path, studio=studio):
        until(lambda: _liveness(job) is Liveness.PAUSED, "the outage in the live file")
        live = state_of(job)
        assert live is not None
        assert live.snapshot.state is RunState.WAITING
        assert live.snapshot.limit.name is LimitName.SERVER
        assert [pause.what for pause in live.snapshot.pauses][-1] == "server"


def test_a_state_that_cannot_be_written_stops_nothing(jobs: Jobs, studio: LocalStudio) -> None:
    jobs.use(studio)
    archive(jobs.folder / "archive", measurements=1)
    # A folder in its place: nothing can be renamed onto it.
    (jobs.folder / "job" / FILE_NAME).mkdir(parents=True)
    assert jobs.upload("archive").code == 0


def test_a_state_that_cannot_be_told_stops_nothing(
    jobs: Jobs, studio: LocalStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect in what is shown is no reason to end what is done."""

    def defect(_: Progress) -> None:
        raise RuntimeError("a defect")

    jobs.use(studio)
    archive(jobs.folder / "archive", measurements=1)
    monkeypatch.setattr(Progress, "snapshot", defect)
    assert jobs.upload("archive", "--quiet").code == 0
    assert state_of(jobs.folder / "job") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", json.dumps({"format": 1, "state": "x"})])
def test_a_state_that_cannot_be_read_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(text, "utf-8")
    assert read_snapshots(tmp_path, time.time()) == []
