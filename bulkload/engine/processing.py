"""One poller for everything that is confirmed: waits until Studio has processed it.

Polls by cell: one listing returns the status of all its measurements. The interval of a cell
grows as its uploads age, so that a long processing costs few requests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import anyio
from anyio.abc import ObjectReceiveStream

from bulkload.client.api.records import CellMeasurement
from bulkload.client.studio import AsyncStudio
from bulkload.clock import Clock
from bulkload.core.lifecycle import (
    Failed,
    Found,
    GaveUp,
    JobState,
    ProcessingFailed,
    ProcessingReady,
)
from bulkload.engine.backlog import Backlog
from bulkload.engine.jobs import JobContext, Recorder
from bulkload.engine.limits import (
    FIRST_POLL_S,
    LONGEST_POLL_S,
    POLL_GROWTH,
    PROCESSING_LIMIT_S,
    VISIBLE_AFTER_S,
)
from bulkload.errors import RUN_ENDING, BulkloadError, TransientError


@dataclass(slots=True, kw_only=True)
class _Cell:
    """The waiting measurements of a cell, by id, and when to ask next."""

    waiting: dict[str, tuple[JobContext, float]] = field(default_factory=dict)
    interval_s: float = FIRST_POLL_S
    due_at: float = math.inf


class ProcessingPoller:
    """Waits for processing and records how it ended."""

    def __init__(
        self, studio: AsyncStudio, recorder: Recorder, clock: Clock, backlog: Backlog
    ) -> None:
        self._studio = studio
        self._recorder = recorder
        self._clock = clock
        self._backlog = backlog
        self._cells: dict[str, _Cell] = {}
        self._arrived = anyio.Event()
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """How many measurements wait for their processing."""
        return sum(len(cell.waiting) for cell in self._cells.values())

    async def run(self, confirmed: ObjectReceiveStream[JobContext]) -> None:
        """Wait for each job of ``confirmed``; return when it is closed and nothing waits."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._receive, confirmed)
            while not self._is_closed or self._cells:
                await self._pause()
                async with anyio.create_task_group() as requests:
                    for instance_id in self._due():
                        requests.start_soon(self._ask, instance_id)

    async def _receive(self, confirmed: ObjectReceiveStream[JobContext]) -> None:
        async with confirmed:
            async for context in confirmed:
                # Not confirmed by this job: a record that existed before, and is in processing.
                if context.state is not JobState.CONFIRMED and context.found is not None:
                    context.measurement_id = context.found.id
                assert context.instance_id is not None
                assert context.measurement_id is not None
                now = self._clock.monotonic()
                cell = self._cells.setdefault(context.instance_id, _Cell())
                cell.waiting[context.measurement_id] = (context, now)
                cell.interval_s = FIRST_POLL_S
                cell.due_at = min(cell.due_at, now + FIRST_POLL_S)
                self._arrived.set()
        self._is_closed = True
        self._arrived.set()

    async def _pause(self) -> None:
        """Wait until the next cell is due, or something arrives where nothing waits."""
        if not self._cells:
            await self._arrived.wait()
            self._arrived = anyio.Event()
            return
        soonest = min(cell.due_at for cell in self._cells.values())
        # Not longer than a first poll: what arrives meanwhile may be due sooner.
        wait_s = min(soonest - self._clock.monotonic(), FIRST_POLL_S)
        await self._clock.sleep(max(0.0, wait_s))

    def _due(self) -> list[str]:
        now = self._clock.monotonic()
        return [instance_id for instance_id, cell in self._cells.items() if cell.due_at <= now]

    async def _ask(self, instance_id: str) -> None:
        cell = self._cells[instance_id]
        # An answer is as old as its request, however long it took.
        asked_at = self._clock.monotonic()
        try:
            records = await self._studio.cell_measurement.processing_states(
                dict.fromkeys(cell.waiting, instance_id)
            )
        except TransientError as error:
            records = {}
            await self._give_up_old(cell, str(error))
        except RUN_ENDING:
            raise
        except BulkloadError as error:
            records = {}
            await self._fail_all(cell, error)
        for measurement_id, record in records.items():
            context, since = cell.waiting[measurement_id]
            if record is None:
                if asked_at - since < VISIBLE_AFTER_S:
                    continue
                await self._lost(context, measurement_id)
            elif record.is_processing:
                continue
            else:
                await self._end(context, record)
            del cell.waiting[measurement_id]
            self._backlog.processed(self._clock.monotonic() - since)
        await self._give_up_old(cell, "Studio was still processing it")
        self._plan_next(instance_id, cell)

    def _plan_next(self, instance_id: str, cell: _Cell) -> None:
        if not cell.waiting:
            del self._cells[instance_id]
            return
        cell.due_at = self._clock.monotonic() + cell.interval_s
        cell.interval_s = min(LONGEST_POLL_S, cell.interval_s * POLL_GROWTH)

    async def _end(self, context: JobContext, record: CellMeasurement) -> None:
        is_ours = context.state is JobState.CONFIRMED
        # A failed extension leaves the record ready, with the reason beside it.
        reason = record.failure_reason or (record.processing_error if is_ours else None)
        if reason is None:
            event = ready_event(record) if is_ours else Found(measurement_id=record.id)
            await self._recorder.record(context, event)
            return
        stored = (
            f"{context.job.place}: {context.job.key} was stored, and Studio could not process it: "
        )
        if is_ours:
            await self._recorder.record(context, ProcessingFailed(message=stored + reason))
        else:
            await self._recorder.record(
                context, Failed(cause="existing_failed", message=stored + reason)
            )

    async def _lost(self, context: JobContext, measurement_id: str) -> None:
        message = (
            f"{context.job.place}: {context.job.key} was confirmed as {measurement_id}, and "
            "Studio no longer has it; run `bulkload retry` to upload it again"
        )
        await self._recorder.record(context, Failed(cause="record_vanished", message=message))

    async def _fail_all(self, cell: _Cell, error: BulkloadError) -> None:
        """End a cell's measurements as failed: Studio rejects the request for their status."""
        while cell.waiting:
            measurement_id, (context, since) = cell.waiting.popitem()
            self._backlog.processed(self._clock.monotonic() - since)
            message = (
                f"{context.job.place}: {context.job.key} was stored as {measurement_id}, and "
                f"Studio does not say how its processing ended: {error}"
            )
            await self._recorder.record(context, Failed(cause=error.cause, message=message))

    async def _give_up_old(self, cell: _Cell, reason: str) -> None:
        now = self._clock.monotonic()
        old = [
            measurement_id
            for measurement_id, (_, since) in cell.waiting.items()
            if now - since > PROCESSING_LIMIT_S
        ]
        for measurement_id in old:
            context, since = cell.waiting.pop(measurement_id)
            self._backlog.processed(now - since)
            await self._recorder.record(
                context,
                GaveUp(
                    cause="processing_unfinished",
                    message=f"{context.job.place}: {context.job.key}: {reason} after "
                    f"{PROCESSING_LIMIT_S / 60:.0f} minutes; run the same command again to check",
                ),
            )


def ready_event(record: CellMeasurement) -> ProcessingReady:
    """Return the event of a record that Studio has processed."""
    return ProcessingReady(ready_updated_at=record.updated_at)
