"""Tables of other libraries as a ``Frame``, and back: zero-copy where the memory allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bulkload.core.frame import AnyArray, Column, Frame
from bulkload.errors import UnreadableError

if TYPE_CHECKING:
    import pyarrow as pa


def to_frame(data: Any) -> Frame:
    """Return a pyarrow Table, pandas or polars DataFrame, or mapping of arrays as a Frame.

    Raises UnreadableError where a column name occurs twice or the columns differ in length.
    """
    if isinstance(data, Frame):
        return data
    if isinstance(data, Mapping):
        return _from_mapping(data)
    kind = type(data)
    library = kind.__module__.partition(".")[0]
    if library == "pyarrow":
        return _from_arrow(data)
    if library == "polars" and kind.__name__ == "DataFrame":
        return _from_polars(data)
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        return _from_pandas(data)
    raise TypeError(
        f"a table is expected (pyarrow, pandas, polars or a mapping of arrays), not {kind.__name__}"
    )


def to_table(frame: Frame) -> pa.Table:
    """Return a frame as a pyarrow Table; what was null when it came in is null again."""
    import pyarrow as pa

    arrays = []
    for name in frame.names:
        column = frame.column(name)
        arrays.append(pa.array(column.values, mask=column.nulls, from_pandas=False))
    return pa.table(arrays, names=list(frame.names))


def _distinct(names: list[str]) -> list[str]:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UnreadableError(
            f"column {twice[0]!r} occurs more than once; rename or drop one of them",
            cause="column_twice",
        )
    return names


def _from_arrow(table: pa.Table) -> Frame:
    columns: dict[str, Callable[[], Column]] = {
        name: partial(_arrow_column, table, position)
        for position, name in enumerate(_distinct(list(table.column_names)))
    }
    return Frame(table.num_rows, columns)


def _arrow_column(table: pa.Table, position: int) -> Column:
    import pyarrow as pa

    chunked = table.column(position)
    if pa.types.is_decimal(chunked.type):
        chunked = chunked.cast(pa.float64())
    if pa.types.is_dictionary(chunked.type):
        chunked = chunked.cast(chunked.type.value_type)
    array = chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    kind = array.type
    if array.null_count == 0 or pa.types.is_null(kind):
        empty = pa.types.is_null(kind)
        values = np.full(len(array), np.nan) if empty else array.to_numpy(zero_copy_only=False)
        return Column(values, np.ones(len(array), dtype=bool) if empty else None)
    nulls = array.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        array = array.fill_null(False if pa.types.is_boolean(kind) else 0)
    return Column(array.to_numpy(zero_copy_only=False), nulls)


def _from_polars(data: Any) -> Frame:
    return Frame(
        data.height, {series.name: partial(_polars_column, series) for series in data.get_columns()}
    )


def _polars_column(series: Any) -> Column:
    kind = series.dtype
    if str(kind) == "Null":
        return Column(np.full(len(series), np.nan), np.ones(len(series), dtype=bool))
    if kind.is_decimal():
        series = series.cast(float)
    if not series.null_count():
        return Column(series.to_numpy())
    nulls = series.is_null().to_numpy()
    if kind.is_integer():
        series = series.fill_null(0)
    elif str(kind) == "Boolean":
        series = series.fill_null(value=False)
    return Column(series.to_numpy(), nulls)


def _from_pandas(data: Any) -> Frame:
    names = _distinct([str(name) for name in data.columns])
    columns = {name: partial(_pandas_column, data, position) for position, name in enumerate(names)}
    return Frame(len(data), columns)


def _pandas_column(data: Any, position: int) -> Column:
    series = data.iloc[:, position]
    kind = series.dtype
    if isinstance(kind, np.dtype) and kind.kind != "O":
        return Column(series.to_numpy())
    nulls = series.isna().to_numpy(dtype=bool)
    code = getattr(kind, "kind", "O")
    if code == "f":
        return Column(series.to_numpy(dtype=np.float64, na_value=np.nan), nulls)
    if code in "iub" and code != "O":
        whole = series.fillna(False if code == "b" else 0) if nulls.any() else series
        return Column(whole.to_numpy(dtype=kind.numpy_dtype), nulls)
    return _from_objects(series.to_numpy(dtype=object), nulls)


def _from_objects(values: AnyArray, nulls: AnyArray) -> Column:
    """Return objects as numbers where all that is not null are numbers."""
    present = values[~nulls]
    if all(isinstance(value, int | float | np.number) for value in present):
        numbers = np.full(len(values), np.nan)
        numbers[~nulls] = present
        return Column(numbers, nulls)
    return Column(values, nulls)


def _from_mapping(data: Mapping[str, Any]) -> Frame:
    """Take arrays, lists, or single values (a table of one row)."""
    columns: dict[str, Column] = {}
    for name, given in data.items():
        values = np.atleast_1d(np.asarray(given))
        if values.dtype == object:
            nulls = np.fromiter((value is None for value in values), bool, len(values))
            columns[name] = _from_objects(values, nulls)
        else:
            columns[name] = Column(values)
    lengths = {name: len(column.values) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise UnreadableError(f"columns differ in length: {lengths}", cause="ragged")
    return Frame.of(columns)
