"""Durations and timestamps, as cyclers write them, to seconds."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.readers.plain_clock import plain_dates, plain_durations

Floats = npt.NDArray[np.float64]

_DURATION: Final = (
    r"^\s*(?:(?P<d>\d+)\s*(?:days?,?|[d.-])\s*|:(?P<e>\d+):)?"
    r"(?P<h>\d+):(?P<m>\d+):(?P<s>\d+(?:[.,]\d*)?)\s*$"
)

#: The same with the days written as ``0d``: quicker, as nothing in it is optional.
_DAYS: Final = r"^\s*(?P<d>\d+)d\s*(?P<h>\d+):(?P<m>\d+):(?P<s>\d+(?:\.\d*)?)\s*$"

_TIME: Final = (
    r"(?:[ T]+(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{1,2}(?:[.,]\d*)?))?\s*(?P<half>[AaPp][Mm])?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?)?\s*$"
)
_YEAR_FIRST: Final = r"^\s*(?P<y>\d{4})[-/.](?P<a>\d{1,2})[-/.](?P<b>\d{1,2})" + _TIME
_YEAR_LAST: Final = r"^\s*(?P<a>\d{1,2})[-/](?P<b>\d{1,2})[-/](?P<y>\d{4})" + _TIME
_DOTTED: Final = r"^\s*(?P<b>\d{1,2})\.(?P<a>\d{1,2})\.(?P<y>\d{4})" + _TIME
_NAMED: Final = r"^\s*(?P<b>\d{1,2})[- ](?P<name>[A-Za-z]{3})[a-z]*[- ](?P<y>\d{2,4}),?" + _TIME

_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")

#: The same for one value, in the order in which they are tried.
_SINGLE_OPEN: Final = re.compile(_YEAR_LAST)
_SINGLE: Final = (*map(re.compile, (_YEAR_FIRST, _DOTTED, _NAMED)), _SINGLE_OPEN)

_HAN_DATE: Final = r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日\s*"

MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)

#: Day zero of spreadsheets and Access databases.
_SHEET_EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)

#: Days since then that a timestamp of a battery test can be: 1982 to 2119.
_SHEET_DAYS: Final = (30_000.0, 80_000.0)

#: Seconds since 1970 that it can be: 1982 to 2119.
_UNIX_SECONDS: Final = (3.8e8, 4.7e9)


#: So many dates are read one by one.
FEW_VALUES: Final = 100

#: The day 1 January 1970, counted from the year 1.
_UNIX_DAY: Final = date(1970, 1, 1).toordinal()

#: Longest date and time that is looked at, in characters.
MAX_DATE_CHARS: Final = 64


class ClockError(ValueError):
    """A value that is not a duration or timestamp; the argument is the value."""


def durations(values: pa.ChunkedArray) -> Floats:
    """Read ``1:02:03.5``, ``0d 01:02:03`` or ``:0:01:02:03`` as seconds."""
    plain = plain_durations(values)
    if plain is not None:
        return plain
    try:
        parts = _parts(values, _DAYS)
        days = _floats(parts, "d")
    except ClockError:
        parts = _parts(values, _DURATION)
        days = np.nan_to_num(_floats(parts, "d")) + np.nan_to_num(_floats(parts, "e"))
    return (
        days * 86400.0
        + _floats(parts, "h") * 3600.0
        + _floats(parts, "m") * 60.0
        + _floats(parts, "s")
    )


def looks_like_duration(value: str) -> bool:
    """Return whether a value is a duration of hours, minutes and seconds."""
    return re.match(_DURATION.replace("(?P<", "(?P<x"), value) is not None


def looks_like_timestamp(value: str) -> bool:
    """Return whether a value is a date and time of day."""
    return any(re.match(p, value) for p in (_YEAR_FIRST, _YEAR_LAST, _DOTTED, _NAMED))


def timestamps(values: pa.ChunkedArray, *, day_first: bool = False) -> Floats:
    """Read dates and times, or seconds since 1970, as seconds since 1970; zone-less ones as UTC.

    ``day_first`` orders dates such as 05/06/2024, and is not asked for others.
    """
    if pa.types.is_floating(values.type):
        return np.asarray(values.to_numpy(), dtype=np.float64)
    if len(values) and "年" in str(values[0].as_py()):
        values = _western(values)
    if len(values) <= FEW_VALUES:
        few = _few(values, day_first=day_first)
        if few is not None:
            return few
    # Arrow reads ISO's own form quicker than it is cut by its bytes.
    iso = _iso(values) if _ISO.match(str(values[0].as_py())) else None
    if iso is not None:
        return iso
    plain = plain_dates(values)
    if plain is not None:
        seconds = plain.seconds(day_first=day_first)
        if seconds is None:
            raise ClockError(str(values[0].as_py()))
        return seconds
    return _by_pattern(values, day_first=day_first)


def _western(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write ``2024年6月5日 10:00`` as ``2024-6-5 10:00``."""
    plain = pc.replace_substring_regex(values, _HAN_DATE, r"\1-\2-\3 ")
    return pc.utf8_trim_whitespace(plain)


