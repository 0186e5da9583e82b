"""Read a measurement back from Studio and compare it with the source.

The libraries of tables are loaded where something is read back: most uploads never do.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import anyio

from bulkload.client.studio import AsyncStudio
from bulkload.core.terms import MeasurementType
from bulkload.errors import IntegrityError


@dataclass(frozen=True, slots=True, kw_only=True)
class TableContent:
    """What a table holds, in a form that can be compared."""

    rows: int
    columns: tuple[str, ...]
    digest: str


async def read_back(
    studio: AsyncStudio, kind: MeasurementType, measurement_id: str, *, scratch: Path
) -> TableContent:
    """Return what a measurement of any type holds in Studio.

    Raises ``IntegrityError`` where what comes back is not a Parquet file, and the client's errors.
    """
    from bulkload.core.digest import properties_digest

    match kind:
        case MeasurementType.FILE:
            return await _files(studio, measurement_id)
        case MeasurementType.PROPERTIES:
            record = await studio.cell_measurement.get(measurement_id)
            properties = (record.model_extra or {}).get("properties") or {}
            digest = properties_digest(properties)
            return TableContent(rows=0, columns=tuple(sorted(properties)), digest=digest)
    return await _time_series(studio, measurement_id, scratch)


async def _files(studio: AsyncStudio, measurement_id: str) -> TableContent:
    from bulkload.core.digest import files_digest

    names = sorted(await studio.cell_measurement.list_files(measurement_id))
    hashes = []
    for name in names:
        content = await studio.cell_measurement.get_file(measurement_id, name)
        hashes.append((name, hashlib.sha256(content).hexdigest()))
    return TableContent(rows=0, columns=tuple(names), digest=files_digest(hashes))


async def _time_series(studio: AsyncStudio, measurement_id: str, scratch: Path) -> TableContent:
    """Download a time series and return what it holds.

    Raises ``IntegrityError`` where what comes back is not a Parquet file, and the client's errors.
    """
    with tempfile.TemporaryDirectory(dir=scratch, prefix="readback-") as folder:
        path = Path(folder) / "time_series.parquet"
        await studio.cell_measurement.download_time_series(measurement_id, path)
        return await anyio.to_thread.run_sync(_content, path)


def _content(path: Path) -> TableContent:
    from bulkload.core.digest import content_digest
    from bulkload.tables.stored import StoredFrame

    try:
        # Stretch by stretch: what was sent in chunks does not fit into the memory here either.
        with StoredFrame(path) as frame:
            return TableContent(rows=frame.rows, columns=frame.names, digest=content_digest(frame))
    except (OSError, ValueError) as error:
        raise IntegrityError(f"what Studio returned cannot be read as Parquet: {error}") from error


def difference(meant: TableContent, found: TableContent) -> str | None:
    """Return how what Studio holds differs from the source, None where it is equal."""
    if found.rows != meant.rows:
        return f"Studio holds {found.rows} rows, the source {meant.rows}"
    missing = sorted(set(meant.columns) - set(found.columns))
    added = sorted(set(found.columns) - set(meant.columns))
    if missing or added:
        parts = [f"lacks the columns {', '.join(missing)}"] if missing else []
        parts += [f"has the further columns {', '.join(added)}"] if added else []
        return f"Studio {' and '.join(parts)}"
    if found.digest != meant.digest:
        return (
            "Studio has different values in the same rows and columns"
            if found.rows
            else "Studio has different content"
        )
    return None
