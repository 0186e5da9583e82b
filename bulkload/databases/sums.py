"""Counts and exact sums of a measurement's raw columns: the database's and those of what was read.

Both are made of the same terms: a value times its scale, rounded to a whole number by the
engine's rule. Neither depends on the order of the rows, so that equal sums mean equal rows, but
for changes that cancel each other to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.databases.columns import RawColumns
from bulkload.databases.engines.base import (
    HALF,
    LARGEST_TERM,
    Database,
    DatabaseLostError,
    Fetch,
    RawColumn,
    Rounding,
)
from bulkload.errors import UnreadableError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: From here on SQLite takes a double for whole and leaves it as it is.
_WHOLE_FROM: Final = 4503599627370496.0
#: From here on an int64 overflows.
LARGEST_TOTAL: Final = 2**63
#: Largest whole number up to which a double holds every one.
LARGEST_EXACT: Final = 2**53


@dataclass(slots=True, kw_only=True)
class ColumnSums:
    """What is counted and added up of one raw column."""

    name: str
    #: Values that are not NULL, and those of them that were added up.
    values: int = 0
    summed: int = 0
    total: int = 0
    minimum: float | int | None = None
    maximum: float | int | None = None
    #: Values that are none of the column's kind; only the database can count them.
    improper: int = 0
    #: Only counted in what was read.
    nan: int = 0
    infinite: int = 0


@dataclass(slots=True, kw_only=True)
class Sums:
    """What is counted and added up of one measurement."""

    rows: int = 0
    #: Distinct order keys, and rows without one.
    distinct_keys: int = 0
    null_keys: int = 0
    columns: list[ColumnSums] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return what is kept in files."""
        return asdict(self)

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Sums:
        """Return what ``as_json`` gave."""
        columns = [ColumnSums(**one) for one in kept["columns"]]
        return cls(**{**kept, "columns": columns})

    @classmethod
    def of_row(cls, row: Mapping[str, Any], columns: Sequence[RawColumn]) -> Sums:
        """Return what the database answered to ``Database.sums_sql``."""
        found = [_column_of_row(row, i, c) for i, c in enumerate(summed_of(columns))]
        return cls(
            rows=_int(row["n"]),
            distinct_keys=_int(row.get("distinct_keys")),
            null_keys=_int(row.get("null_keys")),
            columns=found,
        )


def summed_of(columns: Sequence[RawColumn]) -> list[RawColumn]:
    """Return the columns that take part in the sums."""
    return [column for column in columns if column.scale is not None]


def _column_of_row(row: Mapping[str, Any], i: int, column: RawColumn) -> ColumnSums:
    is_number = column.fetch is Fetch.NUMBER
    low, high = row[f"min{i}"], row[f"max{i}"]
    return ColumnSums(
        name=label(column),
        values=_int(row[f"values{i}"]),
        summed=_int(row[f"summed{i}"]),
        total=_int(row.get(f"high{i}")) * HALF + _int(row[f"low{i}"]),
        minimum=None if low is None else float(low) if is_number else _int(low),
        maximum=None if high is None else float(high) if is_number else _int(high),
        improper=_int(row.get(f"improper{i}")),
    )


def label(column: RawColumn) -> str:
    """Return how a raw column is called in a proof."""
    return column.name if column.code is None else f"{column.name} of code {column.code}"


def _int(value: Any) -> int:
    return 0 if value is None else int(Decimal(str(value)))


