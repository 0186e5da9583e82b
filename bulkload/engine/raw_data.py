"""The original files: stored once each by content, linked to each of their measurements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import anyio

from bulkload.archives.access import local_copy
from bulkload.client.studio import AsyncStudio
from bulkload.core.address import is_elsewhere
from bulkload.core.lifecycle import Act, Attempting, RawAttached
from bulkload.core.prepare_result import SourceStamp
from bulkload.engine.jobs import JobContext, Recorder
from bulkload.engine.limits import REMEMBERED_FILES
from bulkload.engine.single_flight import SingleFlight
from bulkload.errors import UnreadableError
from bulkload.journal.journal import Journal
from bulkload.sources.stamp import stamp


class RawFiles:
    """Attaches the original files to measurements that are in Studio."""

    def __init__(self, studio: AsyncStudio, recorder: Recorder, journal: Journal) -> None:
        self._studio = studio
        self._recorder = recorder
        self._journal = journal
        self._stored = SingleFlight(REMEMBERED_FILES)

    async def attach(self, context: JobContext) -> None:
        """Store the source of a confirmed measurement unless Studio has it, and link it.

        Raises ``UnreadableError`` for a source that is no longer what was uploaded, and the
        client's errors.
        """
        assert context.measurement_id is not None
        assert context.source_sha256 is not None
        sha256 = context.source_sha256
        await self._recorder.record(context, Attempting(act=Act.ATTACH))
        raw_data_id = await self._stored.get(sha256, lambda: self._store(context.job.path, sha256))
        await self._studio.cell_measurement.attach_raw_data(context.measurement_id, [raw_data_id])
        await self._recorder.record(context, RawAttached(raw_data_id=raw_data_id))

    async def _store(self, path: str, sha256: str) -> str:
        known = self._journal.reader.raw_data_id(sha256)
        if known is not None:
            return known
        if is_elsewhere(path):
            async with _copied(path) as (copy, found):
                return await self._send(path, copy, found, sha256)
        found = await anyio.to_thread.run_sync(stamp, Path(path))
        return await self._send(path, Path(path), found, sha256)

    async def _send(self, path: str, file: Path, found: SourceStamp, sha256: str) -> str:
        if found.sha256 != sha256:
            raise UnreadableError(
                f"{path}: the file changed after its measurement was uploaded, so it is not "
                "attached as its original",
                cause="source_changed",
            )
        record = await self._studio.raw_data.upload(None, str(file), metadata={"sha256": sha256})
        await self._journal.keep_raw_data(sha256, record.id)
        return record.id


@asynccontextmanager
async def _copied(path: str) -> AsyncIterator[tuple[Path, SourceStamp]]:
    """Copy a source that is not a file of its own, for the length of the block."""
    with ExitStack() as stack:
        yield await anyio.to_thread.run_sync(stack.enter_context, local_copy(path))
