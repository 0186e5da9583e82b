"""What Studio holds under the name of a job: listed, looked up after a 409, read back, deleted.

What it means for the job is decided in ``core/existing.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bulkload.client.api.records import CellMeasurement
from bulkload.client.studio import AsyncStudio
from bulkload.core.existing import FoundRecord
from bulkload.core.provenance import recorded_source
from bulkload.engine.jobs import JobContext
from bulkload.engine.readback import TableContent, difference, read_back
from bulkload.errors import ConflictError


class ExistingRecords:
    """Asks Studio about records; the temporary files of a comparison go into ``scratch``."""

    def __init__(self, studio: AsyncStudio, *, scratch: Path) -> None:
        self._studio = studio
        self._scratch = scratch

    async def of_cell(self, instance_id: str) -> Mapping[str, FoundRecord]:
        """Return a cell's measurements by name: one listing, however many jobs."""
        return {
            record.name: found_record(record)
            async for record in self._studio.cell_measurement.list(instance_id)
        }

    async def of_conflict(
        self, context: JobContext, error: ConflictError
    ) -> tuple[FoundRecord | None, bool]:
        """Return the record that a 409 is about, if any, and whether it is about the name."""
        assert context.instance_id is not None
        resolution = await self._studio.cell_measurement.resolve_conflict(
            error, context.instance_id, context.name
        )
        record = resolution.record
        return None if record is None else found_record(record), resolution.is_over_name

    async def difference(self, context: JobContext, measurement_id: str) -> str:
        """Read a record back; return how it differs from the source, empty where equal."""
        assert context.prepared is not None
        expected = TableContent(
            rows=context.prepared.rows,
            columns=context.prepared.columns,
            digest=context.prepared.content_digest,
        )
        held = await read_back(
            self._studio, context.job.type, measurement_id, scratch=self._scratch
        )
        return difference(expected, held) or ""

    async def delete(self, measurement_id: str) -> None:
        """Delete a record."""
        await self._studio.cell_measurement.delete(measurement_id)


def found_record(record: CellMeasurement) -> FoundRecord:
    """Return what a record of Studio means for a job of its name."""
    return FoundRecord(
        id=record.id,
        type=record.measurement_type,
        is_processing=record.is_processing,
        has_failed=record.has_failed,
        processing_error=record.processing_error,
        is_open=record.end_time is None,
        source=recorded_source(record.test_setup),
    )
