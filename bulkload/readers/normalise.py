"""From a dialect's raw columns to an Ionworks table: the same road for every cycler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers import dialect as vocabulary
from bulkload.readers.current_sign import settle
from bulkload.readers.derive import FRAME, SWEEP_HZ, complete
from bulkload.readers.dialect import REQUIRED, Dialect, Kind
from bulkload.readers.electrodes import set_voltage
from bulkload.readers.fetching import fetch_raw
from bulkload.readers.header_fields import grouped, merged
from bulkload.readers.instants import set_time
from bulkload.readers.multi_test import channel_of, keep_member
from bulkload.readers.plausible import check_plausible
from bulkload.readers.raw_columns import Raw, Values
from bulkload.readers.reading import Reading, ReadOptions
from bulkload.readers.table_source import Grid
from bulkload.readers.timeline import join_clock, put_in_order, settle_dates, start_of_test

MODE_COLUMN: Final = "Mode from cycler"

_COUNTED: Final = (terms.STEP_FROM_CYCLER, terms.CYCLE_FROM_CYCLER)


def read_grid(
    grid: Grid,
    dialect: Dialect,
    name: str,
    options: ReadOptions,
    prepare: Callable[[Raw], None] | None = None,
) -> Reading:
    """Read a table in this dialect. ``prepare`` adjusts the raw columns where a format needs it."""
    raw = fetch_raw(grid, dialect, name)
    keep_member(raw, options.member)
    rows_read = raw.rows
    if prepare is not None:
        prepare(raw)
    set_voltage(raw, options.voltage)
    _leave_out_messages(raw)
    _require(raw, options)
    _leave_out_gaps(raw)
    _cut_counts(raw)
    put_in_order(raw)
    join_clock(raw)
    settle_dates(raw, options)
    header = start_of_test(raw)
    set_time(raw)
    check_plausible(raw, options)
    mode = raw.texts.get(vocabulary.MODE)
    # Infinities in a file are its own: they go through, and validation names them.
    with np.errstate(all="ignore"):
        settled = settle(raw.columns, mode, dialect)
        raw.columns[terms.CURRENT] = settled.current
        raw.decide(settled.code, settled.statement, evidence=settled.evidence, rows=settled.rows)
        if dialect.keep_mode and mode is not None:
            raw.columns[FRAME] = frames(mode)
        complete(raw.columns)
    table = _table(raw)
    columns = raw.account(set(table.column_names))
    kind = _kind_of_data(raw)
    return Reading(
        table=table,
        header=merged(
            header, grouped({"cycler": dialect.cycler, "channel_number": channel_of(raw)})
        ),
        dialect=dialect.name,
        decisions=tuple(dict.fromkeys(raw.decisions)),
        facts={
            **grid.facts,
            **kind,
            "rows_read": rows_read,
            "rows_left_out": raw.left_out,
            "columns": columns,
        },
    )


def _kind_of_data(raw: Raw) -> dict[str, str]:
    """Record where every row belongs to an impedance sweep: the measurement is one of ``eis``."""
    if not {terms.FREQUENCY, terms.Z_RE, terms.Z_IM} <= raw.columns.keys():
        return {}
    frequency = np.asarray(raw.columns[terms.FREQUENCY], dtype=np.float64)
    if not bool((frequency > SWEEP_HZ).all()):
        return {}
    raw.decide(
        DecisionCode.SPECTRUM_FOUND,
        f"an impedance spectrum of {raw.rows} frequencies",
        evidence="frequency column",
        rows=raw.rows,
    )
    return {"data_type": "eis"}


def _leave_out_messages(raw: Raw) -> None:
    mode = raw.texts.get(vocabulary.MODE)
    if mode is None or not raw.dialect.message_modes:
        return
    message = pc.is_in(pc.utf8_trim_whitespace(mode), pa.array(sorted(raw.dialect.message_modes)))
    flags = np.asarray(message.to_numpy(zero_copy_only=False), dtype=bool)
    if flags.any():
        raw.leave_out(flags, "message rows of the mode column", evidence="mode column")


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
        raw.leave_out(gap, "rows without a voltage or current", evidence="no value")


def _cut_counts(raw: Raw) -> None:
    """Cut step and cycle numbers to whole ones, as the vendor's reader does, and record it."""
    for name in _COUNTED:
        values = raw.columns.get(name)
        if values is None:
            continue
        numbers = np.asarray(values, dtype=np.float64)
        whole = np.trunc(numbers)
        if not np.array_equal(numbers, whole, equal_nan=True):
            raw.columns[name] = whole
            raw.decide(
                DecisionCode.NUMBERS_CUT,
                f"{name!r} held numbers that are not whole: cut to whole ones",
                evidence="values",
                rows=int(np.count_nonzero(numbers[np.isfinite(numbers)] % 1)),
            )


def frames(mode: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Give each run of a sub-procedure a number: P then S calls one, O returns from it."""
    numbers = np.zeros(len(mode), dtype=np.int64)
    marked = pc.is_in(mode, pa.array(["P", "S", "O"])).to_numpy(zero_copy_only=False)
    markers = np.flatnonzero(marked)
    codes = dict(zip(markers.tolist(), mode.take(pa.array(markers)).to_pylist(), strict=True))
    stack, started = [0], 0
    skip = -1
    for index, code in codes.items():
        if index == skip:
            continue
        if code == "P" and codes.get(index + 1) == "S":
            started += 1
            stack.append(started)
            skip = index + 1
            numbers[index + 2 :] = started
        elif code == "O" and len(stack) > 1:
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
_ROLES: Final = vocabulary.TELLING | frozenset(
    {
        vocabulary.STEP_TIME,
        vocabulary.SECOND_TIME,
        vocabulary.RECORD,
        vocabulary.TIMESTAMP,
        vocabulary.EPOCH,
        vocabulary.MODE,
    }
)


def _array(values: Values, *, whole: bool) -> pa.Array:
    if values.dtype.kind != "f":
        return pa.array(values)
    # NaN stands for null in here; looking first is quicker than a mask for every column. The
    # least of values with a NaN is NaN.
    array = pa.array(values, from_pandas=not values.size or bool(np.isnan(values.min())))
    if whole:
        try:
            return array.cast(pa.int64())
        except pa.ArrowInvalid:
            return array
    return array
