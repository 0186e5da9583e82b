"""From a dialect's raw columns to an Ionworks table: the same road for every cycler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core import terms
from bulkload.errors import UnreadableError
from bulkload.readers import clock
from bulkload.readers import dialect as vocabulary
from bulkload.readers.content import printable
from bulkload.readers.derive import FRAME, apart, complete
from bulkload.readers.dialect import REQUIRED, UNITS_OF, Dialect, Kind, Match, Matched, match
from bulkload.readers.grid import Grid, as_floats
from bulkload.readers.metadata import grouped, merged
from bulkload.readers.numerals import strict_number
from bulkload.readers.series import Reading, ReadOptions
from bulkload.readers.sign import settle
from bulkload.readers.units import UNITS, conversion

Values = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float64]

MODE_COLUMN: Final = "Mode from cycler"

#: Largest voltage of a cell or small pack whose header states no unit, in V.
MAX_UNSTATED_VOLTAGE: Final = 100.0

#: How far above the specification's window an unstated voltage may lie.
MAX_WINDOW_FACTOR: Final = 10.0

#: Timestamps that are read to settle the order of day and month.
DATES_SAMPLED: Final = 64

#: Daylight saving, in seconds; how far from it a jump may be: the time between two rows.
HOUR_S: Final = 3600.0
SLACK_S: Final = 600.0

#: Resolution of dates written to the second, both ends.
CLOCK_STEP_S: Final = 2.0

_COUNTED: Final = (terms.STEP_FROM_CYCLER, terms.CYCLE_FROM_CYCLER)


@dataclass
class Raw:
    """What a dialect's columns hold, before anything is derived from them."""

    name: str
    dialect: Dialect
    match: Match
    columns: dict[str, Values]
    texts: dict[str, pa.ChunkedArray]
    #: As what each target was read.
    kinds: Mapping[str, Kind]
    remarks: list[str] = field(default_factory=list)
    #: Targets whose unit the header does not state and the data have proved.
    proved: set[str] = field(default_factory=set)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter((self.columns or self.texts).values())))

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Keep these rows only."""
        self.reorder(np.flatnonzero(mask))

    def reorder(self, index: npt.NDArray[np.intp]) -> None:
        """Take these rows in this order."""
        self.columns = {name: values[index] for name, values in self.columns.items()}
        self.texts = {name: values.take(pa.array(index)) for name, values in self.texts.items()}


def read_grid(
    grid: Grid,
    dialect: Dialect,
    name: str,
    options: ReadOptions,
    prepare: Callable[[Raw], None] | None = None,
) -> Reading:
    """Read a table in this dialect. ``prepare`` adjusts the raw columns where a format needs it."""
    raw = _raw(grid, dialect, name)
    if prepare is not None:
        prepare(raw)
    _leave_out_messages(raw)
    _require(raw, options)
    _leave_out_gaps(raw)
    _cut_counts(raw)
    _put_in_order(raw)
    header = _start(raw)
    _set_time(raw)
    _check_plausible(raw, options)
    mode = raw.texts.get(vocabulary.MODE)
    # Infinities in a file are its own: they go through, and validation names them.
    with np.errstate(all="ignore"):
        settled = settle(raw.columns, mode, dialect.sign)
        raw.columns[terms.CURRENT] = settled.current
        raw.remarks.append(settled.statement)
        if dialect.keep_mode and mode is not None:
            raw.columns[FRAME] = frames(mode)
        complete(raw.columns)
    return Reading(
        table=_table(raw),
        header=merged(header, grouped({"cycler": dialect.cycler})),
        dialect=dialect.name,
        remarks=tuple(dict.fromkeys((*raw.match.remarks, *raw.remarks))),
        facts=dict(grid.facts),
    )


def _raw(grid: Grid, dialect: Dialect, name: str) -> Raw:
    found = match(grid.names, grid.units, dialect)
    kinds = {column.index: _kind(column, grid) for column in found.columns}
    others = [i for i in range(len(grid.names)) if i not in kinds] if dialect.keep_others else []
    fetched = _fetched(grid, kinds, others)
    read_as = {column.target: kinds[column.index] for column in found.columns}
    raw = Raw(name=name, dialect=dialect, match=found, columns={}, texts={}, kinds=read_as)
    for column in found.columns:
        values = fetched[column.index]
        if kinds[column.index] is Kind.NUMBER:
            raw.columns[column.target] = _converted(raw, column, as_floats(values))
        elif kinds[column.index] is Kind.DURATION:
            raw.columns[column.target] = _durations(raw, column, values)
        else:
            raw.texts[column.target] = values
    for index in others:
        _keep(raw, grid.names[index], fetched[index])
    return raw


def _fetched(
    grid: Grid, kinds: Mapping[int, Kind], others: Sequence[int]
) -> Mapping[int, pa.ChunkedArray]:
    """Fetch the columns; those that no rule names as numbers, or as text where one is none."""
    try:
        return grid.fetch({**kinds, **dict.fromkeys(others, Kind.NUMBER)})
    except UnreadableError:
        if not others:
            raise
        return grid.fetch({**kinds, **dict.fromkeys(others, Kind.TEXT)})


def _keep(raw: Raw, name: str, column: pa.ChunkedArray) -> None:
    """Keep a column that no rule names: as numbers where all its values are."""
    is_text = pa.types.is_string(column.type)
    values = strict_number(column) if is_text else column
    if values is None:
        raw.texts[name] = column
    elif name and name not in raw.columns:
        raw.columns[name] = as_floats(values)


def _kind(column: Matched, grid: Grid) -> Kind:
    """Tell by its first value whether a duration is a number, hours and minutes, or a date."""
    if column.kind is not Kind.DURATION:
        return column.kind
    sample = grid.sample(column.index)
    if clock.looks_like_duration(sample):
        return Kind.DURATION
    return Kind.TIMESTAMP if clock.looks_like_timestamp(sample) else Kind.NUMBER


def _durations(raw: Raw, column: Matched, values: pa.ChunkedArray) -> Floats:
    try:
        return clock.durations(values)
    except clock.ClockError as error:
        raise UnreadableError(
            f"{raw.name}: {printable(str(error))!r} in column {printable(column.name)!r} is no "
            "duration of hours, minutes and seconds",
            cause="not_a_duration",
        ) from error


def _converted(raw: Raw, column: Matched, values: Floats) -> Floats:
    """Bring numbers to the Ionworks unit of their target."""
    base = UNITS_OF.get(column.target, column.target)
    if column.unit is None:
        return values
    step = conversion(base, column.unit)
    if step is None and base not in UNITS:
        return values
    if step is None:
        raise UnreadableError(
            f"{raw.name}: unit {printable(column.unit)!r} of column {printable(column.name)!r} is "
            f"not known for {base!r}; describe the column in a dialect file",
            cause="unknown_unit",
        )
    if step.scale != 1.0:
        values = values * step.scale
    return values if step.shift == 0.0 else values + step.shift


def _leave_out_messages(raw: Raw) -> None:
    mode = raw.texts.get(vocabulary.MODE)
    if mode is None or not raw.dialect.message_modes:
        return
    message = pc.is_in(pc.utf8_trim_whitespace(mode), pa.array(sorted(raw.dialect.message_modes)))
    flags = np.asarray(message.to_numpy(zero_copy_only=False), dtype=bool)
    if flags.any():
        raw.remarks.append(f"left out {int(flags.sum())} message rows of the mode column")
        raw.keep(~flags)


def _require(raw: Raw, options: ReadOptions) -> None:
    """Refuse a table without what a time series cannot be without."""
    has_time = (
        terms.TIME in raw.columns
        or {
            terms.TIME,
            vocabulary.TIMESTAMP,
        }
        & raw.texts.keys()
    )
    lacking = [name for name in (terms.VOLTAGE, terms.CURRENT) if name not in raw.columns]
    if not has_time:
        lacking.append(terms.TIME)
    if lacking:
        wanted = " and ".join(repr(name) for name in lacking)
        raise UnreadableError(
            f"{raw.name}: no column for {wanted} in this {raw.dialect.cycler} file; export it "
            "with that column, or describe the columns in a dialect file",
            cause="missing_column",
        )
    for target in REQUIRED:
        column = raw.match.of(target)
        if column is None or column.unit is not None or target in raw.proved:
            continue
        if raw.kinds[target] is Kind.NUMBER:
            raise UnreadableError(
                f"{raw.name}: column {printable(column.name)!r} states no unit; describe it in a "
                "dialect file",
                cause="unknown_unit",
            )
    if options.data_type == "eis" and terms.FREQUENCY not in raw.columns:
        raise UnreadableError(
            f"{raw.name}: stated as impedance data, but it has no frequency column",
            cause="missing_column",
        )


def _leave_out_gaps(raw: Raw) -> None:
    """Leave out rows without a voltage or a current: they are no samples."""
    gap = np.zeros(raw.rows, dtype=bool)
    for name in (terms.VOLTAGE, terms.CURRENT):
        gap |= np.isnan(np.asarray(raw.columns[name], dtype=np.float64))
    if gap.all():
        raise UnreadableError(
            f"{raw.name}: no row has both a voltage and a current", cause="no_rows"
        )
    if gap.any():
        raw.remarks.append(f"left out {int(gap.sum())} rows without a voltage or current")
        raw.keep(~gap)


def _cut_counts(raw: Raw) -> None:
    """Cut step and cycle numbers to whole ones, as the vendor's reader does, and say so."""
    for name in _COUNTED:
        values = raw.columns.get(name)
        if values is None:
            continue
        numbers = np.asarray(values, dtype=np.float64)
        whole = np.trunc(numbers)
        if not np.array_equal(numbers, whole, equal_nan=True):
            raw.columns[name] = whole
            raw.remarks.append(f"{name!r} held numbers that are not whole: cut to whole ones")


