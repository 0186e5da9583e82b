"""A table in memory: named columns of equal length, as the rules see them.

A rule asks for a column as numpy shows it (``values``), or as float64 (``numbers``); a null
is NaN in both, as it is for the vendor's client, and is remembered apart (``nulls``) so that
a table comes out of a transform with the nulls and the integers it went in with. Columns are
turned into arrays when first asked for: a text column that no rule reads costs nothing.

The rules ask for a stretch of rows (``values_in``, ``numbers_in``) or for the rows at some
indices (``values_at``, ``numbers_at``), and keep what they know between two stretches. So the
same rule judges a table in memory, where a stretch is a view of the column, and one that is
read from disk stretch by stretch (``bulkload.tables.stored``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

AnyArray: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Indices: TypeAlias = NDArray[np.intp]

#: Kinds of numpy types that the rules calculate with: booleans, integers, floats.
NUMERIC_KINDS = frozenset("biuf")


class NotNumericError(TypeError):
    """A rule needs numbers and the column holds something else."""

    def __init__(self, column: str) -> None:
        super().__init__(f"column {column!r} does not hold numbers")
        self.column = column

    def __reduce__(self) -> tuple[type[NotNumericError], tuple[str]]:
        return type(self), (self.column,)


class NotFiniteError(ArithmeticError):
    """A rule fits a model to columns that hold an infinity."""

    def __init__(self, *columns: str) -> None:
        super().__init__(f"an infinity in {' or '.join(map(repr, columns))}")
        self.columns = columns

    def __reduce__(self) -> tuple[type[NotFiniteError], tuple[str, ...]]:
        return type(self), self.columns


class NeedsWholeError(ArithmeticError):
    """A rule needs a column in one piece, and the table is too large for that."""

    def __init__(self, column: str, rows: int) -> None:
        super().__init__(f"{rows:,} rows of {column!r} are needed in one piece")
        self.column = column
        self.rows = rows

    def __reduce__(self) -> tuple[type[NeedsWholeError], tuple[str, int]]:
        return type(self), (self.column, self.rows)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its values, and which of them are null (None where none is)."""

    values: AnyArray
    nulls: Bools | None = None

    def __post_init__(self) -> None:
        if self.nulls is not None and not self.nulls.any():
            object.__setattr__(self, "nulls", None)

    @property
    def is_numeric(self) -> bool:
        """True where the values are booleans, integers or floats."""
        return self.values.dtype.kind in NUMERIC_KINDS

    def visible(self) -> AnyArray:
        """Return the values as numpy shows them: numbers with nulls are floats with NaN."""
        if self.nulls is None or not self.is_numeric:
            return self.values
        kind = self.values.dtype
        shown = self.values.astype(kind if kind.kind == "f" else np.float64)
        shown[self.nulls] = np.nan
        return shown

    def take(self, index: AnyArray) -> Column:
        """Return the rows that an index or a mask selects."""
        return Column(self.values[index], None if self.nulls is None else self.nulls[index])


class Frame:
    """Columns by name, in order. Nothing in it changes: a transform makes another frame."""

    __slots__ = ("_columns", "_floats", "_makers", "_visible", "names", "rows")

    def __init__(
        self, rows: int, columns: Mapping[str, AnyArray | Column | Callable[[], Column]]
    ) -> None:
        self.rows = rows
        self.names: tuple[str, ...] = tuple(columns)
        self._makers: dict[str, Callable[[], Column]] = {}
        self._columns: dict[str, Column] = {}
        self._visible: dict[str, AnyArray] = {}
        self._floats: dict[str, Floats] = {}
        for name, column in columns.items():
            if isinstance(column, np.ndarray):
                self._columns[name] = Column(column)
            elif isinstance(column, Column):
                self._columns[name] = column
            else:
                self._makers[name] = column

    @classmethod
    def of(cls, columns: Mapping[str, AnyArray | Column]) -> Frame:
        """Make a frame of columns at hand; no column means no row."""
        first = next(iter(columns.values()), np.empty(0))
        return cls(len(first.values if isinstance(first, Column) else first), columns)

    def __contains__(self, name: object) -> bool:
        return name in self._columns or name in self._makers

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __repr__(self) -> str:
        return f"Frame({self.rows} rows: {', '.join(self.names)})"

    def column(self, name: str) -> Column:
        """Return a column with its nulls; KeyError for an unknown name."""
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = self._makers[name]()
        return column

    def values(self, name: str) -> AnyArray:
        """Return a numeric column as numpy shows it. Raise NotNumericError for any other."""
        shown = self._visible.get(name)
        if shown is None:
            column = self.column(name)
            if not column.is_numeric:
                raise NotNumericError(name)
            shown = self._visible[name] = column.visible()
        return shown

    def numbers(self, name: str) -> Floats:
        """Return a numeric column as contiguous float64, null as NaN."""
        floats = self._floats.get(name)
        if floats is None:
            floats = np.ascontiguousarray(self.values(name), dtype=np.float64)
            self._floats[name] = floats
        return floats

    def is_numeric(self, name: str) -> bool:
        """Return whether a column exists and holds numbers."""
        return name in self and self.column(name).is_numeric

    def values_in(self, name: str, low: int, high: int) -> AnyArray:
        """Return the rows from ``low`` up to ``high`` of what ``values`` gives."""
        return self.values(name)[low:high]

    def numbers_in(self, name: str, low: int, high: int) -> Floats:
        """Return the rows from ``low`` up to ``high`` of what ``numbers`` gives."""
        return self.numbers(name)[low:high]

    def column_in(self, name: str, low: int, high: int) -> Column:
        """Return the rows from ``low`` up to ``high`` of a column of any type, with its nulls."""
        column = self.column(name)
        rows = slice(low, high)
        return Column(column.values[rows], None if column.nulls is None else column.nulls[rows])

    def values_at(self, name: str, rows: Indices) -> AnyArray:
        """Return the values at these rows, which ascend."""
        return self.values(name)[rows]

    def numbers_at(self, name: str, rows: Indices) -> Floats:
        """Return the numbers at these rows, which ascend."""
        return self.numbers(name)[rows]

    def column_at(self, name: str, rows: Indices) -> Column:
        """Return the rows of a column of any type, with its nulls; the rows ascend."""
        return self.column(name).take(rows)

    def without_missing(self, name: str) -> Frame:
        """Return the rows that have a value in a column of numbers; itself where all have."""
        missing = np.isnan(self.numbers(name))
        return self.take(np.flatnonzero(~missing)) if missing.any() else self

    def take(self, index: AnyArray) -> Frame:
        """Return a frame of the rows that an index or a mask selects."""
        rows = int(index.sum()) if index.dtype == bool else len(index)

        def taken(name: str) -> Callable[[], Column]:
            return lambda: self.column(name).take(index)

        return Frame(rows, {name: taken(name) for name in self.names})

    def replace(self, columns: Mapping[str, AnyArray | Column]) -> Frame:
        """Return a frame with columns put in the place of those of their name, or added."""
        kept: dict[str, AnyArray | Column | Callable[[], Column]] = {
            name: self._columns.get(name) or self._makers[name] for name in self.names
        }
        return Frame(self.rows, {**kept, **columns})
