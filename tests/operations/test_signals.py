"""Signals: the first ends in order, the second ends at once, whatever is waited for."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive
from tests.jobs import running, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")

#: What a person who asks twice is promised, and what a busy machine may add to it, in seconds.
PROMISED_S, BUSY_S = 1.0, 9.0


def test_a_hangup_ends_a_run_in_order(studio: LocalStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=60, rows=20)
    studio.faults.add(FaultRule(kind=FaultKind.LATENCY, endpoint="*", seconds=0.5))
    words = ["upload", "archive", "--job", "job", "--workers", "1"]
    with running(words, folder=tmp_path, studio=studio) as run:
        until(lambda: studio.requests.total > 0, "the first request")
        run.signal(signal.SIGHUP)
        ended = run.wait()
    assert ended.code == 143
    assert ended.summary["exit_code"] == 143
    assert "by SIGHUP" in ended.out
    assert ended.out.rstrip().splitlines()[-1].startswith("bulkload upload archive")


def test_a_hangup_that_nohup_ignores_ends_nothing(studio: LocalStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=2)
    studio.faults.add(FaultRule(kind=FaultKind.LATENCY, endpoint="*", seconds=0.3))
    words = ["upload", "archive", "--job", "job", "--workers", "1"]
    with running(words, folder=tmp_path, studio=studio, before=["nohup"]) as run:
        until(lambda: studio.requests.total > 0, "the first request")
        run.signal(signal.SIGHUP)
        ended = run.wait()
    assert ended.code == 0
    assert ended.counts == {"created": 2}


def test_the_second_signal_ends_a_plan_that_waits_for_a_source(
    studio: LocalStudio, tmp_path: Path
) -> None:
    """Metadata that never answer: a pipe that nobody writes to, within the plan's patience."""
    archive(tmp_path / "archive", measurements=1, rows=20)
    (tmp_path / "archive" / "spec 0" / "spec.json").unlink()
    os.mkfifo(tmp_path / "archive" / "spec 0" / "spec.json")
    words = ["upload", "archive", "--job", "job", "--workers", "1"]
    with running(words, folder=tmp_path, studio=studio) as run:
        live = tmp_path / "job" / "live.json"
        until(live.is_file, "the plan being made")
        run.signal(signal.SIGTERM)
        # Two signals at once would be one.
        until(lambda: '"stopping"' in live.read_text("utf-8"), "the first signal being heard")
        began = time.monotonic()
        run.signal(signal.SIGTERM)
        ended = run.wait()
        took_s = time.monotonic() - began
    assert ended.code == 143
    assert took_s < PROMISED_S + BUSY_S
    assert not run.readers()
