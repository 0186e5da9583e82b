"""What is in Studio already: found by one listing a cell, and held against the job."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path

from bulkload.client.api.records import CellMeasurement
from bulkload.client.studio import AsyncStudio
from bulkload.core.existing import Existing, FoundRecord, Verdict, reconcile
from bulkload.core.lifecycle import (
    Act,
    Attempting,
    Confirmed,
    Event,
    Extended,
    Failed,
    Found,
    GaveUp,
    Restarted,
)
from bulkload.core.terms import MeasurementType
from bulkload.engine.jobs import JobContext, Recorder, prepared_event
from bulkload.engine.readback import TableContent, difference, read_back
from bulkload.errors import ClientError, ConflictError
from bulkload.sources.stamp import quick_stamp


class Next(Enum):
    """Where a job goes after it was held against what is in Studio."""

    PREPARE = auto()
    UPLOAD = auto()
    EXTEND = auto()
    SETTLE = auto()
    DONE = auto()


class Reconciler:
    """Holds jobs against records of their name."""

    def __init__(
        self, studio: AsyncStudio, recorder: Recorder, *, existing: Existing, scratch: Path
    ) -> None:
        self._studio = studio
        self._recorder = recorder
        self._existing = existing
        self._scratch = scratch

    async def listing(self, instance_id: str) -> Mapping[str, FoundRecord]:
        """Return a cell's measurements by name: one listing, however many jobs."""
        return {
            record.name: found_record(record)
            async for record in self._studio.cell_measurement.list(instance_id)
        }

    async def before_prepare(self, context: JobContext, found: FoundRecord) -> Next:
        """Decide about a listed record before the source is read."""
        verdict = reconcile(
            found,
            wanted=context.job.type,
            is_ours=found.id in context.known_ids,
            holds_current_source=_holds_current_source(context, found),
            existing=self._existing,
        )
        return await self._carry_out(context, found, verdict)

    async def after_conflict(self, context: JobContext, error: ConflictError) -> Next:
        """Decide about the record that a 409 tells of; the source is prepared by now."""
        assert context.instance_id is not None
        instance_id = context.instance_id
        resolution = await self._studio.cell_measurement.resolve_conflict(
            error, instance_id, context.name
        )
        record = resolution.record
        if record is None:
            event = _unresolved(context, error, is_over_name=resolution.is_over_name)
            await self._recorder.record(context, event)
            return Next.DONE
        step = await self.before_prepare(context, found_record(record))
        return await self.after_prepare(context) if step is Next.PREPARE else step

    async def after_prepare(self, context: JobContext) -> Next:
        """Compare the prepared source with the record it was found beside, if there is one."""
        found = context.found
        if found is None:
            return Next.UPLOAD
        assert context.prepared is not None
        stored = context.stored
        if stored is not None and stored.measurement_id == found.id:
            if context.prepared.is_longer and found.is_open:
                return Next.EXTEND
            is_same = stored.content_digest == context.prepared.content_digest
            words = None if is_same else f"Studio holds its {stored.rows} rows of before"
        else:
            words = await self._read_back_difference(context, found)
        return await self._conclude(context, found, words)

    async def after_lost_extension(self, context: JobContext, error: ClientError) -> Next:
        """Decide whether a refused extension had been made before: then Studio holds it all."""
        assert context.found is not None
        if await self._read_back_difference(context, context.found) is not None:
            raise error
        await self._recorder.record(context, Extended(measurement_id=context.found.id))
        return Next.SETTLE

    async def _conclude(self, context: JobContext, found: FoundRecord, words: str | None) -> Next:
        if words is not None:
            await self._fail(context, *_differs(context, found, words))
            return Next.DONE
        return await self._accept(context, found)

    async def _read_back_difference(self, context: JobContext, found: FoundRecord) -> str | None:
        assert context.prepared is not None
        if context.job.type is not MeasurementType.TIME_SERIES:
            return "only a time series can be compared with what Studio holds"
        meant = TableContent(
            rows=context.prepared.rows,
            columns=context.prepared.columns,
            digest=context.prepared.content_digest,
        )
        return difference(meant, await read_back(self._studio, found.id, self._scratch))

    async def _carry_out(self, context: JobContext, found: FoundRecord, verdict: Verdict) -> Next:
        match verdict:
            case Verdict.ADOPT | Verdict.REUSE | Verdict.AWAIT:
                return await self._accept(context, found)
            case Verdict.COMPARE | Verdict.VERIFY:
                context.found = found
                return Next.PREPARE
            case Verdict.WITHDRAW:
                await self._recorder.record(context, Attempting(act=Act.WITHDRAW))
                await self._studio.cell_measurement.delete(found.id)
                if context.prepared is not None:
                    # Found on the way: the way begins again, with what is prepared already.
                    await self._recorder.record(context, Restarted(reason="withdrawn"))
                    await self._recorder.record(context, prepared_event(context.prepared))
                return Next.PREPARE
            case Verdict.FOUND_FAILED:
                reason = found.processing_error or "without a reason"
                await self._fail(
                    context,
                    "existing_failed",
                    f"Studio has a measurement of this name ({found.id}) that it could not "
                    f"process: {reason}; delete it there, or use another name",
                )
            case Verdict.OTHER_TYPE:
                await self._fail(
                    context,
                    "name_taken",
                    f"Studio has a {found.type.value} measurement of this name ({found.id}), and "
                    f"this one is {context.job.type.value}; use another name",
                )
            case Verdict.NAME_TAKEN:
                await self._fail(
                    context,
                    "name_taken",
                    f"Studio has a measurement of this name ({found.id}), and --existing fail "
                    "asks for new ones only",
                )
        return Next.DONE

    async def _accept(self, context: JobContext, found: FoundRecord) -> Next:
        if found.id in context.known_ids:
            await self._recorder.record(context, Confirmed(measurement_id=found.id))
            return Next.SETTLE
        context.found = found
        if found.is_processing:
            context.measurement_id = found.id
            return Next.SETTLE
        await self._recorder.record(context, Found(measurement_id=found.id))
        return Next.DONE

    async def _fail(self, context: JobContext, cause: str, message: str) -> None:
        await self._recorder.record(
            context,
            Failed(cause=cause, message=f"{context.job.path}: {context.job.key}: {message}"),
        )


