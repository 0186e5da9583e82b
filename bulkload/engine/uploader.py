"""Sends one prepared measurement, from its parents to its record: intent, act, event, in turn.

The client repeats what may be repeated and looks before it sends again; an error that reaches
this module is final for the act.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bulkload.client.api.limits import MAX_INITIATES
from bulkload.client.api.records import CellMeasurement
from bulkload.client.api.signed_upload import with_fresh_urls
from bulkload.client.studio import AsyncStudio
from bulkload.core.address import file_name, is_elsewhere
from bulkload.core.lifecycle import Act, Attempting, Initiated, ParentsKnown, Stored, UrlExpired
from bulkload.core.metadata import merged_metadata
from bulkload.core.provenance import KEY, provenance_entry, without_hashes
from bulkload.core.terms import DATABASE, MeasurementType
from bulkload.engine.jobs import JobContext, Recorder
from bulkload.engine.parents import Parents
from bulkload.errors import ExpiredUrlError, UnavailableError, UnreadableError
from bulkload.sources.stamp import attachments, quick_stamp
from bulkload.worker.spool import copy_path, extension_path, steps_path


class Uploader:
    """Sends prepared measurements."""

    def __init__(
        self,
        studio: AsyncStudio,
        recorder: Recorder,
        *,
        parents: Parents,
        sends_provenance: bool,
    ) -> None:
        """``sends_provenance``: each record says in its ``test_setup`` where it came from."""
        self._studio = studio
        self._sends_provenance = sends_provenance
        self._recorder = recorder
        self._parents = parents

    async def upload(self, context: JobContext) -> CellMeasurement:
        """Create a measurement with its parents and store its bytes; return its record.

        Raises the client's errors, ``ConflictError`` for a name that is taken among them.
        """
        instance_id = await self._parents.instance_id(context.job.key, context.job.batch)
        context.pending_events.append(ParentsKnown(instance_id=instance_id))
        if context.job.type is MeasurementType.PROPERTIES:
            return await self._create_properties(context, instance_id)
        try:
            await with_fresh_urls(
                lambda: self._send(context, instance_id),
                on_expired=lambda: self._recorder.record(context, UrlExpired()),
            )
        except ExpiredUrlError as error:
            await self._recorder.record(context, UrlExpired())
            raise _urls_expire() from error
        return await self._confirm(context, instance_id)

    async def extend(self, context: JobContext, measurement_id: str) -> None:
        """Append the rows that are new in a source that has grown."""
        assert context.spool is not None
        # Before it: a record that is longer than the source it names would pass for that source.
        record = await self._studio.cell_measurement.get(measurement_id)
        if (setup := without_hashes(record.test_setup or {})) is not None:
            await self._studio.cell_measurement.update(measurement_id, {"test_setup": setup})
        await self._studio.cell_measurement.extend_with(
            measurement_id,
            extension_path(context.spool),
            may_be_done=context.has_attempted_extension,
        )

    async def _send(self, context: JobContext, instance_id: str) -> None:
        """Ask for upload targets and fill them. Raises ``ExpiredUrlError`` for stale targets."""
        kind = context.job.type
        files = self._files(context)
        names = _file_names(context)
        if names is not None and names != [path.name for path in files]:
            raise _changed_while_sent(context)
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
                md5 = _md5_of(context, path)
                await self._studio.cell_measurement.put(target, path, md5=md5)
        except OSError as error:
            raise _changed_while_sent(context) from error
        if kind is MeasurementType.FILE and not _is_as_prepared(context):
            raise _changed_while_sent(context)

    def _files(self, context: JobContext) -> list[Path]:
        if context.job.type is MeasurementType.FILE:
            if is_elsewhere(context.job.path):
                assert context.spool is not None
                return [copy_path(context.spool, context.job.path)]
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
            instance_id,
            context.name,
            properties,
            **self._with_provenance(context, context.job.metadata),
        )

    def _payload(self, context: JobContext) -> dict[str, Any]:
        header: Mapping[str, Any] = {} if context.prepared is None else context.prepared.header
        merged = merged_metadata(context.job.metadata, header)
        return {**self._with_provenance(context, merged), "name": context.name}

    def _with_provenance(
        self, context: JobContext, metadata: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return metadata with what the record is to say of its source."""
        if not self._sends_provenance or context.prepared is None:
            return metadata
        job = context.job
        source = None if job.reader == DATABASE else file_name(job.path)
        entry = provenance_entry(context.prepared, source=source, member=job.member)
        return {**metadata, "test_setup": {**(metadata.get("test_setup") or {}), KEY: entry}}


def _file_names(context: JobContext) -> list[str] | None:
    """Return the names of a file measurement's files, None for the other types."""
    if context.job.type is not MeasurementType.FILE:
        return None
    assert context.prepared is not None
    return list(context.prepared.columns)


def _md5_of(context: JobContext, path: Path) -> str | None:
    """Return the MD5 that the worker took of the file it wrote, None for any other file."""
    if context.prepared is None or path != context.spool:
        return None
    return context.prepared.md5 or None


def _is_as_prepared(context: JobContext) -> bool:
    """Return whether a source that is sent in place is still the one that was hashed."""
    assert context.prepared is not None
    source = context.prepared.source
    return quick_stamp(Path(context.job.path)) == (source.size_bytes, source.mtime_ns)


def _changed_while_sent(context: JobContext) -> UnreadableError:
    return UnreadableError(
        f"{context.job.place}: the file changed or was deleted while it was sent; wait until "
        "nothing writes to it, and run again",
        cause="source_changing",
    )


def _urls_expire() -> UnavailableError:
    """Return the error of URLs that keep expiring: a quieter time may do, so it is resumable."""
    error = UnavailableError(f"{MAX_INITIATES} signed URLs in a row had expired when used")
    error.cause = ExpiredUrlError.cause
    return error
