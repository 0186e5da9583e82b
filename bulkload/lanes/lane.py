"""A lane: a process that runs parts one after another, each as the one journal of a run.

Run as ``python -m bulkload.lanes.lane`` by the supervisor (``supervisor.py``). Orders come on
standard input, states and ends go to standard output. A lane reads no data file: its workers do.
Signals are for the supervisor, which says what follows from them; when it ends, standard input
ends, and the lane ends at once, which its journal makes safe.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

import anyio

from bulkload.clock import Clock, SystemClock
from bulkload.core.systems import system_of
from bulkload.core.tally import ExitCode
from bulkload.engine.loop import loop_options
from bulkload.engine.plan_again import take_up
from bulkload.engine.progress import Progress
from bulkload.engine.request import RunRequest
from bulkload.engine.run import run_job
from bulkload.engine.share import Share
from bulkload.engine.shutdown import Stop, end_process
from bulkload.engine.single_flight import one_error
from bulkload.engine.studios import opener
from bulkload.errors import BulkloadError
from bulkload.journal.parts import part_folder
from bulkload.lanes.limits import STATE_EVERY_S
from bulkload.lanes.messages import (
    Answer,
    LaneSetup,
    NewShare,
    PartEnded,
    PartRefused,
    PartState,
    RunPart,
    StopPart,
)
from bulkload.settings import RunLimits
from bulkload.worker.pool import PoolLimits, Preparer, open_pool
from bulkload.worker.process import encode_message, read_message, take_answers


class Lane:
    """Runs the parts that it is told to run."""

    def __init__(self, setup: LaneSetup, answers: BinaryIO, clock: Clock | None = None) -> None:
        self._setup = setup
        self._answers = answers
        self._clock: Clock = clock or SystemClock()
        self._orders_in, self._orders = anyio.create_memory_object_stream[RunPart](1)
        #: What the lane may take, and what tells the part under way when that grows.
        self._limits = RunLimits()
        self._share: Share | None = None
        #: What stops the part under way, None between parts.
        self._stop: Stop | None = None
        #: The last order to stop: it holds for a part that begins after it, too.
        self._stopping: StopPart | None = None
        self._is_orphan = False

    async def run(self) -> None:
        """Run one part after another until standard input ends."""
        threading.Thread(
            target=self._receive, args=(asyncio.get_running_loop(),), daemon=True
        ).start()
        await self._run_parts()

    async def _run_parts(self) -> None:
        async with self._orders, _Workers() as workers:
            async for order in self._orders:
                await self._run_part(order, workers)

    def _receive(self, loop: asyncio.AbstractEventLoop) -> None:
        """Pass orders on to the loop: the body of a thread."""
        while (order := read_message(sys.stdin.buffer)) is not None:
            loop.call_soon_threadsafe(self._take, order)
        self._is_orphan = True
        if self._stop is not None:
            # The supervisor has died: no process is left to report the part's end to.
            end_process(ExitCode.STOPPED)
        loop.call_soon_threadsafe(self._orders_in.close)

    def _take(self, order: object) -> None:
        if isinstance(order, RunPart):
            self._limits = order.limits
            self._orders_in.send_nowait(order)
        elif isinstance(order, NewShare):
            self._limits = order.limits
            if self._share is not None:
                self._share.grow(order.limits)
        elif isinstance(order, StopPart):
            self._stopping = order
            self._obey(order)

    def _obey(self, order: StopPart) -> None:
        if self._stop is not None:
            self._stop.request(order.code, order.reason, grace_s=order.grace_s)

    async def _run_part(self, order: RunPart, workers: _Workers) -> None:
        self._stop = stop = Stop(self._limits.grace_s)
        if self._is_orphan:
            end_process(ExitCode.STOPPED)
        if self._stopping is not None:
            self._obey(self._stopping)
        request = self._request(order, workers)
        self._share = request.share
        progress = Progress(request.clock)
        try:
            with one_error():
                async with anyio.create_task_group() as group:
                    group.start_soon(self._send_state, order.part, progress)
                    result = await run_job(request, progress, stop)
                    group.cancel_scope.cancel()
        except BulkloadError as error:
            self._say(PartRefused(order.part, error))
        else:
            ended = PartEnded(order.part, result.report, result.lost, result.stopped_because)
            self._say(ended)
        finally:
            self._stop = self._share = None

    def _request(self, order: RunPart, workers: _Workers) -> RunRequest:
        setup = self._setup
        return RunRequest(
            job_dir=part_folder(setup.job_dir, order.part),
            make_plan=partial(take_up, at=self._clock.now().timestamp()),
            target=setup.target,
            settings=replace(setup.settings, limits=self._limits),
            command=setup.command,
            open_studio=opener(setup.studio, setup.target),
            open_pool=workers.lend,
            clock=self._clock,
            is_part=True,
        )

    async def _send_state(self, part: int, progress: Progress) -> None:
        while True:
            self._say(PartState(part, progress.snapshot(), progress.longest_delivery_s))
            await anyio.sleep(STATE_EVERY_S)

    def _say(self, answer: Answer) -> None:
        # Small, and the supervisor always reads: this does not hold the loop up.
        self._answers.write(encode_message(answer))
        self._answers.flush()


class _Workers:
    """The workers of a lane: started for its first part, kept for those that follow."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._limits: PoolLimits | None = None
        self._pool: Preparer | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def lend(self, limits: PoolLimits, _folder: Path) -> AsyncIterator[Preparer]:
        """Give a part the workers; they are started anew where it may take more or less."""
        if self._pool is None or limits != self._limits:
            await self._stack.aclose()
            scratch = self._stack.enter_context(
                tempfile.TemporaryDirectory(prefix="bulkload-lane-")
            )
            self._limits = limits
            self._pool = await self._stack.enter_async_context(open_pool(limits, Path(scratch)))
        yield self._pool


def main() -> None:
    """Run parts until standard input ends."""
    # What the supervisor obeys, a lane does not.
    for name in system_of(sys.platform).ending_signals:
        signal.signal(signal.Signals[name], signal.SIG_IGN)
    answers = take_answers()
    setup = read_message(sys.stdin.buffer)
    if isinstance(setup, LaneSetup):
        anyio.run(Lane(setup, answers).run, backend_options=loop_options())


if __name__ == "__main__":
    main()
