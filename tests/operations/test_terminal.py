"""Terminals, pipes and files that break, stall or vanish: the work goes on as if they had not."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bulkload.cli.output.terminal import QUEUE_LIMIT_BYTES, OutputQueue
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive
from tests.jobs import PATIENCE_S, environment_of, until

#: Enough that the work is under way when something happens to the terminal.
FILES = 3


def environment(studio: LocalStudio) -> dict[str, str]:
    ambient = {name: value for name, value in os.environ.items() if "IONWORKS" not in name}
    return ambient | environment_of(studio)


def command(*more: str) -> list[str]:
    return [sys.executable, "-m", "bulkload", "upload", "archive", "--job", "job",
            "--workers", "1", *more]  # fmt: skip


def shell(line: str) -> list[str]:
    return ["bash", "-c", line.replace("UPLOAD", " ".join(command()))]


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "job/summary.json").read_text("utf-8"))
    return found


def log_events(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "job/log.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    archive(tmp_path / "archive", measurements=FILES)
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "UPLOAD 2>&1 | head -1; exit ${PIPESTATUS[0]}",
        "UPLOAD 2> >(true)",
        "UPLOAD >/dev/full 2>&1",
        "UPLOAD <&- >&- 2>&-",
    ],
)
def test_output_that_nobody_takes_changes_nothing_else(
    line: str, folder: Path, studio: LocalStudio
) -> None:
    ended = subprocess.run(
        shell(line), cwd=folder, env=environment(studio), timeout=PATIENCE_S, check=False,
        stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert summary(folder)["counts"]["created"] == FILES
    assert summary(folder)["exit_code"] == 0


def test_dropped_output_is_noted_in_the_log(folder: Path, studio: LocalStudio) -> None:
    subprocess.run(
        shell("UPLOAD >/dev/full"), cwd=folder, env=environment(studio), timeout=PATIENCE_S,
        check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    noted = [event for event in log_events(folder) if event["event"] == "terminal.output_dropped"]
    assert [event["stream"] for event in noted] == ["stdout"]
    assert noted[0]["reason"] == os.strerror(28)
    assert noted[0]["size_bytes"] > 0


@contextmanager
def on_terminal(
    folder: Path, studio: LocalStudio
) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """Run an upload with a pseudo-terminal; yield the process and the terminal's two sides."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(), cwd=folder, env=environment(studio), stdin=theirs, stdout=theirs,
        stderr=theirs, start_new_session=True,
    )  # fmt: skip
    try:
        yield process, ours, theirs
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        with suppress(OSError):
            os.close(ours)
        with suppress(OSError):
            os.close(theirs)


def test_a_terminal_that_vanishes_costs_nothing(folder: Path, studio: LocalStudio) -> None:
    studio.faults.add(FaultRule(kind=FaultKind.LATENCY, endpoint="*", seconds=0.2))
    with on_terminal(folder, studio) as (process, ours, theirs):
        os.close(theirs)
        until(lambda: studio.requests.total > 0, "the first request")
        os.close(ours)
        assert process.wait(PATIENCE_S) == 0
    assert summary(folder)["counts"]["created"] == FILES


def test_a_paused_terminal_does_not_pause_the_work(folder: Path, studio: LocalStudio) -> None:
    with on_terminal(folder, studio) as (process, _, theirs):
        termios.tcflow(theirs, termios.TCOOFF)
        assert process.wait(PATIENCE_S) == 0
    assert summary(folder)["counts"]["created"] == FILES


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_whose_terminal_is_gone(
    number: signal.Signals, folder: Path, studio: LocalStudio
) -> None:
    studio.faults.add(FaultRule(kind=FaultKind.LATENCY, endpoint="*", seconds=0.5))
    with on_terminal(folder, studio) as (process, ours, theirs):
        os.close(theirs)
        until(lambda: studio.requests.total > 0, "the first request")
        os.close(ours)
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == {signal.SIGTERM: 143, signal.SIGINT: 130}[number]
    assert summary(folder)["exit_code"] == process.returncode


def test_a_full_queue_drops_and_counts() -> None:
    reading, writing = os.pipe()
    try:
        queue = OutputQueue("stdout", writing)
        block = b"x" * 2**20
        for _ in range(QUEUE_LIMIT_BYTES // len(block) + 2):
            queue.put(block)
        dropped = queue.dropped()
        assert dropped is not None
        assert dropped.size_bytes >= len(block)
        assert dropped.reason == ""
    finally:
        os.close(reading)


def test_text_arrives_whole_and_in_order() -> None:
    reading, writing = os.pipe()
    queue = OutputQueue("stdout", writing)
    for number in range(1000):
        queue.put(b"%d\n" % number)
    queue.drain(10.0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        assert file.read().split() == [b"%d" % number for number in range(1000)]
    assert queue.dropped() is None
