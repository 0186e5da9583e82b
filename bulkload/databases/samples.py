"""One measurement's samples: streamed, added up, put in order. Runs in a worker.

Nothing counts before the stream has ended and its sums agree with those that the database gave
for the same snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

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


@dataclass(slots=True, kw_only=True)
class RawSamples:
    """The rows of one measurement in their order."""

    table: pa.Table
    sums: Sums
    decisions: list[Decision] = field(default_factory=list)


def read_samples(
    batches: Iterable[pa.RecordBatch],
    columns: RawColumns,
    rounding: Rounding,
    *,
    is_long: bool,
    is_strict: bool,
) -> RawSamples:
    """Take a stream to its end; raises ``UnreadableError`` for rows that have no one order."""
    adding = ReadSums(columns.all, rounding)
    kept = []
    for batch in batches:
        adding.add(batch)
        kept.append(batch)
    schema = pa.schema([(f"c{i}", column.type) for i, column in enumerate(columns.all)])
    table = pa.Table.from_batches(kept, schema=schema)
    kept.clear()
    _check_texts(table, columns)
    found = RawSamples(table=table, sums=adding.sums)
    _put_in_order(found, columns, is_long=is_long, is_strict=is_strict)
    return found


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


def _put_in_order(
    found: RawSamples, columns: RawColumns, *, is_long: bool, is_strict: bool
) -> None:
    table = found.table
    if not table.num_rows:
        raise UnreadableError("the database holds no row of it", cause="no_rows")
    keys = [table.column(i).combine_chunks() for i in columns.order]
    nulls = np.zeros(table.num_rows, dtype=bool)
    for key in keys:
        nulls |= key.is_null().to_numpy(zero_copy_only=False)
    found.sums.null_keys = int(nulls.sum())
    names = ", ".join(columns.order_names)
    if found.sums.null_keys:
        raise UnreadableError(
            f"{found.sums.null_keys:,} rows have no order key ({names} is NULL): where they belong "
            "is not in the database; leave them out in the query, or order by another column",
            cause="order_missing",
        )
    ranks = [_ranks(key) for key in keys]
    order = np.lexsort(ranks[::-1])
    same = np.ones(len(order) - 1, dtype=bool)
    for rank in ranks:
        ordered = rank[order]
        same &= ordered[1:] == ordered[:-1]
    ties = int(same.sum())
    found.sums.distinct_keys = len(order) - ties
    if is_long:
        found.table = _pivoted(table, order, same, columns)
        return
    if ties and is_strict:
        raise UnreadableError(
            f"{ties:,} rows share their order key ({names}) with another row, the first at "
            f"{keys[0][int(order[int(np.argmax(same)) + 1])]}: their order is not in the database; "
            "add a second column to order, or leave the doubled rows out in the query",
            cause="order_tied",
        )
    if ties:
        found.decisions.append(
            Decision(
                code=DecisionCode.ROWS_SORTED,
                detail=f"{ties:,} rows share their order key: ordered by their other values",
                evidence="other values",
                rows=ties,
            )
        )
        further = [_ranks(table.column(i).combine_chunks()) for i in range(table.num_columns)]
        order = np.lexsort([*further[::-1], *ranks[::-1]])
    if not bool(np.all(order[1:] > order[:-1])):
        found.table = table.take(pa.array(order))


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
