"""The run: three roles joined by bounded streams.

::

    cells ──► look ──► prepare (children) ──► upload ──► settle
              one listing    one worker a     one task a   one poller
              a cell         child            connection

Each stream holds a handful of jobs, so memory does not grow with the archive, and a slow stage
holds the ones before it back. A stream that is closed ends the stage behind it: no sentinel,
no counter. Every event is in the journal before its effect is asked for.

A stop (``Stop``) ends the intake: no further cell is looked at and no further file is read;
what is being uploaded goes on for the grace time. A failure that ends the run (refused
credentials, an outage past its limit, a journal that cannot be written) cancels everything:
what was in hand is taken up by the next run from the journal.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream, TaskGroup

from bulkload.core.lifecycle import JobState, SourceRejected
from bulkload.core.prepare_result import DISK_FULL, Prepared, PrepareTask, Rejected, StoredBefore
from bulkload.engine.backlog import Backlog
from bulkload.engine.existing import Next, Reconciler
from bulkload.engine.jobs import JobContext, Recorder, prepared_event
from bulkload.engine.parents import Parents
from bulkload.engine.plan_reader import PlanReader
from bulkload.engine.processing import ProcessingPoller
from bulkload.engine.progress import Progress
from bulkload.engine.single_flight import one_error
from bulkload.engine.uploader import Uploader, failure_event
from bulkload.errors import RUN_ENDING, BulkloadError, DiskError
from bulkload.journal import JobRow, Journal
from bulkload.settings import RunSettings
from bulkload.sources.stamp import quick_stamp
from bulkload.worker.pool import Preparer
from bulkload.worker.spool import Spool

Jobs = ObjectReceiveStream[JobContext]
JobsOut = ObjectSendStream[JobContext]


class Pipeline:
    """One run's stages and what joins them."""

    def __init__(
        self,
        *,
        journal: Journal,
        recorder: Recorder,
        plan: PlanReader,
        pool: Preparer,
        spool: Spool,
        parents: Parents,
        reconciler: Reconciler,
        uploader: Uploader,
        settler: ProcessingPoller,
        backlog: Backlog,
        settings: RunSettings,
        progress: Progress,
        intake: anyio.CancelScope,
    ) -> None:
        """``intake`` is cancelled by a stop: it holds everything that takes up new work."""
        self._journal = journal
        self._recorder = recorder
        self._plan = plan
        self._pool = pool
        self._spool = spool
        self._parents = parents
        self._reconciler = reconciler
        self._uploader = uploader
        self._settler = settler
        self._backlog = backlog
        self._settings = settings
        self._progress = progress
        self._intake = intake
        limits = settings.limits
        self._to_prepare, self._prepare_jobs = anyio.create_memory_object_stream[JobContext](
            limits.workers
        )
        self._to_upload, self._upload_jobs = anyio.create_memory_object_stream[JobContext](
            limits.connections
        )
        self._to_settle, self._settle_jobs = anyio.create_memory_object_stream[JobContext](
            limits.connections
        )

    async def run(self) -> None:
        """Carry out the plan. Raises what ends a run; returns when nothing is left to do."""
        with one_error():
            async with anyio.create_task_group() as group:
                group.start_soon(self._take_in)
                self._start_uploads(group)
                group.start_soon(self._settler.run, self._settle_jobs)

    async def _take_in(self) -> None:
        """Look at cells and prepare files, until the plan or a stop ends it."""
        async with AsyncExitStack() as stack:
            # Closed with the intake, whatever ends it: the stages behind end of themselves.
            await stack.enter_async_context(self._to_upload)
            await stack.enter_async_context(self._to_settle)
            with self._intake:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._look)
                    for _ in range(self._settings.limits.workers):
                        group.start_soon(
                            self._prepare_all, self._prepare_jobs.clone(), self._to_upload.clone()
                        )
                    self._prepare_jobs.close()

    def _start_uploads(self, group: TaskGroup) -> None:
        for _ in range(self._settings.limits.connections):
            group.start_soon(self._upload_all, self._upload_jobs.clone(), self._to_settle.clone())
        self._upload_jobs.close()

    async def _look(self) -> None:
        """Hold each cell's jobs against what is in Studio, a few cells at a time."""
        limiter = anyio.CapacityLimiter(self._settings.limits.cells_ahead)
        async with self._to_prepare, anyio.create_task_group() as group:
            for spec, cell in self._plan.cells():
                await limiter.acquire_on_behalf_of((spec, cell))
                group.start_soon(self._look_at, spec, cell, limiter)

    async def _look_at(self, spec: str, cell: str, limiter: anyio.CapacityLimiter) -> None:
        try:
            lives = [self._load(row) for row in self._plan.open_jobs(spec, cell)]
            waiting = [context for context in lives if context.state is JobState.CONFIRMED]
            for context in waiting:
                await self._settle_later(context)
            fresh = [context for context in lives if context.state is not JobState.CONFIRMED]
            if fresh:
                await self._compare(spec, cell, fresh)
        finally:
            limiter.release_on_behalf_of((spec, cell))

    def _load(self, row: JobRow) -> JobContext:
        return JobContext.load(row, self._journal.reader)

    async def _compare(self, spec: str, cell: str, lives: list[JobContext]) -> None:
        try:
            instance_id = await self._parents.find_instance(spec, cell)
            found = {} if instance_id is None else await self._reconciler.listing(instance_id)
        except RUN_ENDING:
            raise
        except BulkloadError as error:
            for context in lives:
                await self._recorder.record(context, failure_event(context, error))
            return
        for context in lives:
            context.instance_id = instance_id
            if (record := found.get(context.name)) is None:
                await self._to_prepare.send(context)
                continue
            try:
                step = await self._reconciler.before_prepare(context, record)
            except RUN_ENDING:
                raise
            except BulkloadError as error:
                await self._recorder.record(context, failure_event(context, error))
                continue
            if step is Next.PREPARE:
                await self._to_prepare.send(context)
            elif step is Next.SETTLE:
                await self._settle_later(context)

    async def _settle_later(self, context: JobContext) -> None:
        """Hand on a measurement that is in Studio already and may still be in processing."""
        step = Next.SETTLE
        if context.state is JobState.CONFIRMED:
            step = await self._uploader.attach(context)
        if step is Next.SETTLE and self._settings.is_waiting:
            self._backlog.join()
            await self._to_settle.send(context)

    async def _prepare_all(self, jobs: Jobs, ready: JobsOut) -> None:
        async with jobs, ready:
            async for context in jobs:
                await self._spool.wait_for_room()
                task = self._task(context)
                with self._progress.busy("prepare"):
                    answer = await self._pool.prepare(task)
                if isinstance(answer, Rejected) and answer.cause == DISK_FULL:
                    raise DiskError(answer.message)
                if isinstance(answer, Rejected):
                    await self._recorder.record(context, rejected_event(context, answer))
                    continue
                self._take_up(context, answer, task)
                await ready.send(context)

    def _task(self, context: JobContext) -> PrepareTask:
        stored = context.stored
        return PrepareTask(
            job=context.job,
            checks=self._plan.checks_for(context.job, self._settings.checks),
            prepare_options=self._settings.prepare_options,
            spool_path=str(self._spool.path(context.id)),
            stored=None
            if context.found is None or stored is None
            else StoredBefore(rows=stored.rows, content_digest=stored.content_digest),
        )

    def _take_up(self, context: JobContext, prepared: Prepared, task: PrepareTask) -> None:
        context.prepared = prepared
        # A run that dies prepares it anew: the next file need not wait for the disk.
        context.pending_events.append(prepared_event(prepared))
        self._progress.taken_up(context)
        assert task.spool_path is not None
        context.spool = Path(task.spool_path)
        self._spool.add(context.id, prepared.size_bytes)

    async def _upload_all(self, jobs: Jobs, confirmed: JobsOut) -> None:
        async with jobs, confirmed:
            async for context in jobs:
                await self._backlog.enter()
                try:
                    step = await self._uploader.deliver(context)
                    if step is Next.SETTLE and context.state is JobState.CONFIRMED:
                        step = await self._uploader.attach(context)
                finally:
                    self._spool.remove(context.id)
                if step is Next.SETTLE and self._settings.is_waiting:
                    await confirmed.send(context)
                else:
                    self._backlog.leave()


def rejected_event(context: JobContext, refused: Rejected) -> SourceRejected:
    """Return the event of a source that must not be sent."""
    source = refused.source
    # A child that died tells nothing: then it is what the file is now.
    seen = (source.size_bytes, source.mtime_ns) if source else quick_stamp(Path(context.job.path))
    size_bytes, mtime_ns = seen or (0, 0)
    return SourceRejected(
        cause=refused.cause,
        message=refused.message,
        source_bytes=size_bytes,
        source_mtime_ns=mtime_ns,
        rows=refused.rows,
        rows_left_out=refused.rows_left_out,
    )
