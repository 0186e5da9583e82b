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
from bulkload.engine.jobs import LiveJob, Recorder
from bulkload.engine.parents import Parents
from bulkload.engine.processing import ready_event
from bulkload.engine.raw_data import RawFiles
from bulkload.errors import (
    RUN_ENDING,
    BulkloadError,
    ConflictError,
    CredentialsError,
    ExpiredUrlError,
    MeasurementProcessingError,
    RefusedError,
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

    async def deliver(self, live: LiveJob) -> Next:
        """Bring a job from PREPARED to CONFIRMED, EXISTING or FAILED, or leave it resumable.

        Raises the errors of ``RUN_ENDING``; every other failure becomes the job's event.
        """
        return await self._answering(live, self._deliver)

    async def attach(self, live: LiveJob) -> Next:
        """Attach the source of a confirmed measurement, where the run does that."""
        return await self._answering(live, self._attach)

    async def _answering(self, live: LiveJob, act: Callable[[LiveJob], Awaitable[Next]]) -> Next:
        try:
            return await act(live)
        except RUN_ENDING:
            raise
        except BulkloadError as error:
            await self._recorder.record(live, failure_event(live, error))
            return Next.DONE
        except OSError as error:
            # The source, or the scratch space: it costs this job, never the run.
            words = f"a file on this machine: {error.strerror or error}"
            cause = UnreadableError(words, cause="unreadable_file")
            await self._recorder.record(live, failure_event(live, cause))
            return Next.DONE

    async def _deliver(self, live: LiveJob) -> Next:
        step = await self._reconciler.after_prepare(live)
        if step is Next.EXTEND:
            return await self._extend(live)
        if step is not Next.UPLOAD:
            return step
        try:
            record = await self._upload(live)
        except ConflictError as error:
            if live.instance_id is None:
                raise
            step = await self._reconciler.after_conflict(live, error)
            if step is not Next.UPLOAD:
                return step
            # Only our own failed record was in the way, and it is gone: once more.
            record = await self._upload(live)
        await self._recorder.record(live, Confirmed(measurement_id=record.id))
        if self._raw_files is not None or record.is_processing or record.has_failed:
            return Next.SETTLE
        await self._recorder.record(live, ready_event(record))
        return Next.DONE

    async def _attach(self, live: LiveJob) -> Next:
        if self._raw_files is not None:
            await self._raw_files.attach(live)
        return Next.SETTLE

    async def _extend(self, live: LiveJob) -> Next:
        """Append the rows that are new in a source that has grown."""
        assert live.found is not None
        assert live.spool is not None
        assert live.prepared is not None
        assert live.prepared.last_time_s is not None
        await self._recorder.record(live, Attempting(act=Act.EXTEND))
        try:
            await self._studio.cell_measurement.extend_with(
                live.found.id, extension_path(live.spool), live.prepared.last_time_s
            )
        except CredentialsError:
            raise
        except RefusedError as error:
            return await self._reconciler.after_lost_extension(live, error)
        await self._recorder.record(live, Extended(measurement_id=live.found.id))
        return Next.SETTLE

    async def _upload(self, live: LiveJob) -> CellMeasurement:
        instance_id = await self._parents.instance_id(live.job.key, live.job.batch)
        live.news.append(ParentsKnown(instance_id=instance_id))
        if live.job.type is MeasurementType.PROPERTIES:
            return await self._create_properties(live, instance_id)
        for _ in range(MAX_URL_RENEWALS):
            try:
                await self._send(live, instance_id)
            except ExpiredUrlError:
                await self._recorder.record(live, UrlExpired())
            else:
                break
        else:
            raise _too_old_again()
        return await self._confirm(live, instance_id)

    async def _send(self, live: LiveJob, instance_id: str) -> None:
        """Ask for upload targets and fill them. Raises ``ExpiredUrlError`` for stale targets."""
        kind = live.job.type
        files = self._files(live)
        names = _file_names(live)
        if names is not None and names != [path.name for path in files]:
            raise _changed_on_its_way(live)
        await self._recorder.record(live, Attempting(act=Act.INITIATE))
        answer = await self._studio.cell_measurement.initiate(
            instance_id,
            live.name,
            notes=live.job.metadata.get("notes"),
            measurement_type=kind,
            filenames=names,
        )
        initiated = Initiated(measurement_id=answer.measurement_id)
        await self._recorder.record(live, initiated, Attempting(act=Act.PUT))
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
            raise _changed_on_its_way(live) from error
        if kind is MeasurementType.FILE and not _is_as_prepared(live):
            raise _changed_on_its_way(live)

    def _files(self, live: LiveJob) -> list[Path]:
        if live.job.type is MeasurementType.FILE:
            return attachments(Path(live.job.path))
        assert live.spool is not None
        return [live.spool]

    async def _confirm(self, live: LiveJob, instance_id: str) -> CellMeasurement:
        assert live.measurement_id is not None
        kind = live.job.type
        names = _file_names(live)
        await self._recorder.record(live, Stored(), Attempting(act=Act.CONFIRM))
        return await self._studio.cell_measurement.confirm(
            live.measurement_id,
            instance_id,
            self._payload(live),
            measurement_type=kind,
            filenames=names,
        )

    async def _create_properties(self, live: LiveJob, instance_id: str) -> CellMeasurement:
        assert live.spool is not None
        properties = json.loads(live.spool.read_text("utf-8"))
        await self._recorder.record(live, Attempting(act=Act.CREATE))
        return await self._studio.cell_measurement.create_properties(
            instance_id, live.name, properties, **live.job.metadata
        )

    def _payload(self, live: LiveJob) -> dict[str, Any]:
        header: Mapping[str, Any] = {} if live.prepared is None else live.prepared.header
        return {**merged_metadata(live.job.metadata, header), "name": live.name}


def _file_names(live: LiveJob) -> list[str] | None:
    """Return the names of a file measurement's files, None for the other types."""
    if live.job.type is not MeasurementType.FILE:
        return None
    assert live.prepared is not None
    return list(live.prepared.columns)


def _is_as_prepared(live: LiveJob) -> bool:
    """Tell whether a source that is sent from where it lies is still the one that was hashed."""
    assert live.prepared is not None
    source = live.prepared.source
    return quick_stamp(Path(live.job.path)) == (source.size_bytes, source.mtime_ns)


def _changed_on_its_way(live: LiveJob) -> UnreadableError:
    return UnreadableError(
        f"{live.job.path}: the file changed, or went, while it was sent; wait until nothing "
        "writes to it, and run again",
        cause="source_changing",
    )


def _too_old_again() -> UnavailableError:
    """Return the error of URLs that keep expiring: a quieter time may do, so it is resumable."""
    error = UnavailableError(f"{MAX_URL_RENEWALS} signed URLs in a row had expired when used")
    error.cause = ExpiredUrlError.cause
    return error


def failure_event(live: LiveJob, error: BulkloadError) -> Event:
    """Return the event of a failed act: resumable where the error is transient."""
    cause = error.cause
    if isinstance(error, MeasurementProcessingError):
        cause = "processing_failed"
    kind = GaveUp if isinstance(error, TransientError) else Failed
    return kind(cause=cause, message=_sentence(live, error))


def _sentence(live: LiveJob, error: BulkloadError) -> str:
    return f"{live.job.path}: {live.job.key} was not delivered: {error}"
