"""One measurement's samples: streamed, added up, put in order. Runs in a worker.

Nothing counts before the stream has ended and its sums agree with those that the database gave
for the same snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core.decisions import Decision, DecisionCode
from bulkload.databases.columns import RawColumns
from bulkload.databases.engines.base import Fetch, Rounding
from bulkload.databases.sums import ReadSums, Sums
from bulkload.errors import UnreadableError

Indices = npt.NDArray[np.intp]

#: Rows that are put in order and converted at a time, of a measurement that is read in chunks.
CHUNK_ROWS: Final = 131_072


class OutOfOrderError(Exception):
    """A row belongs before rows that were given out already."""


class Samples:
    """The rows of one measurement, put in their order as they come."""

    def __init__(
        self, columns: RawColumns, rounding: Rounding, *, is_long: bool, is_strict: bool
    ) -> None:
        self._columns = columns
        self._is_long, self._is_strict = is_long, is_strict
        self._adding = ReadSums(columns.all, rounding)
        self._ties = 0
        self._schema = pa.schema([(f"c{i}", column.type) for i, column in enumerate(columns.all)])

    @property
    def sums(self) -> Sums:
        """What was added up, once all was read."""
        return self._adding.sums

    def decisions(self) -> tuple[Decision, ...]:
        """Return what was done to the rows."""
        if not self._ties:
            return ()
        ordered = f"{self._ties:,} rows share their order key: ordered by their other values"
        return (
            Decision(
                code=DecisionCode.ROWS_SORTED,
                detail=ordered,
                evidence="other values",
                rows=self._ties,
            ),
        )

    def whole(self, batches: Iterable[pa.RecordBatch]) -> pa.Table:
        """Return all rows in order; raises ``UnreadableError`` for those that have no one order."""
        table = self._table(list(self._added(batches)))
        if not table.num_rows:
            raise UnreadableError("the database holds no row of it", cause="no_rows")
        return self._in_order(table, *self._order(table))

    def chunks(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
        """Yield the rows in order, those of one order key together.

        Raises ``OutOfOrderError`` where a row belongs before a chunk that was given out.
        """
        waiting: list[pa.RecordBatch] = []
        rows, last = 0, None
        for batch in self._added(batches):
            waiting.append(batch)
            rows += batch.num_rows
            if rows < CHUNK_ROWS:
                continue
            table, same = self._sorted_after(last, waiting)
            # More rows of the last order key may follow.
            cut = int(np.max(np.flatnonzero(~same), initial=-1)) + 1
            waiting, rows = table.slice(cut).to_batches(), table.num_rows - cut
            if cut:
                last = self._key(table, cut - 1)
                yield self._in_order(table.slice(0, cut), np.arange(cut), same[: cut - 1])
        if not rows:
            raise UnreadableError("the database holds no row of it", cause="no_rows")
        table, same = self._sorted_after(last, waiting)
        yield self._in_order(table, np.arange(rows), same)

    def _added(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self._adding.add(batch)
            if batch.num_rows:
                yield batch

    def _table(self, batches: list[pa.RecordBatch]) -> pa.Table:
        table = pa.Table.from_batches(batches, schema=self._schema)
        _check_texts(table, self._columns)
        return table

    def _sorted_after(
        self, last: tuple[Any, ...] | None, batches: list[pa.RecordBatch]
    ) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
        """Return the rows in order, and which but the first have the key of the one before."""
        table = self._table(batches)
        order, same = self._order(table)
        table = _taken(table, order)
        if last is not None and self._key(table, 0) <= last:
            raise OutOfOrderError
        return table, same

    def _key(self, table: pa.Table, row: int) -> tuple[Any, ...]:
        return tuple(table.column(i)[row].as_py() for i in self._columns.order)

    def _order(self, table: pa.Table) -> tuple[Indices, npt.NDArray[np.bool_]]:
        """Return the order of the rows, and which but the first have the key of the one before."""
        keys = [table.column(i).combine_chunks() for i in self._columns.order]
        nulls = np.zeros(table.num_rows, dtype=bool)
        for key in keys:
            nulls |= key.is_null().to_numpy(zero_copy_only=False)
        if nulls.any():
            self.sums.null_keys += int(nulls.sum())
            names = ", ".join(self._columns.order_names)
            raise UnreadableError(
                f"{self.sums.null_keys:,} rows have no order key ({names} is NULL): where they "
                "belong is not in the database; leave them out in the query, or order by another "
                "column",
                cause="order_missing",
            )
        ranks = [_ranks(key) for key in keys]
        same = np.ones(table.num_rows - 1, dtype=bool)
        if len(ranks) == 1 and _ascends(ranks[0]):
            return np.arange(table.num_rows), ~same
        order = np.lexsort(ranks[::-1])
        for rank in ranks:
            ordered = rank[order]
            same &= ordered[1:] == ordered[:-1]
        return order, same

    def _in_order(self, table: pa.Table, order: Indices, same: npt.NDArray[np.bool_]) -> pa.Table:
        """Return rows in order, all of each order key; raises where the key leaves it open."""
        ties = int(same.sum())
        self.sums.distinct_keys += len(order) - ties
        if self._is_long:
            return _pivoted(table, order, same, self._columns)
        if ties and self._is_strict:
            self._refuse_ties(table, order, same)
        if ties:
            self._ties += ties
            all_columns = [*range(table.num_columns), *self._columns.order]
            further = [_ranks(table.column(i).combine_chunks()) for i in all_columns]
            keys = len(self._columns.order)
            order = np.lexsort([*further[:-keys][::-1], *further[-keys:][::-1]])
        return _taken(table, order)

    def _refuse_ties(
        self, table: pa.Table, order: Indices, same: npt.NDArray[np.bool_]
    ) -> NoReturn:
        names = ", ".join(self._columns.order_names)
        first = table.column(self._columns.order[0])[int(order[int(np.argmax(same)) + 1])]
        raise UnreadableError(
            f"{int(same.sum()):,} rows share their order key ({names}) with another row, the first "
            f"at {first}: their order is not in the database; add a second column to order, or "
            "leave the doubled rows out in the query",
            cause="order_tied",
        )


def _ascends(rank: npt.NDArray[Any]) -> bool:
    return bool(np.all(rank[1:] > rank[:-1]))


def _taken(table: pa.Table, order: Indices) -> pa.Table:
    is_sorted = bool(np.all(order[1:] > order[:-1]))
    return table if is_sorted else table.take(pa.array(order))


def _check_texts(table: pa.Table, columns: RawColumns) -> None:
    for i, column in enumerate(columns.all):
        if column.fetch not in {Fetch.TEXT, Fetch.CODE}:
            continue
        try:
            table.column(i).validate(full=True)
        except pa.ArrowInvalid:
            raise UnreadableError(
                f"{column.name!r} holds a text that is not valid UTF-8", cause="invalid_utf8"
            ) from None


def _ranks(values: pa.Array) -> npt.NDArray[np.generic]:
    """Return numbers in the order of the values, whatever their type."""
    if pa.types.is_string(values.type):
        return np.asarray(pc.rank(values, tiebreaker="dense").to_numpy(), dtype=np.int64)
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _pivoted(
    table: pa.Table, order: Indices, same: npt.NDArray[np.bool_], columns: RawColumns
) -> pa.Table:
    """Bring the rows of one order key together: each holds the value of one code."""
    group = np.zeros(len(order), dtype=np.intp)
    group[order] = np.concatenate(([0], np.cumsum(~same)))
    count = int(group.max()) + 1
    arrays = []
    for i, column in enumerate(columns.all):
        values = table.column(i).combine_chunks()
        if column.code is None:
            first = np.concatenate(([True], ~same))
            arrays.append(values.take(pa.array(order[first])))
            continue
        has_value = values.is_valid().to_numpy(zero_copy_only=False)
        owners = group[has_value]
        doubled = len(owners) - len(np.unique(owners))
        if doubled:
            raise UnreadableError(
                f"{doubled:,} samples have several values of the code {column.code}: which of them "
                "is meant is not in the database; choose one in the query",
                cause="value_doubled",
            )
        wide = np.full(count, np.nan)
        wide[owners] = values.drop_null().to_numpy(zero_copy_only=False)
        arrays.append(pa.array(wide, from_pandas=True))
    return pa.Table.from_arrays(arrays, names=table.column_names)
