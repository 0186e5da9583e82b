"""Durations and dates of digits only, read by the columns of their bytes.

Many times quicker than a pattern. What is written in any other way (blanks around it, names of
months, time zones, gaps) is left to the patterns of ``timestamps``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows = slice | npt.NDArray[np.intp]

#: Layouts in one column: numbers without leading zeros differ in their digits.
MAX_LAYOUTS: Final = 32

#: Longest value that is looked at, in characters: its marks are the bits of one number.
MAX_CHARS: Final = 48

#: Shortest date of digits, in characters: ``1/2/2024``.
MIN_DATE_CHARS: Final = 8

#: Digits of one number: more than a thousand years in hours are no test.
MAX_DIGITS: Final = 7

#: Seconds in a unit of each part of a time: hours, minutes, seconds, and their fraction.
_PLACES: Final = (3600.0, 60.0, 1.0, 0.0)

#: What a part of a time of day is at most.
_LIMITS: Final = (24, 59, 60)

_PARTED: Final = frozenset({"--", "//", ".."})
_DURATIONS: Final = frozenset({"::", "::.", "::,"})
_TIMES: Final = frozenset({"", " :", " ::", " ::.", " ::,", "T:", "T::", "T::.", "T::,"})
_DIGIT: Final = re.compile("[0-9]")
_HALVES: Final = frozenset({" AM", " PM"})


@dataclass(frozen=True, slots=True)
class PlainDates:
    """Dates with their numbers in the order in which they are written, each ``(n,)``."""

    numbers: tuple[Ints, Ints, Ints]
    #: ``2024-12-31``; else the year is last.
    is_year_first: bool
    #: ``31.12.2024``: the day is first.
    is_dotted: bool
    seconds_of_day: Floats

    @property
    def is_open(self) -> bool:
        """The form does not tell which number is the day."""
        return not (self.is_year_first or self.is_dotted)

    def seconds(self, *, day_first: bool) -> Floats | None:
        """Return seconds since 1970, ``(n,)``; None where a date does not exist."""
        year, month, day = self.numbers
        if not self.is_year_first:
            month, day, year = self.numbers
            if day_first or self.is_dotted:
                month, day = day, month
        if not bool(((month >= 1) & (month <= 12) & (day >= 1)).all()):
            return None
        months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
        dates = months.astype("datetime64[D]") + (day - 1)
        if bool((dates.astype("datetime64[M]") != months).any()):
            return None
        seconds: Floats = dates.astype(np.int64) * 86_400.0 + self.seconds_of_day
        return seconds


def plain_durations(values: pa.ChunkedArray) -> Floats | None:
    """Read ``12:03:04`` or ``123:03:04.250`` as seconds, None where a value is anything else."""
    if _marks_of_first(values) not in _DURATIONS:
        return None
    seconds = np.empty(len(values))
    layouts = _layouts(values)
    for layout in layouts:
        parts = layout.numbers() if layout.marks in _DURATIONS else None
        if parts is None:
            return None
        seconds[layout.rows] = _summed(parts, layout)
    return seconds if layouts else None


def plain_dates(values: pa.ChunkedArray) -> PlainDates | None:
    """Read ``2024-12-31 10:05:09.250``, ``12/31/2024 1:05 PM`` or ``31.12.2024``.

    Returns None where a value is anything else, or values differ in their form.
    """
    values, is_afternoon = _without_half(values)
    if _marks_of_first(values)[2:] not in _TIMES:
        return None
    numbers = tuple(np.empty(len(values), dtype=np.int64) for _ in range(3))
    of_day = np.zeros(len(values))
    forms = set()
    layouts = _layouts(values)
    for layout in layouts:
        parts = layout.numbers() if layout.marks[2:] in _TIMES else None
        form = _form(layout)
        if parts is None or form is None or not _is_time_of_day(parts[3:]):
            return None
        forms.add(form)
        for number, part in zip(numbers, parts, strict=False):
            number[layout.rows] = part
        of_day[layout.rows] = _summed(parts[3:], layout)
    if len(forms) != 1:
        return None
    if is_afternoon is not None:
        if not bool((of_day < 13 * 3600.0).all()):
            return None
        of_day = of_day % (12 * 3600.0) + 12 * 3600.0 * is_afternoon
    return PlainDates((numbers[0], numbers[1], numbers[2]), *forms.pop(), of_day)


def numbers_in_front(values: pa.ChunkedArray) -> tuple[Ints, Ints] | None:
    """Return the first two numbers of ``12/31/2024``, each ``(n,)``, whatever stands behind them.

    Returns None where a value begins in another way.
    """
    texts = values.combine_chunks()
    if texts.null_count or not pa.types.is_string(texts.type) or not len(texts):
        return None
    offsets, data = _buffers(texts)
    if int(np.diff(offsets).min()) < MIN_DATE_CHARS:
        return None
    digits = data[offsets[:-1, None] + np.arange(5)].T - np.uint8(48)
    is_digit = digits <= 9
    first, second = digits[0].astype(np.int64), digits[1].astype(np.int64)
    # 1/2/, 1/31/, 12/3/ or 12/31/: where the second number begins, and how long it is.
    is_long, begin = is_digit[1], digits[2:].astype(np.int64)
    first = np.where(is_long, first * 10 + second, first)
    tens = np.where(is_long, begin[1], begin[0])
    ones = np.where(is_long, begin[2], begin[1])
    marks = np.where(is_long, is_digit[2], is_digit[1])
    ends = np.where(is_long, is_digit[4], is_digit[3])
    starts = np.where(is_long, is_digit[3], is_digit[2])
    if not bool((is_digit[0] & ~marks & starts).all()):
        return None
    return first, np.where(ends, tens * 10 + ones, tens)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Values with the same marks (what is no digit) in the same places."""

    rows: Rows
    #: Digits as numbers, ``(n, width)``.
    digits: npt.NDArray[np.uint8]
    places: Sequence[int]
    marks: str

    def numbers(self) -> list[Ints] | None:
        """Return the numbers between the marks; None: one has no digit, or too many."""
        ends = [*self.places, self.digits.shape[1]]
        found = []
        for begin, end in zip((0, *(end + 1 for end in ends)), ends, strict=False):
            if not 1 <= end - begin <= MAX_DIGITS:
                return None
            number = np.zeros(len(self.digits), dtype=np.int64)
            for place in range(begin, end):
                number = number * 10 + self.digits[:, place]
            found.append(number)
        return found


