"""Dates in names and cells: what each can be, and which order of day and month is proved.

``03.04.2023`` alone proves nothing. Among names that are written alike one ``17.04.2023`` proves
that the day comes first; so does a date inside a file that only one reading agrees with. Without
proof the order is asked for.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Years that a test of a battery cycler can have, in names of four digits and of two.
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2099
FIRST_SHORT_YEAR: Final = 1995
LAST_SHORT_YEAR: Final = 2030
#: Different dates of two-digit years that must agree on one order before it is believed.
SHORT_YEARS_THAT_PROVE: Final = 3
#: Years over which the tests in a folder spread at most, where only that settles the order.
CLOSE_YEARS: Final = 3


class DateOrder(StrEnum):
    """The order of a date's parts."""

    YMD = "year, month, day"
    DMY = "day, month, year"
    MDY = "month, day, year"


@dataclass(frozen=True, slots=True)
class DateReading:
    """One thing that a date can be."""

    order: DateOrder
    #: ISO 8601, with the time of day where the name states it.
    moment: str

    @property
    def day(self) -> str:
        """The date without the time."""
        return self.moment[:10]


@dataclass(frozen=True, slots=True)
class DateMark:
    """A stretch of text that can be a date."""

    start: int
    end: int
    readings: tuple[DateReading, ...]
    #: Two digits of a year, or six digits: may as well number something.
    is_weak: bool


_MONTHS: Final = {
    **dict.fromkeys(("jan", "january", "januar", "janvier", "enero", "ene", "janv"), 1),
    **dict.fromkeys(("feb", "february", "februar", "février", "fevrier", "febrero", "fév"), 2),
    **dict.fromkeys(("mar", "march", "märz", "maerz", "mrz", "mär", "mars", "marzo"), 3),
    **dict.fromkeys(("apr", "april", "avril", "avr", "abril", "abr"), 4),
    **dict.fromkeys(("may", "mai", "mayo"), 5),
    **dict.fromkeys(("jun", "june", "juni", "juin", "junio"), 6),
    **dict.fromkeys(("jul", "july", "juli", "juillet", "juil", "julio"), 7),
    **dict.fromkeys(("aug", "august", "août", "aout", "agosto", "ago"), 8),
    **dict.fromkeys(("sep", "sept", "september", "septembre", "septiembre"), 9),
    **dict.fromkeys(("oct", "october", "okt", "oktober", "octobre", "octubre"), 10),
    **dict.fromkeys(("nov", "november", "novembre", "noviembre"), 11),
    **dict.fromkeys(("dec", "december", "dez", "dezember", "décembre", "dic", "diciembre"), 12),
}
_MONTH: Final = "(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + ")"
_CLOCK: Final = (
    r"(?:[T_ -]{1,3}(?P<h>[01]\d|2[0-3])(?P<c>[-_:.h])(?P<m>[0-5]\d)(?:(?P=c)(?P<s>[0-5]\d))?"
    r"|[T_-]?(?P<h2>[01]\d|2[0-3])(?P<m2>[0-5]\d)(?P<s2>[0-5]\d))?(?![0-9])"
)
_YEAR_FIRST: Final = re.compile(
    r"(?<![0-9])(?P<y>(?:19|20)\d\d)(?:(?P<a>\d\d)(?P<b>\d\d)"
    r"|(?P<sep>[-_. /])(?P<a1>\d{1,2})(?P=sep)(?P<b1>\d{1,2}))" + _CLOCK
)
_YEAR_LAST: Final = re.compile(
    r"(?<![0-9A-Za-z])(?P<a>\d{1,2})(?P<sep>[-_. /])(?P<b>\d{1,2})(?P=sep)(?P<y>(?:19|20)\d\d)"
    + _CLOCK
)
_EIGHT: Final = re.compile(r"(?<![0-9])(?P<a>\d\d)(?P<b>\d\d)(?P<y>(?:19|20)\d\d)(?![0-9])")
_SHORT: Final = re.compile(
    r"(?<![0-9A-Za-z])(?P<a>\d{1,2})(?P<sep>[-_./])(?P<b>\d{1,2})(?P=sep)(?P<c>\d\d)(?![0-9A-Za-z])"
)
_SIX: Final = re.compile(r"(?<![0-9])(?P<a>\d\d)(?P<b>\d\d)(?P<c>\d\d)(?![0-9])")
_NAMED: Final = (
    re.compile(
        rf"(?<![0-9])(?P<d>\d{{1,2}})\.?[-_. ]?{_MONTH}\.?[-_. ]?(?P<y>(?:19|20)?\d\d)(?![0-9])",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?<![A-Za-z]){_MONTH}\.?[-_. ]?(?P<d>\d{{1,2}})[-_., ]{{1,2}}"
        r"(?P<y>(?:19|20)\d\d)(?![0-9])",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?<![0-9])(?P<y>(?:19|20)\d\d)[-_. ]?{_MONTH}[-_. ]?(?P<d>\d{{1,2}})(?![0-9])",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<y>(?:19|20)\d\d)年(?P<mm>\d{1,2})月(?P<d>\d{1,2})日"),
)


