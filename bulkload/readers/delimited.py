"""Delimited text to an Arrow table, with declared column types and errors that help."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.decimal_marks import (
    decide_decimal,
    parse_numbers,
    strict_number,
    whole_to_int,
)
from bulkload.readers.text import Text

#: Bytes that the parser takes at once. Smaller blocks cost calls, larger ones memory.
BLOCK_BYTES: Final = 4 * 1024 * 1024

#: Longest piece of the file that a message quotes, in characters.
QUOTE_CHARS: Final = 60

#: Lines behind a table that are taken for a trailer.
MAX_TRAILER_LINES: Final = 200

DELIMITERS: Final = (",", "\t", ";")

_ROW_WIDTH = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_BAD_VALUE = re.compile(r"CSV column #(\d+): (?:Row #(\d+): )?.*invalid value '(.*)'", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLayout:
    """Where the rows of a delimited text begin and how they are cut."""

    names: tuple[str, ...]
    delimiter: str
    #: Byte offset of the first row.
    body: int
    #: Line number (from 1) of the header, for messages.
    header_line: int = 1
    #: None: a point, unless the values prove a comma.
    decimal: str | None = None
    #: The header ends with a delimiter: its last column has no name.
    ends_blank: bool = False
    #: The first field of a row is a number: a line that begins otherwise is no row.
    is_numbered: bool = False
    #: Fields of the first row; 0 where they were not counted.
    row_fields: int = 0


def refuse_duplicates(names: Sequence[str], name: str) -> None:
    """Refuse a header that names a column twice: no one knows which is meant."""
    seen: set[str] = set()
    for column in names:
        if column in seen:
            raise UnreadableError(
                f"{name}: the column {_quoted(column)} occurs twice; remove or rename one",
                cause="duplicate_column",
            )
        seen.add(column)


def parse(
    text: Text, layout: TextLayout, numbers: Sequence[str], keep: Sequence[str] | None = None
) -> tuple[pa.Table, str]:
    """Parse the rows; return the table and the decimal mark.

    ``numbers`` become float64, or the file is refused; all others stay text. ``keep`` names
    the columns to return, None all.
    """
    wanted = list(layout.names if keep is None else keep)
    decimal = layout.decimal or "."
    try:
        table = _parse_rows(text, layout, dict.fromkeys(numbers, pa.float64()), wanted, decimal)
    except ValueRefusedError as refusal:
        return _parse_by_evidence(text, layout, numbers, wanted, refusal)
    if table.num_rows == 0:
        raise header_only(text.name)
    return table, decimal


def header_only(name: str) -> UnreadableError:
    """Return the refusal of a file with a header and no row below it."""
    return UnreadableError(
        f"{name}: the file has a header and no rows; the test recorded nothing, "
        "or the export was cut short",
        cause="no_rows",
    )


def number_others(table: pa.Table, known: Sequence[str]) -> pa.Table:
    """Make numbers of the text columns that hold nothing else; the known ones are left alone."""
    for index, name in enumerate(table.column_names):
        if name in known or not pa.types.is_string(table.schema.field(index).type):
            continue
        values = strict_number(table.column(index))
        if values is not None and values.null_count < len(values):
            table = table.set_column(index, name, _exact(table.column(index), values))
    return table


def _exact(text: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole numbers beyond 2**53 do not survive float64: such columns stay text."""
    whole = whole_to_int(values)
    return text if pa.types.is_integer(whole.type) and _beyond_float(values) else whole


def _beyond_float(values: pa.ChunkedArray) -> bool:
    limits = pc.min_max(values)
    return bool(max(abs(limits["min"].as_py()), abs(limits["max"].as_py())) >= 2**53)


class ValueRefusedError(Exception):
    """A declared number is not one; the evidence is gathered then."""

    def __init__(self, column: str, row: int | None, value: str) -> None:
        super().__init__(column, row, value)
        self.column = column
        self.row = row
        self.value = value


def _parse_rows(
    text: Text,
    layout: TextLayout,
    types: Mapping[str, pa.DataType],
    wanted: Sequence[str],
    decimal: str,
) -> pa.Table:
    if len(text.data) <= layout.body:
        return pa.table({name: pa.array([], pa.string()) for name in wanted})
    has_quotes = text.data.find(b'"', layout.body) >= 0
    try:
        return pa_csv.read_csv(
            pa.BufferReader(pa.py_buffer(text.data).slice(layout.body)),
            **csv_options(
                layout, types, wanted, decimal, has_quotes=has_quotes, block_bytes=BLOCK_BYTES
            ),
        )
    except pa.ArrowInvalid as error:
        raise explained(error, text.name, layout) from error


def csv_options(
    layout: TextLayout,
    types: Mapping[str, pa.DataType],
    wanted: Sequence[str],
    decimal: str,
    *,
    has_quotes: bool,
    block_bytes: int,
) -> dict[str, Any]:
    """Return how the parser cuts rows and reads values; all columns without a type are text."""
    return {
        "read_options": pa_csv.ReadOptions(
            use_threads=False, column_names=list(layout.names), block_size=block_bytes
        ),
        # The parser is a third quicker where it need not look for quotes.
        "parse_options": pa_csv.ParseOptions(
            delimiter=layout.delimiter, quote_char='"' if has_quotes else False
        ),
        "convert_options": pa_csv.ConvertOptions(
            column_types={name: types.get(name, pa.string()) for name in layout.names},
            include_columns=list(wanted),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            decimal_point=decimal,
        ),
    }


