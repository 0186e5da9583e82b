"""Where a dialect's raw columns come from: text, a sheet, a database table, a binary file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa

from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.decimal_marks import blank_to_null, has_open_mark
from bulkload.readers.delimited import TextLayout, parse
from bulkload.readers.dialect import Kind
from bulkload.readers.text import Text

#: Bytes below the header in which the first value of a column is looked for.
SAMPLE_BYTES: Final = 65536


class Grid(Protocol):
    """A table as the file has it: names, units below them, and columns on demand."""

    @property
    def names(self) -> Sequence[str]:
        """The header's names, as written."""
        ...

    @property
    def units(self) -> Sequence[str | None]:
        """Units of a row below the header; None where it has none."""
        ...

    def sample(self, index: int) -> str:
        """Return the first value of a column, as text; empty where it has none."""
        ...

    def fetch(self, kinds: Mapping[int, Kind]) -> Mapping[int, pa.ChunkedArray]:
        """Return the columns: numbers as float64, all else as text."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the provenance should say of the table."""
        ...

    def may_have_open_mark(self, numbers: Sequence[int]) -> bool:
        """Return whether numbers in these columns may have a mark that no value proves."""
        ...

    def take_mark(self, mark: str) -> None:
        """Read numbers with this decimal mark from now on."""
        ...


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Make names unique for a parser that needs it; only positions are used afterwards."""
    return tuple(f"{index}:{name}" for index, name in enumerate(names))


@dataclass
class TextGrid:
    """A delimited text: parsed once, with only the columns that are wanted."""

    text: Text
    layout: TextLayout
    names: Sequence[str]
    units: Sequence[str | None]
    decimal: str | None = None
    #: Lines behind the table that are no rows.
    trailer: tuple[str, ...] = ()

    def sample(self, index: int) -> str:
        """Return the value of the first row that has one."""
        first = self._first_row
        if index < len(first) and first[index]:
            return first[index]
        for line in self._first_lines:
            fields = line.split(self.layout.delimiter)
            if index < len(fields) and fields[index].strip(' "'):
                return fields[index].strip(' "')
        return ""

    @cached_property
    def _first_row(self) -> Sequence[str]:
        line = next((line for line in self._first_lines if line.strip()), "")
        return [field.strip(' "') for field in line.split(self.layout.delimiter)]

    @cached_property
    def _first_lines(self) -> Sequence[str]:
        start = self.text.data[self.layout.body : self.layout.body + SAMPLE_BYTES]
        return start.decode("utf-8", "replace").splitlines()

    def fetch(self, kinds: Mapping[int, Kind]) -> Mapping[int, pa.ChunkedArray]:
        """Parse the wanted columns in one pass."""
        keys = self.layout.names
        numbers = [keys[index] for index, kind in kinds.items() if kind is Kind.NUMBER]
        wanted = list(kinds)
        if self.layout.ends_blank and len(keys) - 1 not in kinds:
            wanted.append(len(keys) - 1)
        table, self.decimal = parse(self.text, self.layout, numbers, [keys[i] for i in wanted])
        if self.layout.ends_blank:
            self._refuse_nameless(table.column(keys[-1]))
        return {index: table.column(keys[index]) for index in kinds}

    def may_have_open_mark(self, numbers: Sequence[int]) -> bool:
        """Look for a number that proves its mark, whatever its column."""
        del numbers
        layout = self.layout
        return layout.decimal is None and has_open_mark(
            self.text.data, layout.body, layout.delimiter
        )

    def take_mark(self, mark: str) -> None:
        """Read numbers with this decimal mark from now on; a point is what is taken unasked."""
        if mark != ".":
            self.layout = replace(self.layout, decimal=mark)

    def _refuse_nameless(self, last: pa.ChunkedArray) -> None:
        """Refuse values in a last column without a name: the header is short of one."""
        if pa.types.is_string(last.type) and blank_to_null(last).null_count < len(last):
            raise UnreadableError(
                f"{self.text.name}: the last column has values and no name; nobody knows which "
                "column lacks its name",
                cause="unnamed_column",
            )

    @property
    def facts(self) -> Mapping[str, Any]:
        """Encoding, delimiter, and decimal mark."""
        return {
            "encoding": self.text.encoding,
            "delimiter": self.layout.delimiter,
            "decimal": self.decimal,
            **({"trailer_lines": len(self.trailer)} if self.trailer else {}),
            **({"lines_unquoted": True} if self.text.is_unwrapped else {}),
        }


@dataclass
class ArrayGrid:
    """Columns that a binary reader has made already."""

    columns: Mapping[str, pa.ChunkedArray]
    name: str

    @property
    def names(self) -> Sequence[str]:
        """The columns' names."""
        return list(self.columns)

    @property
    def units(self) -> Sequence[str | None]:
        """Binary files have no row of units."""
        return [None] * len(self.columns)

    @property
    def facts(self) -> Mapping[str, Any]:
        """Nothing but the columns is known."""
        return {}

    def sample(self, index: int) -> str:
        """Return the first value that is not null."""
        values = list(self.columns.values())[index]
        return next((str(v.as_py()) for v in values if v.is_valid), "")

    def may_have_open_mark(self, numbers: Sequence[int]) -> bool:
        """Binary numbers have no mark."""
        del numbers
        return False

    def take_mark(self, mark: str) -> None:
        """Binary numbers have no mark."""

    def fetch(self, kinds: Mapping[int, Kind]) -> Mapping[int, pa.ChunkedArray]:
        """Cast numbers to float64 and all else to text."""
        columns = list(self.columns.values())
        return {index: self._cast(index, columns[index], kind) for index, kind in kinds.items()}

    def _cast(self, index: int, values: pa.ChunkedArray, kind: Kind) -> pa.ChunkedArray:
        wanted = pa.float64() if kind is Kind.NUMBER else pa.string()
        try:
            return values.cast(wanted)
        except pa.ArrowInvalid as error:
            raise UnreadableError(
                f"{self.name}: column {printable(self.names[index])!r} holds text where numbers "
                f"belong ({printable(str(error))[:80]})",
                cause="not_a_number",
            ) from error


def as_floats(values: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return numbers as float64 with NaN for null."""
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
