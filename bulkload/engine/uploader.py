"""One prepared measurement, from its parents to its record: intent, act, event, each in turn.

The client repeats what may be repeated and looks before it sends again; what reaches this
module is the last word on an act. A record that bears an id this job was given is our own
work, whatever answer was lost on the way.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from bulkload.client.api.records import CellMeasurement
from bulkload.client.studio import AsyncStudio
from bulkload.core.lifecycle import (
    Act,
    Attempting,
    Confirmed,
    Event,
    Extended,
    Failed,
    GaveUp,
    Initiated,
    ParentsKnown,
    Stored,
    UrlExpired,
)
from bulkload.core.metadata import merged_metadata
from bulkload.core.terms import MeasurementType
from bulkload.engine.existing import Next, Reconciler
from bulkload.engine.jobs import JobContext, Recorder
from bulkload.engine.parents import Parents
from bulkload.engine.processing import ready_event
from bulkload.engine.raw_data import RawFiles
from bulkload.errors import (
    RUN_ENDING,
    AuthenticationError,
    BulkloadError,
    ClientError,
    ConflictError,
    ExpiredUrlError,
    MeasurementProcessingError,
    TransientError,
    UnavailableError,
    UnreadableError,
)
from bulkload.sources.stamp import attachments, quick_stamp
from bulkload.worker.spool import extension_path, steps_path

#: A signed URL is used as soon as it is given; one that keeps expiring is not a matter of age.
MAX_URL_RENEWALS: Final = 5


class Uploader:
    """Delivers prepared measurements."""

    def __init__(
        self,
        studio: AsyncStudio,
        *,
        parents: Parents,
        reconciler: Reconciler,
        recorder: Recorder,
        raw_files: RawFiles | None,
    ) -> None:
        """``raw_files`` attaches the original files; None leaves them where they are."""
        self._studio = studio
        self._parents = parents
        self._reconciler = reconciler
        self._recorder = recorder
        self._raw_files = raw_files

    async def deliver(self, context: JobContext) -> Next:
        """Bring a job from PREPARED to CONFIRMED, EXISTING or FAILED, or leave it resumable.

        Raises the errors of ``RUN_ENDING``; every other failure becomes the job's event.
        """
        return await self._answering(context, self._deliver)

    async def attach(self, context: JobContext) -> Next:
        """Attach the source of a confirmed measurement, where the run does that."""
        return await self._answering(context, self._attach)

    async def _answering(
        self, context: JobContext, act: Callable[[JobContext], Awaitable[Next]]
    ) -> Next:
        try:
            return await act(context)
        except RUN_ENDING:
            raise
        except BulkloadError as error:
            await self._recorder.record(context, failure_event(context, error))
            return Next.DONE
        except OSError as error:
            # The source, or the scratch space: it costs this job, never the run.
            words = f"a file on this machine: {error.strerror or error}"
            cause = UnreadableError(words, cause="unreadable_file")
            await self._recorder.record(context, failure_event(context, cause))
            return Next.DONE

    async def _deliver(self, context: JobContext) -> Next:
        step = await self._reconciler.after_prepare(context)
        if step is Next.EXTEND:
            return await self._extend(context)
        if step is not Next.UPLOAD:
            return step
        try:
            record = await self._upload(context)
        except ConflictError as error:
            if context.instance_id is None:
                raise
            step = await self._reconciler.after_conflict(context, error)
            if step is not Next.UPLOAD:
                return step
            # Only our own failed record was in the way, and it is gone: once more.
            record = await self._upload(context)
        await self._recorder.record(context, Confirmed(measurement_id=record.id))
        if self._raw_files is not None or record.is_processing or record.has_failed:
            return Next.SETTLE
        await self._recorder.record(context, ready_event(record))
        return Next.DONE

    async def _attach(self, context: JobContext) -> Next:
        if self._raw_files is not None:
            await self._raw_files.attach(context)
        return Next.SETTLE

    async def _extend(self, context: JobContext) -> Next:
        """Append the rows that are new in a source that has grown."""
        assert context.found is not None
        assert context.spool is not None
        assert context.prepared is not None
        assert context.prepared.last_time_s is not None
        await self._recorder.record(context, Attempting(act=Act.EXTEND))
        try:
            await self._studio.cell_measurement.extend_with(
                context.found.id, extension_path(context.spool), context.prepared.last_time_s
            )
        except AuthenticationError:
            raise
        except ClientError as error:
            return await self._reconciler.after_lost_extension(context, error)
        await self._recorder.record(context, Extended(measurement_id=context.found.id))
        return Next.SETTLE

    async def _upload(self, context: JobContext) -> CellMeasurement:
        instance_id = await self._parents.instance_id(context.job.key, context.job.batch)
        context.pending_events.append(ParentsKnown(instance_id=instance_id))
        if context.job.type is MeasurementType.PROPERTIES:
            return await self._create_properties(context, instance_id)
        for _ in range(MAX_URL_RENEWALS):
            try:
                await self._send(context, instance_id)
            except ExpiredUrlError:
                await self._recorder.record(context, UrlExpired())
            else:
                break
        else:
            raise _too_old_again()
        return await self._confirm(context, instance_id)

    async def _send(self, context: JobContext, instance_id: str) -> None:
        """Ask for upload targets and fill them. Raises ``ExpiredUrlError`` for stale targets."""
        kind = context.job.type
        files = self._files(context)
        names = _file_names(context)
        if names is not None and names != [path.name for path in files]:
            raise _changed_on_its_way(context)
        await self._recorder.record(context, Attempting(act=Act.INITIATE))
        answer = await self._studio.cell_measurement.initiate(
            instance_id,
            context.name,
            notes=context.job.metadata.get("notes"),
            measurement_type=kind,
            filenames=names,
        )
        initiated = Initiated(measurement_id=answer.measurement_id)
        await self._recorder.record(context, initiated, Attempting(act=Act.PUT))
        if names is not None:
            targets = answer.targets(names)
        else:
            targets = [answer.target("time_series.parquet")]
            if (steps := steps_path(files[0])).exists():
                targets.append(answer.target("steps.parquet"))
                files.append(steps)
        try:
            for target, path in zip(targets, files, strict=True):
                await self._studio.cell_measurement.put(target, path)
        except OSError as error:
            raise _changed_on_its_way(context) from error
        if kind is MeasurementType.FILE and not _is_as_prepared(context):
            raise _changed_on_its_way(context)

    def _files(self, context: JobContext) -> list[Path]:
        if context.job.type is MeasurementType.FILE:
            return attachments(Path(context.job.path))
        assert context.spool is not None
        return [context.spool]

    async def _confirm(self, context: JobContext, instance_id: str) -> CellMeasurement:
        assert context.measurement_id is not None
        kind = context.job.type
        names = _file_names(context)
        await self._recorder.record(context, Stored(), Attempting(act=Act.CONFIRM))
        return await self._studio.cell_measurement.confirm(
            context.measurement_id,
            instance_id,
            self._payload(context),
            measurement_type=kind,
            filenames=names,
        )

    async def _create_properties(self, context: JobContext, instance_id: str) -> CellMeasurement:
        assert context.spool is not None
        properties = json.loads(context.spool.read_text("utf-8"))
        await self._recorder.record(context, Attempting(act=Act.CREATE))
        return await self._studio.cell_measurement.create_properties(
            instance_id, context.name, properties, **context.job.metadata
        )

    def _payload(self, context: JobContext) -> dict[str, Any]:
        header: Mapping[str, Any] = {} if context.prepared is None else context.prepared.header
        return {**merged_metadata(context.job.metadata, header), "name": context.name}


def _file_names(context: JobContext) -> list[str] | None:
    """Return the names of a file measurement's files, None for the other types."""
    if context.job.type is not MeasurementType.FILE:
        return None
    assert context.prepared is not None
    return list(context.prepared.columns)


