"""Why and how a run ends before its work does."""

from __future__ import annotations

import math
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import anyio

from bulkload.clock import Clock
from bulkload.core.deadline import last_call_s
from bulkload.core.tally import ExitCode
from bulkload.engine.limits import DEADLINE_POLL_S
from bulkload.engine.progress import Progress

_EXIT_CODES: Final = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
}


class Stop:
    """A stop in two steps: first no new work, then, after the grace, no work at all."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self.exit_code: ExitCode | None = None
        #: Why, in words for the person who reads the summary.
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
async def obeying_signals(stop: Stop, tell: Callable[[ExitCode], None]) -> AsyncIterator[None]:
    """Let the first SIGINT or SIGTERM stop the intake, and the second end the run."""
    async with anyio.create_task_group() as group:
        group.start_soon(_obey, stop, tell)
        try:
            yield
        finally:
            group.cancel_scope.cancel()


async def _obey(stop: Stop, tell: Callable[[ExitCode], None]) -> None:
    try:
        with anyio.open_signal_receiver(*_EXIT_CODES) as signals:
            async for number in signals:
                code = _EXIT_CODES[number]
                stop.request(code, f"by {number.name}")
                tell(code)
    except NotImplementedError:
        # Windows' event loop takes no signal handlers: there Ctrl-C raises KeyboardInterrupt,
        # which ends the run at once. The journal makes that safe.
        await anyio.sleep(math.inf)


async def stop_by(stop: Stop, until: datetime, clock: Clock, progress: Progress) -> None:
    """Stop the intake early enough that at ``until`` nothing is open."""
    while stop.exit_code is None:
        left_s = (until - clock.now()).total_seconds()
        if last_call_s(left_s, progress.longest_delivery_s) <= 0:
            stop.request(ExitCode.STOPPED, "the time of --until is near", grace_s=max(0.0, left_s))
        await clock.sleep(DEADLINE_POLL_S)
