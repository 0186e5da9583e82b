"""The lanes of a run: started, given parts, replaced where one dies, stopped in order."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import Process

from bulkload.core.systems import system_of
from bulkload.core.tally import ExitCode, RunReport
from bulkload.engine.shutdown import Stop
from bulkload.errors import JournalBusyError
from bulkload.lanes.budget import divide
from bulkload.lanes.limits import LANE_END_S, MAX_RESTARTS
from bulkload.lanes.messages import (
    Answers,
    LaneSetup,
    PartEnded,
    PartRefused,
    PartState,
    RunPart,
    StopPart,
)
from bulkload.lanes.progress import LanesProgress
from bulkload.lanes.request import LanesRequest
from bulkload.settings import RunLimits
from bulkload.worker.process import encode_message

#: What lanes print, which is nothing unless one fails: the last words of one that died.
LOG_NAME: Final = "lanes.log"

_SYSTEM: Final = system_of(sys.platform)

#: Ends of a part's run that end the run of all parts: the others would end the same way.
_ENDS_ALL: Final = frozenset({ExitCode.USAGE, ExitCode.AUTH_FAILED, ExitCode.STOPPED})


class LaneProcess:
    """A lane as the supervisor sees it."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self._process = process
        self.answers = Answers(process.stdout)

    @classmethod
    async def start(cls, setup: LaneSetup) -> LaneProcess:
        """Start a lane and tell it what holds for all parts."""
        with (setup.job_dir / LOG_NAME).open("ab") as log:
            process = await anyio.open_process(
                [sys.executable, "-X", "faulthandler", "-m", "bulkload.lanes.lane"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # Ctrl-C is for the supervisor: it decides how the run ends.
                start_new_session=_SYSTEM.has_sessions,
                creationflags=_SYSTEM.creation_flags,
            )
        lane = cls(process)
        await lane.send(setup)
        return lane

    async def send(self, message: LaneSetup | RunPart | StopPart) -> None:
        """Send a message; a lane that has died says so by its answers' end."""
        assert self._process.stdin is not None
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._process.stdin.send(encode_message(message))

    def kill(self) -> None:
        """End the lane, whatever it does; its workers end with it."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> int:
        """Let the lane end, which has nothing to do or is dead; return its exit code."""
        assert self._process.stdin is not None
        with anyio.CancelScope(shield=True):
            await self._process.stdin.aclose()
            with anyio.move_on_after(LANE_END_S):
                await self._process.wait()
            if self._process.returncode is None:
                self.kill()
            code = await self._process.wait()
            await self._process.aclose()
        return code


class Crew:
    """Runs parts with as many lanes as asked for. No part is run by two of them."""

    def __init__(
        self, request: LanesRequest, progress: LanesProgress, stop: Stop, parts: Sequence[int]
    ) -> None:
        self._request = request
        self._progress = progress
        self._stop = stop
        self._waiting = deque(parts)
        self._lanes: set[LaneProcess] = set()
        self._restarts: Counter[int] = Counter()
        #: How the parts' runs ended, by part.
        self.reports: dict[int, RunReport] = {}
        #: Messages of what is newly rejected or failed, the first ones of each part.
        self.lost: list[str] = []
        #: Why parts were left undone: the code that follows from it, and a sentence.
        self.failures: list[tuple[ExitCode, str]] = []

    async def run(self) -> None:
        """Run all parts, or stop; returns when no lane is left."""
        count = min(self._request.lanes, len(self._waiting))
        async with anyio.create_task_group() as group:
            group.start_soon(self._pass_on_stop)
            async with anyio.create_task_group() as lanes:
                for share in divide(self._request.settings.limits, count) if count else ():
                    lanes.start_soon(self._keep_lane, share)
            group.cancel_scope.cancel()

    def _next_part(self) -> int | None:
        if self._stop.exit_code is not None or not self._waiting:
            return None
        return self._waiting.popleft()

    async def _keep_lane(self, limits: RunLimits) -> None:
        """Give parts to a lane, one after another, and to a new one where it dies."""
        lane: LaneProcess | None = None
        try:
            while (part := self._next_part()) is not None:
                if lane is None:
                    lane = await self._start_lane()
                if self._stop.exit_code is None and not await self._run_part(lane, part, limits):
                    self._count_death(part, await self._end_lane(lane))
                    lane = None
        finally:
            if lane is not None:
                await self._end_lane(lane)

    async def _start_lane(self) -> LaneProcess:
        request = self._request
        lane = await LaneProcess.start(
            LaneSetup(
                job_dir=request.job_dir,
                target=request.target,
                settings=request.settings,
                command=request.command,
                studio=request.studio,
            )
        )
        self._lanes.add(lane)
        return lane

    async def _end_lane(self, lane: LaneProcess) -> int:
        self._lanes.discard(lane)
        return await lane.end()

    async def _run_part(self, lane: LaneProcess, part: int, limits: RunLimits) -> bool:
        """Have a lane run a part; False where it died before it said how the part ended."""
        await lane.send(RunPart(part, limits))
        while (answer := await lane.answers.next()) is not None:
            match answer:
                case PartState():
                    self._progress.part_is_at(
                        answer.part, answer.snapshot, answer.longest_delivery_s
                    )
                case PartEnded():
                    self._take_end(answer)
                    return True
                case PartRefused():
                    self._take_refusal(answer)
                    return True
        self._progress.part_left(part)
        return False

    def _take_end(self, ended: PartEnded) -> None:
        self.reports[ended.part] = ended.report
        self.lost += ended.lost
        self._progress.part_ended(ended.part, ended.report)
        if ended.report.exit_code in _ENDS_ALL and self._stop.exit_code is None:
            self._stop.request(ended.report.exit_code, ended.stopped_because)

    def _take_refusal(self, refused: PartRefused) -> None:
        self._progress.part_left(refused.part)
        # Whoever else runs the part may be done with it when this run is started again.
        is_busy = isinstance(refused.error, JournalBusyError)
        code = ExitCode.STOPPED if is_busy else ExitCode.USAGE
        self.failures.append((code, f"part {refused.part:04d}: {refused.error}"))

    def _count_death(self, part: int, code: int) -> None:
        """Have another lane take up the part of one that died, unless that happens too often."""
        if self._stop.exit_code is not None:
            return
        self._restarts[part] += 1
        if self._restarts[part] <= MAX_RESTARTS:
            self._waiting.appendleft(part)
            return
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        log = self._request.job_dir / LOG_NAME
        sentence = (
            f"part {part:04d}: its lane {how}, {MAX_RESTARTS + 1} times; {log} has its last words; "
            "what it delivered is kept"
        )
        self.failures.append((ExitCode.STOPPED if code < 0 else ExitCode.DEFECT, sentence))

    async def _pass_on_stop(self) -> None:
        """Notify the lanes of a stop: first of its grace, then of its end."""
        with self._stop.intake:
            await anyio.sleep_forever()
        await self._order_stop()
        with self._stop.whole:
            await anyio.sleep_forever()
        await self._order_stop()
        await anyio.sleep(LANE_END_S)
        for lane in self._lanes:
            lane.kill()

    async def _order_stop(self) -> None:
        assert self._stop.exit_code is not None
        grace_s = max(0.0, self._stop.whole.deadline - anyio.current_time())
        order = StopPart(self._stop.exit_code, self._stop.reason, grace_s)
        for lane in tuple(self._lanes):
            await lane.send(order)


def remove_empty_log(job_dir: Path) -> None:
    """Remove the lanes' log where none of them said anything."""
    path = job_dir / LOG_NAME
    with suppress(OSError):
        if not path.stat().st_size:
            path.unlink()
