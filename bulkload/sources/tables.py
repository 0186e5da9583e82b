"""Rows of a table that a person made: .csv .xlsx .parquet .jsonl, as a stream.

Nothing is inferred: a cell of text stays text, so a cell called ``007`` keeps its zeros. Rows are
numbered as a spreadsheet shows them: the header is row 1.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from bulkload.errors import UnreadableError
from bulkload.sources.json_yaml_toml import parse_json
from bulkload.sources.sheets.appearance import Appearance, appearance_of, named

#: Rows of a Parquet file in memory at a time.
BATCH_ROWS: Final = 4096
#: Longest line of a text table, in characters: a file without line ends is not a table.
MAX_LINE_CHARACTERS: Final = 4 << 20
#: Largest workbook, in bytes: it is unpacked in memory as a whole.
MAX_WORKBOOK_BYTES: Final = 256 << 20

#: Bytes of a text table by which its code is known.
HEAD_BYTES: Final = 1 << 20

_DELIMITERS: Final = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a table. JSON lines have them in each row; these are those of the first."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One row; cells that hold nothing are None or empty text."""

    number: int
    cells: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be split into cells."""

    number: int
    message: str


Line = Header | Row | BadRow


def read_table(path: Path) -> Iterator[Line]:
    """Yield a table's header and rows; raise UnreadableError if the file is not a table."""
    if path.exists() and not path.is_file():
        raise UnreadableError("is not a file but a folder, a pipe or a device")
    try:
        yield from _READERS[path.suffix.lower()](path)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from error


def _read_csv(path: Path) -> Iterator[Line]:
    with path.open(encoding=_encoding(path, _eight_bit), newline="") as stream:
        number = 0
        try:
            lines = _lines(stream)
            first = next(lines, "")
            stated = re.match(r"sep=(.)\s*\Z", first)
            if stated is not None:
                number, first = 1, next(lines, "")
            rows = csv.reader(
                _chain(first, lines),
                delimiter=stated[1] if stated else _delimiter(first),
                strict=True,
            )
            columns = _columns(next(rows, []))
            number += 1
            yield Header(columns)
            for cells in rows:
                number += 1
                if any(cells):
                    yield _row(number, columns, cells)
        except csv.Error as error:
            raise UnreadableError(f"row {number + 1} is not valid CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise UnreadableError(
                f"row {number + 1} or soon after it is not UTF-8 text; save it as 'CSV UTF-8'"
            ) from error


def _encoding(path: Path, otherwise: Callable[[bytes], str] = lambda _: "utf-8-sig") -> str:
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Text in ASCII letters that lacks the mark: every other byte is zero.
    if head[1:2] == b"\0":
        return "utf-16-le"
    if head[:1] == b"\0":
        return "utf-16-be"
    try:
        # The last letter of the head may be cut: the decoder waits for its rest.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return otherwise(head)
    return "utf-8-sig"


def _eight_bit(head: bytes) -> str:
    """Name the code of a text that is not UTF-8: what spreadsheet programs save by default."""
    if b"\0" in head:
        # Bytes, not text: the reader of UTF-8 says so.
        return "utf-8-sig"
    try:
        chinese = codecs.getincrementaldecoder("gbk")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "gbk" if re.search("[\u4e00-\u9fff]{2,}", chinese) else "cp1252"


def _lines(stream: IO[str]) -> Iterator[str]:
    while line := stream.readline(MAX_LINE_CHARACTERS + 1):
        if len(line) > MAX_LINE_CHARACTERS:
            raise UnreadableError(f"has a line of more than {MAX_LINE_CHARACTERS} characters")
        yield line


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _delimiter(header: str) -> str:
    # The most columns win; on equality the order above does.
    return max(_DELIMITERS, key=lambda mark: len(next(csv.reader([header], delimiter=mark))))


def _columns(cells: list[Any]) -> tuple[str, ...]:
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise UnreadableError("has no header row")
    return tuple(names)


def _row(number: int, columns: tuple[str, ...], cells: list[Any]) -> Line:
    if len(cells) < len(columns):
        return BadRow(number, f"has {len(cells)} of {len(columns)} cells; was the file truncated?")
    extra = [cell for cell in cells[len(columns) :] if cell not in ("", None)]
    unnamed = [cell for name, cell in zip(columns, cells, strict=False) if not name and cell]
    if extra or unnamed:
        return BadRow(number, "has a value in a column without a name; is a value unquoted?")
    return Row(number, dict(zip(columns, cells, strict=False)))


def sheet_names(path: Path) -> tuple[str, ...]:
    """Return the sheets of a workbook; none where it cannot be read."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with CalamineWorkbook.from_path(str(path)) as workbook:
            return tuple(workbook.sheet_names)
    except (CalamineError, OSError):
        return ()


def read_sheet(path: Path, name: str) -> Iterator[Line]:
    """Give a named sheet of a workbook; nothing where it has none of that name."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with CalamineWorkbook.from_path(str(path)) as workbook:
            if name not in workbook.sheet_names:
                return
            rows = workbook.get_sheet_by_name(name).iter_rows()
            columns = None
            for number, cells in enumerate(rows, start=1):
                if columns is None and any(cell != "" for cell in cells):
                    columns = _columns(list(cells))
                    yield Header(columns)
                elif columns is not None and any(cell != "" for cell in cells):
                    yield _row(number, columns, list(cells))
    except CalamineError as error:
        raise UnreadableError(f"is not a workbook that can be read: {error}") from error


