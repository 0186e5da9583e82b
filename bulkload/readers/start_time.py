"""When a test began, of what its rows and its header say of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from bulkload.core.decisions import Decision, DecisionCode
from bulkload.core.text import printable
from bulkload.readers import timestamps as clock
from bulkload.readers.date_order import SettledOrder
from bulkload.readers.reading import Reading, ReadOptions

#: Header field of a time of day without a date, in seconds, until the header's date is known.
CLOCK_FIELD: Final = "start_clock_s"

_ORDERS: Final = {DecisionCode.DAY_FIRST: True, DecisionCode.MONTH_FIRST: False}


def with_start(reading: Reading, options: ReadOptions) -> Reading:
    """Return the reading with its start time in ISO form, or without one that nothing settles."""
    header = dict(reading.header)
    time_of_day = header.pop(CLOCK_FIELD, None)
    start = header.get("start_time")
    decisions: tuple[Decision, ...] = ()
    if start is not None and clock.numbers_of_date(str(start)) is not None:
        order = _order(reading, options, str(start))
        decisions = (_decision(str(start), order),)
        day_first = None if order is None else order.day_first
        header["start_time"] = start = clock.start_of(str(start), day_first=day_first)
    if start is None:
        header.pop("start_time", None)
    elif time_of_day is not None and "T00:00:00" in str(start):
        moment = datetime.fromisoformat(str(start)) + timedelta(seconds=float(time_of_day))
        header["start_time"] = moment.isoformat()
    if header == dict(reading.header) and not decisions:
        return reading
    return replace(reading, header=header, decisions=(*reading.decisions, *decisions))


def _order(reading: Reading, options: ReadOptions, start: str) -> SettledOrder | None:
    """Return the order of the rows, which the same program wrote; else the user's, or a clue's."""
    for decision in reading.decisions:
        if decision.code in _ORDERS:
            return SettledOrder(_ORDERS[decision.code], decision.evidence)
    if options.day_first is not None:
        return SettledOrder(options.day_first, "stated")
    return None if options.clues is None else options.clues.order(start)


def _decision(start: str, order: SettledOrder | None) -> Decision:
    shown = printable(start.strip())
    if order is None:
        return Decision(
            code=DecisionCode.START_TIME_UNDECIDED,
            detail=f"nothing settles which number of {shown!r} in the header is the day: no start "
            "time was taken; state --day-first or --month-first",
            evidence="none",
        )
    name = "day" if order.day_first else "month"
    return Decision(
        code=DecisionCode.DAY_FIRST if order.day_first else DecisionCode.MONTH_FIRST,
        detail=f"the start time {shown!r} of the header has the {name} first ({order.evidence})",
        evidence=order.evidence,
    )
