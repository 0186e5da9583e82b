"""Steps and cycles of a stored time series. Runs in a thread, as `parquet` does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bulkload.core.frame import Frame, NotFiniteError, NotNumericError
from bulkload.core.steps import NotSummarisableError, summarise_cycles, summarise_steps
from bulkload.localstudio.parquet_objects import UnfitError
from bulkload.tables.frames import to_frame, to_table


def derive_steps(table: Any, rated_capacity: float | None) -> Frame:
    """Return the step table of a time series, or raise `UnfitError` where there can be none."""
    try:
        return summarise_steps(to_frame(table), rated_capacity)
    except (NotSummarisableError, NotNumericError, NotFiniteError) as error:
        raise UnfitError(f"The steps cannot be derived: {error}") from error


def derive_cycles(steps: Frame) -> Frame:
    """Return the cycle table of a step table."""
    return summarise_cycles(steps)


def write_frame(frame: Frame | None, path: Path) -> None:
    """Write a frame as Parquet; no frame becomes a table without columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({}) if frame is None else to_table(frame)
    pq.write_table(table, path, compression="zstd")


def as_columns(frame: Frame | None) -> Mapping[str, list[Any]]:
    """Return a frame as JSON holds it: a list a column, what is no finite number as null."""
    if frame is None:
        return {}
    import pyarrow as pa
    import pyarrow.compute as pc

    table = to_table(frame)
    columns: dict[str, list[Any]] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_finite(column), column, None)  # noqa: PLW2901
        columns[name] = column.to_pylist()
    return columns
