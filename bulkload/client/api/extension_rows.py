"""The rows of an extension: checked before they go, and looked for at the end of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from bulkload.core.digest import content_digest
from bulkload.core.rules.time import runs_forward
from bulkload.core.terms import STEP_COUNT, TIME
from bulkload.errors import MeasurementValidationError
from bulkload.tables.arrow import as_table, read_parquet
from bulkload.tables.frames import to_frame
from bulkload.tables.parquet import encode


def ends_with(stored: Path, rows: Path) -> bool:
    """Return whether a stored table ends with the rows of a file."""
    whole, end = read_parquet(stored), read_parquet(rows)
    if set(whole.column_names) != set(end.column_names) or whole.num_rows < end.num_rows:
        return False
    tail = whole.slice(whole.num_rows - end.num_rows)
    return content_digest(to_frame(tail)) == content_digest(to_frame(end))


def write_rows(time_series: Any, path: Path) -> None:
    """Check rows that are to be appended, and write them as Parquet.

    Raises ``MeasurementValidationError`` where no measurement could take them.
    """
    encode(_checked(time_series), path)


def _checked(time_series: Any) -> pa.Table:
    table = as_table(time_series)
    if not table.num_rows:
        raise MeasurementValidationError("nothing to append: the time series has no rows")
    missing = [name for name in (TIME, STEP_COUNT) if name not in table.column_names]
    if missing:
        raise MeasurementValidationError(f"rows to append need the columns {missing}")
    issues = runs_forward(to_frame(table))
    if issues:
        raise MeasurementValidationError(issues[0].message, issues)
    return table