def _unresolved(context: JobContext, error: ConflictError, *, is_over_name: bool) -> Event:
    """Return the event of a 409 behind which no measurement of this name is found."""
    where = f"{context.job.path}: {context.job.key}"
    if not is_over_name:
        return Failed(cause="conflict", message=f"{where}: Studio refused it: {error}")
    return GaveUp(
        cause="name_held",
        message=f"{where}: Studio keeps the name and shows no such measurement, as for an upload "
        f"that was begun and never ended: {error}; run again later",
    )


def found_record(record: CellMeasurement) -> FoundRecord:
    """Return what the decision needs of a record."""
    return FoundRecord(
        id=record.id,
        type=record.measurement_type,
        is_processing=record.is_processing,
        has_failed=record.has_failed,
        processing_error=record.processing_error,
        is_open=record.end_time is None,
    )


def _holds_current_source(context: JobContext, found: FoundRecord) -> bool:
    stored = context.stored
    if stored is None or stored.measurement_id != found.id:
        return False
    if context.prepared is not None:
        return context.prepared.content_digest == stored.content_digest
    return quick_stamp(Path(context.job.path)) == stored.stamp


def _differs(context: JobContext, found: FoundRecord, words: str) -> tuple[str, str]:
    if found.id in context.known_ids:
        return "source_changed", (
            f"the source changed since it was uploaded as {found.id}, and {words}; Studio keeps "
            "a measurement as it is: upload it under another name, or delete the old one"
        )
    return "existing_differs", (
        f"Studio has a measurement of this name ({found.id}) that differs: {words}; use another "
        "name, or delete the one in Studio"
    )
