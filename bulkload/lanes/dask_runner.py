"""Parts as tasks on a Dask cluster: each on a worker that can take it, until all are done.

A part is given to a worker that has room for it, never more of them than the workers can take,
so that one that joins later gets the next part. Each task is bound to its worker: when that one is
lost, the part is given to another, which goes on from the part's journal. What the lost worker
may still be doing there is held off by the part's lock.
"""

from __future__ import annotations

import pickle
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from bulkload.core.tally import ExitCode
from bulkload.engine.shutdown import Stop
from bulkload.lanes import dask_worker
from bulkload.lanes.dask_worker import RESOURCE, Capacity, LaneDied, Site
from bulkload.lanes.lane_process import death_of
from bulkload.lanes.limits import CLUSTER_ANSWER_S, NO_WORKER_S, WORKERS_EVERY_S
from bulkload.lanes.messages import LaneSetup, PartEnded, PartRefused, PartState, RunPart, StopPart
from bulkload.lanes.parts_runner import PartsRunner
from bulkload.lanes.progress import LanesProgress
from bulkload.lanes.request import LanesRequest
from bulkload.settings import RunLimits

if TYPE_CHECKING:
    from distributed import Client, Future


@dataclass(frozen=True, slots=True)
class _Task:
    """A part that a worker runs."""

    part: int
    worker: str
    future: Future[PartEnded | PartRefused | LaneDied]