def explained(error: pa.ArrowInvalid, name: str, layout: TextLayout) -> Exception:
    """Return the parser's error as one that helps, or as a value that needs evidence."""
    message = str(error)
    if match := _BAD_VALUE.search(message):
        column, row, value = match.groups()
        return ValueRefusedError(layout.names[int(column)], int(row) if row else None, value)
    if match := _ROW_WIDTH.search(message):
        return _ragged(name, layout, *(int(group) for group in match.groups()))
    if "straddl" in message:
        return UnreadableError(
            f"{name}: a line of more than {BLOCK_BYTES // 1024**2} MiB; "
            "the file lost its line ends or is damaged",
            cause="line_too_long",
        )
    if "Empty CSV" in message:
        return header_only(name)
    return UnreadableError(f"{name}: cannot be cut into rows: {_quoted(message)}", cause="bad_rows")


def without_trailer(data: bytes, layout: TextLayout) -> tuple[bytes, tuple[str, ...]]:
    """Take off the lines behind the table that are no rows; return them too.

    Such a line has fewer fields than a row and begins like none: with no number where rows begin
    with one, or else as a label (``Total lines: 12``) or a tag. A row that was cut is left.
    """
    end, taken = len(data), list[str]()
    while len(taken) < MAX_TRAILER_LINES:
        while end > layout.body and data[end - 1] in b"\r\n \t":
            end -= 1
        begin = max(data.rfind(b"\n", layout.body, end), data.rfind(b"\r", layout.body, end)) + 1
        if begin <= layout.body:
            break
        line = data[begin:end].strip()
        fields = line.count(layout.delimiter.encode()) + 1
        if fields >= min(layout.row_fields, len(layout.names)) or not _ends_a_table(line, layout):
            break
        taken.append(line.decode("utf-8", "replace")[:QUOTE_CHARS])
        end = begin
    return (data[:end], tuple(reversed(taken))) if taken else (data, ())


def _ends_a_table(line: bytes, layout: TextLayout) -> bool:
    if not line or line[:1] in b"0123456789+-.,":
        return False
    if layout.is_numbered:
        return True
    is_label = b":" in line or b"=" in line or line.startswith(b"<")
    return is_label and layout.delimiter.encode() not in line


def whole_last_line(data: bytes, layout: TextLayout, name: str) -> bytes:
    """Complete a last line that lacks only the trailing delimiter; refuse one that was cut.

    A last line that is short of fields shows that the file was cut, by an unknown amount
    is gone.
    """
    end = len(data)
    while end and data[end - 1] in b"\r\n":
        end -= 1
    begin = data.rfind(b"\n", 0, end) + 1
    begin = max(begin, data.rfind(b"\r", begin, end) + 1)
    if begin <= layout.body:
        return data
    fields = data.count(layout.delimiter.encode(), begin) + 1
    wanted = len(layout.names)
    if fields == wanted - 1 and layout.ends_blank:
        return b"".join((memoryview(data)[:end], layout.delimiter.encode()))
    if fields == layout.row_fields < wanted:
        raise UnreadableError(
            f"{name}, line {layout.header_line}: the header has {wanted} names where the rows have "
            f"{fields} fields; it is unclear which column lacks its values",
            cause="ragged_rows",
        )
    if fields < wanted:
        raise UnreadableError(
            f"{name}: the last line is cut short ({fields} of {wanted} fields); copy or export the "
            "file again, or delete that line where the file is all there is",
            cause="truncated",
        )
    return data


def _ragged(name: str, layout: TextLayout, row: int, expected: int, found: int) -> UnreadableError:
    where = f"{name}, line {layout.header_line + row}"
    counts = f"{found} fields where the header has {expected}"
    if found > expected and layout.delimiter == "," and found >= 2 * expected - 1:
        hint = (
            "decimal commas in a comma-separated file cannot be distinguished; export with points"
        )
    elif found < expected:
        hint = "a line is cut short, or the delimiter changes; export the file again"
    else:
        hint = "name the extra column in the header, or export the file again"
    return UnreadableError(f"{where}: {counts}; {hint}", cause="ragged_rows")


def _parse_by_evidence(
    text: Text,
    layout: TextLayout,
    numbers: Sequence[str],
    wanted: Sequence[str],
    refusal: ValueRefusedError,
) -> tuple[pa.Table, str]:
    """Parse with the decimal mark that the values prove; reached when plain parsing failed."""
    if layout.decimal is None and "," not in refusal.value and refusal.value.strip("- "):
        raise no_number(text.name, layout, refusal.column, refusal.value, refusal.row)
    table = _parse_rows(text, layout, {}, wanted, ".")
    columns = {name: table.column(name) for name in numbers if name in wanted}
    decimal = layout.decimal or decide_decimal(columns, text.name)
    for name, values in columns.items():
        try:
            parsed = parse_numbers(values, decimal)
        except ValueError as error:
            raise no_number(text.name, layout, name, str(error), None) from error
        table = table.set_column(table.column_names.index(name), name, parsed)
    return table, decimal


def no_number(
    name: str, layout: TextLayout, column: str, value: str, row: int | None
) -> UnreadableError:
    """Return the refusal of a value that is not a number; ``row`` counts from 1, where known."""
    where = name if row is None else f"{name}, line {layout.header_line + row}"
    # Where names are made unique for the parser, one begins with its place.
    column = re.sub(r"^\d+:", "", column)
    return UnreadableError(
        f"{where}: {_quoted(value)} in column {_quoted(column)} is not a number; "
        "correct it or leave the cell empty",
        cause="not_a_number",
    )


def _quoted(value: str) -> str:
    shown = printable(value.strip())
    return repr(shown if len(shown) <= QUOTE_CHARS else shown[: QUOTE_CHARS - 1] + "…")
