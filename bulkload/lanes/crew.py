"""The lanes of this machine: started, given parts, replaced where one dies, stopped in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import anyio

from bulkload.engine.shutdown import Stop
from bulkload.lanes.budget import divide
from bulkload.lanes.lane_process import LaneProcess, death_of
from bulkload.lanes.messages import (
    LaneSetup,
    NewShare,
    PartEnded,
    PartRefused,
    PartState,
    RunPart,
    StopPart,
)
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
        #: The lanes by their places.
        self._lanes: dict[int, LaneProcess] = {}
        #: The places that have parts to run: each has a share of what the run may take.
        self._places: list[int] = []

    async def _run_parts(self) -> None:
        self._places = list(range(min(self._request.lanes, len(self._waiting))))
        async with anyio.create_task_group() as lanes:
            for place in tuple(self._places):
                lanes.start_soon(self._keep_lane, place)

    async def _keep_lane(self, place: int) -> None:
        """Give parts to a lane, one after another, and to a new one where it dies."""
        try:
            while (part := self._next_part()) is not None:
                if place not in self._lanes:
                    setup = LaneSetup.of(self._request)
                    self._lanes[place] = await self._start_lane(setup)
                if self._stop.exit_code is None and not await self._run_part(place, part):
                    how, code = death_of(await self._end_lane(place), self._request.job_dir)
                    self._count_death(part, how, code)
        finally:
            if place in self._lanes:
                await self._end_lane(place)
        await self._leave(place)

    async def _end_lane(self, place: int) -> int:
        return await self._lanes.pop(place).end()

    async def _leave(self, place: int) -> None:
        """Divide what a lane had among those that still run parts."""
        self._places.remove(place)
        for other, lane in tuple(self._lanes.items()):
            await lane.send(NewShare(self._share(other)))

    def _share(self, place: int) -> RunLimits:
        limits = self._request.settings.limits
        return divide(limits, len(self._places))[self._places.index(place)]

    async def _run_part(self, place: int, part: int) -> bool:
        """Have a lane run a part; False where it died before it said how the part ended."""
        lane = self._lanes[place]
        await lane.send(RunPart(part, self._share(place)))
        while (answer := await lane.answers.next()) is not None:
            match answer:
                case PartState():
                    self._note(answer)
                case PartEnded() | PartRefused():
                    self._take(answer)
                    return True
        return False

    async def _order_stop(self, order: StopPart) -> None:
        for lane in tuple(self._lanes.values()):
            await lane.send(order)

    def _give_up_lanes(self) -> None:
        for lane in self._lanes.values():
            lane.kill()
