"""Rows in their order, and time from zero: by relative column or by dates, clocks put right."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers import timestamps as clock
from bulkload.readers.derive import apart
from bulkload.readers.dialect import RECORD, STEP_TIME, TIMESTAMP
from bulkload.readers.raw_columns import Floats, Raw

#: Timestamps that are read to settle the order of day and month.
DATES_SAMPLED: Final = 64

#: Daylight saving, in seconds; how far from it a jump may be: the time between two rows.
HOUR_S: Final = 3600.0
SLACK_S: Final = 600.0

#: Resolution of dates written to the second, both ends.
CLOCK_STEP_S: Final = 2.0


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
        "rows stood out of order: sorted by the record number",
        evidence="record number",
        rows=int(np.count_nonzero(order != np.arange(len(order)))),
    )


def start_of_test(raw: Raw) -> dict[str, Any]:
    """Return when the first row was recorded, where its row says so."""
    stamps = raw.texts.get(TIMESTAMP)
    if stamps is None or not stamps[0].is_valid:
        return {}
    # A date such as 06/05/2021 is settled by the others of the test: a few of them will do.
    some = np.linspace(0, len(stamps) - 1, min(len(stamps), DATES_SAMPLED)).astype(np.int64)
    dates = [date for date in stamps.take(pa.array(some)).to_pylist() if date is not None]
    try:
        start, remark = clock.first_of(dates, day_first=raw.dialect.day_first)
    except clock.ClockError:
        raw.decide(
            DecisionCode.START_TIME_UNDECIDED,
            "timestamps of an unknown form: no start time taken from them",
            evidence="timestamps of the rows",
        )
        return {}
    if remark:
        raw.decide(_order_code(raw), remark, evidence="none")
    return {"start_time": start}


def set_time(raw: Raw) -> None:
    """Make time run from zero, from the relative column or the timestamps."""
    time = _relative_time(raw)
    time = time - time[0]
    time, moved = apart(time)
    if moved:
        raw.decide(
            DecisionCode.TIMES_SET_APART,
            f"{moved} repeated times set apart by a microsecond",
            evidence="values",
            rows=moved,
        )
    raw.columns[terms.TIME] = time


def _order_code(raw: Raw) -> DecisionCode:
    return DecisionCode.DAY_FIRST if raw.dialect.day_first else DecisionCode.MONTH_FIRST


def _relative_time(raw: Raw) -> Floats:
    relative = raw.columns.get(terms.TIME)
    stamps = raw.texts.get(TIMESTAMP, raw.texts.get(terms.TIME))
    if relative is not None and not (raw.dialect.time_from_timestamps and stamps is not None):
        return np.asarray(relative, dtype=np.float64)
    assert stamps is not None, "one of the two was required"
    try:
        seconds, remark = clock.timestamps(stamps, day_first=raw.dialect.day_first)
    except clock.ClockError as error:
        raise UnreadableError(
            f"{raw.name}: {printable(str(error))!r} is no date and time that is known",
            cause="not_a_timestamp",
        ) from error
    if remark:
        raw.decide(_order_code(raw), remark, evidence="none")
    raw.decide(DecisionCode.TIME_TAKEN, "time from the timestamps", evidence="format")
    return _without_daylight_saving(raw, seconds)


def _without_daylight_saving(raw: Raw, seconds: Floats) -> Floats:
    """Take out the hour that a clock was put back, or forward, in the middle of a test."""
    jump = np.diff(seconds)
    shift = np.zeros_like(seconds)
    for row in np.flatnonzero((jump < -HOUR_S + SLACK_S) & (jump > -HOUR_S - SLACK_S)) + 1:
        shift[row:] += HOUR_S
        raw.decide(
            DecisionCode.CLOCK_CORRECTED,
            f"the clock was put back an hour before row {row}: taken out",
            evidence="timestamps of the rows",
            rows=raw.rows - int(row),
        )
    steps = raw.texts.get(STEP_TIME)
    if steps is not None and (jump > HOUR_S - SLACK_S).any():
        # Put forward: the dates run an hour more than the step's own time.
        ran = np.diff(_step_seconds(steps))
        hour = np.abs(jump - ran - HOUR_S) <= CLOCK_STEP_S
        for row in np.flatnonzero((ran >= 0) & hour) + 1:
            shift[row:] -= HOUR_S
            raw.decide(
                DecisionCode.CLOCK_CORRECTED,
                f"the clock was put forward an hour before row {row}: taken out",
                evidence="step time",
                rows=raw.rows - int(row),
            )
    return seconds + shift


def _step_seconds(steps: pa.ChunkedArray) -> Floats:
    try:
        return clock.durations(steps)
    except clock.ClockError:
        return np.full(len(steps), np.nan)