def _buffers(texts: pa.StringArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Return where each value begins and ends, ``(n + 1,)``, and the bytes of all."""
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int32)
    data = np.frombuffer(texts.buffers()[2] or b"", dtype=np.uint8)
    return offsets[texts.offset : texts.offset + len(texts) + 1], data


def _marks_of_first(values: pa.ChunkedArray) -> str:
    """Return what is no digit in the first value: most columns of another kind show it there."""
    first = values[0].as_py() if len(values) else None
    return "" if first is None else _DIGIT.sub("", str(first))


def _layouts(values: pa.ChunkedArray) -> list[_Layout]:
    """Sort values out by the places of their marks; nothing for a column that is no plain one."""
    texts = values.combine_chunks()
    if texts.null_count or not pa.types.is_string(texts.type) or not len(texts):
        return []
    offsets, data = _buffers(texts)
    widths = np.diff(offsets)
    different = np.unique(widths)
    if not 1 <= different[0] <= different[-1] <= MAX_CHARS:
        return []
    found: list[_Layout] = []
    for width in different:
        every = len(different) == 1
        rows = np.arange(len(texts)) if every else np.flatnonzero(widths == width)
        if every:
            chars = data[offsets[0] : offsets[-1]].reshape(-1, int(width))
        else:
            chars = data[offsets[rows, None] + np.arange(width)]
        for some in _alike(chars):
            layout = _layout(rows[some], chars[some])
            if layout is None or len(found) == MAX_LAYOUTS:
                return []
            found.append(layout)
    return found


def _alike(chars: npt.NDArray[np.uint8]) -> list[Rows]:
    """Return the rows that have their marks in the same places."""
    is_mark = (chars - np.uint8(48)) > 9
    if bool((is_mark == is_mark[0]).all()):
        return [slice(None)]
    keys = is_mark @ (np.int64(1) << np.arange(chars.shape[1]))
    return [np.flatnonzero(keys == key) for key in np.unique(keys)[: MAX_LAYOUTS + 1]]


def _layout(rows: npt.NDArray[np.intp], chars: npt.NDArray[np.uint8]) -> _Layout | None:
    """Return the layout of such rows; None where their marks differ."""
    digits = chars - np.uint8(48)
    places = np.flatnonzero(digits[0] > 9)
    marks = chars[0, places]
    if not bool((chars[:, places] == marks).all()):
        return None
    return _Layout(rows, digits, places.tolist(), bytes(marks).decode("latin-1"))


def _summed(parts: Sequence[Ints], layout: _Layout) -> Floats:
    """Return the seconds of hours, minutes, seconds and their fraction."""
    total = np.zeros(len(layout.digits))
    for part, unit in zip(parts, _PLACES, strict=False):
        total += part * (unit or 10.0 ** (layout.places[-1] + 1 - layout.digits.shape[1]))
    return total


def _form(layout: _Layout) -> tuple[bool, bool] | None:
    """Tell whether the year is first, and whether points part a date; None: it is no date."""
    marks, first, second = layout.marks[:2], *[*layout.places, 0, 0][:2]
    end = layout.places[2] if len(layout.places) > 2 else layout.digits.shape[1]
    if first == 4 and second - first <= 3 and end - second <= 3 and marks in _PARTED:
        return True, False
    if first <= 2 and second - first <= 3 and end - second == 5 and marks in _PARTED:
        return False, marks == ".."
    return None


def _is_time_of_day(parts: Sequence[Ints]) -> bool:
    return all(bool((part <= most).all()) for part, most in zip(parts, _LIMITS, strict=False))


def _without_half(
    values: pa.ChunkedArray,
) -> tuple[pa.ChunkedArray, npt.NDArray[np.bool_] | None]:
    """Take ``AM`` and ``PM`` off times of day; the second tells which are of the afternoon."""
    first = str(values[0].as_py() or "") if len(values) else ""
    if first[-3:].upper() not in _HALVES:
        return values, None
    halves = pc.utf8_upper(pc.utf8_slice_codeunits(values, -3))
    if not pc.all(pc.is_in(halves, pa.array(sorted(_HALVES))), skip_nulls=False).as_py():
        return values, None
    afternoon = np.asarray(pc.equal(halves, " PM").to_numpy(zero_copy_only=False), dtype=bool)
    return pc.utf8_slice_codeunits(values, 0, -3), afternoon