def _read_xlsx(path: Path) -> Iterator[Line]:
    from python_calamine import CalamineError, CalamineWorkbook

    if path.stat().st_size > MAX_WORKBOOK_BYTES:
        raise UnreadableError(f"is larger than {MAX_WORKBOOK_BYTES} bytes; save it as .csv")
    try:
        with CalamineWorkbook.from_path(str(path)) as workbook:
            visible, _ = _sheets(workbook)
            if not visible:
                raise UnreadableError("has no sheet that is not hidden")
            sheet = workbook.get_sheet_by_name(visible[0])
            looks = appearance_of(path, visible[0])
            columns = None
            for number, cells in enumerate(_as_they_look(sheet.iter_rows(), looks), start=1):
                if all(cell == "" for cell in cells):
                    continue
                if columns is None:
                    columns = _columns(cells)
                    yield Header(columns)
                else:
                    yield _row(number, columns, cells)
            if columns is None:
                raise UnreadableError(f"has no header row in its first sheet, '{visible[0]}'")
    except CalamineError as error:
        raise UnreadableError(f"is not a readable workbook: {error}") from error


def _as_they_look(rows: Iterable[list[Any]], looks: Appearance) -> Iterator[list[Any]]:
    """Yield rows of a workbook, with what the library reads as empty and does not look so."""
    by_row: dict[int, list[tuple[int, object]]] = {}
    for (row, column), fault in looks.faults.items():
        by_row.setdefault(row, []).append((column, fault))
    for number, cells in enumerate(rows, start=1):
        found = list(cells)
        for at, what in by_row.get(number, ()):
            if at < len(found) and found[at] in ("", None):
                found[at] = what
        yield found


def _sheets(workbook: Any) -> tuple[list[str], list[str]]:
    """Return the names of the visible worksheets, and of the hidden ones."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    sheets = [meta for meta in workbook.sheets_metadata if meta.typ is SheetTypeEnum.WorkSheet]
    visible = [meta.name for meta in sheets if meta.visible is SheetVisibleEnum.Visible]
    return visible, [meta.name for meta in sheets if meta.name not in visible]


def remarks_of(path: Path, is_header: Callable[[Sequence[str]], bool]) -> Iterator[str]:
    """Return what of a manifest's workbook is hidden or not read; nothing for other files.

    ``is_header`` tells whether a row is the header of a manifest too.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    if path.suffix.lower() != ".xlsx":
        return
    try:
        with CalamineWorkbook.from_path(str(path)) as workbook:
            visible, hidden = _sheets(workbook)
            if not visible:
                return
            others = [
                name
                for name in (*visible[1:], *hidden)
                if is_header(_first_row(workbook.get_sheet_by_name(name)))
            ]
    except (CalamineError, OSError):
        # It is reported where it is read.
        return
    looks = appearance_of(path, visible[0])
    for name in others:
        what = "is hidden" if name in hidden else f"comes after '{visible[0]}'"
        yield (
            f"the sheet '{name}' has the columns of a manifest, {what}, and is not read; move it "
            "into a file of its own, or its rows into the first sheet"
        )
    if looks.hidden_rows:
        how = "by a filter or by hand" if looks.is_filtered else "by hand"
        yield (
            f"{len(looks.hidden_rows)} rows are hidden {how} and are planned like the others: rows "
            f"{named(looks.hidden_rows)}; show them to see what goes, delete them, or write no in "
            "the column upload"
        )
    if looks.hidden_columns:
        letters = [_letters(column) for column in looks.hidden_columns]
        yield f"columns {named(letters)} are hidden and are read like the others"


def _first_row(sheet: Any) -> list[str]:
    for cells in sheet.iter_rows():
        if any(cell != "" for cell in cells):
            return [str(cell).strip() for cell in cells]
    return []


def _letters(column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _read_parquet(path: Path) -> Iterator[Line]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = tuple(file.schema_arrow.names)
            yield Header(columns)
            number = 1
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                for cells in batch.to_pylist():
                    number += 1
                    yield Row(number, cells)
    except pa.ArrowException as error:
        raise UnreadableError(f"is not a readable Parquet file: {error}") from error


def _read_jsonl(path: Path) -> Iterator[Line]:
    with path.open(encoding=_encoding(path)) as stream:
        try:
            is_first = True
            for number, line in enumerate(_lines(stream), start=1):
                if line.strip():
                    row = _json_row(number, line)
                    if is_first and isinstance(row, Row):
                        yield Header(tuple(row.cells))
                    is_first = False
                    yield row
        except UnicodeDecodeError as error:
            raise UnreadableError("is not UTF-8 text; save it as UTF-8") from error


def _json_row(number: int, line: str) -> Line:
    try:
        cells = parse_json(line)
    except json.JSONDecodeError as error:
        return BadRow(number, f"is not valid JSON: {error.msg} at character {error.pos + 1}")
    except (ValueError, RecursionError) as error:
        return BadRow(number, f"is not valid JSON: {error}")
    if not isinstance(cells, dict):
        return BadRow(number, "must be an object of columns and values")
    return Row(number, cells)


_READERS: Final[Mapping[str, Callable[[Path], Iterator[Line]]]] = {
    ".csv": _read_csv,
    ".xlsx": _read_xlsx,
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
}
TABLE_SUFFIXES: Final = tuple(_READERS)
