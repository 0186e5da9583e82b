"""Compare a plan with what Studio holds, measurement by measurement, made by this job or not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import chain, groupby
from pathlib import Path

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream

from bulkload.client.studio import AsyncStudio
from bulkload.core.comparison import (
    RESULTS,
    Compared,
    ComparisonCounts,
    ComparisonMark,
    Verdict,
    is_same_source,
    verdict_of_digest,
    verdict_of_record,
)
from bulkload.core.existing import FoundRecord
from bulkload.core.lifecycle import JobState
from bulkload.core.plan_items import UploadJob
from bulkload.core.prepare_result import Prepared, Rejected
from bulkload.core.snapshot import StageName
from bulkload.core.terms import JobKey, MeasurementType
from bulkload.engine.contents import StudioContents
from bulkload.engine.limits import READERS
from bulkload.engine.plan_reader import PlanReader
from bulkload.engine.progress import Progress
from bulkload.engine.readback import TableContent, difference, read_back
from bulkload.errors import AuthenticationError, BulkloadError, OutageError
from bulkload.journal import JobRow, Store
from bulkload.sources.stamp import stamp

#: Reads a job's source as an upload would.
PrepareJob = Callable[[JobRow], Awaitable[Prepared | Rejected]]
#: A measurement to be compared with the record of its name.
_Pair = tuple[JobRow, FoundRecord]


class PlanComparison:
    """Compares one plan; each result is given to ``on_result`` as it is known."""

    def __init__(
        self,
        store: Store,
        run: int,
        studio: AsyncStudio,
        *,
        prepare: PrepareJob,
        scratch: Path,
        on_result: Callable[[Compared], None],
        progress: Progress,
        reads_all: bool = False,
    ) -> None:
        """With ``reads_all``, hashes prove nothing: every measurement is read back."""
        self._store = store
        self._run = run
        self._studio = studio
        self._contents = StudioContents(studio)
        self._prepare = prepare
        self._scratch = scratch
        self._on_result = on_result
        self._reads_all = reads_all
        self._progress = progress
        self.counts = ComparisonCounts()

    async def run(self) -> ComparisonCounts:
        """Compare every measurement of the plan, and name what Studio has beyond it.

        Looks at the specifications of the plan, with one listing for the cells of each and one
        for each cell. Raises what ends a run: rejected credentials, an outage.
        """
        send, receive = anyio.create_memory_object_stream[_Pair](READERS)
        async with anyio.create_task_group() as group:
            for _ in range(READERS):
                group.start_soon(self._compare_all, receive.clone())
            receive.close()
            async with send:
                cells = PlanReader(self._store, self._run).cells()
                for spec, pairs in groupby(cells, key=lambda pair: pair[0]):
                    await self._specification(spec, [cell for _, cell in pairs], send)
        self._tell_rejected()
        return self.counts

    def _tell_rejected(self) -> None:
        """Name the entries that the plan cannot send: contested names, misfits, faulty rows."""
        rejected: Iterator[tuple[JobKey | None, str, str]] = chain(
            (
                (row.key, row.path, row.message)
                for row in self._store.jobs()
                if row.state is JobState.REJECTED
            ),
            (
                (None, row["location"], row["message"])
                for row in self._store.rows("account_rejections")
            ),
        )
        for key, path, message in rejected:
            self._tell(
                Compared(mark=ComparisonMark.NOT_COMPARED, key=key, path=path, message=message)
            )

    def _tell(self, result: Compared) -> None:
        self.counts[result.mark] += 1
        self._progress.counts[RESULTS[result.mark]] += 1
        self._on_result(result)

    async def _specification(
        self, spec: str, cells: list[str], send: ObjectSendStream[_Pair]
    ) -> None:
        there = dict(await self._contents.cells(spec) or {})
        for cell in cells:
            instance_id = there.pop(cell, None)
            records = await self._measurements(instance_id)
            for row in PlanReader(self._store, self._run).open_jobs(spec, cell):
                found = records.pop(row.job.key.measurement, None)
                if found is None:
                    self._tell(
                        Compared(
                            mark=ComparisonMark.MISSING_THERE, key=row.job.key, path=row.job.path
                        )
                    )
                else:
                    await send.send((row, found))
            self._tell_missing_here(spec, cell, records)
        for cell, instance_id in sorted(there.items()):
            self._tell_missing_here(spec, cell, await self._measurements(instance_id))

    async def _measurements(self, instance_id: str | None) -> dict[str, FoundRecord]:
        return {} if instance_id is None else dict(await self._contents.measurements(instance_id))

    def _tell_missing_here(self, spec: str, cell: str, records: Mapping[str, FoundRecord]) -> None:
        for name, found in sorted(records.items()):
            key = JobKey(spec, cell, name)
            # A name whose source the plan holds and cannot send is named as not compared.
            if self._store.find_job(key) is None:
                # The plan does not have it: one more than was foreseen.
                self._progress.planned += 1
                self._tell(
                    Compared(mark=ComparisonMark.MISSING_HERE, key=key, measurement_id=found.id)
                )

    async def _compare_all(self, pairs: ObjectReceiveStream[_Pair]) -> None:
        async with pairs:
            async for row, found in pairs:
                self._progress.entered(row.id, StageName.COMPARE, row.path)
                verdict = await self._verdict(row, found)
                self._progress.left(row.id)
                self._progress.stages.done[StageName.COMPARE] += 1
                self._tell(
                    Compared(
                        mark=verdict.mark,
                        key=row.job.key,
                        path=row.job.path,
                        measurement_id=found.id,
                        by=verdict.by,
                        message=verdict.message,
                    )
                )

    async def _verdict(self, row: JobRow, found: FoundRecord) -> Verdict:
        """Compare a job's source with the record of its name."""
        job = row.job
        known = verdict_of_record(found, job.type)
        if known is not None:
            return known
        if not self._reads_all and await _is_same_file(job, found):
            return Verdict(ComparisonMark.EQUAL, "hash")
        prepared = await self._prepare(row)
        if isinstance(prepared, Rejected):
            return Verdict(ComparisonMark.NOT_COMPARED, message=prepared.message)
        known = None if self._reads_all else verdict_of_digest(found, prepared)
        if known is not None:
            return known
        meant = TableContent(
            rows=prepared.rows, columns=prepared.columns, digest=prepared.content_digest
        )
        try:
            held = await read_back(self._studio, job.type, found.id, scratch=self._scratch)
        except (AuthenticationError, OutageError):
            raise
        except BulkloadError as error:
            return Verdict(ComparisonMark.NOT_COMPARED, message=f"it cannot be read back: {error}")
        how = difference(meant, held)
        return Verdict(
            ComparisonMark.EQUAL if how is None else ComparisonMark.DIFFERS, "content", how or ""
        )


async def _is_same_file(job: UploadJob, found: FoundRecord) -> bool:
    """Return whether the record came from the bytes that the source has now."""
    if found.source is None or job.type is not MeasurementType.TIME_SERIES:
        return False
    try:
        seen = await anyio.to_thread.run_sync(stamp, Path(job.path))
    except OSError:
        # Reading it says why.
        return False
    return is_same_source(found, seen.sha256, job.member)
