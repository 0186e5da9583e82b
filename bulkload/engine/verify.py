"""Read back what a job brought into Studio, and compare it with what was expected."""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio
from anyio.abc import ObjectReceiveStream

from bulkload.client.api.creation import until_readable
from bulkload.client.studio import AsyncStudio
from bulkload.core.lifecycle import JobState
from bulkload.core.prepare_result import Prepared, PrepareTask, Rejected
from bulkload.core.sample_confidence import statement
from bulkload.core.snapshot import StageName
from bulkload.core.terms import JobKey, MeasurementType
from bulkload.engine.limits import READERS
from bulkload.engine.progress import Progress
from bulkload.engine.readback import TableContent, difference, read_back
from bulkload.errors import AuthenticationError, BulkloadError, OutageError
from bulkload.journal import JobRow, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A measurement that is not in Studio as it was expected."""

    key: JobKey
    measurement_id: str
    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was compared, and what differs."""

    #: Measurements that this job stands for, and those of them that were read back.
    total: int
    sample: int
    rows: int
    differences: tuple[Difference, ...]
    #: Measurements that were there before the job and were not compared with their sources.
    existing: int
    #: Those that were read back, with the ids of their records.
    compared: Mapping[JobKey, str]

    @property
    def statement(self) -> str:
        """The result of the comparison, in a sentence."""
        return statement(self.total, self.sample, len(self.differences))


class SourceReader(Protocol):
    """Reads the sources of jobs again, as the upload would."""

    def task(self, store: Store, row: JobRow) -> PrepareTask:
        """Return what is to be prepared for a job of this journal."""

    async def prepare(self, task: PrepareTask) -> Prepared | Rejected:
        """Read and validate a source."""


#: A job, and what Studio should hold of it, or what is to be prepared to know that.
_Expected = tuple[JobRow, TableContent | PrepareTask]


async def verify(
    journals: Callable[[], Iterable[Store]],
    studio: AsyncStudio,
    *,
    sample: int | None,
    chance: random.Random,
    sources: SourceReader | None = None,
    progress: Progress,
) -> VerifyReport:
    """Compare ``sample`` of the measurements that the job made, or all of them.

    ``journals`` gives those of the job, one a part, in the same order each time. With
    ``sources``, measurements that were there before the job are compared too: with their
    sources, which are read again for that. A measurement that cannot be read back, or whose
    source cannot be read, counts as a difference: it cannot be proved. ``progress`` counts.
    """
    ids, existing = _to_compare(journals(), has_sources=sources is not None)
    chosen = ids if sample is None or sample >= len(ids) else sorted(chance.sample(ids, sample))
    by_part: defaultdict[int, list[int]] = defaultdict(list)
    for part, job in chosen:
        by_part[part].append(job)
    progress.plan_is_complete(len(chosen), compare=READERS)
    differences: list[Difference] = []
    compared: dict[JobKey, str] = {}
    rows = 0
    send, receive = anyio.create_memory_object_stream[_Expected](READERS)

    async def compare(stream: ObjectReceiveStream[_Expected], scratch: Path) -> None:
        nonlocal rows
        async with stream:
            async for row, expected in stream:
                progress.entered(row.key, StageName.COMPARE, row.job.place)
                content = await _content(expected, sources)
                if isinstance(content, TableContent):
                    message = await _compare(studio, row, content, scratch)
                    rows += content.rows
                else:
                    message = f"its source cannot be read, so nothing was compared: {content}"
                if message is not None:
                    differences.append(_difference(row, message))
                compared[row.key] = row.measurement_id or ""
                word = "equal" if message is None else "different"
                progress.came_out(row.key, StageName.COMPARE, word)

    with tempfile.TemporaryDirectory(prefix="bulkload-verify-") as folder:
        async with anyio.create_task_group() as group:
            for _ in range(READERS):
                group.start_soon(compare, receive.clone(), Path(folder))
            receive.close()
            async with send:
                for part, store in enumerate(journals()):
                    for job in by_part[part]:
                        row = store.get_job(job)
                        await send.send((row, _expected(store, row, sources)))
    return VerifyReport(
        total=len(ids),
        sample=len(chosen),
        rows=rows,
        differences=tuple(sorted(differences, key=lambda one: one.key)),
        existing=existing,
        compared=compared,
    )


def _to_compare(
    journals: Iterable[Store], *, has_sources: bool
) -> tuple[list[tuple[int, int]], int]:
    """Return the jobs to choose from, each with the place of its journal, and how many are not.

    Those are of measurements that were there before, where no source is to be read.
    """
    ids: list[tuple[int, int]] = []
    existing = 0
    for part, store in enumerate(journals):
        ids += [(part, job) for job in store.created_ids()]
        if has_sources:
            ids += [(part, job) for job in store.existing_ids()]
        else:
            existing += store.count_existing()
    return ids, existing


def _expected(
    store: Store, row: JobRow, sources: SourceReader | None
) -> TableContent | PrepareTask:
    if row.state is not JobState.EXISTING:
        digest = row.stored_digest or row.content_digest or ""
        columns = store.prepared_columns(row.id)
        return TableContent(rows=row.rows or 0, columns=columns, digest=digest)
    assert sources is not None
    return sources.task(store, row)


async def _content(
    expected: TableContent | PrepareTask, sources: SourceReader | None
) -> TableContent | str:
    """Return what Studio should hold of a job, or why that is not known."""
    if isinstance(expected, TableContent):
        return expected
    assert sources is not None
    prepared = await sources.prepare(expected)
    if isinstance(prepared, Rejected):
        return prepared.message
    return TableContent(
        rows=prepared.rows, columns=prepared.columns, digest=prepared.content_digest
    )


def _difference(row: JobRow, message: str) -> Difference:
    return Difference(
        key=row.key, measurement_id=row.measurement_id or "", path=row.job.place, message=message
    )


async def _compare(
    studio: AsyncStudio, row: JobRow, content: TableContent, scratch: Path
) -> str | None:
    """Return how a job's measurement in Studio differs from what it should hold."""
    assert row.measurement_id is not None
    job = row.job
    return await compare_record(
        studio,
        row.measurement_id,
        kind=job.type,
        name=job.key.measurement,
        content=content,
        scratch=scratch,
    )


async def compare_record(
    studio: AsyncStudio,
    measurement_id: str,
    *,
    kind: MeasurementType,
    name: str,
    content: TableContent,
    scratch: Path,
) -> str | None:
    """Return how a measurement in Studio differs from what it should hold, None where equal."""
    try:
        record = await until_readable(lambda: studio.cell_measurement.status(measurement_id))
        if record is None:
            return "Studio no longer has this measurement"
        if record.has_failed:
            return f"Studio could not process it: {record.processing_error}"
        if record.name != name:
            return f"its name in Studio is {record.name!r}"
        held = await read_back(studio, kind, measurement_id, scratch=scratch)
    except (AuthenticationError, OutageError):
        raise
    except BulkloadError as error:
        return f"it cannot be read back: {error}"
    return difference(content, held)
