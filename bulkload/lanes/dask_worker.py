"""What a Dask worker does for a run: tells what it can take, runs parts, passes orders on.

These functions run in the worker's process, on its event loop. A part is run by a lane, a child
process of the worker, as on any machine: what a lane must hold (its lock, its journal, its
readers) does not depend on what the worker is busy with, and it ends with the worker.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from bulkload.core.address import is_remote
from bulkload.core.version import VERSION
from bulkload.engine.studios import target_of
from bulkload.errors import BulkloadError, JournalBusyError
from bulkload.journal.parts import read_layout
from bulkload.lanes.lane_process import LaneProcess
from bulkload.lanes.limits import CORES_A_LANE, PART_HELD_EVERY_S, PART_HELD_S
from bulkload.lanes.messages import LaneSetup, PartEnded, PartRefused, PartState, RunPart, StopPart
from bulkload.settings import RunLimits

if TYPE_CHECKING:
    from distributed import Worker

#: The resource of a worker that says how many parts it may run at once.
RESOURCE: Final = "bulkload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a worker must see and have to run the parts of a job."""

    setup: LaneSetup
    job_id: str
    sources: tuple[str, ...]
    version: str = VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a worker can take."""

    #: Parts at once.
    lanes: int
    #: Whether the worker states that number itself, as a resource.
    is_stated: bool
    #: Processes that read files, and memory in bytes, of one part.
    workers: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class LaneDied:
    """The lane of a part ended before it said how the part ended."""

    part: int
    code: int


#: A run's name and a worker's address: a process may have several workers.
_Place = tuple[str, str]

#: The lanes that work for a run on a worker of this process.
_lanes: dict[_Place, set[LaneProcess]] = defaultdict(set)
#: What was ordered to the lanes of a run: it holds for one that starts later, too.
_orders: dict[_Place, list[StopPart]] = defaultdict(list)


async def look(site: Site, dask_worker: Worker) -> Capacity | str:
    """Return what a worker can take of a job, or why it can take nothing."""
    if site.version != VERSION:
        return f"it has bulkload {VERSION}, and this run {site.version}"
    why = await anyio.to_thread.run_sync(_missing, site)
    if why is not None:
        return why
    state = dask_worker.state
    stated = int(state.total_resources.get(RESOURCE, 0))
    lanes = stated or max(1, state.nthreads // CORES_A_LANE)
    memory = dask_worker.memory_manager.memory_limit or RunLimits().memory_bytes
    return Capacity(
        lanes=lanes,
        is_stated=bool(stated),
        workers=max(1, state.nthreads // lanes),
        memory_bytes=memory // lanes,
    )


def _missing(site: Site) -> str | None:
    """Return what a job needs and this process does not have, None where nothing is missing."""
    setup = site.setup
    try:
        layout = read_layout(setup.job_dir)
        if setup.studio is None:
            # Credentials do not travel to workers: each has its own, as on any machine.
            target_of(url=setup.target.url, project=setup.target.project_id, local=None)
    except (BulkloadError, OSError) as error:
        return str(error)
    if layout is None or layout.id != site.job_id:
        return f"it does not see the job's folder {setup.job_dir}"
    unseen = [one for one in site.sources if not is_remote(one) and not Path(one).exists()]
    return f"it does not see the source {unseen[0]}" if unseen else None


async def run_part(
    setup: LaneSetup, order: RunPart, run: str, key: str
) -> PartEnded | PartRefused | LaneDied:
    """Run a part: the task ``key`` of a worker. Its states are events of the topic ``run``."""
    from distributed import get_worker

    worker = get_worker()
    lane, mine = await LaneProcess.start(setup), (run, worker.address)

    def note(state: PartState) -> None:
        task = worker.state.tasks.get(key)
        if task is None or task.state != "executing":
            # The run has ended, or was killed, and its scheduler took the task back.
            lane.kill()
        else:
            worker.log_event(run, pickle.dumps(state))

    _lanes[mine].add(lane)
    try:
        for earlier in _orders[mine]:
            await lane.send(earlier)
        return await _run_when_free(lane, order, mine, note)
    except BaseException:
        # The task is cancelled where the worker ends, as it does when it loses its scheduler.
        lane.kill()
        raise
    finally:
        _lanes[mine].discard(lane)
        await lane.end()


async def _run_when_free(
    lane: LaneProcess, order: RunPart, mine: _Place, note: Callable[[PartState], None]
) -> PartEnded | PartRefused | LaneDied:
    """Have a lane run a part; one that another lane holds is waited for.

    That is mostly the lane of a worker that was lost, and that has not noticed yet.
    """
    gives_up_at = anyio.current_time() + PART_HELD_S
    while True:
        answer = await _run_once(lane, order, note)
        is_held = isinstance(answer, PartRefused) and isinstance(answer.error, JournalBusyError)
        if not is_held or _orders[mine] or anyio.current_time() > gives_up_at:
            return answer
        await anyio.sleep(PART_HELD_EVERY_S)


async def _run_once(
    lane: LaneProcess, order: RunPart, note: Callable[[PartState], None]
) -> PartEnded | PartRefused | LaneDied:
    await lane.send(order)
    while (answer := await lane.answers.next()) is not None:
        if not isinstance(answer, PartState):
            return answer
        note(answer)
    return LaneDied(order.part, await lane.end())


async def pass_on(run: str, order: StopPart, dask_worker: Worker) -> None:
    """Pass a stop on to the lanes that work for a run on a worker, and to those to come."""
    mine = (run, dask_worker.address)
    _orders[mine].append(order)
    for lane in tuple(_lanes[mine]):
        await lane.send(order)
