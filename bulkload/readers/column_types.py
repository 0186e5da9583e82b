"""The types of a table's columns, of which only some rows are known so far."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core.decisions import Decision
from bulkload.errors import UnreadableError
from bulkload.readers.decimal_marks import strict_number
from bulkload.readers.native import COUNTS, INDEX, NUMBERS, index_left_out
from bulkload.readers.reading import ReadAgainError

#: Whole numbers from here on do not survive float64.
LARGEST_EXACT: Final = 2**53


class _Type(Enum):
    """What a column is taken for, in the order in which it is tried."""

    WHOLE = 1
    FLOAT = 2
    TEXT = 3


class ColumnTypes:
    """Gives every chunk the types that the whole table has in ``readers.native``.

    A counting column is whole where all its values are; a text column is one of numbers where it
    holds nothing else. Both are taken for whole until a value shows what they are.
    """

    def __init__(self, name: str, names: Sequence[str]) -> None:
        """``name`` is the file's, ``names`` those of its columns."""
        self._name, self._names = name, tuple(names)
        self._types: dict[str, _Type] = {}
        self.decisions: tuple[Decision, ...] = ()
        self.begin()

    def begin(self) -> None:
        """Forget the values that were seen; what they showed stays."""
        self._rows = 0
        self._has_value: set[str] = set()
        self._is_beyond: set[str] = set()
        self._index_start: int | None = None
        self._has_gap = False

    def apply(self, table: pa.Table) -> pa.Table:
        """Return a chunk with the types of the whole; raises ``ReadAgainError``."""
        for index, name in enumerate(table.column_names):
            kind = table.schema.field(index).type
            if name == INDEX and pa.types.is_string(kind):
                continue
            if name in COUNTS and pa.types.is_floating(kind):
                table = table.set_column(index, name, self._count(name, table.column(index)))
            elif name not in NUMBERS and pa.types.is_string(kind):
                table = table.set_column(index, name, self._other(name, table.column(index)))
        if INDEX in table.column_names:
            table = self._without_index(table)
        self._rows += table.num_rows
        return table

    def end(self) -> None:
        """Judge what only the end shows; raises ``ReadAgainError``."""
        for name, kind in self._types.items():
            is_text = name not in self._has_value
            is_text |= kind is _Type.WHOLE and name in self._is_beyond
            if name not in COUNTS and kind is not _Type.TEXT and is_text:
                self._take(name, _Type.TEXT)
        if INDEX in self._names:
            self.decisions = (index_left_out(is_empty=self._index_start is None),)

    def _count(self, name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
        if self._types.setdefault(name, _Type.WHOLE) is _Type.FLOAT:
            return values
        try:
            return values.cast(pa.int64(), safe=True)
        except pa.ArrowInvalid:
            self._take(name, _Type.FLOAT)

    def _other(self, name: str, text: pa.ChunkedArray) -> pa.ChunkedArray:
        kind = self._types.setdefault(name, _Type.WHOLE)
        if kind is _Type.TEXT:
            return text
        values = strict_number(text)
        if values is None:
            self._take(name, _Type.TEXT)
        if values.null_count < len(values):
            self._has_value.add(name)
            limits = pc.min_max(values)
            if max(abs(limits["min"].as_py()), abs(limits["max"].as_py())) >= LARGEST_EXACT:
                self._is_beyond.add(name)
        if kind is _Type.FLOAT:
            return values
        try:
            return values.cast(pa.int64(), safe=True)
        except pa.ArrowInvalid:
            self._take(name, _Type.FLOAT)

    def _take(self, name: str, kind: _Type) -> NoReturn:
        self._types[name] = kind
        raise ReadAgainError(name)

    def _without_index(self, table: pa.Table) -> pa.Table:
        """Leave out an unnamed column that counts the rows, or is empty."""
        index = table.column_names.index(INDEX)
        values = table.column(index)
        kept = table.remove_column(index)
        if values.null_count == len(values) and self._index_start is None:
            self._has_gap = True
            return kept
        numbers = strict_number(values) if pa.types.is_string(values.type) else values
        if numbers is not None and numbers.null_count == 0 and not self._has_gap:
            found = numbers.to_numpy()
            start = int(found[0]) if self._index_start is None else self._index_start + self._rows
            if np.array_equal(found - start, np.arange(len(found))):
                self._index_start = start if self._index_start is None else self._index_start
                return kept
        raise UnreadableError(
            f"{self._name}: column {index + 1} has values and no name; name it in the header",
            cause="unnamed_column",
        )
