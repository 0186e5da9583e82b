"""Finding the header of a delimited text, and cutting its rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bulkload.errors import UnreadableError
from bulkload.readers.delimited import (
    DELIMITERS,
    TextLayout,
    header_only,
    whole_last_line,
    without_trailer,
)
from bulkload.readers.dialect import Dialect
from bulkload.readers.header_match import MIN_COLUMNS, Named, may_be_header
from bulkload.readers.table_source import TextGrid, unique_names
from bulkload.readers.text import Text
from bulkload.readers.units import is_unit

#: Lines in which a header is looked for. The longest preamble seen has 730.
MAX_PREAMBLE_LINES: Final = 4000

#: Bytes in which it is looked for.
MAX_PREAMBLE_BYTES: Final = 512 * 1024

#: Known units that make a row one of units.
MIN_UNITS: Final = 2

#: How a number begins, and no name of a column does.
_NUMERIC: Final = re.compile(r"[+-]?[.,]?\d|[+-]$")

_NUMBER: Final = re.compile(r"^\s*[-+]?[\d.,]+([eE][-+]?\d+)?\s*$")


@dataclass(frozen=True)
class HeaderLine(Named):
    """A line that may be the header of a table."""

    #: From 1.
    number: int
    #: Byte offsets of its beginning and of the line below.
    begin: int
    end: int
    delimiter: str
    names: tuple[str, ...]


def cut(line: str, delimiter: str) -> list[str]:
    """Cut one line into fields."""
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader(io.StringIO(line), delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def header_lines(text: Text) -> list[HeaderLine]:
    """List the first lines that could be headers: several fields, few of them numbers."""
    found: list[HeaderLine] = []
    numeric_run = 0
    for number, begin, end, line in lines(text, 0):
        # A comma before a blank may stand within a name: ``Voltage, mV;Current, mA``.
        counts = line.count(",") - line.count(", "), line.count("\t"), line.count(";")
        delimiter = DELIMITERS[counts.index(max(counts))]
        if line.count(delimiter) < MIN_COLUMNS - 1:
            numeric_run = 0
            continue
        names = tuple(map(str.strip, cut(line, delimiter)))
        filled = list(filter(None, names))
        numbers = len(list(filter(_NUMERIC.match, filled)))
        if may_be_header(len(filled) - numbers, len(filled)):
            found.append(HeaderLine(number, begin, end, delimiter, names))
        # Rows of numbers one after another: the table has begun, its header lies behind.
        numeric_run = numeric_run + 1 if filled and numbers >= MIN_COLUMNS else 0
        if found and numeric_run >= 3:
            break
    return found


def lines(text: Text, offset: int) -> Iterator[tuple[int, int, int, str]]:
    """Yield number, begin, end and text of the lines of the beginning."""
    number = 0
    limit = min(len(text.data), MAX_PREAMBLE_BYTES)
    while offset < limit and number < MAX_PREAMBLE_LINES:
        end = text.data.find(b"\n", offset)
        end = len(text.data) if end < 0 else end + 1
        number += 1
        yield number, offset, end, text.data[offset:end].decode("utf-8", "replace").strip("\r\n")
        offset = end


def find(headers: Sequence[HeaderLine], dialect: Dialect) -> HeaderLine | None:
    """Return the first line that holds all of the dialect's signature."""
    for line in headers:
        if dialect.delimiter in {None, line.delimiter} and line.fits(dialect):
            return line
    return None


def grid_below(text: Text, header: HeaderLine, dialect: Dialect) -> TextGrid:
    """Return the table below a header, its units row read where it has one."""
    body, number = header.end, header.number
    units: list[str | None] = [None] * len(header.names)
    _, _, end, line = next(lines(text, body), (0, 0, body, ""))
    fields = [field.strip(" []()") for field in cut(line, header.delimiter)]
    if _are_units(fields, dialect):
        units = [*(field or None for field in fields), *units][: len(header.names)]
        body, number = end, number + 1
    first_row = _first_row(text, body, header.delimiter)
    names = _as_wide_as_rows(header, first_row, text.name)
    if not first_row:
        raise header_only(text.name)
    if dialect.short_rows and MIN_COLUMNS <= len(first_row) < len(names):
        names = names[: len(first_row)]
    units = [*units, *[None] * len(names)][: len(names)]
    layout = TextLayout(
        names=unique_names(names),
        delimiter=header.delimiter,
        body=body,
        header_line=number,
        decimal=dialect.decimal,
        ends_blank=not names[-1],
        is_numbered=bool(_NUMBER.match(first_row[0])),
        row_fields=len(first_row),
    )
    data, trailer = without_trailer(text.data, layout)
    text = replace(text, data=whole_last_line(data, layout, text.name))
    return TextGrid(text=text, layout=layout, names=names, units=units, trailer=trailer)


def _are_units(fields: Sequence[str], dialect: Dialect) -> bool:
    """Return whether the row below the header states units: no number, and units that are known."""
    if not any(fields) or any(_NUMBER.match(field) for field in fields):
        return False
    return dialect.units_row or sum(map(is_unit, fields)) >= MIN_UNITS


def _first_row(text: Text, body: int, delimiter: str) -> list[str]:
    return next((cut(line, delimiter) for *_, line in lines(text, body) if line.strip()), [])


def _as_wide_as_rows(header: HeaderLine, row: Sequence[str], name: str) -> tuple[str, ...]:
    """Even out one trailing delimiter that only the header, or only the rows, end with."""
    names = header.names
    if not row:
        return names
    header_ends, row_ends = not names[-1], not row[-1].strip()
    # Both ways only where the other side does not end so too: a header that lost or gained a
    # delimiter would otherwise be moved along by a column.
    if len(names) == len(row) + 1 and header_ends and not row_ends:
        return names[:-1]
    if len(row) == len(names) + 1 and row_ends and not header_ends:
        return (*names, "")
    if len(row) == len(names) and header_ends and not row_ends:
        raise UnreadableError(
            f"{name}, line {header.number}: the header has {len(names) - 1} names for {len(row)} "
            "columns; it is unclear which one lacks its name",
            cause="unnamed_column",
        )
    return names