def date_marks(text: str) -> Iterator[DateMark]:
    """Yield what can be a date in a text, strongest forms first; they may overlap."""
    for found in _YEAR_FIRST.finditer(text):
        day = _date(found["y"], found["a"] or found["a1"], found["b"] or found["b1"])
        if day is not None:
            yield _mark(found, [(DateOrder.YMD, day)], is_weak=False)
    for pattern in _NAMED:
        for found in pattern.finditer(text):
            month = found["mm"] if "mm" in pattern.groupindex else _MONTHS[found["month"].lower()]
            day = _date(_century(found["y"]), month, found["d"])
            if day is not None:
                yield _mark(found, [(DateOrder.YMD, day)], is_weak=False)
    for pattern in (_YEAR_LAST, _EIGHT):
        for found in pattern.finditer(text):
            yield from _two_orders(found, is_weak=False)
    for pattern in (_SHORT, _SIX):
        for found in _overlapping(pattern, text):
            yield from _short(found)


def folder_date(year: str, month: str, day: str) -> str | None:
    """Return the day of three folders in a row (2023/03/15) in ISO form, None where it is none."""
    if not (len(year) == 4 and all(part.isdecimal() for part in (year, month, day))):
        return None
    found = _date(year, month, day) if len(month) < 3 and len(day) < 3 else None
    return None if found is None else found.isoformat()


def whole_date(text: str) -> DateMark | None:
    """Return the date that a text is as a whole, None where it is none."""
    stripped = text.strip()
    whole = (
        mark
        for mark in date_marks(stripped)
        if mark.start == 0 and not stripped[mark.end :].strip(" 0:TZ")
    )
    return next(whole, None)


def date_of(text: str, order: DateOrder | None = None) -> str | None:
    """Return the one date that a text is, in ISO 8601, None where it is none.

    ``order`` is that of day and month, where it is declared. Raises ``ValueError`` for a date
    that can be several, with a message that completes the sentence "<text> ...".
    """
    mark = whole_date(text)
    if mark is None:
        return None
    declared = {one.moment for one in mark.readings if one.order is order}
    moments = declared or {one.moment for one in mark.readings}
    if len(moments) > 1:
        named = " or ".join(sorted(moments))
        raise ValueError(f"can be {named}; give --day-first or --month-first")
    return moments.pop()


@dataclass(frozen=True, slots=True)
class DateVerdict:
    """Which order the dates of one group are written in, and why."""

    #: None where the evidence leaves it open.
    order: DateOrder | None
    evidence: str
    is_proved: bool = False
    #: A person has stated it.
    is_declared: bool = False


def settle(
    dates: Sequence[tuple[DateReading, ...]],
    inside: Sequence[Collection[str]] = (),
    *,
    declared: DateOrder | None = None,
    is_weak: bool = False,
) -> DateVerdict:
    """Settle the order of dates that are written alike.

    ``inside`` holds, for each date, the days (ISO) that stand in the file itself. ``is_weak``: the
    form alone does not prove that these are dates at all.
    """
    if not dates:
        return DateVerdict(None, "no dates")
    open_orders = set(DateOrder)
    for readings in dates:
        open_orders &= {reading.order for reading in readings}
    confirmed = _confirmed(dates, inside)
    if confirmed and (not is_weak or sum(confirmed.values()) > 0):
        order, count = confirmed.most_common(1)[0]
        if len(confirmed) == 1 and order in open_orders:
            figure = f"{count} of {len(dates)} agree with a date inside their file"
            return DateVerdict(order, f"{order.value}: {figure}", is_proved=True)
    if not open_orders:
        return DateVerdict(None, "no order of day, month and year fits all dates written like this")
    if declared in open_orders:
        return DateVerdict(
            declared, f"{declared.value}: as declared", is_proved=True, is_declared=True
        )
    if len(open_orders) > 1:
        return _open(dates, open_orders)
    return _only(dates, open_orders.pop(), is_weak=is_weak)


