"""Tables as users have them, as Studio stores them, and back.

What is stored for a frame has the columns, types and values that the vendor's client would
store: NaN in a pandas frame means "no value" and becomes null, NaN elsewhere stays NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bulkload.errors import MissingExtraError, UnreadableError


def as_table(data: Any) -> pa.Table:
    """Return a pandas, polars or pyarrow table, or a dict of arrays, as an Arrow table."""
    table = _convert(data)
    return table.replace_schema_metadata(None)


def read_parquet(path: Path, row_range: tuple[int, int] | None = None) -> pa.Table:
    """Read a table, or its rows from ``start`` up to ``stop``."""
    try:
        with pq.ParquetFile(path) as file:
            if row_range is None:
                return file.read()
            return _read_rows(file, *row_range)
    except pa.ArrowInvalid as error:
        raise UnreadableError(f"no Parquet file: {error}", cause="not_parquet") from error


def to_backend(table: pa.Table, backend: str) -> Any:
    """Return an Arrow table as what the user works with."""
    if backend == "pandas":
        return table.to_pandas()
    if backend == "polars":
        try:
            import polars as pl
        except ImportError:
            raise MissingExtraError("tables of polars", "polars") from None
        return pl.from_arrow(table)
    return table


def without_infinities(table: pa.Table) -> pa.Table:
    """Return a table in which NaN and the infinities are null: a step summary goes out so."""
    columns = [_finite(column) for column in table.columns]
    return pa.table(dict(zip(table.column_names, columns, strict=True)))


def _finite(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return column
    import pyarrow.compute as pc

    return pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))


def _convert(data: Any) -> pa.Table:
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, Mapping):
        return _from_columns(data)
    libraries = {kind.__module__.split(".")[0] for kind in type(data).__mro__}
    if "pandas" in libraries and hasattr(data, "columns"):
        return _from_pandas(data)
    if "polars" in libraries and hasattr(data, "to_arrow"):
        return data.to_arrow()
    if hasattr(data, "__arrow_c_stream__"):
        return pa.table(data)
    raise TypeError(
        "a time series is a pandas, polars or pyarrow table or a dict of arrays, "
        f"not {type(data).__name__}"
    )


def _from_pandas(frame: Any) -> pa.Table:
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(f"the frame holds a column of mixed types: {error}") from error
    # A column of objects without any value is one of texts, as pandas itself has it.
    fields = [
        field.with_type(pa.string()) if pa.types.is_null(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields)).rename_columns([str(name) for name in frame.columns])


def _from_columns(columns: Mapping[Any, Any]) -> pa.Table:
    arrays = {str(name): _array(str(name), values) for name, values in columns.items()}
    lengths = {name: len(array) for name, array in arrays.items() if array is not None}
    rows = max(lengths.values(), default=1)
    if uneven := {name: length for name, length in lengths.items() if length != rows}:
        raise ValueError(f"columns differ in length: {uneven}, others have {rows}")
    return pa.table(
        {
            name: pa.array([columns[name]] * rows) if array is None else array
            for name, array in arrays.items()
        }
    )


def _array(name: str, values: Any) -> pa.Array | pa.ChunkedArray | None:
    """Return one column; None for a single value, which then stands in every row."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if values is None or isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        return None
    try:
        if hasattr(values, "__arrow_c_stream__") and not hasattr(values, "to_numpy"):
            return pa.chunked_array(values)
        if type(values).__module__.startswith("polars"):
            return values.to_arrow()
        if not isinstance(values, list | np.ndarray):
            values = values.to_numpy() if hasattr(values, "to_numpy") else list(values)
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"column {name!r}: {error}") from error


def _read_rows(file: pq.ParquetFile, start: int, stop: int) -> pa.Table:
    """Read only the row groups that hold rows of the window."""
    wanted: list[int] = []
    first_row = before = 0
    for index in range(file.num_row_groups):
        rows = file.metadata.row_group(index).num_rows
        if before < stop and before + rows > start:
            if not wanted:
                first_row = before
            wanted.append(index)
        before += rows
    table = file.read_row_groups(wanted)
    return table.slice(max(start - first_row, 0), max(stop - start, 0))
