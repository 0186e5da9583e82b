"""Local clocks and counts of ticks: to microseconds or seconds of UTC, with whole numbers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.databases.configuration import TICKS_PER_SECOND
from bulkload.errors import UnreadableError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MICROSECONDS: Final = 1_000_000
_OFFSET: Final = re.compile(r"\d\d:\d\d.*(Z|[+-]\d\d(:?\d\d)?)\Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def utc_of_local(values: pa.Array | pa.ChunkedArray, zone: str, what: str) -> pa.ChunkedArray:
    """Return local microseconds as those of UTC.

    Raises ``UnreadableError`` where a local time does not exist or occurs twice: which of the
    two moments it was is not in the database.
    """
    local = pc.cast(values, pa.timestamp("us"))
    early = pc.assume_timezone(local, zone, ambiguous="earliest", nonexistent="earliest")
    late = pc.assume_timezone(local, zone, ambiguous="latest", nonexistent="latest")
    doubtful = pc.not_equal(early, late)
    count = pc.sum(doubtful).as_py() or 0
    if count:
        first = local.filter(doubtful)[0].as_py()
        raise UnreadableError(
            f"{count:,} values of {what} do not exist in {zone} or occur twice there, the first "
            f"{first}: the clock was changed; say in the query which moment is meant",
            cause="ambiguous_local_time",
        )
    return pc.cast(early, pa.int64())


def states_zone(text: str) -> bool:
    """Return whether a date and time ends with its offset from UTC, or with Z."""
    return _OFFSET.search(text) is not None


def moments_of_text(
    values: pa.Array | pa.ChunkedArray, what: str, *, has_zone: bool
) -> pa.ChunkedArray:
    """Return ISO dates and times as microseconds, of UTC where all state their offset.

    Raises ``UnreadableError`` for one that is none, or states its offset and should not.
    """
    try:
        moments = pc.cast(values, pa.timestamp("us", "UTC" if has_zone else None))
        return pc.cast(moments, pa.int64())
    except pa.ArrowInvalid as error:
        raise UnreadableError(
            f"{what} holds what is no date and time of the form 2020-01-31 12:00:00: "
            f"{str(error)[:120]}",
            cause="not_a_timestamp",
        ) from None


def seconds_since(first: int, ticks: Ints, per_second: int) -> Floats:
    """Return the seconds since a tick: the difference is taken before it is a double."""
    return np.asarray((ticks - first) / per_second, dtype=np.float64)


def iso_of_ticks(ticks: int, per_second: int) -> str:
    """Return a count of ticks since 1970 in ISO form, UTC."""
    seconds, rest = divmod(ticks, per_second)
    moment = _EPOCH + timedelta(seconds=seconds, microseconds=rest * MICROSECONDS // per_second)
    return moment.isoformat()


def start_of_value(value: Any, *, zone: str | None, ticks: str | None, what: str) -> str | None:
    """Return one value of a measurements query as a moment in ISO form, None for NULL.

    Raises ``UnreadableError`` for a zero date, a local time without a zone, and what is no date.
    """
    if value is None:
        return None
    if ticks is not None:
        return iso_of_ticks(int(value), TICKS_PER_SECOND[ticks])
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    if isinstance(value, str) and value.startswith("0000-00-00"):
        raise UnreadableError(f"{what} holds a zero date", cause="zero_date")
    text = value.isoformat(" ") if hasattr(value, "isoformat") else str(value)
    try:
        stated = datetime.fromisoformat(text)
    except ValueError:
        raise UnreadableError(
            f"{what} holds {text[:40]!r}, which is no date and time", cause="not_a_timestamp"
        ) from None
    if stated.tzinfo is not None:
        return stated.astimezone(UTC).isoformat()
    if zone is None:
        raise UnreadableError(
            f"{what} holds {text[:40]!r}, a date and time without a zone; state its zone",
            cause="no_zone",
        )
    micros = pa.chunked_array([pa.array([stated], pa.timestamp("us")).cast(pa.int64())])
    return iso_of_ticks(utc_of_local(micros, zone, what)[0].as_py(), MICROSECONDS)
