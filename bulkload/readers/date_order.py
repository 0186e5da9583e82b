"""Dates such as 05/06/2024: which of the two numbers is the day, by all that is known of a file.

Asked in this order: a number above 12 in any row; the running time beside the dates; the order
of the rows and the midnights that pass between them; what the user states; dates of the lines
above the table or of the other sheets; a date in the file's name; other files of the same folder
with the same header. What nothing settles stays open: no start time is taken from such dates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.readers import timestamps as clock
from bulkload.readers.file_kinds import TEXT, WORKBOOK
from bulkload.readers.plain_clock import PlainDates, numbers_in_front, plain_dates
from bulkload.readers.probe import Probe

Floats = npt.NDArray[np.float64]

#: How far the dates may run from the running time: its share, and an hour of daylight saving.
SPAN_SHARE: Final = 0.02
SPAN_SLACK_S: Final = 3700.0

#: A clock that is put back an hour steps back no further than this, in seconds.
MAX_STEP_BACK_S: Final = 7200.0

#: Rows so near to each other, in seconds, go on over midnight where their dates differ.
SHORT_GAP_S: Final = 12 * 3600.0

#: Dates of a column that are looked at before all are.
DATES_SAMPLED: Final = 64

#: Characters of a file above its table, and rows of its other sheets, that are searched.
MAX_CLUE_CHARS: Final = 20_000

#: Other files of the folder that are looked into, and bytes of each from its ends.
MAX_SIBLINGS: Final = 64
SIBLING_BYTES: Final = 64 * 1024

#: A header shorter than this is no proof that two files come from one program, in bytes.
MIN_HEADER_BYTES: Final = 20

_MONTHS: Final = r"(?P<name>[A-Za-z]{3})[a-z]*"
_CLEAR: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<!\d)(?P<y>\d{4})[-/._](?P<m>\d{1,2})[-/._](?P<d>\d{1,2})(?!\d)",
        r"(?<!\d)(?P<y>(?:19|20)\d{2})(?P<m>[01]\d)(?P<d>[0-3]\d)(?=\D|$|\d{4}(?:\D|$)|\d{6}(?:\D|$))",
        rf"(?<!\d)(?P<d>\d{{1,2}})[-_. ]*{_MONTHS}[-_,. ]+(?P<y>\d{{4}})(?!\d)",
        rf"{_MONTHS}[-_. ]+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[-_,. ]+(?P<y>\d{{4}})(?!\d)",
    )
)
#: The numbers of a date at the beginning of a value, whatever stands behind it.
_NUMBERS: Final = re.compile(r"\s*(\d{1,2})[-/](\d{1,2})[-/]\d{4}(?!\d)")
_OPEN: Final = re.compile(r"(?<!\d)(\d{1,2})([-/])(\d{1,2})\2\d{4}(?!\d)")


@dataclass(frozen=True, slots=True)
class SettledOrder:
    """Which number is the day, and what settled it in a few words."""

    day_first: bool
    evidence: str


@dataclass(frozen=True, slots=True)
class OpenDates:
    """The dates of some rows in both readings, where only their order is not known."""

    #: Seconds since 1970 of the rows that matter: the ends, and those beside a change of date.
    month_first: Floats
    day_first: Floats
    #: Places of those rows.
    rows: npt.NDArray[np.int64]
    #: Which of the different dates each of them has.
    day_of_row: npt.NDArray[np.int64]
    #: As the first row has it.
    first: str

    @property
    def is_same(self) -> bool:
        """Both readings have the same time between rows."""
        return bool(np.array_equal(np.diff(self.month_first), np.diff(self.day_first)))


@dataclass(frozen=True)
class DateClues:
    """What a file says of its dates beside its rows."""

    probe: Probe

    def order(self, first: str) -> SettledOrder | None:
        """Return the order that the clues give a date such as 05/06/2024, None where none do."""
        numbers = clock.numbers_of_date(first)
        year = re.search(r"(?<!\d)\d{4}(?!\d)", first)
        if numbers is None or year is None:
            return None
        readings = _both(int(year.group()), *numbers)
        for evidence, texts in (
            ("dates above the table", self._texts()),
            ("date in the file name", (self.probe.content.path.name,)),
        ):
            votes = set(_votes(texts, readings))
            if len(votes) == 1:
                return SettledOrder(votes.pop(), evidence)
        return self._by_siblings()

    def _texts(self) -> Iterator[str]:
        """Yield the lines above the table, or the first cells of every sheet."""
        if self.probe.kind == TEXT:
            headers = self.probe.headers
            end = headers[-1].begin if headers else MAX_CLUE_CHARS
            yield self.probe.text.data[: min(end, MAX_CLUE_CHARS)].decode("utf-8", "replace")
        elif self.probe.kind == WORKBOOK:
            book = self.probe.book
            for sheet in book.names:
                for row in book.head(sheet):
                    yield "\t".join(str(cell) for cell in row if cell != "")[:MAX_CLUE_CHARS]

    def _by_siblings(self) -> SettledOrder | None:
        content = self.probe.content
        if self.probe.kind != TEXT or content.compression is not None or not self.probe.headers:
            return None
        header = self.probe.headers[-1]
        line = self.probe.text.data[header.begin : header.end].strip()
        if len(line) < MIN_HEADER_BYTES:
            return None
        votes = _folder_votes(content.path.parent, content.path.suffix, line)
        return (
            SettledOrder(next(iter(votes)), "other files of the folder")
            if len(votes) == 1
            else None
        )


def open_dates(stamps: pa.ChunkedArray, running: Floats | None) -> OpenDates | SettledOrder | None:
    """Look at a few dates, and at those of all rows where the few settle nothing.

    ``running`` is the running time beside them, where it has been read. Returns None for dates
    whose form says what is what, the order where a number above 12 or the running time between
    the first and the last row settles it, and else both readings. Raises ``ClockError`` for
    dates that no reading fits.
    """
    some = np.linspace(0, len(stamps) - 1, min(len(stamps), DATES_SAMPLED)).astype(np.int64)
    sampled = stamps.take(pa.array(some)).to_pylist()
    numbers = [hit.groups() for text in sampled if text and (hit := _NUMBERS.match(text))]
    if not numbers or _NUMBERS.match(next(text for text in sampled if text)) is None:
        return None
    order = _by_number(*np.array(numbers, dtype=np.int64).T)
    every = None if order is not None or running is None else numbers_in_front(stamps)
    if every is not None and running is not None:
        ends = some[[0, -1]]
        order = _by_number(*every) or by_running_time(_both_readings(stamps, ends, ends), running)
    return order or _all_dates(stamps)


def _by_number(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> SettledOrder | None:
    """Return the order that a number above 12 gives."""
    is_above = bool(first.max() > 12), bool(second.max() > 12)
    if all(is_above):
        raise clock.ClockError("dates of which no number is always a month")
    return SettledOrder(is_above[0], "a number above 12") if any(is_above) else None


def _all_dates(stamps: pa.ChunkedArray) -> OpenDates | SettledOrder | None:
    """Look at the different dates of a column, each once."""
    plain = plain_dates(stamps)
    if plain is not None:
        return _plain_order(stamps, plain)
    coded = pc.utf8_slice_codeunits(pc.utf8_ltrim_whitespace(stamps), 0, 10).combine_chunks()
    coded = coded.dictionary_encode()
    days: dict[tuple[int, int] | None, int] = {}
    of_value = []
    for text in coded.dictionary.to_pylist():
        numbers = clock.numbers_of_date(text.split(" ")[0])
        of_value.append(days.setdefault(numbers, len(days)) if text else -1)
    known = [numbers for numbers in days if numbers is not None]
    if not known or len(known) < len(days):
        return None
    order = _by_number(*np.array(known).T)
    if order is not None or all(a == b for a, b in known):
        return order
    index = coded.indices.fill_null(len(of_value)).to_numpy(zero_copy_only=False)
    date_of_row = np.array([*of_value, -1], dtype=np.int64)[index]
    return _beside_changes(stamps, date_of_row)


def _plain_order(stamps: pa.ChunkedArray, plain: PlainDates) -> OpenDates | SettledOrder | None:
    """Look at the dates of a column that has digits only."""
    first, second, year = plain.numbers
    order = _by_number(first, second)
    if order is not None or bool((first == second).all()):
        return order
    return _beside_changes(stamps, (year * 100 + first) * 100 + second)


def _beside_changes(stamps: pa.ChunkedArray, date_of_row: npt.NDArray[np.int64]) -> OpenDates:
    """Return both readings of the rows beside a change of date; negative: no date there."""
    valid = np.flatnonzero(date_of_row >= 0)
    change = np.flatnonzero(np.diff(date_of_row[valid])) + 1
    places = np.unique(np.concatenate(([0, len(valid) - 1], change - 1, change)))
    return _both_readings(stamps, valid[places], date_of_row[valid[places]])


def _both_readings(
    stamps: pa.ChunkedArray, rows: npt.NDArray[np.int64], day_of_row: npt.NDArray[np.int64]
) -> OpenDates:
    some = stamps.take(pa.array(rows))
    return OpenDates(
        month_first=clock.timestamps(some, day_first=False),
        day_first=clock.timestamps(some, day_first=True),
        rows=rows,
        day_of_row=day_of_row,
        first=str(some[0].as_py()),
    )


def by_running_time(dates: OpenDates, running: Floats) -> SettledOrder | None:
    """Settle the order by the running time between the first and the last of the rows."""
    both = {False: dates.month_first, True: dates.day_first}
    ran = float(running[dates.rows[-1]] - running[dates.rows[0]])
    slack = max(SPAN_SHARE * ran, SPAN_SLACK_S)
    found = _only({d: abs(s[-1] - s[0] - ran) <= slack for d, s in both.items()})
    return None if found is None else SettledOrder(found, "running time")


def by_rows(dates: OpenDates, running: Floats | None) -> SettledOrder | None:
    """Settle the order by the running time beside the dates, or by the rows themselves."""
    found = None if running is None else by_running_time(dates, running)
    if found is not None:
        return found
    both = {False: dates.month_first, True: dates.day_first}
    steps = {day_first: np.diff(seconds) for day_first, seconds in both.items()}
    forward = {d: bool((step > -MAX_STEP_BACK_S).all()) for d, step in steps.items()}
    way = _only(forward)
    if way is not None:
        return SettledOrder(way, "order of the rows")
    # The rows on both sides of each change of date: in the wrong reading a month lies between.
    changes = np.diff(dates.day_of_row) != 0
    near = {d: int(np.count_nonzero(step[changes] <= SHORT_GAP_S)) for d, step in steps.items()}
    way = _only({d: count > 0 for d, count in near.items()})
    if way is not None and 2 * near[way] >= np.count_nonzero(changes):
        return SettledOrder(way, "midnights between the rows")
    return None


def _only(holds: dict[bool, bool]) -> bool | None:
    """Return the one of two readings for which something holds, None where it is both or none."""
    if holds[True] == holds[False]:
        return None
    return bool(holds[True])


def _both(year: int, first: int, second: int) -> dict[bool, date | None]:
    return {
        day_first: _date(year, month, day)
        for day_first, month, day in ((False, first, second), (True, second, first))
    }


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _votes(texts: Iterable[str], readings: dict[bool, date | None]) -> Iterator[bool]:
    """Yield an order for each clear date that is one reading, and each open one above 12."""
    for text in texts:
        for clear in _clear_dates(text):
            fitting = [d for d, found in readings.items() if found and abs(found - clear) <= _DAY]
            if len(fitting) == 1:
                yield fitting[0]
        yield from _order_votes(text)


#: A test that begins before midnight may name the day after.
_DAY: Final = timedelta(days=1)


def _clear_dates(text: str) -> Iterator[date]:
    for pattern in _CLEAR:
        for hit in pattern.finditer(text):
            parts = hit.groupdict()
            name = (parts.get("name") or "").lower()
            if name and name not in clock.MONTHS:
                continue
            month = clock.MONTHS.index(name) + 1 if name else int(parts["m"])
            found = _date(int(parts["y"]), month, int(parts["d"]))
            if found is not None:
                yield found


def _order_votes(text: str) -> Iterator[bool]:
    for hit in _OPEN.finditer(text):
        first, second = int(hit[1]), int(hit[3])
        if first > 12 >= second or second > 12 >= first:
            yield first > 12


@lru_cache(16)
def _folder_votes(folder: Path, suffix: str, header: bytes) -> frozenset[bool]:
    """Return the orders that the dates of other files with this header have."""
    votes: set[bool] = set()
    try:
        names = sorted(path for path in folder.iterdir() if path.suffix == suffix)
    except OSError:
        return frozenset()
    for path in names[:MAX_SIBLINGS]:
        text = _ends(path)
        if header in text:
            votes.update(_order_votes(text.decode("latin-1")))
    return frozenset(votes)


def _ends(path: Path) -> bytes:
    """Return the beginning and the end of a file; nothing of what is no readable file."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            head = file.read(SIBLING_BYTES)
            file.seek(max(SIBLING_BYTES, path.stat().st_size - SIBLING_BYTES))
            return head + file.read(SIBLING_BYTES)
    except OSError:
        return b""
