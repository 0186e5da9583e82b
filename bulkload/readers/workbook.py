"""Spreadsheets (.xlsx, .xls, .xlsb, .ods) through fastexcel: calamine's cells as Arrow columns.

A sheet is parsed once, with its first row as the header: a column is of one type then, and text
where its cells differ. Where the header stands further down, or a row of units below it, the rows
from there on are parsed again, so that numbers and dates come as they lie in the file.
"""

from __future__ import annotations

import io
import logging
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.content import MAX_CONTENT_BYTES, FileContent
from bulkload.readers.decimal_marks import decide_decimal, parse_numbers
from bulkload.readers.dialect import Kind
from bulkload.readers.header_match import MIN_COLUMNS, HeaderRow, may_be_header
from bulkload.readers.units import is_unit

#: Rows of a sheet in which a header is looked for.
HEAD_ROWS: Final = 64

#: Known units that make the row below a header one of units.
MIN_UNITS: Final = 2

#: The name that fastexcel gives to a column without one, and to the second of a name.
_NAMELESS: Final = re.compile(r"__UNNAMED__\d+")
_SECOND: Final = re.compile(r"(?P<name>.+)_\d+")
_NUMBER: Final = re.compile(r"[-+]?\d+(?:[.,]\d*)?(?:[eE][-+]?\d+)?")

# It logs a warning on columns without a value.
logging.getLogger("fastexcel").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Book:
    """A workbook, each sheet parsed when asked for."""

    content: FileContent

    @cached_property
    def _reader(self) -> Any:
        import fastexcel

        _refuse_bomb(self.content)
        with _refused(self.content):
            return fastexcel.read_excel(self.content.data)

    @cached_property
    def names(self) -> Sequence[str]:
        """The sheets, in the order of the workbook."""
        return list(self._reader.sheet_names)

    def head(self, sheet: str) -> Sequence[Sequence[Any]]:
        """Return the first rows, cell by cell; an empty cell is empty text."""
        if sheet not in self._heads:
            names, table = self._parsed(sheet)
            columns = [column[: HEAD_ROWS - 1].to_pylist() for column in table.columns]
            rows = zip(*columns, strict=True)
            cells = [["" if cell is None else cell for cell in row] for row in rows]
            self._heads[sheet] = [list(names), *cells] if names else []
        return self._heads[sheet]

    @cached_property
    def _heads(self) -> dict[str, Sequence[Sequence[Any]]]:
        return {}

    def header_rows(self, sheet: str) -> Sequence[HeaderRow]:
        """Return those of the first rows that may be headers."""
        if sheet not in self._header_rows:
            self._header_rows[sheet] = list(_header_rows(self.head(sheet)))
        return self._header_rows[sheet]

    @cached_property
    def _header_rows(self) -> dict[str, Sequence[HeaderRow]]:
        return {}

    def grid(self, name: str, sheet: str, header: int) -> SheetGrid:
        """Return the table below a header row (from 0)."""
        rows = self.head(sheet)
        names = [str(cell) for cell in rows[header]]
        below = rows[header + 1] if header + 1 < len(rows) else []
        units = _units(below)
        skipped = header + (units is not None)
        table = self._below(sheet, skipped) if skipped else self._parsed(sheet)[1]
        return SheetGrid(name, sheet, names, table, units or [None] * len(names))

    def _below(self, sheet: str, skipped: int) -> pa.Table:
        """Parse a sheet again without so many of the rows below its first one."""
        wanted = self._parsed(sheet)[1].num_rows - skipped
        table = self._load(sheet, skip_rows=skipped)
        if table.num_rows > wanted:
            # Empty rows above the first one are counted too.
            table = self._load(sheet, skip_rows=skipped + table.num_rows - wanted)
        if table.num_rows != wanted:
            raise _damaged(self.content, f"the rows of sheet {sheet!r} cannot be counted")
        return table

    def _parsed(self, sheet: str) -> tuple[Sequence[str], pa.Table]:
        """Return the first row that is not empty, and the rows below it."""
        if sheet not in self._sheets:
            table = self._load(sheet)
            self._sheets[sheet] = self._original_names(sheet, table.column_names), table
        return self._sheets[sheet]

    @cached_property
    def _sheets(self) -> dict[str, tuple[Sequence[str], pa.Table]]:
        return {}

    def _original_names(self, sheet: str, names: Sequence[str]) -> Sequence[str]:
        plain = ["" if _NAMELESS.fullmatch(name) else name for name in names]
        seconds = [hit for name in plain if (hit := _SECOND.fullmatch(name))]
        if not any(hit["name"] in plain for hit in seconds):
            return plain
        # ``a_1`` may be a name of its own, or the second ``a``: only the row itself tells.
        row = self._load(sheet, header_row=None, n_rows=1, dtypes="string")
        return [str(column[0].as_py() or "") for column in row.columns]

    def _load(self, sheet: str, **options: Any) -> pa.Table:
        """Parse a sheet: every row tells the type of its column, and mixed columns are text."""
        import fastexcel

        # An empty sheet has no first row.
        stated = {"header_row": 0, "schema_sample_rows": None, **options}
        with _refused(self.content):
            try:
                return _table(self._reader.load_sheet(sheet, **stated))
            except fastexcel.UnsupportedColumnTypeCombinationError:
                return _table(self._reader.load_sheet(sheet, **{**stated, "dtypes": "string"}))
            except fastexcel.CannotRetrieveCellDataError:
                return pa.table({})


def _table(sheet: Any) -> pa.Table:
    return pa.Table.from_batches([sheet.to_arrow()])


