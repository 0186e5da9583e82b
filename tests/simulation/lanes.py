"""A scenario with lanes: the real supervisor, and lanes that are tasks of the same virtual time.

Everything of `run_lanes` is the real thing: parts and their plan, the supervisor, its messages,
the lanes' own code, an engine and a journal for each part. Only that a lane is a process is
simulated: it is a task that may be killed at any of its steps, and it lives no longer than its
supervisor.
"""

from __future__ import annotations

import asyncio
import math
import pickle
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from io import BytesIO
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, BinaryIO
from unittest.mock import patch

import anyio
import anyio.lowlevel
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from bulkload.core.terms import JobKey
from bulkload.engine.progress import Progress
from bulkload.engine.request import JobRequest, RunRequest
from bulkload.engine.run import RunResult
from bulkload.engine.shutdown import Stop
from bulkload.journal.parts import JobLayout, part_folder, part_of
from bulkload.lanes import lane as lane_module
from bulkload.lanes.lane import Lane, _Workers
from bulkload.lanes.lane_process import LaneProcess
from bulkload.lanes.messages import LaneSetup, RunPart
from bulkload.lanes.planning import PartPlanner
from bulkload.lanes.progress import LanesProgress
from bulkload.lanes.request import with_lanes
from bulkload.lanes.run import run_lanes
from bulkload.worker.process import HEADER
from tests.simulation.engine import InLine
from tests.simulation.judge import Result
from tests.simulation.scenario import Scenario, scenario_of
from tests.simulation.simulation import TARGET, OpenStudio, Simulation, run_in_scratch
from tests.simulation.world import World, WorldClock

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: Parts of the job: some wait, and a lane runs more than one.
PARTS = 4
LANES = 2
#: Virtual seconds between two states of a lane: one each second is most of the work of hours.
STATE_EVERY_S = 30.0


def run_with_lanes(scenario: Scenario) -> Result:
    """Run a scenario with its lanes and judge it."""
    with patch.object(lane_module, "STATE_EVERY_S", STATE_EVERY_S):
        return run_in_scratch(_LanesSimulation, scenario)


def lanes_scenario_of(seed: int) -> Scenario:
    """Draw a scenario of twice the cells, so that lanes share specifications, and deaths of lanes.

    Each cell has a twin in another part, to which the same happens.
    """
    scenario, chance = scenario_of(seed), Random(f"lanes {seed}")

    def with_twins(keys: Iterable[JobKey]) -> Iterator[JobKey]:
        for key in keys:
            yield from (key, key._replace(cell=_twin(key)))

    jobs = tuple(with_twins(scenario.jobs))
    return replace(
        scenario,
        jobs=jobs,
        bad=frozenset(with_twins(scenario.bad)),
        there_before=frozenset(with_twins(scenario.there_before)),
        grown=frozenset(with_twins(scenario.grown)),
        is_rolled_back=False,
        lanes=LANES,
        lane_crashes=tuple(
            int(chance.triangular(1, 25 * len(jobs), 15))
            for _ in range(chance.choice((0, 1, 2, 4)))
        ),
    )


def _twin(key: JobKey) -> str:
    """Return the name of a cell of the same specification that belongs to another part."""
    names = (f"{key.cell} twin {number}" for number in count())
    own = part_of(key.spec, key.cell, PARTS)
    return next(name for name in names if part_of(key.spec, name, PARTS) != own)