def _put_in_order(raw: Raw) -> None:
    """Sort by the record number where the rows stand out of its order."""
    record = raw.columns.pop(vocabulary.RECORD, None)
    if record is None:
        return
    number = np.asarray(record, dtype=np.float64)
    if np.isnan(number).any() or bool(np.all(np.diff(number) > 0)):
        return
    if len(np.unique(number)) != len(number):
        raw.remarks.append("record numbers repeat: the rows were left in the file's order")
        return
    raw.reorder(np.argsort(number, kind="stable"))
    raw.remarks.append("rows stood out of order: sorted by the record number")


def _start(raw: Raw) -> dict[str, Any]:
    """Return when the first row was recorded, where its row says so."""
    stamps = raw.texts.get(vocabulary.TIMESTAMP)
    if stamps is None or not stamps[0].is_valid:
        return {}
    # A date such as 06/05/2021 is settled by the others of the test: a few of them will do.
    some = np.linspace(0, len(stamps) - 1, min(len(stamps), DATES_SAMPLED)).astype(np.int64)
    try:
        seconds, remark = clock.timestamps(
            stamps.take(pa.array(some)), day_first=raw.dialect.day_first
        )
    except clock.ClockError:
        raw.remarks.append("timestamps of an unknown form: no start time taken from them")
        return {}
    if remark:
        raw.remarks.append(remark)
    return {"start_time": clock.iso_of(float(seconds[0]))}


