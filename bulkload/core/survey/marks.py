"""What a name's own form shows: dates, temperatures, rates, channels, parts, marks of copies.

A component of a path is looked at by itself; what only the comparison with its siblings settles
(the order of day and month, whether ``10C`` is a rate or a temperature) is left open here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bulkload.core.survey.dates import DateReading, date_marks

#: Temperatures of a battery test in °C: colder or hotter is another number.
MIN_TEMPERATURE_C: Final = -60.0
MAX_TEMPERATURE_C: Final = 150.0
#: Below it a whole number before a lone ``C`` is a rate, at or above the other a temperature. What
#: lies between (``5C``, ``10C``) is open until its siblings settle it.
SURE_RATE_BELOW: Final = 5.0
SURE_TEMPERATURE_FROM: Final = 15.0


class MarkKind(StrEnum):
    """What a mark is."""

    DATE = "date"
    TEMPERATURE = "temperature"
    RATE = "rate"
    #: A number before a lone ``C``: rate or temperature.
    RATE_OR_TEMPERATURE = "rate or temperature"
    #: A number after a lone ``T``: a temperature or the number of a test.
    MAYBE_TEMPERATURE = "perhaps a temperature"
    CHANNEL = "channel"
    PART = "part"
    COPY = "copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A stretch of a name that its form explains."""

    kind: MarkKind
    start: int
    end: int
    text: str
    #: A temperature in °C, the number of a part, or the number before a lone ``C``.
    number: float | None = None
    #: Of a date: what it can be, by the order of day, month and year.
    readings: tuple[DateReading, ...] = ()
    #: Its form alone does not prove it.
    is_weak: bool = False


