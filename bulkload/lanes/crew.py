"""The lanes of this machine: started, given parts, replaced where one dies, stopped in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import anyio

from bulkload.engine.shutdown import Stop
from bulkload.lanes.budget import divide
from bulkload.lanes.lane_process import LaneProcess, death_of
from bulkload.lanes.messages import LaneSetup, PartEnded, PartRefused, PartState, RunPart, StopPart
from bulkload.lanes.parts_runner import PartsRunner
from bulkload.lanes.progress import LanesProgress
from bulkload.lanes.request import LanesRequest
from bulkload.settings import RunLimits

#: Starts a lane; a parameter so that a simulation can do without a process.
StartLane = Callable[[LaneSetup], Awaitable[LaneProcess]]


class Crew(PartsRunner):
    """Runs parts with as many lanes as asked for, each a process of this one."""

    def __init__(
        self,
        request: LanesRequest,
        progress: LanesProgress,
        stop: Stop,
        parts: Sequence[int],
        *,
        start_lane: StartLane = LaneProcess.start,
    ) -> None:
        super().__init__(request, progress, stop, parts)
        self._start_lane = start_lane
        self._lanes: set[LaneProcess] = set()

    async def _run_parts(self) -> None:
        count = min(self._request.lanes, len(self._waiting))
        async with anyio.create_task_group() as lanes:
            for share in divide(self._request.settings.limits, count) if count else ():
                lanes.start_soon(self._keep_lane, share)

    async def _keep_lane(self, limits: RunLimits) -> None:
        """Give parts to a lane, one after another, and to a new one where it dies."""
        lane: LaneProcess | None = None
        try:
            while (part := self._next_part()) is not None:
                if lane is None:
                    lane = await self._start_lane(LaneSetup.of(self._request))
                    self._lanes.add(lane)
                if self._stop.exit_code is None and not await self._run_part(lane, part, limits):
                    how, code = death_of(await self._end_lane(lane), self._request.job_dir)
                    self._count_death(part, how, code)
                    lane = None
        finally:
            if lane is not None:
                await self._end_lane(lane)

    async def _end_lane(self, lane: LaneProcess) -> int:
        self._lanes.discard(lane)
        return await lane.end()

    async def _run_part(self, lane: LaneProcess, part: int, limits: RunLimits) -> bool:
        """Have a lane run a part; False where it died before it said how the part ended."""
        await lane.send(RunPart(part, limits))
        while (answer := await lane.answers.next()) is not None:
            match answer:
                case PartState():
                    self._note(answer)
                case PartEnded() | PartRefused():
                    self._take(answer)
                    return True
        return False

    async def _order_stop(self, order: StopPart) -> None:
        for lane in tuple(self._lanes):
            await lane.send(order)

    def _give_up_lanes(self) -> None:
        for lane in self._lanes:
            lane.kill()
