"""The run: four stages joined by bounded streams. This is the way of every measurement.

::

    cells ──► look ──► prepare ──► upload ──► wait
              one listing    one task       one task        one poller
              a cell         a worker       a connection
                  └─► fetch ─┘  (remote sources only)

1. ``look`` takes the cells with open jobs from the journal (``plan_reader``), lists what Studio
   holds of each (``existing``), and lets every job go as far as it can without its source.
2. ``prepare`` has a worker process read, validate and encode the source into the spool
   (``worker/``). A source that is rejected ends here.
3. ``upload`` lets the job go on: parents (``parents``), initiate, put and confirm
   (``uploader``), or an extension, or a comparison with the record of its name.
4. ``wait`` asks until Studio has processed the measurement (``processing``).

In each stage ``JobSteps.run`` brings the job forward: ``core/next_step.py`` decides a step, an
act carries it out, and its event is in the journal before its effect is asked for (``jobs``).
The step that a stage cannot carry out says where the job goes: PREPARE, WAIT or END.

A stream holds a handful of jobs, so memory does not grow with the archive, and a slow stage
holds back the ones before it. A stream that is closed ends the stage behind it. ``Backlog``
holds uploads back while Studio's processing does not keep up.

A stop (``shutdown.Stop``) ends the intake: no further cell is looked at and no further file is
read; open uploads go on for the grace time. A failure that ends the run (rejected credentials,
an outage past its limit, a journal that cannot be written) cancels everything: the next run
goes on from the journal. ``run.run_job`` is around all this: lock, plan, account.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from bulkload.archives.limits import READS_AHEAD
from bulkload.core.address import is_remote
from bulkload.core.lifecycle import JobState, Step
from bulkload.core.prepare_result import DISK_FULL, Prepared, PrepareTask, Rejected, StoredBefore
from bulkload.core.snapshot import StageName
from bulkload.core.terms import MeasurementType
from bulkload.engine.backlog import Backlog
from bulkload.engine.existing import ExistingRecords
from bulkload.engine.fetching import Fetcher
from bulkload.engine.job_steps import JobSteps, failure_event
from bulkload.engine.jobs import JobContext, Recorder, prepared_event, rejected_event
from bulkload.engine.parents import Parents
from bulkload.engine.plan_reader import PlanReader
from bulkload.engine.processing import ProcessingPoller
from bulkload.engine.progress import Progress, upload_capacity
from bulkload.engine.run_settings import pool_limits
from bulkload.engine.share import Share
from bulkload.engine.single_flight import one_error
from bulkload.errors import RUN_ENDING, BulkloadError, DiskError
from bulkload.journal.journal import Journal
from bulkload.settings import RunLimits, RunSettings
from bulkload.worker.pool import Preparer
from bulkload.worker.spool import Spool

Jobs = MemoryObjectReceiveStream[JobContext]
JobsOut = MemoryObjectSendStream[JobContext]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the stages of one run work with."""

    journal: Journal
    recorder: Recorder
    plan: PlanReader
    pool: Preparer
    spool: Spool
    parents: Parents
    records: ExistingRecords
    steps: JobSteps
    poller: ProcessingPoller
    backlog: Backlog
    settings: RunSettings
    #: What more the run may take while it runs, and what tells the client of it.
    share: Share
    allow_connections: Callable[[int], None]
    progress: Progress
    #: Cancelled by a stop: it holds everything that takes up new work.
    intake: anyio.CancelScope