class _LanesSimulation(Simulation):
    """A scenario with lanes while it runs."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        super().__init__(scenario, folder)
        self._deaths = iter(scenario.lane_crashes)
        self._lanes: list[_LaneTask] = []

    def _kill(self, run: asyncio.Task[object]) -> None:
        for lane in self._lanes:
            lane.kill()
        super()._kill(run)

    def _leave_behind(self, folder: Path) -> None:
        """Leave nothing in the job's own folder: the lanes' spools are in those of the parts."""
        if folder != self._job_dir:
            super()._leave_behind(folder)

    def _progress(self, clock: WorldClock) -> Progress:
        return LanesProgress(clock)

    async def _carry_out(self, clock: WorldClock, progress: Progress, stop: Stop) -> RunResult:
        assert isinstance(progress, LanesProgress)
        self._lanes = []
        job = JobRequest(
            job_dir=self._job_dir,
            target=TARGET,
            settings=self._settings(),
            command="bulkload upload archive",
            sources=("archive",),
            clock=clock,
        )
        layout = JobLayout(parts=PARTS, is_planned=False, id="simulated")
        request = with_lanes(
            job,
            layout,
            lanes=self._scenario.lanes,
            studio=None,
            make_plan=partial(PartPlanner.from_sources, read=self._plan),
        )
        return await run_lanes(request, progress, stop, start_lane=self._start_lane)

    async def _start_lane(self, setup: LaneSetup) -> LaneProcess:
        task = _LaneTask(self._make_lane, self._leave_behind, self._world)
        self._lanes.append(task)
        lane = LaneProcess(task)
        await lane.send(setup)
        return lane

    def _make_lane(self, setup: LaneSetup, task: _LaneTask) -> _Lane:
        def die() -> None:
            self._result.lanes_died += 1
            task.kill()

        world = self._world.begin_lane(die, next(self._deaths, None))
        in_line = InLine(world, self._contents)
        return _Lane(setup, task.answers, in_line, self._opener(world))


class _Lane(Lane):
    """A lane whose engines run in a world."""

    def __init__(
        self, setup: LaneSetup, answers: BinaryIO, in_line: InLine, open_studio: OpenStudio
    ) -> None:
        super().__init__(setup, answers, WorldClock(in_line.world))
        self._in_line = in_line
        self._open_studio = open_studio

    def _request(self, order: RunPart, workers: _Workers) -> RunRequest:
        return replace(
            super()._request(order, workers),
            open_studio=self._open_studio,
            open_journal=self._in_line.open_journal,
            open_pool=self._in_line.open_pool,
            open_live_file=lambda *_: nullcontext(),
        )


class _LaneTask(Process):
    """A lane's process, seen by its supervisor, that is a task."""

    def __init__(
        self,
        make_lane: Callable[[LaneSetup, _LaneTask], _Lane],
        leave_behind: Callable[[Path], None],
        world: World,
    ) -> None:
        self._make_lane = make_lane
        self._leave_behind = leave_behind
        self._world = world
        self._lane: _Lane | None = None
        self._task: asyncio.Task[None] | None = None
        self._code: int | None = None
        self._has_ended = anyio.Event()
        #: Whether it was killed in the middle of a part.
        self._was_busy = False
        #: The part that it was given last.
        self._folder: Path | None = None
        send, receive = anyio.create_memory_object_stream[bytes](math.inf)
        self.answers = _AnswerPipe(send)
        self._stdin, self._stdout = _Orders(self), _Answered(receive)

    @property
    def stdin(self) -> ByteSendStream:
        return self._stdin

    @property
    def stdout(self) -> ByteReceiveStream:
        return self._stdout

    @property
    def stderr(self) -> None:
        return None

    @property
    def pid(self) -> int:
        return id(self)

    @property
    def returncode(self) -> int | None:
        return self._code if self._has_ended.is_set() else None

    def take(self, message: object) -> None:
        """Take a message of the supervisor; the first one begins the lane."""
        if self._code is not None:
            raise anyio.BrokenResourceError
        if isinstance(message, LaneSetup):
            self._setup = message
            self._lane = self._make_lane(message, self)
            self._task = asyncio.get_running_loop().create_task(self._lane._run_parts())
            self._task.add_done_callback(self._ended)
            return
        assert self._lane is not None
        if isinstance(message, RunPart):
            self._folder = part_folder(self._setup.job_dir, message.part)
        self._lane._take(message)

    def orders_end(self) -> None:
        """Take note that standard input has ended: an idle lane ends, a busy one at once."""
        if self._lane is not None and self._lane._stop is not None:
            self.kill()
        elif self._lane is not None:
            self._lane._orders_in.close()

    def kill(self) -> None:
        if self._code is None and self._task is not None:
            self._code = -signal.SIGKILL
            self._was_busy = self._lane is not None and self._lane._stop is not None
            self._task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        assert self._lane is not None
        self._lane._orders_in.close()
        if self._was_busy and self._folder is not None:
            self._leave_behind(self._folder)
        self._code = self._code or 0
        if not task.cancelled() and (error := task.exception()) is not None:
            self._world.report_violation(f"a lane failed: {error!r}")
        self._has_ended.set()
        self.answers.end()

    async def wait(self) -> int:
        await self._has_ended.wait()
        assert self._code is not None
        return self._code

    async def aclose(self) -> None:
        await self._stdin.aclose()
        await self._stdout.aclose()
        await self.wait()

    def terminate(self) -> None:
        raise NotImplementedError("a lane obeys no signal")

    def send_signal(self, signal: signal.Signals) -> None:
        raise NotImplementedError("a lane obeys no signal")


class _Orders(ByteSendStream):
    """Standard input of a lane: each message is sent as one."""

    def __init__(self, task: _LaneTask) -> None:
        self._lane = task

    async def send(self, item: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        self._lane.take(pickle.loads(item[HEADER.size :]))

    async def aclose(self) -> None:
        self._lane.orders_end()


class _AnswerPipe(BytesIO):
    """Standard output of a lane, at its own end."""

    def __init__(self, pipe: MemoryObjectSendStream[bytes]) -> None:
        super().__init__()
        self._pipe = pipe

    def write(self, data: ReadableBuffer) -> int:
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._pipe.send_nowait(bytes(data))
        return len(bytes(data))

    def end(self) -> None:
        self._pipe.close()


class _Answered(ByteReceiveStream):
    """Standard output of a lane, at the supervisor's end."""

    def __init__(self, pipe: MemoryObjectReceiveStream[bytes]) -> None:
        self._pipe = pipe

    async def receive(self, max_bytes: int = 65536) -> bytes:  # noqa: ARG002 - part of the seam
        return await self._pipe.receive()

    async def aclose(self) -> None:
        self._pipe.close()