def _by_pattern(values: pa.ChunkedArray, *, day_first: bool) -> Floats:
    first = next((text for value in values if (text := value.as_py())), "")
    if re.match(_DOTTED, first):
        parts = _parts(values, _DOTTED)
        return _epoch(parts, _floats(parts, "a"), _floats(parts, "b"))
    if re.match(_NAMED, first):
        parts = _parts(values, _NAMED)
        return _epoch(parts, _month_numbers(parts), _floats(parts, "b"))
    if re.match(_YEAR_LAST, first):
        parts = _parts(values, _YEAR_LAST)
        month, day = ("b", "a") if day_first else ("a", "b")
        return _epoch(parts, _floats(parts, month), _floats(parts, day))
    iso = _iso(values)
    if iso is not None:
        return iso
    if re.match(_YEAR_FIRST, first):
        parts = _parts(values, _YEAR_FIRST)
        return _epoch(parts, _floats(parts, "a"), _floats(parts, "b"))
    return _numeric(values, first)


def _few(values: pa.ChunkedArray, *, day_first: bool) -> Floats | None:
    """Read a few dates one by one: quicker than by columns."""
    seconds = []
    for text in values.to_pylist():
        moment = _moment(text, day_first=day_first) if text else None
        if moment is None:
            return None
        seconds.append(moment)
    return np.array(seconds, dtype=np.float64)


def numbers_of_date(value: str) -> tuple[int, int] | None:
    """Return the two numbers of a date of undecided order; None for other dates."""
    hit = re.match(_YEAR_LAST, value[:MAX_DATE_CHARS])
    return None if hit is None else (int(hit["a"]), int(hit["b"]))


def start_of(value: str, *, day_first: bool | None = None) -> str | None:
    """Return one timestamp in ISO form, None where it is none.

    A date such as 05/06/2024 is one where ``day_first`` is known, or one number is above 12.
    """
    moment = _moment(re.sub(_HAN_DATE, r"\1-\2-\3 ", value), day_first=day_first)
    return None if moment is None else iso_of(moment)


def _moment(value: str, *, day_first: bool | None) -> float | None:
    """Return one timestamp in seconds since 1970, None where it is none."""
    value = value[:MAX_DATE_CHARS]
    for pattern in _SINGLE:
        hit = pattern.match(value)
        if hit is None:
            continue
        swapped = False
        if pattern is _SINGLE_OPEN:
            first, second = int(hit["a"]), int(hit["b"])
            if first <= 12 and second <= 12 and first != second and day_first is None:
                return None
            swapped = first > 12 or (second <= 12 and day_first is True)
        return _single(hit, swapped=swapped)
    return None


def seconds_of_day(value: str) -> float | None:
    """Return a bare time of day such as ``11:40:45`` in seconds, None where it is none."""
    hit = re.match(r"^\s*\d{1,2}:\d{2}", value[:MAX_DATE_CHARS]) and re.match(
        _TIME.replace("[ T]+", r"\s*"), value[:MAX_DATE_CHARS]
    )
    if not hit or hit["h"] is None or int(hit["h"]) > 23:
        return None
    return _seconds_of(hit, int(hit["h"]), hit["half"])


def _single(hit: re.Match[str], *, swapped: bool) -> float | None:
    """Return one timestamp of its parts, None where no such day or hour exists."""
    parts = hit.groupdict()
    name = (parts.get("name") or "").lower()
    month = MONTHS.index(name) + 1 if name in MONTHS else int(parts.get("a") or 0)
    day = int(parts["b"])
    month, day = (day, month) if swapped else (month, day)
    year = int(parts["y"])
    try:
        days = date(year + 2000 * (year < 100), month, day).toordinal() - _UNIX_DAY
    except ValueError:
        return None
    seconds = _seconds_of(hit, int(parts["h"] or 0), parts["half"])
    if seconds is None:
        return None
    zone = _zone(parts["zone"]).total_seconds() if parts["zone"] else 0.0
    return days * 86400.0 + seconds - zone


def _seconds_of(hit: re.Match[str], hour: int, half: str | None) -> float | None:
    """Return the second of its day of a time, None where no such hour exists."""
    if half:
        hour = hour % 12 + 12 * (half.lower() == "pm")
    if hour > 23:
        return None
    second = float((hit["s"] or "0").replace(",", "."))
    return hour * 3600.0 + int(hit["mi"] or 0) * 60.0 + round(second, 6)


