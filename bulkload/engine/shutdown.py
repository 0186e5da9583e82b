"""Stop a run before its work is done: by a signal, or by a deadline."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

import anyio
import psutil

from bulkload.clock import Clock
from bulkload.core.deadline import last_call_s
from bulkload.core.systems import system_of
from bulkload.core.tally import ExitCode
from bulkload.engine.limits import DEADLINE_POLL_S, LAST_GRACE_S
from bulkload.engine.progress import Progress

_EXIT_CODES: Final = {"SIGINT": ExitCode.INTERRUPTED, "SIGTERM": ExitCode.TERMINATED,
                      "SIGHUP": ExitCode.TERMINATED}  # fmt: skip


class Stop:
    """A stop in two steps: first no new work, then, after the grace, no work at all."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self.exit_code: ExitCode | None = None
        #: The reason, for the person who reads the summary.
        self.reason = ""
        #: Everything that takes up new work.
        self.intake = anyio.CancelScope()
        #: Everything.
        self.whole = anyio.CancelScope()

    def request(self, code: ExitCode, reason: str, *, grace_s: float | None = None) -> None:
        """Stop the intake, and set the end of what is open. A second request ends at once."""
        if self.exit_code is not None:
            self.whole.cancel()
            return
        self.exit_code = code
        self.reason = reason
        self.intake.cancel()
        grace = self._grace_s if grace_s is None else grace_s
        self.whole.deadline = min(self.whole.deadline, anyio.current_time() + grace)


@asynccontextmanager
async def obeying_signals(stop: Stop, on_stop: Callable[[ExitCode], None]) -> AsyncIterator[None]:
    """Let the first SIGINT, SIGTERM or SIGHUP stop the intake, and the second end the run."""
    async with anyio.create_task_group() as group:
        group.start_soon(_obey, stop, on_stop)
        try:
            yield
        finally:
            group.cancel_scope.cancel()


async def _obey(stop: Stop, on_stop: Callable[[ExitCode], None]) -> None:
    last: threading.Timer | None = None
    if not system_of(sys.platform).hands_signals_on:
        # There Ctrl-C raises KeyboardInterrupt, which ends the run at once. The journal makes
        # that safe.
        await anyio.sleep(math.inf)
    try:
        with anyio.open_signal_receiver(*_obeyed()) as signals:
            async for number in signals:
                code = _EXIT_CODES[number.name]
                if stop.exit_code is not None and last is None:
                    last = threading.Timer(LAST_GRACE_S, end_process, (code,))
                    last.daemon = True
                    last.start()
                stop.request(code, f"by {number.name}")
                on_stop(code)
    finally:
        if last is not None:
            last.cancel()


def _obeyed() -> list[signal.Signals]:
    """Return the signals that this system has and that are not ignored, as nohup has SIGHUP."""
    known = [signal.Signals[name] for name in system_of(sys.platform).ending_signals]
    return [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]


def end_process(code: ExitCode) -> None:
    """End the process even where a thread waits for a file that never answers.

    The journal makes that safe: what is on disk is what happened. The processes that were
    started end first, as a reader may wait for the same file.
    """
    with suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    os._exit(code)


async def stop_by(stop: Stop, until: datetime, clock: Clock, progress: Progress) -> None:
    """Stop the intake early enough that at ``until`` nothing is open."""
    while stop.exit_code is None:
        left_s = (until - clock.now()).total_seconds()
        if last_call_s(left_s, progress.longest_delivery_s) <= 0:
            stop.request(
                ExitCode.STOPPED, "the time given by --until is near", grace_s=max(0.0, left_s)
            )
        await clock.sleep(DEADLINE_POLL_S)