def _set_time(raw: Raw) -> None:
    """Make time run from zero, from the relative column or the timestamps."""
    time = _relative_time(raw)
    time = time - time[0]
    time, moved = apart(time)
    if moved:
        raw.remarks.append(f"{moved} repeated times set apart by a microsecond")
    raw.columns[terms.TIME] = time


def _relative_time(raw: Raw) -> Floats:
    relative = raw.columns.get(terms.TIME)
    stamps = raw.texts.get(vocabulary.TIMESTAMP, raw.texts.get(terms.TIME))
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
        raw.remarks.append(remark)
    raw.remarks.append("time from the timestamps")
    return _without_daylight_saving(raw, seconds)


def _without_daylight_saving(raw: Raw, seconds: Floats) -> Floats:
    """Take out the hour that a clock was put back, or forward, in the middle of a test."""
    jump = np.diff(seconds)
    shift = np.zeros_like(seconds)
    for row in np.flatnonzero((jump < -HOUR_S + SLACK_S) & (jump > -HOUR_S - SLACK_S)) + 1:
        shift[row:] += HOUR_S
        raw.remarks.append(f"the clock was put back an hour before row {row}: taken out")
    steps = raw.texts.get(vocabulary.STEP_TIME)
    if steps is not None and (jump > HOUR_S - SLACK_S).any():
        # Put forward: the dates run an hour more than the step's own time.
        ran = np.diff(_step_seconds(steps))
        hour = np.abs(jump - ran - HOUR_S) <= CLOCK_STEP_S
        for row in np.flatnonzero((ran >= 0) & hour) + 1:
            shift[row:] -= HOUR_S
            raw.remarks.append(f"the clock was put forward an hour before row {row}: taken out")
    return seconds + shift