def _zone(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta(0)
    digits = zone[1:].replace(":", "")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -ahead if zone[0] == "-" else ahead


def iso_of(seconds: float) -> str:
    """Return seconds since 1970 in ISO form, in UTC."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(seconds, 6))).isoformat()


def sheet_days(days: float) -> str | None:
    """Return the days of a spreadsheet or Access database in ISO form."""
    if not _SHEET_DAYS[0] < days < _SHEET_DAYS[1]:
        return None
    return (_SHEET_EPOCH + timedelta(seconds=round(days * 86400.0, 3))).isoformat()


def _iso(values: pa.ChunkedArray) -> Floats | None:
    try:
        stamps = pc.cast(pc.utf8_trim_whitespace(values), pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None
    micros = pc.cast(stamps, pa.int64()).to_numpy(zero_copy_only=False)
    return np.asarray(micros, dtype=np.float64) / 1e6


def _numeric(values: pa.ChunkedArray, first: str) -> Floats:
    try:
        numbers = np.asarray(pc.cast(values, pa.float64()).to_numpy(), dtype=np.float64)
    except pa.ArrowInvalid as error:
        raise ClockError(first) from error
    known = numbers[np.isfinite(numbers)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    if _SHEET_DAYS[0] < low <= high < _SHEET_DAYS[1]:
        # A day in float64 is good to microseconds: what lies below is noise.
        return np.round((numbers - 25569.0) * 86400.0, 3)
    if _UNIX_SECONDS[0] < low <= high < _UNIX_SECONDS[1]:
        return numbers
    if _UNIX_SECONDS[0] < low / 1e3 <= high / 1e3 < _UNIX_SECONDS[1]:
        return numbers / 1e3
    raise ClockError(first)


def _parts(values: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    filled = pc.if_else(pc.equal(pc.utf8_trim_whitespace(values), ""), None, values)
    parts = pc.extract_regex(filled, pattern)
    bad = pc.and_(pc.is_null(parts), pc.is_valid(filled))
    if pc.any(bad).as_py():
        raise ClockError(str(values[pc.index(bad, value=True).as_py()].as_py()))
    return parts


def _floats(parts: pa.ChunkedArray, name: str) -> Floats:
    text = pc.struct_field(parts, name)
    try:
        number = pc.cast(text, pa.float64())
    except pa.ArrowInvalid:
        # Decimal commas, or a part that is not there.
        text = pc.replace_substring(text, ",", ".")
        number = pc.cast(pc.if_else(pc.equal(text, ""), None, text), pa.float64())
    return np.asarray(number.to_numpy(), dtype=np.float64)


def _month_numbers(parts: pa.ChunkedArray) -> Floats:
    names = pc.utf8_lower(pc.struct_field(parts, "name"))
    number = pc.cast(pc.index_in(names, pa.array(MONTHS)), pa.float64())
    if number.null_count > names.null_count:
        raise ClockError(str(names[0].as_py()))
    return np.asarray(number.to_numpy(), dtype=np.float64) + 1.0


def _epoch(parts: pa.ChunkedArray, month: Floats, day: Floats) -> Floats:
    """Seconds since 1970 of a civil date and time (the proleptic Gregorian calendar)."""
    if np.nanmax(month) > 12 or np.nanmin(month) < 1 or np.nanmax(day) > 31:
        raise ClockError("a date with a month or day that does not exist")
    year = _floats(parts, "y")
    year = np.where(year < 100, year + 2000, year)
    shifted = year - (month <= 2)
    era = np.floor(shifted / 400)
    of_era = shifted - era * 400
    day_of_year = np.floor((153 * (month + np.where(month > 2, -3, 9)) + 2) / 5) + day - 1
    day_of_era = of_era * 365 + np.floor(of_era / 4) - np.floor(of_era / 100) + day_of_year
    days = era * 146097 + day_of_era - 719468
    return np.asarray(days * 86400.0 + _seconds_of_day(parts), dtype=np.float64)


def _seconds_of_day(parts: pa.ChunkedArray) -> Floats:
    hour = np.nan_to_num(_floats(parts, "h"))
    half = np.asarray(pc.utf8_lower(pc.struct_field(parts, "half")).to_numpy(zero_copy_only=False))
    hour = np.where(half == "pm", hour % 12 + 12, np.where(half == "am", hour % 12, hour))
    minute, second = np.nan_to_num(_floats(parts, "mi")), np.nan_to_num(_floats(parts, "s"))
    if max(hour.max(initial=0) - 24, minute.max(initial=0) - 59, second.max(initial=0) - 61) > 0:
        raise ClockError("a time of day that does not exist")
    return hour * 3600.0 + minute * 60.0 + second - _zone_seconds(parts)


def _zone_seconds(parts: pa.ChunkedArray) -> Floats | float:
    zones = pc.struct_field(parts, "zone")
    distinct = [zone for zone in pc.unique(zones).to_pylist() if zone and zone != "Z"]
    if not distinct:
        return 0.0
    shift = np.zeros(len(zones))
    for zone in distinct:
        seconds = _zone(zone).total_seconds()
        shift[np.asarray(pc.equal(zones, zone).to_numpy(zero_copy_only=False), dtype=bool)] = (
            seconds
        )
    return shift
