"""A table that stays on disk: the rules read it stretch by stretch from its Parquet file.

What is judged is the very file that will be sent. One row group of each column that is asked
for is in memory at a time, and a second where a stretch reaches into the next.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bulkload.core.frame import (
    AnyArray,
    Column,
    Floats,
    Frame,
    Indices,
    NeedsWholeError,
    NotNumericError,
)
from bulkload.core.groups import blocks
from bulkload.tables.frames import to_frame

#: Row groups of a column that are kept: a stretch may reach from one into the next.
KEPT_GROUPS: Final = 2
#: Rows that a rule may ask for at once: some 8 MiB of a column. Rules work on a block, but for a
#: step whose current is a straight line of its charge, which is fitted over its rows.
MAX_STRETCH_ROWS: Final = 1_048_576


class StoredFrame(Frame):
    """The columns of a Parquet file."""

    def __init__(self, path: Path, rows: int | None = None) -> None:
        """Open a file of flat columns; ``rows`` takes only the first ones.

        Raises ``OSError`` and ``ValueError`` for what is no such file.
        """
        self._file = pq.ParquetFile(path)
        metadata = self._file.metadata
        super().__init__(metadata.num_rows if rows is None else rows, {})
        schema = self._file.schema_arrow
        self.names = tuple(schema.names)
        if len(set(self.names)) != metadata.num_columns:
            raise ValueError("its columns are nested, or two have one name")
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        #: Where each row group begins, and where the last one ends.
        self._bounds = np.concatenate(([0], np.cumsum([group.num_rows for group in groups])))
        #: An empty column of each name, of the type that the whole one has.
        self._types = {
            name: _visible_type(
                schema.field(name), any(_may_have_null(group.column(i)) for group in groups)
            )
            for i, name in enumerate(self.names)
        }
        self._kept: dict[str, dict[int, Column]] = {}
        self._without: dict[str, Frame] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._types

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.clear()
        self._file.close()

    def column(self, name: str) -> Column:
        """Refuse a whole column."""
        raise NeedsWholeError(name, self.rows)

    def is_numeric(self, name: str) -> bool:
        """Return whether a column exists and holds numbers."""
        return name in self and self._types[name].is_numeric

    def values(self, name: str) -> AnyArray:
        """Refuse a whole column."""
        raise NeedsWholeError(name, self.rows)

    def numbers(self, name: str) -> Floats:
        """Refuse a whole column."""
        raise NeedsWholeError(name, self.rows)

    def column_in(self, name: str, low: int, high: int) -> Column:
        """Return the rows from ``low`` up to ``high`` of a column of any type, with its nulls."""
        if high - low > MAX_STRETCH_ROWS:
            raise NeedsWholeError(name, high - low)
        if high <= low:
            return self._types[name]
        first, last = np.searchsorted(self._bounds, (low, high - 1), side="right") - 1
        parts = []
        for group in range(int(first), int(last) + 1):
            begin = int(self._bounds[group])
            column = self._group(name, group)
            rows = slice(max(low - begin, 0), high - begin)
            nulls = None if column.nulls is None else column.nulls[rows]
            parts.append(Column(column.values[rows], nulls))
        return _joined(parts)

    def values_in(self, name: str, low: int, high: int) -> AnyArray:
        """Return the rows from ``low`` up to ``high`` as numpy shows them."""
        return self._shown(name, self.column_in(name, low, high))

    def numbers_in(self, name: str, low: int, high: int) -> Floats:
        """Return the rows from ``low`` up to ``high`` as float64, null as NaN."""
        return np.ascontiguousarray(self.values_in(name, low, high), dtype=np.float64)

    def column_at(self, name: str, rows: Indices) -> Column:
        """Return the rows of a column of any type, with its nulls; the rows ascend."""
        cuts = np.searchsorted(rows, self._bounds)
        parts = [self._types[name]]
        for group, (low, high) in enumerate(itertools.pairwise(cuts)):
            if high > low:
                within = rows[low:high] - int(self._bounds[group])
                parts.append(self._group(name, group).take(within))
        return _joined(parts[1:] or parts)

    def values_at(self, name: str, rows: Indices) -> AnyArray:
        """Return the values at these rows, which ascend."""
        return self._shown(name, self.column_at(name, rows))

    def numbers_at(self, name: str, rows: Indices) -> Floats:
        """Return the numbers at these rows, which ascend."""
        return np.ascontiguousarray(self.values_at(name, rows), dtype=np.float64)

    def without_missing(self, name: str) -> Frame:
        """Return the rows that have a value in a column of numbers; itself where all have."""
        if name not in self._without:
            kept = [
                int(np.count_nonzero(~np.isnan(self.numbers_in(name, low, high))))
                for low, high in blocks(self.rows)
            ]
            is_whole = sum(kept) == self.rows
            self._without[name] = self if is_whole else _WithoutMissing(self, name, kept)
        return self._without[name]

    def _group(self, name: str, number: int) -> Column:
        """Return a column of a row group, and forget the one before the last."""
        kept = self._kept.setdefault(name, {})
        if number not in kept:
            table = self._file.read_row_group(number, columns=[name], use_threads=False)
            kept[number] = to_frame(table).column(name)
            for old in list(kept)[:-KEPT_GROUPS]:
                del kept[old]
        return kept[number]

    def _shown(self, name: str, column: Column) -> AnyArray:
        known = self._types[name]
        if not known.is_numeric:
            raise NotNumericError(name)
        shown = column.visible()
        # A stretch without a null is of the type that the column has: one with a null.
        return shown if shown.dtype == known.values.dtype else shown.astype(known.values.dtype)


class _WithoutMissing(Frame):
    """The rows of a stored table that have a value in one column."""

    def __init__(self, frame: StoredFrame, name: str, kept: list[int]) -> None:
        """Take of each block how many of its rows are kept."""
        self._bounds = np.concatenate(([0], np.cumsum(kept)))
        super().__init__(int(self._bounds[-1]), {})
        self.names = frame.names
        self._frame, self._name = frame, name
        self._blocks = list(blocks(frame.rows))

    def __contains__(self, name: object) -> bool:
        return name in self._frame

    def is_numeric(self, name: str) -> bool:
        """Return whether a column exists and holds numbers."""
        return self._frame.is_numeric(name)

    def values_in(self, name: str, low: int, high: int) -> AnyArray:
        """Return the rows from ``low`` up to ``high`` as numpy shows them."""
        if high <= low:
            return self._frame.values_in(name, 0, 0)
        if high - low > MAX_STRETCH_ROWS:
            raise NeedsWholeError(name, high - low)
        first = int(np.searchsorted(self._bounds, low, side="right")) - 1
        last = int(np.searchsorted(self._bounds, high, side="left"))
        parts = []
        for block in self._blocks[first:last]:
            values = self._frame.values_in(name, *block)
            parts.append(values[~np.isnan(self._frame.numbers_in(self._name, *block))])
        begin = int(self._bounds[first])
        return np.concatenate(parts)[low - begin : high - begin]

    def numbers_in(self, name: str, low: int, high: int) -> Floats:
        """Return the rows from ``low`` up to ``high`` as float64, null as NaN."""
        return np.ascontiguousarray(self.values_in(name, low, high), dtype=np.float64)

    def without_missing(self, name: str) -> Frame:
        """Return itself for the column that it was made by."""
        if name != self._name:
            raise NeedsWholeError(name, self.rows)
        return self


def _joined(parts: list[Column]) -> Column:
    if len(parts) == 1:
        return parts[0]
    values = np.concatenate([part.values for part in parts])
    if all(part.nulls is None for part in parts):
        return Column(values)
    nulls = [np.zeros(len(p.values), dtype=bool) if p.nulls is None else p.nulls for p in parts]
    return Column(values, np.concatenate(nulls))


def _may_have_null(column: Any) -> bool:
    """Return by a column chunk's metadata whether a value may be null."""
    known = column.statistics
    return known is None or not known.has_null_count or known.null_count > 0


def _visible_type(field: pa.Field, has_null: bool) -> Column:  # noqa: FBT001 - of one field
    """Return an empty column of the type that numpy shows of a whole one."""
    column = to_frame(pa.table([pa.array([], field.type)], names=[field.name])).column(field.name)
    is_whole = column.values.dtype.kind in "iub"
    return Column(np.empty(0)) if has_null and is_whole else column
