"""Text to numbers: strict, and with decimal and grouping marks decided by evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from bulkload.errors import UnreadableError

#: Evidence in one value. A value such as ``1,234`` fits a decimal comma as well as a grouped
#: thousand and is evidence for neither.
_DECIMAL_MARK: Final = (
    r"^[-+]?(\d{{1,3}}({group}\d{{3}})+{mark}\d*|\d*{mark}\d{{0,2}}|\d*{mark}\d{{4,}}"
    r"|\d{{4,}}{mark}\d*|0\d*{mark}\d*|\d{{1,3}}({group}\d{{3}}){{2,}})$"
    r"|^[-+]?\d*{mark}\d+[eE][-+]?\d+$"
)
_COMMA_IS_DECIMAL: Final = _DECIMAL_MARK.format(mark=",", group=r"\.")
_DOT_IS_DECIMAL: Final = _DECIMAL_MARK.format(mark=r"\.", group=",")
#: What cyclers write where there is no value.
_NO_VALUE: Final = r"^-{0,3}$"

_EITHER: Final = r"^[-+]?\d{1,3}[.,]\d{3}$"

#: The same in the fields of a delimited text: a number that proves its mark, and one that does not.
_PROOF: Final = (
    r"[-+]?(?:\d{{1,3}}(?:{group}\d{{3}})+{mark}\d*|\d{{1,3}}(?:{group}\d{{3}}){{2,}}"
    r"|0\d*{mark}\d*|\d{{4,}}{mark}\d*|\d*{mark}(?:\d{{0,2}}|\d{{4,}}|\d+[eE][-+]?\d+))"
)
_NO_PROOF: Final = r"[-+]?\d{{1,3}}{mark}\d{{3}}"

#: Bytes of a text in which a proof is looked for before it is in all.
FIRST_BYTES: Final = 64 * 1024


def strict_number(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Cast text to float64 where every value is a number or empty; None where one is not."""
    trimmed = blank_to_null(values)
    try:
        return pc.cast(trimmed, pa.float64())
    except pa.ArrowInvalid:
        return None


def blank_to_null(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Trim, and make empty text null."""
    trimmed = pc.utf8_trim_whitespace(values)
    return pc.if_else(pc.equal(trimmed, ""), None, trimmed)


def decide_decimal(columns: Mapping[str, pa.ChunkedArray], name: str) -> str:
    """Return the decimal mark that the values of these columns prove, or refuse.

    The mark is one for the whole file: one clear value settles all the unclear ones.
    """
    comma = _first_match(columns, _COMMA_IS_DECIMAL)
    dot = _first_match(columns, _DOT_IS_DECIMAL)
    if comma and dot:
        raise UnreadableError(
            f"{name}: decimal marks disagree: {comma[1]!r} in {comma[0]!r} has a decimal comma, "
            f"{dot[1]!r} in {dot[0]!r} a decimal point; export the file again",
            cause="mixed_decimal_marks",
        )
    if comma:
        return ","
    unclear = _first_match(columns, _EITHER)
    if dot or not unclear:
        return "."
    raise UnreadableError(
        f"{name}: {unclear[1]!r} in column {unclear[0]!r} may be a decimal comma or a grouped "
        "thousand, and no other value settles it; state `decimal` in a dialect file",
        cause="ambiguous_decimal",
    )


def is_settled(columns: Mapping[str, pa.ChunkedArray]) -> bool:
    """Return whether a value of these columns proves its decimal mark."""
    return any(_first_match(columns, mark) for mark in (_COMMA_IS_DECIMAL, _DOT_IS_DECIMAL))


def either_mark(values: pa.ChunkedArray) -> tuple[str, str] | None:
    """Return the mark of the first value that does not prove what it is, and that value."""
    hit = _first_match({"": values}, _EITHER)
    return None if hit is None else ("," if "," in hit[1] else ".", hit[1])


def has_open_mark(data: bytes, begin: int, delimiter: str) -> bool:
    """Return whether numbers of a delimited text have a mark and none proves what it is."""
    marks = [mark for mark in ".," if data.find(mark.encode(), begin) >= 0]
    head = data.rfind(b"\n", begin, begin + FIRST_BYTES) + 1
    for end in (head, len(data)):
        if any(_field(_PROOF, mark, delimiter).search(data, begin, end) for mark in marks):
            return False
    return any(_field(_NO_PROOF, mark, delimiter).search(data, begin) for mark in marks)


@lru_cache
def _field(number: str, mark: str, delimiter: str) -> re.Pattern[bytes]:
    """Return the pattern of a field that is such a number, in quotation marks or not."""
    group = "," if mark == "." else "."
    pattern = number.format(mark=re.escape(mark), group=re.escape(group))
    ends = '"' if delimiter == mark else f'"{delimiter}\r\n'
    begin = f"(?:^|[{ends}])" if delimiter != mark else f"[{ends}]"
    end = f"(?=[{ends}]|$)" if delimiter != mark else f"(?=[{ends}])"
    return re.compile(f"(?m){begin} *{pattern} *{end}".encode())


def _first_match(columns: Mapping[str, pa.ChunkedArray], pattern: str) -> tuple[str, str] | None:
    for name, values in columns.items():
        trimmed = pc.utf8_trim_whitespace(values)
        hit = pc.index(pc.match_substring_regex(trimmed, pattern), value=True).as_py()
        if hit >= 0:
            return name, str(trimmed[hit].as_py())
    return None


def parse_numbers(values: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray:
    """Cast text to float64 with this decimal mark; grouping must be well formed.

    Dashes in the place of a number are null. Raises ``ValueError`` with the first value that is
    no number.
    """
    trimmed = pc.utf8_trim_whitespace(values)
    trimmed = pc.if_else(pc.match_substring_regex(trimmed, _NO_VALUE), None, trimmed)
    group = "." if decimal == "," else ","
    dot = r"\." if decimal == "." else ","
    grouped = r"\." if group == "." else ","
    well_formed = rf"^[-+]?\d{{1,3}}({grouped}\d{{3}})+({dot}\d*)?$"
    is_grouped = pc.match_substring_regex(trimmed, well_formed)
    plain = pc.if_else(is_grouped, pc.replace_substring(trimmed, group, ""), trimmed)
    stray = pc.match_substring(plain, group)
    if pc.any(stray).as_py():
        raise ValueError(str(trimmed[pc.index(stray, value=True).as_py()].as_py()))
    pointed = plain if decimal == "." else pc.replace_substring(plain, ",", ".")
    try:
        return pc.cast(pointed, pa.float64())
    except pa.ArrowInvalid as error:
        raise ValueError(first_non_number(pointed)) from error


def first_non_number(values: pa.ChunkedArray) -> str:
    """Find the first value that does not cast: only called when a cast of all has failed."""
    for value in values:
        try:
            pc.cast(value, pa.float64())
        except pa.ArrowInvalid:
            return str(value.as_py())
    return ""


def whole_to_int(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cast to int64 where every value is whole; otherwise return the values as they are."""
    try:
        return pc.cast(values, pa.int64(), safe=True)
    except pa.ArrowInvalid:
        return values