def _step_seconds(steps: pa.ChunkedArray) -> Floats:
    try:
        return clock.durations(steps)
    except clock.ClockError:
        return np.full(len(steps), np.nan)


def _check_plausible(raw: Raw, options: ReadOptions) -> None:
    """Where nobody states the voltage's unit, values must be those of a cell in V."""
    column = raw.match.of(terms.VOLTAGE)
    if column is None or column.is_stated:
        return
    typical = float(np.nanmedian(np.abs(np.asarray(raw.columns[terms.VOLTAGE], dtype=np.float64))))
    limit = MAX_UNSTATED_VOLTAGE
    if options.voltage_window is not None:
        limit = min(limit, MAX_WINDOW_FACTOR * max(map(abs, options.voltage_window)))
    if typical > limit:
        raise UnreadableError(
            f"{raw.name}: voltages around {typical:.6g} in a column that states no unit cannot "
            "be V for this cell; state the unit in a dialect file",
            cause="implausible_unit",
        )


def frames(mode: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Give each run of a sub-procedure a number: P then S calls one, O returns from it."""
    codes = [str(code or "") for code in mode.to_pylist()]
    numbers = np.zeros(len(codes), dtype=np.int64)
    markers = [index for index, code in enumerate(codes) if code in {"P", "S", "O"}]
    stack, started = [0], 0
    skip = -1
    for index in markers:
        if index == skip:
            continue
        if codes[index] == "P" and codes[index + 1 : index + 2] == ["S"]:
            started += 1
            stack.append(started)
            skip = index + 1
            numbers[index + 2 :] = started
        elif codes[index] == "O" and len(stack) > 1:
            stack.pop()
            numbers[index + 1 :] = stack[-1]
    return numbers


def _table(raw: Raw) -> pa.Table:
    """Lay the columns out: the common ones first, whole numbers as int64."""
    whole = {column.target for column in raw.match.columns if column.whole} | set(_COUNTED)
    arrays: dict[str, pa.Array] = {}
    leading = [name for name in _LEADING if name in raw.columns]
    for name in (*leading, *(n for n in raw.columns if n not in _LEADING)):
        if name in _ROLES:
            continue
        arrays[name] = _array(raw.columns[name], whole=name in whole)
    if raw.dialect.keep_mode and vocabulary.MODE in raw.texts:
        arrays[MODE_COLUMN] = raw.texts[vocabulary.MODE]
    if raw.dialect.keep_others:
        arrays.update({n: v for n, v in raw.texts.items() if n not in _ROLES})
    return pa.table(arrays)


_LEADING: Final = (terms.TIME, terms.VOLTAGE, terms.CURRENT)
_ROLES: Final = frozenset(
    {vocabulary.STEP_TIME, vocabulary.RECORD, vocabulary.TIMESTAMP, vocabulary.MODE}
)


def _array(values: Values, *, whole: bool) -> pa.Array:
    if not np.issubdtype(values.dtype, np.floating):
        return pa.array(values)
    # NaN stands for null in here; looking first is quicker than a mask for every column.
    array = pa.array(values, from_pandas=bool(np.isnan(values).any()))
    if whole:
        try:
            return array.cast(pa.int64())
        except pa.ArrowInvalid:
            return array
    return array
