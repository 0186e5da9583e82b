"""Rows in their order, their dates, and the start of the test."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers import date_order
from bulkload.readers import timestamps as clock
from bulkload.readers.date_order import OpenDates, SettledOrder
from bulkload.readers.dialect import RECORD, TIMESTAMP
from bulkload.readers.instants import running_time, stamps_of
from bulkload.readers.raw_columns import Raw
from bulkload.readers.reading import ReadOptions
from bulkload.readers.start_time import CLOCK_FIELD

#: Seconds of a day.
DAY_S: Final = 86_400.0

_DATES: Final = "timestamps of the rows"

#: How a user settles what nothing in a file does.
_SETTLE: Final = "state --day-first or --month-first"


def put_in_order(raw: Raw) -> None:
    """Sort by the record number where the rows stand out of its order."""
    record = raw.columns.pop(RECORD, None)
    if record is None:
        return
    number = np.asarray(record, dtype=np.float64)
    if np.isnan(number).any() or bool(np.all(np.diff(number) > 0)):
        return
    if len(np.unique(number)) != len(number):
        raw.decide(
            DecisionCode.ROWS_NOT_SORTED,
            "record numbers repeat: the rows were left in the file's order",
            evidence="record number",
        )
        return
    order = np.argsort(number, kind="stable")
    raw.reorder(order)
    raw.decide(
        DecisionCode.ROWS_SORTED,
        "rows were out of order: sorted by the record number",
        evidence="record number",
        rows=int(np.count_nonzero(order != np.arange(len(order)))),
    )


def join_clock(raw: Raw) -> None:
    """Join a column of dates and a column of times of day, in place.

    Loggers write ``05/06/2024`` and ``23:59:50`` into two columns. That the second is a time of
    day is proved where it goes back as the date goes on, and only there; a running time never does.
    """
    dates, time = raw.texts.get(TIMESTAMP), raw.columns.get(terms.TIME)
    if dates is None or time is None or ":" in str(dates[0].as_py()):
        return
    if bool(pc.any(pc.match_substring(dates, ":")).as_py()):
        return
    seconds = np.asarray(time, dtype=np.float64)
    goes_back = np.diff(seconds) < 0.0
    if not goes_back.any() or not bool(((seconds >= 0.0) & (seconds < DAY_S)).all()):
        return
    coded = dates.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    if not bool((np.diff(coded)[goes_back] != 0).all()):
        return
    micros = pa.array(np.round(seconds * 1e6).astype(np.int64)).cast(pa.time64("us"))
    raw.texts[TIMESTAMP] = pc.binary_join_element_wise(dates, micros.cast(pa.string()), " ")
    del raw.columns[terms.TIME]
    raw.decide(
        DecisionCode.TIME_TAKEN,
        "the time of day was joined to the date beside it: it restarts as the date advances",
        evidence="dates of the rows",
        rows=raw.rows,
    )


def settle_dates(raw: Raw, options: ReadOptions) -> None:
    """Settle which number of dates such as 05/06/2024 is the day, and keep it in ``raw``.

    Raises ``UnreadableError`` where time rests on dates that nothing settles.
    """
    stamps = raw.texts.get(TIMESTAMP, raw.texts.get(terms.TIME))
    if stamps is None:
        return
    try:
        running = raw.columns.get(terms.TIME)
        found = date_order.open_dates(
            stamps, None if running is None else np.asarray(running, dtype=np.float64)
        )
        order = _order(raw, options, found) if isinstance(found, OpenDates) else found
    except clock.ClockError:
        # What makes no sense as a date is refused where time rests on it.
        return
    if order is not None:
        raw.day_first = order.day_first
        raw.decide(
            DecisionCode.DAY_FIRST if order.day_first else DecisionCode.MONTH_FIRST,
            f"the dates have the {'day' if order.day_first else 'month'} first ({order.evidence})",
            evidence=order.evidence,
            rows=raw.rows,
        )
    elif isinstance(found, OpenDates):
        raw.has_open_dates = True
        shown = printable(found.first.strip())
        if running_time(raw) is None and not found.is_same:
            raise UnreadableError(
                f"{raw.name}: the time rests on dates such as {shown!r}, and nothing settles which "
                f"number is the day; {_SETTLE}",
                cause="day_or_month",
            )
        raw.decide(
            DecisionCode.START_TIME_UNDECIDED,
            f"nothing settles which number of {shown!r} is the day: no start time was taken from "
            f"the rows; {_SETTLE}",
            evidence="none",
        )


def _order(raw: Raw, options: ReadOptions, dates: OpenDates) -> SettledOrder | None:
    by_rows = date_order.by_rows(dates, running_time(raw))
    if by_rows is not None:
        return by_rows
    if options.day_first is not None:
        return SettledOrder(options.day_first, "stated")
    if raw.dialect.day_first is not None:
        return SettledOrder(raw.dialect.day_first, "dialect")
    return None if options.clues is None else options.clues.order(dates.first)


def start_of_test(raw: Raw) -> dict[str, Any]:
    """Return when the first row was recorded, where its row says so."""
    stamps = None if raw.has_open_dates else stamps_of(raw)
    if stamps is None or not stamps[0].is_valid:
        return {}
    try:
        seconds = clock.timestamps(stamps.slice(0, 1), day_first=raw.day_first)
    except clock.ClockError:
        time_of_day = clock.seconds_of_day(str(stamps[0].as_py()))
        if time_of_day is not None:
            return {CLOCK_FIELD: time_of_day}
        raw.decide(
            DecisionCode.START_TIME_UNDECIDED,
            "timestamps of an unknown form: no start time taken from them",
            evidence=_DATES,
        )
        return {}
    return {"start_time": clock.iso_of(float(seconds[0]))}