_NUMBER: Final = r"\d{1,3}(?:[.,p]\d{1,2})?"
_HYPHENS: Final = "-−"  # noqa: RUF001
_LEFT: Final = r"(?<![A-Za-z0-9])"
_RIGHT: Final = r"(?![A-Za-z0-9])"
_MINUS: Final = r"(?P<minus>[-−]|[Mm]inus[ _-]?|[Nn]eg[ _-]?|(?-i:[mn])(?=\d))?"  # noqa: RUF001
_DEGREES: Final = re.compile(
    rf"(?<![0-9.,A-SU-Za-su-z]){_MINUS}(?P<number>{_NUMBER})[ _]?"
    r"(?:°[ _]?C?|º[ _]?C|℃|deg(?:rees?)?[ _]?C?|grad[ _]?C?|celsius|oC)(?![a-z])",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(
    rf"{_LEFT}(?:temp(?:eratur[ea]?)?|t(?:amb)?=|tamb|T_?(?=-?\d+C(?![A-Za-z0-9])))[ _=-]?{_MINUS}"
    rf"(?P<number>{_NUMBER})(?:[ _]?[°º]?C)?{_RIGHT}",
    re.IGNORECASE,
)
#: T25, T_25: temperatures at which cells are tested; T1, T2, T3 are tests.
_LONE_T: Final = re.compile(rf"{_LEFT}T[_ =]?(?P<minus>-|m)?(?P<number>\d{{1,2}}){_RIGHT}")
_USUAL_C: Final = frozenset((*range(-40, 85, 5), 23))
_LONE_C: Final = re.compile(rf"(?<![A-Za-z0-9.,]){_MINUS}(?P<number>{_NUMBER})[ ]?C{_RIGHT}")
_LONG_DIVISOR: Final = re.compile(
    rf"{_LEFT}C(?:[/_-]|by|over)?(?P<number>[1-9]\d{{0,2}}){_RIGHT}", re.IGNORECASE
)
_CHANNEL: Final = re.compile(
    rf"{_LEFT}(?:channel|chan|chl|ch|kanal|canal|voie|通道)[ _.#-]?"
    rf"(?P<id>\d{{1,4}}(?:[-_.]\d{{1,4}}){{0,3}}){_RIGHT}",
    re.IGNORECASE,
)
#: EC-Lab ends the names of its files with the channel.
_ECLAB_CHANNEL: Final = re.compile(rf"(?<=_)C(?P<id>[01]\d){_RIGHT}(?=$|_loop)")
_PART: Final = re.compile(
    rf"{_LEFT}(?:part|pt|teil|partie|parte|fortsetzung|cont(?:inued)?|suite|部分|续)"
    rf"[ _.#-]?(?P<number>\d{{1,3}}){_RIGHT}|{_LEFT}(?P<of>\d{{1,2}})of\d{{1,2}}{_RIGHT}",
    re.IGNORECASE,
)
_COPY: Final = re.compile(
    r"(?:[ _-]+(?:copy|kopie|copie|copia|副本)(?:[ _]?\(?\d{1,2}\)?)?"
    r"|^(?:copy of|kopie von|copie de|copia de)[ _]|[ _]?\(\d{1,2}\)|[ _-]+(?:backup|bak|dup))"
    r"(?=$|[ _.-])",
    re.IGNORECASE,
)


def marks(component: str) -> tuple[Mark, ...]:
    """Return the marks of one component of a path (a file's name without its ending).

    They do not overlap and stand in their order; where two could, the one proved by more wins.
    """
    taken: list[Mark] = []
    for find in _FINDERS:
        for mark in find(component):
            if all(mark.end <= other.start or mark.start >= other.end for other in taken):
                taken.append(mark)
    return tuple(sorted(taken, key=lambda mark: mark.start))


def temperature_of(text: str) -> float | None:
    """Return the temperature in °C that a field of a layout states, None where it is none.

    A bare number is one: the layout has said that it is a temperature.
    """
    bare = re.fullmatch(
        rf"{_MINUS}(?P<number>{_NUMBER})(?:[ _]?(?:°C?|º?C|℃|deg(?:ree)?s?[ _]?C?))?",
        text.strip(),
        re.IGNORECASE,
    )
    if bare is None:
        return None
    value = _signed(bare)
    return value if MIN_TEMPERATURE_C <= value <= MAX_TEMPERATURE_C else None


def _signed(found: re.Match[str]) -> float:
    value = float(found["number"].replace(",", ".").replace("p", "."))
    return -value if found["minus"] else value


def _dates(component: str) -> Iterator[Mark]:
    for found in date_marks(component):
        text = component[found.start : found.end]
        yield Mark(
            kind=MarkKind.DATE, start=found.start, end=found.end, text=text,
            readings=found.readings, is_weak=found.is_weak,
        )  # fmt: skip


def _temperatures(component: str) -> Iterator[Mark]:
    for pattern in (_DEGREES, _NAMED):
        for found in pattern.finditer(component):
            yield from _temperature(component, found)


def _temperature(component: str, found: re.Match[str]) -> Iterator[Mark]:
    value, start, is_weak = _signed(found), found.start(), False
    sign = found.start("number") - 1
    # A hyphen after a letter or digit is a separator as often as a sign.
    if sign > 0 and component[sign] in _HYPHENS and component[sign - 1].isalnum():
        value, start = abs(value), sign + 1
        is_weak = not _separates(component, sign)
    if MIN_TEMPERATURE_C <= value <= MAX_TEMPERATURE_C:
        yield Mark(
            kind=MarkKind.TEMPERATURE, start=start, end=found.end(), number=value,
            text=component[start : found.end()], is_weak=is_weak,
        )  # fmt: skip


def _separates(component: str, sign: int) -> bool:
    """Return whether a name uses the hyphen as its separator at another place too."""
    rest = component[:sign] + component[sign + 1 :]
    return "_" not in rest and re.search(r"\w-\w", rest) is not None


def _lone_c(component: str) -> Iterator[Mark]:
    for found in _LONE_C.finditer(component):
        value = _signed(found)
        is_whole = value.is_integer() and "p" not in found["number"]
        if 0 < value < SURE_RATE_BELOW or not is_whole:
            kind = MarkKind.RATE
        elif value >= SURE_TEMPERATURE_FROM or value <= 0:
            yield from _temperature(component, found)
            continue
        else:
            kind = MarkKind.RATE_OR_TEMPERATURE
        yield Mark(
            kind=kind, start=found.start("number"), end=found.end(), number=abs(value),
            text=component[found.start("number") : found.end()],
        )  # fmt: skip
    for found in _LONG_DIVISOR.finditer(component):
        yield Mark(
            kind=MarkKind.RATE, start=found.start(), end=found.end(), text=found[0],
            number=1 / float(found["number"]), is_weak=True,
        )  # fmt: skip


def _lone_t(component: str) -> Iterator[Mark]:
    for found in _LONE_T.finditer(component):
        value = _signed(found)
        if value in _USUAL_C:
            yield Mark(
                kind=MarkKind.MAYBE_TEMPERATURE, start=found.start(), end=found.end(), number=value,
                text=found[0],
            )  # fmt: skip


def _channels(component: str) -> Iterator[Mark]:
    for pattern in (_CHANNEL, _ECLAB_CHANNEL):
        for found in pattern.finditer(component):
            yield Mark(
                kind=MarkKind.CHANNEL, start=found.start(), end=found.end(),
                text="-".join(str(int(part)) for part in re.split("[-_.]", found["id"])),
            )  # fmt: skip


def _parts(component: str) -> Iterator[Mark]:
    for found in _PART.finditer(component):
        number = float(found["number"] or found["of"])
        yield Mark(
            kind=MarkKind.PART, start=found.start(), end=found.end(), text=found[0], number=number
        )


def _copies(component: str) -> Iterator[Mark]:
    for found in _COPY.finditer(component):
        yield Mark(kind=MarkKind.COPY, start=found.start(), end=found.end(), text=found[0])


_FINDERS: Final[tuple[Callable[[str], Iterator[Mark]], ...]] = (
    _dates, _temperatures, _channels, _parts, _copies, _lone_c, _lone_t,
)  # fmt: skip