class Pipeline:
    """One run's stages and the streams between them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        #: What the run may take now.
        self._limits = limits = parts.settings.limits
        #: The tasks that prepare and that upload, and where they run, while there is an intake.
        self._preparing, self._uploading = 0, 0
        self._intake: TaskGroup | None = None
        self._to_fetch, self._fetch_jobs = _stream(0)
        self._fetcher = Fetcher()
        self._to_prepare, self._prepare_jobs = _stream(limits.workers)
        self._to_upload, self._upload_jobs = _stream(limits.connections)
        self._to_wait, self._wait_jobs = _stream(limits.connections)

    async def run(self) -> None:
        """Carry out the plan. Raises what ends a run; returns when nothing is left to do."""
        with one_error(), self._parts.share.taken_by(self._grow):
            async with self._upload_jobs, anyio.create_task_group() as group:
                group.start_soon(self._take_in, group)
                group.start_soon(self._parts.poller.run, self._wait_jobs)

    async def _take_in(self, uploads: TaskGroup) -> None:
        """Look at cells and prepare files, until the plan or a stop ends it."""
        async with AsyncExitStack() as stack:
            # Closed with the intake, whatever ends it, so that the stages behind end.
            await stack.enter_async_context(self._to_upload)
            await stack.enter_async_context(self._to_wait)
            await stack.enter_async_context(self._prepare_jobs)
            stack.callback(self._end_intake)
            with self._parts.intake:
                async with anyio.create_task_group() as group:
                    self._intake, self._uploads = group, uploads
                    group.start_soon(self._look)
                    self._start_tasks()
                    for _ in range(READS_AHEAD):
                        group.start_soon(
                            self._fetch_all, self._fetch_jobs.clone(), self._to_prepare.clone()
                        )
                    self._fetch_jobs.close()

    def _end_intake(self) -> None:
        self._intake = None

    def _start_tasks(self) -> None:
        """Start as many tasks as the limits allow, beside those that there are."""
        if self._intake is None:
            return
        for _ in range(self._preparing, self._limits.workers):
            self._intake.start_soon(
                self._prepare_all, self._prepare_jobs.clone(), self._to_upload.clone()
            )
        for _ in range(self._uploading, self._limits.connections):
            self._uploads.start_soon(
                self._upload_all, self._upload_jobs.clone(), self._to_wait.clone()
            )
        self._preparing, self._uploading = self._limits.workers, self._limits.connections

    def _grow(self, limits: RunLimits) -> None:
        """Take more from now on: what another run has left."""
        self._limits = limits
        self._parts.pool.grow(pool_limits(limits))
        self._parts.spool.grow(limits.spool_limit_bytes)
        self._parts.allow_connections(limits.connections)
        self._parts.progress.stages.capacity.update(upload_capacity(limits))
        self._start_tasks()

    async def _look(self) -> None:
        """Compare each cell's jobs with what is in Studio, a few cells at a time."""
        limiter = anyio.CapacityLimiter(self._parts.settings.limits.cells_ahead)
        async with self._to_prepare, self._to_fetch, anyio.create_task_group() as group:
            for spec, cell in self._parts.plan.cells():
                await limiter.acquire_on_behalf_of((spec, cell))
                group.start_soon(self._look_at, spec, cell, limiter)

    async def _look_at(self, spec: str, cell: str, limiter: anyio.CapacityLimiter) -> None:
        try:
            store = self._parts.journal.reader
            contexts = [
                JobContext.load(row, store) for row in self._parts.plan.open_jobs(spec, cell)
            ]
            await self._find_records(spec, cell, contexts)
            for context in contexts:
                await self._start(context)
        finally:
            limiter.release_on_behalf_of((spec, cell))

    async def _find_records(self, spec: str, cell: str, contexts: list[JobContext]) -> None:
        """Note in the jobs that are not confirmed what Studio holds under their names."""
        fresh = [context for context in contexts if context.state is not JobState.CONFIRMED]
        if not fresh:
            return
        try:
            instance_id = await self._parts.parents.find_instance(spec, cell)
            found = {} if instance_id is None else await self._parts.records.of_cell(instance_id)
        except RUN_ENDING:
            raise
        except BulkloadError as error:
            for context in fresh:
                await self._parts.recorder.record(context, failure_event(context, error))
            return
        for context in fresh:
            context.instance_id = instance_id
            context.found = found.get(context.name)

    async def _start(self, context: JobContext) -> None:
        """Bring a job as far as it goes without its source, and hand it to its next stage."""
        step = await self._parts.steps.run(context)
        if step is Step.PREPARE and is_remote(context.job.path):
            await _pass_on(self._to_fetch, context)
        elif step is Step.PREPARE:
            await _pass_on(self._to_prepare, context)
        elif step is Step.WAIT and self._parts.settings.is_waiting:
            self._parts.backlog.join()
            self._parts.progress.moved(context, StageName.PROCESSING)
            await _pass_on(self._to_wait, context)
        else:
            self._parts.progress.left(context.id)

    async def _fetch_all(self, jobs: Jobs, fetched: JobsOut) -> None:
        async with jobs, fetched:
            async for context in jobs:
                await self._parts.spool.wait_for_room()
                answer = await self._fetcher.fetch(context, self._parts.spool.path(context.id))
                if isinstance(answer, Rejected):
                    await self._reject(context, answer)
                    continue
                context.copy = answer
                await _pass_on(fetched, context)

    async def _reject(self, context: JobContext, answer: Rejected) -> None:
        self._parts.spool.remove(context.id)
        if answer.cause == DISK_FULL:
            raise DiskError(answer.message)
        event = rejected_event(Path(context.job.path), answer)
        await self._parts.recorder.record(context, event)

    async def _prepare_all(self, jobs: Jobs, prepared: JobsOut) -> None:
        async with jobs, prepared:
            async for context in jobs:
                await self._parts.spool.wait_for_room()
                task = self._task(context)
                if context.copy is not None:
                    self._fetcher.taken(context)
                with self._parts.progress.preparing(context):
                    answer = await self._parts.pool.prepare(task)
                self._parts.progress.worked(answer.work_s)
                if isinstance(answer, Rejected):
                    await self._reject(context, answer)
                    continue
                self._take_up(context, answer, task)
                await _pass_on(prepared, context)

    def _task(self, context: JobContext) -> PrepareTask:
        parts, stored = self._parts, context.stored
        task = PrepareTask(
            job=context.job,
            checks=parts.plan.checks_for(context.job, parts.settings.checks),
            prepare_options=parts.settings.prepare_options,
            spool_path=str(parts.spool.path(context.id)),
            copy=context.copy,
            stored=None
            if context.found is None or stored is None
            else StoredBefore(rows=stored.rows, content_digest=stored.content_digest),
        )
        return task.treated(parts.plan.treatment(context.id))

    def _take_up(self, context: JobContext, prepared: Prepared, task: PrepareTask) -> None:
        context.prepared = prepared
        # A run that dies prepares it anew: the next file need not wait for the disk.
        context.pending_events.append(prepared_event(prepared))
        self._parts.progress.taken_up(context)
        assert task.spool_path is not None
        context.spool = Path(task.spool_path)
        is_only_file = (
            context.job.type is MeasurementType.TIME_SERIES
            and context.copy is None
            and not prepared.is_longer
            and not task.prepare_options.stores_steps
        )
        self._parts.spool.add(context.id, prepared.size_bytes, is_only_file=is_only_file)

    async def _upload_all(self, jobs: Jobs, confirmed: JobsOut) -> None:
        async with jobs, confirmed:
            async for context in jobs:
                await self._parts.backlog.enter()
                self._parts.progress.moved(context, StageName.API)
                try:
                    step = await self._parts.steps.run(context)
                finally:
                    self._parts.spool.remove(context.id)
                if step is Step.WAIT and self._parts.settings.is_waiting:
                    self._parts.progress.moved(context, StageName.PROCESSING)
                    await _pass_on(confirmed, context)
                else:
                    self._parts.progress.left(context.id)
                    self._parts.backlog.leave()


async def _pass_on(jobs: JobsOut, context: JobContext) -> None:
    """Give a job to the next stage, and let others run first only where that is full."""
    try:
        jobs.send_nowait(context)
    except anyio.WouldBlock:
        await jobs.send(context)


def _stream(capacity: int) -> tuple[JobsOut, Jobs]:
    return anyio.create_memory_object_stream[JobContext](capacity)