def _is_as_prepared(context: JobContext) -> bool:
    """Tell whether a source that is sent from where it lies is still the one that was hashed."""
    assert context.prepared is not None
    source = context.prepared.source
    return quick_stamp(Path(context.job.path)) == (source.size_bytes, source.mtime_ns)


def _changed_on_its_way(context: JobContext) -> UnreadableError:
    return UnreadableError(
        f"{context.job.path}: the file changed, or went, while it was sent; wait until nothing "
        "writes to it, and run again",
        cause="source_changing",
    )


def _too_old_again() -> UnavailableError:
    """Return the error of URLs that keep expiring: a quieter time may do, so it is resumable."""
    error = UnavailableError(f"{MAX_URL_RENEWALS} signed URLs in a row had expired when used")
    error.cause = ExpiredUrlError.cause
    return error


def failure_event(context: JobContext, error: BulkloadError) -> Event:
    """Return the event of a failed act: resumable where the error is transient."""
    cause = error.cause
    if isinstance(error, MeasurementProcessingError):
        cause = "processing_failed"
    kind = GaveUp if isinstance(error, TransientError) else Failed
    return kind(cause=cause, message=_sentence(context, error))


def _sentence(context: JobContext, error: BulkloadError) -> str:
    return f"{context.job.path}: {context.job.key} was not delivered: {error}"