def _only(
    dates: Sequence[tuple[DateReading, ...]], order: DateOrder, *, is_weak: bool
) -> DateVerdict:
    proving = sum(len({reading.day for reading in readings}) == 1 for readings in dates)
    different = len({readings[0].moment for readings in dates})
    figure = f"{proving} of {len(dates)} can only be read so"
    if is_weak and different < SHORT_YEARS_THAT_PROVE:
        return DateVerdict(
            None, f"may be dates ({order.value}), or numbers: {different} different are too few"
        )
    return DateVerdict(order, f"{order.value}: {figure}", is_proved=True)


def _open(dates: Sequence[tuple[DateReading, ...]], orders: Iterable[DateOrder]) -> DateVerdict:
    likely = _of_close_years(dates, set(orders))
    if likely is not None:
        return DateVerdict(likely, f"{likely.value}: only so do the years lie close together")
    named = " or ".join(order.value for order in DateOrder if order in set(orders))
    return DateVerdict(None, f"{named}: {len(dates)} dates, none of which settles it")


def _of_close_years(
    dates: Sequence[tuple[DateReading, ...]], orders: Collection[DateOrder]
) -> DateOrder | None:
    """Return the one order in which dates like 210305 lie within few years, None for none."""
    years = {
        order: {one.moment[:4] for readings in dates for one in readings if one.order is order}
        for order in orders
    }
    if len({readings[0].moment for readings in dates}) < SHORT_YEARS_THAT_PROVE:
        return None
    close = [
        order for order, found in years.items() if int(max(found)) - int(min(found)) <= CLOSE_YEARS
    ]
    return close[0] if len(close) == 1 else None


def _confirmed(
    dates: Sequence[tuple[DateReading, ...]], inside: Sequence[Collection[str]]
) -> Counter[DateOrder]:
    """Count, by order, the dates of which one reading alone stands in the file."""
    found: Counter[DateOrder] = Counter()
    for readings, days in zip(dates, inside, strict=False):
        agreeing = {reading.order for reading in readings if reading.day in days}
        if len(agreeing) == 1 and len({reading.day for reading in readings}) > 1:
            found[agreeing.pop()] += 1
        elif agreeing and len(readings) == 1:
            found[readings[0].order] += 1
    return found


def _overlapping(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    start = 0
    while (found := pattern.search(text, start)) is not None:
        yield found
        start = found.start() + 1


def _two_orders(found: re.Match[str], *, is_weak: bool) -> Iterator[DateMark]:
    days = [
        (DateOrder.DMY, _date(found["y"], found["b"], found["a"])),
        (DateOrder.MDY, _date(found["y"], found["a"], found["b"])),
    ]
    possible = [(order, day) for order, day in days if day is not None]
    if possible:
        yield _mark(found, possible, is_weak=is_weak)


def _short(found: re.Match[str]) -> Iterator[DateMark]:
    a, b, c = found["a"], found["b"], found["c"]
    days = [
        (DateOrder.YMD, _date(_century(a), b, c) if len(a) == 2 else None),
        (DateOrder.DMY, _date(_century(c), b, a)),
        (DateOrder.MDY, _date(_century(c), a, b)),
    ]
    possible = [
        (order, day)
        for order, day in days
        if day is not None and FIRST_SHORT_YEAR <= day.year <= LAST_SHORT_YEAR
    ]
    if possible:
        yield _mark(found, possible, is_weak=True)


def _mark(
    found: re.Match[str], days: Sequence[tuple[DateOrder, dt.date]], *, is_weak: bool
) -> DateMark:
    clock = _clock(found.groupdict())
    readings = tuple(DateReading(order, day.isoformat() + clock) for order, day in days)
    return DateMark(found.start(), found.end(), readings, is_weak)


def _clock(groups: dict[str, str | None]) -> str:
    hour, minute = groups.get("h") or groups.get("h2"), groups.get("m") or groups.get("m2")
    if not hour or not minute:
        return ""
    return f"T{hour}:{minute}:{groups.get('s') or groups.get('s2') or '00'}"


def _century(year: str) -> str:
    if len(year) == 4:
        return year
    return f"20{year}" if int(year) <= LAST_SHORT_YEAR % 100 else f"19{year}"


def _date(year: str, month: str | int, day: str | int) -> dt.date | None:
    try:
        found = dt.date(int(year), int(month), int(day))
    except ValueError:
        return None
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else None