def _header_rows(rows: Sequence[Sequence[Any]]) -> Iterator[HeaderRow]:
    for index, row in enumerate(rows):
        texts = [cell for cell in row if isinstance(cell, str) and cell]
        if len(texts) < MIN_COLUMNS:
            continue
        names = tuple(text for text in texts if not _NUMBER.fullmatch(text))
        if may_be_header(len(names), len(row) - row.count("")):
            yield HeaderRow(index, names)


def _units(row: Sequence[Any]) -> list[str | None] | None:
    """Return the units of the row below a header, None where it states none."""
    if any(not isinstance(cell, str) or _NUMBER.fullmatch(cell) for cell in row):
        return None
    fields = [cell.strip(" []()") for cell in row]
    if sum(map(is_unit, fields)) < MIN_UNITS:
        return None
    return [unit or None for unit in fields]


def _refuse_bomb(content: FileContent) -> None:
    """Refuse a workbook that unpacks to more than a file may hold."""
    if not content.data.startswith(b"PK"):
        return
    try:
        members = zipfile.ZipFile(io.BytesIO(content.data)).infolist()
    except zipfile.BadZipFile as error:
        raise _damaged(content, str(error)) from error
    if sum(member.file_size for member in members) > MAX_CONTENT_BYTES:
        raise UnreadableError(
            f"{content.name}: more than {MAX_CONTENT_BYTES // 1024**3} GiB of sheets; split the "
            "workbook",
            cause="too_large",
        )


@contextmanager
def _refused(content: FileContent) -> Iterator[None]:
    import fastexcel

    try:
        yield
    except (fastexcel.FastExcelError, ValueError, KeyError, IndexError, OSError) as error:
        raise _damaged(content, str(error)) from error
    except BaseException as error:
        # What the parser trips over beyond its own errors comes as no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise _damaged(content, str(error)) from error


def _damaged(content: FileContent, text: str) -> UnreadableError:
    error_text = " ".join(printable(text).split())[:120]
    return UnreadableError(
        f"{content.name}: not a readable workbook ({error_text}); copy it or save it again",
        cause="damaged",
    )


@dataclass
class SheetGrid:
    """A table in a sheet: the names of its header and the columns below."""

    name: str
    sheet: str
    names: Sequence[str]
    table: pa.Table
    units: Sequence[str | None] = field(default_factory=list)
    #: Of numbers that are text; None: a point, unless the values prove a comma.
    decimal: str | None = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """The sheet that was read."""
        return {"sheet": self.sheet}

    @property
    def is_empty(self) -> bool:
        """Nothing stands below the header."""
        return bool(self.table.num_rows == 0)

    def sample(self, index: int) -> str:
        """Return the first cell of a column that is not empty, as text."""
        column = self.table.column(index)
        first = pc.index(pc.is_valid(column), value=True).as_py()
        if first < 0:
            return ""
        return str(_as_text(column.slice(first, 1))[0].as_py() or "")

    def fetch(self, kinds: Mapping[int, Kind]) -> Mapping[int, pa.ChunkedArray]:
        """Return columns: numbers as float64, all else as text."""
        numbers = [index for index, kind in kinds.items() if kind is Kind.NUMBER]
        texts = {self.names[i]: _as_text(self.table.column(i)) for i in self._texts(numbers)}
        decimal = self.decimal or (decide_decimal(texts, self.name) if texts else ".")
        return {
            index: self._numbers(index, decimal)
            if kind is Kind.NUMBER
            else _as_text(self.table.column(index))
            for index, kind in kinds.items()
        }

    def may_have_open_mark(self, numbers: Sequence[int]) -> bool:
        """Return whether numbers are text, written in a way that was not stated."""
        return self.decimal is None and bool(self._texts(numbers))

    def take_mark(self, mark: str) -> None:
        """Read numbers that are text with this decimal mark from now on."""
        self.decimal = mark

    def _texts(self, numbers: Sequence[int]) -> list[int]:
        kinds = ((index, self.table.column(index).type) for index in numbers)
        return [i for i, kind in kinds if not _is_number(kind)]

    def _numbers(self, index: int, decimal: str) -> pa.ChunkedArray:
        column = self.table.column(index)
        if _is_number(column.type):
            return column.cast(pa.float64())
        try:
            # Sheets hold numbers as text now and then; a date is not a number.
            return parse_numbers(_as_text(column), decimal)
        except ValueError as error:
            raise UnreadableError(
                f"{self.name}, sheet {printable(self.sheet)!r}: {printable(str(error))[:40]!r} in "
                f"column {printable(self.names[index])!r} is not a number",
                cause="not_a_number",
            ) from error


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write a column as the text that readers expect: dates and times in ISO form."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        text = column.cast(pa.string())
        return pc.if_else(pc.equal(text, ""), None, text)
    if pa.types.is_duration(kind):
        return _clock(column)
    if pa.types.is_floating(kind):
        whole = pc.all(pc.equal(column, pc.round(column))).as_py()
        return column.cast(pa.int64()).cast(pa.string()) if whole else column.cast(pa.string())
    return column.cast(pa.string())


def _clock(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write durations as hours, minutes and seconds."""
    millis = column.cast(pa.int64())
    seconds = pc.divide(millis, 1000)
    parts = (
        pc.divide(seconds, 3600).cast(pa.string()),
        _padded(pc.subtract(pc.divide(seconds, 60), pc.multiply(pc.divide(seconds, 3600), 60)), 2),
        _padded(pc.subtract(seconds, pc.multiply(pc.divide(seconds, 60), 60)), 2),
    )
    clock = pc.binary_join_element_wise(*parts, ":")
    rest = _padded(pc.subtract(millis, pc.multiply(seconds, 1000)), 3)
    return pc.binary_join_element_wise(clock, rest, ".")


def _padded(numbers: pa.ChunkedArray, width: int) -> pa.ChunkedArray:
    return pc.utf8_lpad(numbers.cast(pa.string()), width, "0")