class ReadSums:
    """Adds up what is read, batch by batch."""

    def __init__(self, columns: Sequence[RawColumn], rounding: Rounding) -> None:
        """``columns`` are those of the batches, in their order."""
        self._columns = columns
        self._rounding = rounding
        self.sums = Sums(columns=[ColumnSums(name=label(c)) for c in summed_of(columns)])

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch."""
        self.sums.rows += batch.num_rows
        pairs = zip(self._columns, batch.columns, strict=True)
        summed = [(column, values) for column, values in pairs if column.scale is not None]
        for found, (column, values) in zip(self.sums.columns, summed, strict=True):
            found.values += len(values) - values.null_count
            if column.fetch is Fetch.NUMBER:
                self._add_numbers(found, column, values)
            elif values.null_count < len(values):
                is_text = pa.types.is_string(values.type)
                whole = pc.binary_length(values) if is_text else values
                _add_whole(found, whole.drop_null().to_numpy().astype(np.int64))

    def _add_numbers(self, found: ColumnSums, column: RawColumn, values: pa.Array) -> None:
        assert column.scale is not None
        numbers: Floats = values.drop_null().to_numpy(zero_copy_only=False)
        limit = LARGEST_TERM / column.scale
        # NaN is the extreme of what holds one, and smaller than nothing.
        if not np.abs((numbers.min(initial=0.0), numbers.max(initial=0.0))).max() < limit:
            found.nan += int(np.isnan(numbers).sum())
            found.infinite += int(np.isinf(numbers).sum())
            numbers = numbers[np.abs(numbers) < limit]
        if not len(numbers):
            return
        found.summed += len(numbers)
        found.minimum = _least(found.minimum, float(numbers.min()), min)
        found.maximum = _least(found.maximum, float(numbers.max()), max)
        found.total += exact_sum(rounded(numbers * column.scale, self._rounding))


def _add_whole(found: ColumnSums, values: Ints) -> None:
    found.summed += len(values)
    found.minimum = _least(found.minimum, int(values.min()), min)
    found.maximum = _least(found.maximum, int(values.max()), max)
    found.total += exact_sum(values)


def _least(known: Any, new: Any, choose: Any) -> Any:
    return new if known is None else choose(known, new)


def rounded(values: Floats, rounding: Rounding) -> Ints:
    """Round doubles to whole numbers as an engine does."""
    if rounding is Rounding.TO_EVEN:
        return np.rint(values).astype(np.int64)
    away = np.where(
        np.abs(values) < _WHOLE_FROM, np.trunc(values + np.copysign(0.5, values)), values
    )
    return away.astype(np.int64)


def exact_sum(values: Ints) -> int:
    """Add up whole numbers without overflow, whatever their size and number."""
    if max(-int(values.min(initial=0)), int(values.max(initial=0))) * len(values) < LARGEST_TOTAL:
        return int(values.sum())
    high, low = values >> 32, values & 0xFFFFFFFF
    return int(high.sum()) * HALF + int(low.sum())


def differences(database: Sums, read: Sums) -> list[str]:
    """Return how the database and what was read differ; empty where they agree."""
    found = []
    if database.rows != read.rows:
        found.append(f"{database.rows:,} rows in the database, {read.rows:,} read")
    if database.distinct_keys != read.distinct_keys:
        found.append(
            f"{database.distinct_keys:,} distinct order keys in the database, "
            f"{read.distinct_keys:,} read"
        )
    if database.null_keys != read.null_keys:
        found.append(f"{database.null_keys:,} rows without an order key, {read.null_keys:,} read")
    for one, other in zip(database.columns, read.columns, strict=True):
        for what in ("values", "summed", "total", "minimum", "maximum"):
            there, here = getattr(one, what), getattr(other, what)
            if there != here:
                found.append(f"{one.name}: {what} {there} in the database, {here} read")
    return found


def sums_rows(
    database: Database, query: str, columns: RawColumns, key: str = ""
) -> list[dict[str, Any]]:
    """Ask a database for its sums, a row for each value of ``key`` where there is one."""
    names = columns.order_names
    if not database.counts_keys_apart or not names:
        return _sums_rows(database, query, columns, names, key)
    rows = _sums_rows(database, query, columns, (), key)
    counted = database.rows(database.keys_sql(query, names, key=key))
    keys = {one.get("bl_key"): one for one in counted}
    return [{**keys[row.get("bl_key")], **row} for row in rows]


def _sums_rows(
    database: Database, query: str, columns: RawColumns, order: Sequence[str], key: str
) -> list[dict[str, Any]]:
    """Ask quickly, and with care where a value has no sum."""
    if database.fails_on_overflow:
        quick = database.sums_sql(query, columns.all, order, key=key, is_guarded=False)
        try:
            return database.rows(quick)
        except DatabaseLostError:
            raise
        except UnreadableError:
            # NaN, infinity, or more than an integer holds: told apart by the other form.
            pass
    return database.rows(database.sums_sql(query, columns.all, order, key=key))
