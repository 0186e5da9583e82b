"""Tables whose columns are parted by blanks, as Zahner, Ivium and older programs write them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from bulkload.readers.text import HEAD_BYTES, Text

#: Rows of numbers one after another that make a table, and lines in which they are looked for.
MIN_ROWS: Final = 4
MAX_LINES: Final = 400

#: Bytes before which one line is looked at: one of these nearly always is of the table.
GLANCES_BYTES: Final = (8192, HEAD_BYTES)

#: Columns that a table has at least.
MIN_COLUMNS: Final = 3

_DELIMITER: Final = re.compile(r"[,;\t]")
_NUMBERS: Final = re.compile(
    r"\s*[-+]?[\d.]+(?:[eE][-+]?\d+)?(?: +[-+]?[\d.]+(?:[eE][-+]?\d+)?)+\s*"
)
_GAP: Final = re.compile(r" {2,}")


def with_tabs(text: Text) -> Text | None:
    """Return a text whose table is parted by blanks as one that is by tabs; None: it is none.

    Below a header of as many names stand rows of as many numbers, and no other delimiter.
    """
    if _is_delimited(text.data):
        return None
    lines = text.head().splitlines(keepends=True)[:MAX_LINES]
    begin = _first_row(lines)
    above = next((i for i in range(begin - 1, -1, -1) if lines[i].strip()), -1)
    if begin < 0 or above < 0 or _DELIMITER.search(lines[above]):
        return None
    count = len(lines[begin].split())
    header = lines[above].strip()
    names = next((cut for cut in (_GAP.split(header), header.split()) if len(cut) == count), None)
    if names is None:
        return None
    start = len("".join(lines[:above]).encode("utf-8"))
    end = start + len(lines[above].encode("utf-8"))
    rows = re.sub(rb"(?m)^ +| +(?=\r?$)", b"", text.data[end:])
    head = text.data[:start] + "\t".join(names).encode("utf-8") + b"\n"
    return replace(text, data=head + re.sub(rb" +", b"\t", rows))


def _is_delimited(data: bytes) -> bool:
    """Decide by two lines a little further down, which nearly every export settles."""
    for place in GLANCES_BYTES:
        end = data.rfind(b"\n", 0, place)
        line = data[data.rfind(b"\n", 0, max(end, 0)) + 1 : end]
        if b"," in line or b";" in line or b"\t" in line:
            return True
    return False


def _first_row(lines: list[str]) -> int:
    """Return where rows of equally many numbers begin, -1 where they do not."""
    run = count = 0
    for index, line in enumerate(lines):
        fields = len(line.split()) if _NUMBERS.fullmatch(line) else 0
        if fields < MIN_COLUMNS:
            run = 0
            continue
        run = run + 1 if fields == count else 1
        count = fields
        if run == MIN_ROWS:
            return index - MIN_ROWS + 1
    return -1
