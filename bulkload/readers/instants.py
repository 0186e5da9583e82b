"""The time of each row, by the clock of the file that serves best."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers import clocks
from bulkload.readers import timestamps as clock
from bulkload.readers.decimal_marks import strict_number
from bulkload.readers.derive import apart
from bulkload.readers.dialect import EPOCH, SECOND_TIME, STEP_TIME, TIMESTAMP
from bulkload.readers.raw_columns import Floats, Raw
from bulkload.readers.table_source import as_floats
from bulkload.readers.units import split_heading

#: Spans of the running time that are held against the dates, and what of them is a pause, in s.
SPANS: Final = 32
MIN_PAUSE_S: Final = 60.0

#: How far two columns of the same time may be apart, in s: one may be rounded.
TWIN_SLACK_S: Final = 1.0

_DATES: Final = "timestamps of the rows"

#: Words by which a column calls itself the time of the test, not of a step.
_TEST_WORDS: Final = frozenset({"test", "total", "cumulative", "run", "running", "prog"})


def set_time(raw: Raw) -> None:
    """Make time run from zero, by the clock that serves best.

    Raises ``UnreadableError`` where no clock runs on, or the best is coarser than the sampling.
    """
    same_step = _same_step(raw)
    time = _instants(raw, same_step)
    _refuse_disorder(raw, time)
    repeated = clocks.repeats(time, same_step)
    if clocks.is_too_coarse(repeated, raw.rows) and _leave_out_doubled(raw, time):
        set_time(raw)
        return
    if clocks.is_too_coarse(repeated, raw.rows):
        time = _told_apart(raw, time, same_step, repeated)
        repeated = clocks.repeats(time, same_step)
    time, moved = apart(time - time[0])
    if moved:
        raw.decide(
            DecisionCode.TIMES_SET_APART,
            f"{moved} repeated times set apart by a microsecond ({repeated} within a step)",
            evidence="values",
            rows=moved,
        )
    raw.columns[terms.TIME] = time


def _refuse_disorder(raw: Raw, time: Floats) -> None:
    """Refuse rows that stand in no order: what follows from the rows before would be wrong."""
    back = int(np.count_nonzero(np.diff(time) < 0.0))
    if back > max(clocks.MAX_REPEATS, clocks.MAX_BACK_SHARE * raw.rows):
        raise UnreadableError(
            f"{raw.name}: the time goes back in {back:,} of {raw.rows:,} rows, more than "
            f"{clocks.MAX_BACK_SHARE:.0%}, and no record number orders them; sort the rows by "
            "time, or export the test again",
            cause="rows_out_of_order",
        )


def _leave_out_doubled(raw: Raw, time: Floats) -> bool:
    """Leave out rows that say in all columns what the row before says; tell whether any did.

    Only where all rows with the time of the row before are such: else its clock is coarse.
    """
    repeated = np.diff(time) == 0.0
    same = repeated.copy()
    for values in raw.columns.values():
        same &= (values[1:] == values[:-1]) | (
            (values[1:] != values[1:]) & (values[:-1] != values[:-1])
        )
    for texts in raw.texts.values():
        text = pc.fill_null(texts, "")
        equal = pc.equal(text.slice(1), text.slice(0, len(text) - 1))
        same &= np.asarray(equal.to_numpy(zero_copy_only=False), dtype=bool)
    if not np.array_equal(same, repeated):
        return False
    mask = np.concatenate(([False], same))
    raw.leave_out(mask, "rows that repeat the row before in every column", evidence="values")
    return True


def _same_step(raw: Raw) -> clocks.Flags:
    """Return for each row but the first whether it goes on with the step of the row before."""
    step = raw.columns.get(terms.STEP_FROM_CYCLER)
    if step is None:
        return np.ones(max(0, raw.rows - 1), dtype=bool)
    return np.asarray(step[1:] == step[:-1], dtype=bool)


def _told_apart(raw: Raw, time: Floats, same_step: clocks.Flags, repeated: int) -> Floats:
    """Place the rows that a coarse clock repeats by the time within their step."""
    steps = raw.postponed_text(STEP_TIME)
    own = None if steps is None else _durations(steps)
    if own is not None and np.isfinite(own).all() and not clocks.is_whole(own):
        begins = np.concatenate(([True], ~same_step))
        finer = clocks.within_steps(time, own, begins)
        if finer is not None and not clocks.is_too_coarse(
            clocks.repeats(finer, same_step), raw.rows
        ):
            raw.decide(
                DecisionCode.TIME_TAKEN,
                "time within each step from the step's own, which is finer; where each step begins "
                "from the coarser clock",
                evidence="resolution",
                rows=raw.rows,
            )
            return finer
    raise UnreadableError(
        f"{raw.name}: {repeated:,} of {raw.rows:,} rows have the time of the row before within a "
        f"step, more than {clocks.MAX_REPEAT_SHARE:.0%}: its clock is coarser than the sampling; "
        "export it with a time that has fractions of a second",
        cause="time_too_coarse",
    )


def stamps_of(raw: Raw) -> pa.ChunkedArray | None:
    """Return the dates of the rows, as text or as seconds since 1970."""
    epoch = raw.columns.get(EPOCH)
    if epoch is not None:
        return pa.chunked_array([pa.array(epoch, pa.float64(), from_pandas=True)])
    return raw.texts.get(TIMESTAMP, raw.texts.get(terms.TIME))


def _instants(raw: Raw, same_step: clocks.Flags) -> Floats:
    """Weigh the running time and the dates, and return the better."""
    stamps = stamps_of(raw)
    if terms.TIME in raw.postponed and stamps is not None and not raw.has_open_dates:
        dates = _seconds(raw, stamps)
        if dates is not None and bool((np.diff(dates) >= 0.0).all()):
            return _by_dates(raw, dates)
    running = _running(raw)
    if running is None:
        if stamps is None:
            raise UnreadableError(
                f"{raw.name}: its only time restarts in the middle: it is a step's or a cycle's "
                "own, not the test's; export it with the total time or with dates",
                cause="missing_column",
            )
        return _by_dates(
            raw,
            _known_seconds(raw, stamps),
            why="the only clock in the table",
            evidence="columns of the file",
        )
    if stamps is None or raw.has_open_dates:
        return running
    if raw.dialect.time_from_timestamps:
        return _counting_pauses(raw, running, stamps)
    if clocks.is_too_coarse(clocks.repeats(running, same_step), raw.rows):
        dates = _seconds(raw, stamps)
        if dates is not None and clocks.repeats(dates, same_step) < clocks.repeats(
            running, same_step
        ):
            return _by_dates(raw, dates, why="the finer clock", evidence="resolution")
    _report_pauses(raw, running, stamps)
    return running


def running_time(raw: Raw) -> Floats | None:
    """Return the running time of the file, read now where it was postponed."""
    if terms.TIME not in raw.columns:
        text = raw.postponed_text(terms.TIME)
        if text is None:
            return None
        raw.columns[terms.TIME] = _durations(text)
    return np.asarray(raw.columns[terms.TIME], dtype=np.float64)


def _running(raw: Raw) -> Floats | None:
    """Return the running time, None if it is missing or starts anew."""
    running = running_time(raw)
    if running is None or np.isnan(running).any():
        return running
    _compare_twins(raw, running)
    places = clocks.restarts(running)
    column = raw.match.of(terms.TIME)
    name = column.name if column else terms.TIME
    is_named = not _TEST_WORDS.isdisjoint(split_heading(name).base.split())
    if not places or (is_named and stamps_of(raw) is None):
        # A column that calls itself the test's is kept as recorded: validation names its disorder.
        return running
    raw.decide(
        DecisionCode.TIME_TAKEN,
        f"{printable(name)!r} restarts in {places} places: it is not the time of the test",
        evidence="monotony",
        rows=places,
    )
    return None


def _compare_twins(raw: Raw, running: Floats) -> None:
    """Refuse a table whose two columns of the time disagree."""
    second = raw.columns.get(SECOND_TIME)
    if second is None:
        return
    twin = np.asarray(second, dtype=np.float64)
    apart = np.abs((twin - twin[0]) - (running - running[0]))
    if float(np.nanmax(apart)) > TWIN_SLACK_S:
        row = int(np.nanargmax(apart))
        raise UnreadableError(
            f"{raw.name}: two columns state the time in different units and are {apart[row]:.6g} s "
            f"apart in row {row + 1} (at most {TWIN_SLACK_S:g} s may lie between); remove one",
            cause="duplicate_column",
        )


def _counting_pauses(raw: Raw, running: Floats, stamps: pa.ChunkedArray) -> Floats:
    """Take the dates, or the running time where it is finer, with the pauses of the dates."""
    dates = _seconds(raw, stamps)
    if dates is None:
        return running
    goes_on = bool((np.diff(running) >= 0.0).all())
    is_finer = not clocks.is_whole(running)
    if not goes_on or (not is_finer and bool((np.diff(dates) >= 0.0).all())):
        return _by_dates(raw, dates)
    found = clocks.jumps(running, dates)
    raw.decide(
        DecisionCode.TIME_TAKEN,
        "time from the running time of the test, which "
        + ("has fractions of a second" if is_finer else "runs on where the dates step back"),
        evidence="resolution" if is_finer else "monotony",
        rows=raw.rows,
    )
    for row, seconds in found.hours.items():
        _decide_hour(raw, row, "forward" if seconds > 0 else "back", "running time")
    if found.pauses:
        total = sum(found.pauses.values())
        raw.decide(
            DecisionCode.PAUSES_ADDED,
            f"{len(found.pauses)} pause(s) of {total:,.0f} s together added by the dates",
            evidence=_DATES,
            rows=len(found.pauses),
        )
    return clocks.with_pauses(running, found.pauses)


def _report_pauses(raw: Raw, running: Floats, stamps: pa.ChunkedArray) -> None:
    """State where the dates run on and the running time, which is kept, stands still.

    A few spans are looked at first: the dates need not be read where they say the same.
    """
    rows = np.unique(np.linspace(0, raw.rows - 1, SPANS + 1).astype(np.int64))
    some = _seconds(raw, stamps.take(pa.array(rows)))
    if some is None or not (np.diff(some) - np.diff(running[rows]) > MIN_PAUSE_S).any():
        return
    dates = _seconds(raw, stamps)
    if dates is None:
        return
    pauses = [s for s in clocks.jumps(running, dates).pauses.values() if s > MIN_PAUSE_S]
    if pauses:
        raw.decide(
            DecisionCode.PAUSES_LEFT_OUT,
            f"the dates run on in {len(pauses)} pause(s) of {sum(pauses):,.0f} s together in which "
            "the test time stands still: the test time was kept",
            evidence=_DATES,
            rows=len(pauses),
        )


def _seconds(raw: Raw, stamps: pa.ChunkedArray) -> Floats | None:
    """Read dates, None for what is none."""
    try:
        return clock.timestamps(stamps, day_first=raw.day_first)
    except clock.ClockError:
        return None


def _known_seconds(raw: Raw, stamps: pa.ChunkedArray) -> Floats:
    """Read dates that there is no other time beside."""
    try:
        return clock.timestamps(stamps, day_first=raw.day_first)
    except clock.ClockError as error:
        raise UnreadableError(
            f"{raw.name}: {printable(str(error))!r} is not a known form of date and time",
            cause="not_a_timestamp",
        ) from error


def _by_dates(
    raw: Raw,
    seconds: Floats,
    *,
    why: str = "as the manufacturer's own tables have it",
    evidence: str = "format",
) -> Floats:
    raw.decide(
        DecisionCode.TIME_TAKEN,
        f"time from the timestamps, {why}",
        evidence=evidence,
        rows=raw.rows,
    )
    seconds = _without_daylight_saving(raw, seconds)
    seconds, held = clocks.without_slips(seconds)
    if held:
        raw.decide(
            DecisionCode.CLOCK_CORRECTED,
            f"the clock stepped back a second or two before {held} rows: they were held",
            evidence=_DATES,
            rows=held,
        )
    return seconds


def _without_daylight_saving(raw: Raw, seconds: Floats) -> Floats:
    """Take out the hour that a clock was put back, or forward, in the middle of a test."""
    jump = np.diff(seconds)
    shift = np.zeros_like(seconds)
    hour, slack = clocks.HOUR_S, clocks.SLACK_S
    for row in np.flatnonzero((jump < -hour + slack) & (jump > -hour - slack)) + 1:
        shift[row:] += hour
        _decide_hour(raw, int(row), "back", _DATES)
    steps = raw.postponed_text(STEP_TIME) if (jump > hour - slack).any() else None
    if steps is not None:
        # Put forward: the dates run an hour more than the step's own time.
        ran = np.diff(_durations(steps))
        is_hour = np.abs(jump - ran - hour) <= clocks.CLOCK_STEP_S
        for row in np.flatnonzero((ran >= 0) & is_hour) + 1:
            shift[row:] -= hour
            _decide_hour(raw, int(row), "forward", "step time")
    return seconds + shift


def _decide_hour(raw: Raw, row: int, way: str, evidence: str) -> None:
    raw.decide(
        DecisionCode.CLOCK_CORRECTED,
        f"the clock was put {way} an hour before row {row}: taken out",
        evidence=evidence,
        rows=raw.rows - row,
    )


def _durations(texts: pa.ChunkedArray) -> Floats:
    """Read durations, or seconds as numbers; what is neither is not a number."""
    try:
        return clock.durations(texts)
    except clock.ClockError:
        numbers = strict_number(texts)
        return np.full(len(texts), np.nan) if numbers is None else as_floats(numbers)
