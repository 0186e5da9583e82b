"""Spreadsheets: each sheet once, through calamine where :mod:`bulkload.readers.xlsx` cannot."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.content import FileContent
from bulkload.readers.dialect import HeaderRow, Kind, may_be_header
from bulkload.readers.xlsx import HEAD_ROWS, PlainGrid


class Book(Protocol):
    """A workbook: its sheets, their first rows, and the table below one of them."""

    @property
    def names(self) -> Sequence[str]:
        """The sheets, in the order of the workbook."""
        ...

    def head(self, sheet: str) -> Sequence[Sequence[Any]]:
        """Return the first rows, cell by cell; an empty cell is empty text."""
        ...

    def header_rows(self, sheet: str) -> Sequence[HeaderRow]:
        """Return those of the first rows that may be headers."""
        ...

    def grid(self, name: str, sheet: str, header: int) -> PlainGrid | SheetGrid:
        """Return the table below a header row (from 0)."""
        ...


@dataclass(frozen=True)
class CalamineBook:
    """Any workbook, .xls included, each sheet read when asked for."""

    content: FileContent

    @cached_property
    def _book(self) -> Any:
        import python_calamine

        with _refused(self.content):
            return python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(self.content.data))

    @property
    def names(self) -> Sequence[str]:
        """The sheets, in the order of the workbook."""
        return list(self._book.sheet_names)

    @cached_property
    def _read(self) -> dict[str, Sequence[Sequence[Any]]]:
        return {}

    def _rows(self, sheet: str) -> Sequence[Sequence[Any]]:
        if sheet not in self._read:
            with _refused(self.content):
                self._read[sheet] = self._book.get_sheet_by_name(sheet).to_python()
        return self._read[sheet]

    def head(self, sheet: str) -> Sequence[Sequence[Any]]:
        """Return the first rows."""
        return self._rows(sheet)[:HEAD_ROWS]

    def header_rows(self, sheet: str) -> Sequence[HeaderRow]:
        """Return those of the first rows that may be headers."""
        if sheet not in self._header_rows:
            self._header_rows[sheet] = list(_header_rows(self.head(sheet)))
        return self._header_rows[sheet]

    @cached_property
    def _header_rows(self) -> dict[str, Sequence[HeaderRow]]:
        return {}

    def grid(self, name: str, sheet: str, header: int) -> SheetGrid:
        """Return the table below a header row."""
        rows = self._rows(sheet)
        return SheetGrid(name, sheet, [str(cell) for cell in rows[header]], rows[header + 1 :])


def _header_rows(rows: Sequence[Sequence[Any]]) -> Iterator[HeaderRow]:
    for index, row in enumerate(rows):
        names = tuple(cell for cell in row if isinstance(cell, str) and cell)
        if may_be_header(len(names), sum(cell != "" for cell in row)):
            yield HeaderRow(index, names)


@contextmanager
def _refused(content: FileContent) -> Iterator[None]:
    import python_calamine

    try:
        yield
    except (python_calamine.CalamineError, ValueError, KeyError, IndexError, OSError) as error:
        words = printable(str(error))[:120]
        raise UnreadableError(
            f"{content.name}: not a readable workbook ({words}); copy it or save it again",
            cause="damaged",
        ) from error


@dataclass
class SheetGrid:
    """A table in a sheet: its header row and the rows below."""

    name: str
    sheet: str
    names: Sequence[str]
    rows: Sequence[Sequence[Any]]
    units: Sequence[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.units = [None] * len(self.names)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The sheet that was read."""
        return {"sheet": self.sheet}

    @property
    def is_empty(self) -> bool:
        """Nothing stands below the header."""
        return not self.rows

    def sample(self, index: int) -> str:
        """Return the first cell of a column that is not empty, as text."""
        return next((_as_text(row[index]) or "" for row in self.rows if row[index] != ""), "")

    def fetch(self, kinds: Mapping[int, Kind]) -> Mapping[int, pa.ChunkedArray]:
        """Return columns: numbers as float64, all else as text."""
        return {
            index: pa.chunked_array([self._column(index, kind)]) for index, kind in kinds.items()
        }

    def _column(self, index: int, kind: Kind) -> pa.Array:
        cells = [row[index] for row in self.rows]
        if kind is not Kind.NUMBER:
            return _texts(cells)
        try:
            return pa.array([None if cell == "" else cell for cell in cells], pa.float64())
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError):
            return pa.array(np.array([self._number(index, cell) for cell in cells]))

    def _number(self, index: int, cell: Any) -> float:
        """Read one cell: sheets hold numbers as text now and then."""
        if str(cell).strip() in {"", "-", "--", "---"}:
            return float("nan")
        try:
            return float(str(cell).strip())
        except ValueError as error:
            raise UnreadableError(
                f"{self.name}, sheet {printable(self.sheet)!r}: {printable(str(cell))[:40]!r} in "
                f"column {printable(self.names[index])!r} is no number",
                cause="not_a_number",
            ) from error


def _texts(cells: Sequence[Any]) -> pa.Array:
    """Write a column as text, at once where its cells are of one kind, as nearly all are."""
    kind = type(cells[0])
    if kind is datetime and all(type(cell) is datetime for cell in cells):
        return pa.array(cells, pa.timestamp("us")).cast(pa.string())
    if kind is str and all(type(cell) is str for cell in cells):
        text = pa.array(cells, pa.string())
        return pc.if_else(pc.equal(text, ""), None, text)
    return pa.array([_as_text(cell) for cell in cells], pa.string())


def _as_text(cell: Any) -> str | None:
    """Write a cell as the text readers expect: dates and times in ISO form."""
    if cell == "":
        return None
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        hours, rest = divmod(cell.total_seconds(), 3600)
        minutes, seconds = divmod(rest, 60)
        return f"{int(hours)}:{int(minutes):02d}:{seconds:06.3f}"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
