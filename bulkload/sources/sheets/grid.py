"""The cells of a sheet as they lie in a file, merged cells filled, hidden sheets named."""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bulkload.core.sheets.rows import UncomputedFormula
from bulkload.errors import PlanError, UnreadableError

#: Largest sheet that is read, in bytes: it is unpacked in memory as a whole.
MAX_SHEET_BYTES: Final = 64 << 20
#: Rows of a sheet that are read: a list of cells or tests, not data.
MAX_ROWS: Final = 200_000
SHEET_SUFFIXES: Final = (".xlsx", ".xlsm", ".ods", ".xls", ".csv", ".tsv", ".txt")
_DELIMITERS: Final = (";", "\t", ",", "|")
_FORMULA: Final = re.compile(
    rb'<c r="([A-Z]+)(\d+)"[^>]*>\s*<f[^>]*?(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleSheet:
    """One sheet: its rows with their numbers as a spreadsheet shows them."""

    name: str
    rows: Sequence[tuple[int, Sequence[object]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetBook:
    """The visible sheets of a file, and the names of the hidden ones."""

    sheets: Sequence[VisibleSheet]
    hidden: Sequence[str] = ()


def read_book(path: Path) -> SheetBook:
    """Read a workbook or a text table; raises ``PlanError`` or ``UnreadableError``."""
    if path.suffix.lower() not in SHEET_SUFFIXES:
        raise PlanError(f"{path}: a sheet is read from {', '.join(SHEET_SUFFIXES)}")
    if path.exists() and not path.is_file():
        raise PlanError(f"{path}: is not a file but a folder, a pipe or a device")
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror or error}") from error
    if size_bytes > MAX_SHEET_BYTES:
        raise UnreadableError(f"{path}: more than {MAX_SHEET_BYTES >> 20} MiB: no sheet of cells")
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return SheetBook(sheets=[VisibleSheet(name=path.name, rows=list(_text_rows(path)))])
    return _workbook(path)


def _workbook(path: Path) -> SheetBook:
    import python_calamine as calamine

    sheets: list[VisibleSheet] = []
    hidden: list[str] = []
    try:
        with calamine.CalamineWorkbook.from_path(str(path)) as book:
            formulas = _formulas(path)
            for index, meta in enumerate(book.sheets_metadata):
                if meta.typ is not calamine.SheetTypeEnum.WorkSheet:
                    continue
                if meta.visible is not calamine.SheetVisibleEnum.Visible:
                    hidden.append(meta.name)
                    continue
                sheet = book.get_sheet_by_index(index)
                rows = _filled(sheet, formulas.get(len(sheets) + len(hidden), {}))
                sheets.append(VisibleSheet(name=meta.name, rows=rows))
    except (calamine.CalamineError, ValueError, OSError) as error:
        raise UnreadableError(f"{path}: not a workbook that can be read: {error}") from error
    return SheetBook(sheets=sheets, hidden=hidden)


def _filled(sheet: Any, formulas: dict[tuple[int, int], None]) -> list[tuple[int, list[object]]]:
    """Return the rows from the sheet's first on; a merged cell's content stands in each of it."""
    rows: list[list[object]] = [list(row) for row in sheet.to_python(skip_empty_area=False)]
    rows = rows[:MAX_ROWS]
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        if top < len(rows) and left < len(rows[top]):
            content = rows[top][left]
            for row in range(top, min(bottom, len(rows) - 1) + 1):
                for column in range(left, min(right, len(rows[row]) - 1) + 1):
                    rows[row][column] = content
    for row, column in formulas:
        if row < len(rows) and column < len(rows[row]) and rows[row][column] in ("", None):
            rows[row][column] = UncomputedFormula()
    return [(number, row) for number, row in enumerate(rows, start=1)]


def _formulas(path: Path) -> dict[int, dict[tuple[int, int], None]]:
    """Return, by sheet, the cells of an .xlsx that hold a formula without a value."""
    found: dict[int, dict[tuple[int, int], None]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for index in range(64):
                name = f"xl/worksheets/sheet{index + 1}.xml"
                if name not in archive.namelist():
                    break
                with archive.open(name) as stream:
                    xml = stream.read(MAX_SHEET_BYTES)
                found[index] = {
                    (int(row) - 1, _column(letters)): None for letters, row in _FORMULA.findall(xml)
                }
    except (zipfile.BadZipFile, OSError, KeyError):
        return {}
    return found


def _column(letters: bytes) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + letter - 64
    return index - 1


def _text_rows(path: Path) -> Iterator[tuple[int, Sequence[object]]]:
    text = decoded(path.read_bytes())
    lines = text.splitlines()
    stated = re.match(r"\Asep=(.)\s*\Z", lines[0]) if lines else None
    delimiter = stated[1] if stated else max(_DELIMITERS, key=lambda mark: _columns(lines, mark))
    rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        for number, row in enumerate(rows, start=1):
            if number > MAX_ROWS:
                return
            yield number, [] if stated and number == 1 else row
    except csv.Error as error:
        raise UnreadableError(f"{path}: row {rows.line_num} is not valid CSV: {error}") from error


def decoded(data: bytes) -> str:
    """Return a text that a spreadsheet program wrote: UTF-8, UTF-16, GBK or cp1252."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        chinese = data.decode("gbk")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
    # Bytes of cp1252 decode as GBK now and then, but not to runs of common Han characters.
    runs = re.findall(r"[\u4e00-\u9fff]{2,}", chinese)
    return chinese if runs else data.decode("cp1252", "replace")


def _columns(lines: Sequence[str], mark: str) -> int:
    counts = [line.count(mark) for line in lines[:50] if line.strip()]
    return sum(count for count in counts if count)
