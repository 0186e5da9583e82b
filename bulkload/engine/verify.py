"""Read back what a job brought into Studio, and compare it with what was expected."""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import ObjectReceiveStream

from bulkload.client.api.creation import until_readable
from bulkload.client.studio import AsyncStudio
from bulkload.core.digest import files_digest, properties_digest
from bulkload.core.plan_items import UploadJob
from bulkload.core.sample_confidence import statement
from bulkload.core.terms import JobKey, MeasurementType
from bulkload.engine.limits import READERS
from bulkload.engine.readback import TableContent, difference, read_back
from bulkload.errors import AuthenticationError, BulkloadError, OutageError
from bulkload.journal import Store


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

    #: Measurements that this job made, and those of them that were read back.
    total: int
    sample: int
    rows: int
    differences: tuple[Difference, ...]
    #: Measurements that were there before the job: nothing says what they should hold.
    existing: int
    #: Those that were read back.
    compared: frozenset[JobKey]

    @property
    def statement(self) -> str:
        """The result of the comparison, in a sentence."""
        return statement(self.total, self.sample, len(self.differences))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expected:
    """What the journal says that Studio holds."""

    job: UploadJob
    measurement_id: str
    content: TableContent


async def verify(
    store: Store,
    studio: AsyncStudio,
    *,
    sample: int | None,
    chance: random.Random,
    on_compared: Callable[[], None] = lambda: None,
) -> VerifyReport:
    """Compare ``sample`` of the measurements that the job made, or all of them.

    A measurement that cannot be read back counts as a difference: it cannot be proved.
    """
    ids = store.created_ids()
    chosen = ids if sample is None or sample >= len(ids) else sorted(chance.sample(ids, sample))
    differences: list[Difference] = []
    compared: list[JobKey] = []
    rows = 0
    send, receive = anyio.create_memory_object_stream[_Expected](READERS)

    async def compare(stream: ObjectReceiveStream[_Expected], scratch: Path) -> None:
        nonlocal rows
        async with stream:
            async for expected in stream:
                if (message := await _compare(studio, expected, scratch)) is not None:
                    differences.append(_difference(expected, message))
                rows += expected.content.rows
                compared.append(expected.job.key)
                on_compared()

    with tempfile.TemporaryDirectory(prefix="bulkload-verify-") as folder:
        async with anyio.create_task_group() as group:
            for _ in range(READERS):
                group.start_soon(compare, receive.clone(), Path(folder))
            receive.close()
            async with send:
                for job in chosen:
                    await send.send(_expected(store, job))
    return VerifyReport(
        total=len(ids),
        sample=len(chosen),
        rows=rows,
        differences=tuple(sorted(differences, key=lambda one: one.key)),
        existing=store.count_existing(),
        compared=frozenset(compared),
    )


def _expected(store: Store, job: int) -> _Expected:
    row = store.get_job(job)
    assert row.measurement_id is not None
    return _Expected(
        job=row.job,
        measurement_id=row.measurement_id,
        content=TableContent(
            rows=row.rows or 0,
            columns=store.prepared_columns(job),
            digest=row.stored_digest or row.content_digest or "",
        ),
    )


def _difference(expected: _Expected, message: str) -> Difference:
    return Difference(
        key=expected.job.key,
        measurement_id=expected.measurement_id,
        path=expected.job.path,
        message=message,
    )


async def _compare(studio: AsyncStudio, expected: _Expected, scratch: Path) -> str | None:
    measurement_id = expected.measurement_id
    try:
        record = await until_readable(lambda: studio.cell_measurement.status(measurement_id))
        if record is None:
            return "Studio no longer has this measurement"
        if record.has_failed:
            return f"Studio could not process it: {record.processing_error}"
        if record.name != expected.job.key.measurement:
            return f"its name in Studio is {record.name!r}"
        if expected.job.type is MeasurementType.TIME_SERIES:
            found = await read_back(studio, measurement_id, scratch)
            return difference(expected.content, found)
        if expected.job.type is MeasurementType.FILE:
            digest = await _files_digest(studio, measurement_id)
        else:
            full = await studio.cell_measurement.get(measurement_id)
            digest = properties_digest((full.model_extra or {}).get("properties") or {})
    except (AuthenticationError, OutageError):
        raise
    except BulkloadError as error:
        return f"it cannot be read back: {error}"
    return None if digest == expected.content.digest else "Studio has different content"


async def _files_digest(studio: AsyncStudio, measurement_id: str) -> str:
    names = await studio.cell_measurement.list_files(measurement_id)
    hashes = []
    for name in sorted(names):
        content = await studio.cell_measurement.get_file(measurement_id, name)
        hashes.append((name, hashlib.sha256(content).hexdigest()))
    return files_digest(hashes)