class DaskRunner(PartsRunner):
    """Runs parts on the workers of a cluster."""

    def __init__(
        self,
        request: LanesRequest,
        progress: LanesProgress,
        stop: Stop,
        parts: Sequence[int],
        client: Client,
    ) -> None:
        super().__init__(request, progress, stop, parts)
        self._client = client
        #: Names this run among all that the cluster serves.
        self._run = f"bulkload-{uuid.uuid4().hex}"
        setup = replace(LaneSetup.of(request), job_dir=request.job_dir.absolute())
        self._site = Site(setup=setup, job_id=request.layout.id, sources=request.sources)
        #: The workers that can take parts, by address.
        self._able: dict[str, Capacity] = {}
        #: Why the others cannot, by address.
        self._unable: dict[str, str] = {}
        self._tasks: list[_Task] = []
        #: Whether the scheduler was lost, or the lanes were given up.
        self._is_over = False

    async def _run_parts(self) -> None:
        self._client.subscribe_topic(self._run, self._take_state)
        able_at = anyio.current_time()
        while self._tasks or (self._waiting and self._stop.exit_code is None):
            await self._look_at_workers()
            if self._is_over:
                return
            if self._able:
                able_at = anyio.current_time()
            elif anyio.current_time() - able_at > NO_WORKER_S:
                self._leave(f"no worker can run parts{self._why_unable()}")
                return
            self._submit()
            await self._wait()
            await self._take_ended()

    # -- Workers ---------------------------------------------------------------------------------

    async def _look_at_workers(self) -> None:
        """Learn of workers that have joined, and take parts back from those that are gone."""
        there = await self._ask(self._client.nthreads)
        if there is None:
            return
        for worker in [one for one in self._able if one not in there]:
            del self._able[worker]
        for task in [one for one in self._tasks if one.worker not in self._able]:
            await self._take_back(task)
        new = [one for one in there if one not in self._able and one not in self._unable]
        if new:
            looks = partial(
                self._client.run, dask_worker.look, self._site, workers=new, on_error="return"
            )
            for worker, found in (await self._ask(looks) or {}).items():
                if isinstance(found, Capacity):
                    self._able[worker] = found
                else:
                    self._unable[worker] = str(found)

    async def _ask(self, question: Callable[[], Any]) -> Any:
        """Return the scheduler's answer, None where it does not answer; then the run is over."""
        if self._client.status == "running":
            with anyio.move_on_after(CLUSTER_ANSWER_S), suppress(OSError):
                return await question()
        self._leave(f"the scheduler at {self._request.dask} was lost")
        return None

    async def _take_back(self, task: _Task) -> None:
        self._tasks.remove(task)
        await self._ask(task.future.cancel)
        how = f"its worker {task.worker} was lost"
        self._count_death(task.part, how, ExitCode.STOPPED)

    def _why_unable(self) -> str:
        reasons = Counter(self._unable.values())
        return "".join(f"; {reason} ({count} of them)" for reason, count in reasons.most_common(3))

    def _leave(self, why: str) -> None:
        """End this run where the cluster is of no use; what was delivered is in the journals."""
        if not self._is_over:
            self._is_over = True
            resumed = "what was delivered is kept, and this run goes on also without --dask"
            self.failures.append((ExitCode.STOPPED, f"{why}; {resumed}"))
        for task in self._tasks:
            self._progress.part_left(task.part)
        self._tasks = []

    # -- Parts -----------------------------------------------------------------------------------

    def _submit(self) -> None:
        """Give parts to the workers that have room."""
        busy = Counter(task.worker for task in self._tasks)
        for worker, capacity in self._able.items():
            for _ in range(capacity.lanes - busy[worker]):
                if (part := self._next_part()) is None:
                    return
                key = f"{self._run}-part-{part:04d}-{self._restarts[part]}"
                future = self._client.submit(
                    dask_worker.run_part,
                    self._site.setup,
                    RunPart(part, self._limits(capacity)),
                    self._run,
                    key,
                    key=key,
                    workers=[worker],
                    allow_other_workers=False,
                    resources={RESOURCE: 1} if capacity.is_stated else None,
                    pure=False,
                )
                self._tasks.append(_Task(part, worker, future))

    def _limits(self, capacity: Capacity) -> RunLimits:
        """Return what a part may take: of its worker, and of what all lanes of the cluster may."""
        limits = self._request.settings.limits
        lanes = sum(one.lanes for one in self._able.values())
        return replace(
            limits,
            workers=capacity.workers,
            memory_bytes=capacity.memory_bytes,
            connections=max(1, limits.connections // lanes),
        )

    def _take_state(self, event: tuple[float, bytes]) -> None:
        state: PartState = pickle.loads(event[1])  # noqa: S301 - of our own task
        if any(task.part == state.part for task in self._tasks):
            self._note(state)

    async def _wait(self) -> None:
        """Wait until a task ends, or until it is time to look at the workers again."""
        from distributed import wait

        futures = [task.future for task in self._tasks]
        if not futures:
            await anyio.sleep(WORKERS_EVERY_S)
            return
        # A future that was cancelled, as by a lost scheduler, raises: its status tells.
        with suppress(TimeoutError, CancelledError):
            await wait(futures, timeout=WORKERS_EVERY_S, return_when="FIRST_COMPLETED")

    async def _take_ended(self) -> None:
        for task in tuple(self._tasks):
            match task.future.status:
                case "finished":
                    self._tasks.remove(task)
                    self._take_answer(await task.future)
                case "error":
                    self._tasks.remove(task)
                    error = await task.future.exception()
                    self._count_death(task.part, f"its task failed: {error}", ExitCode.DEFECT)
                case "cancelled" | "lost":
                    self._leave(f"the scheduler at {self._request.dask} was lost")

    def _take_answer(self, answer: PartEnded | PartRefused | LaneDied) -> None:
        if isinstance(answer, LaneDied):
            how, code = death_of(answer.code, self._request.job_dir)
            self._count_death(answer.part, how, code)
        else:
            self._take(answer)

    async def _order_stop(self, order: StopPart) -> None:
        if self._able and not self._is_over:
            await self._ask(
                partial(
                    self._client.run,
                    dask_worker.pass_on,
                    self._run,
                    order,
                    workers=list(self._able),
                    on_error="ignore",
                )
            )

    def _give_up_lanes(self) -> None:
        self._leave("the cluster did not stop in time")
