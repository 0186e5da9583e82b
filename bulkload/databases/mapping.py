"""From the raw columns of one measurement to a table in Ionworks columns, units and signs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bulkload.core import terms
from bulkload.core.decisions import Decision, DecisionCode
from bulkload.databases.clocks import (
    MICROSECONDS,
    iso_of_ticks,
    moments_of_text,
    seconds_since_first,
    utc_of_local,
)
from bulkload.databases.columns import RawColumns
from bulkload.databases.configuration import (
    START_TIME,
    TICKS_PER_SECOND,
    ColumnMap,
    SamplesQuery,
)
from bulkload.databases.engines.base import Fetch, Kind
from bulkload.databases.sums import LARGEST_EXACT
from bulkload.databases.units import raw_conversion
from bulkload.errors import UnreadableError
from bulkload.readers.derive import FRAME, complete

Values = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float64]

_LEADING: Final = (
    *(terms.TIME, terms.VOLTAGE, terms.CURRENT, terms.STEP_COUNT, terms.CYCLE_COUNT),
)
_COUNTED: Final = (terms.STEP_FROM_CYCLER, terms.CYCLE_FROM_CYCLER)


@dataclass(slots=True, kw_only=True)
class Mapped:
    """A measurement's table, and what was done on the way."""

    table: pa.Table
    start_time: str | None
    #: Rows without a voltage or a current, which are no samples.
    left_out: int
    decisions: list[Decision] = field(default_factory=list)
    #: What was subtracted from the time, in seconds.
    time_offset_s: float = 0.0


def map_samples(raw: pa.Table, columns: RawColumns, query: SamplesQuery) -> Mapped:
    """Convert ordered raw rows; raises ``UnreadableError`` for a value that no column can hold."""
    decisions: list[Decision] = []
    start_time = _start_time(raw, columns, query.columns.get(START_TIME))
    raw, left_out = _without_gaps(raw, columns, decisions)
    numbers: dict[str, Values] = {}
    texts: dict[str, pa.Array] = {}
    offset = 0.0
    for name, one in query.mapped.items():
        index = columns.of_mapping[name]
        column = columns.all[index]
        values = raw.column(index).combine_chunks()
        if column.fetch is Fetch.NUMBER:
            _check_exact(values, column.kind, name)
            numbers[name] = _converted(name, one, values)
        elif column.fetch is Fetch.TEXT and name != terms.TIME:
            texts[name] = values
        elif column.fetch is Fetch.CODE:
            texts[name] = _decoded(name, one, values)
        else:
            numbers[name] = _clock(values, column.fetch, one, name)
    time = np.asarray(numbers[terms.TIME], dtype=np.float64)
    if len(time) and time[0] != 0:
        offset = float(time[0])
        numbers[terms.TIME] = time - offset
        decisions.append(
            Decision(
                code=DecisionCode.TIME_SHIFTED,
                detail=f"time begins at {offset:.9g} s: shifted to begin at zero",
                evidence="values",
                rows=len(time),
            )
        )
    _derive(numbers, query.mapped, decisions)
    return Mapped(
        table=_table(numbers, texts),
        start_time=start_time,
        left_out=left_out,
        decisions=decisions,
        time_offset_s=offset,
    )


def _without_gaps(
    raw: pa.Table, columns: RawColumns, decisions: list[Decision]
) -> tuple[pa.Table, int]:
    gap = np.zeros(raw.num_rows, dtype=bool)
    for name in (terms.VOLTAGE, terms.CURRENT):
        values = raw.column(columns.of_mapping[name]).to_numpy()
        gap |= np.isnan(np.asarray(values, dtype=np.float64))
    left_out = int(gap.sum())
    if left_out == raw.num_rows:
        raise UnreadableError("no row has both a voltage and a current", cause="no_rows")
    if left_out:
        decisions.append(
            Decision(
                code=DecisionCode.ROWS_LEFT_OUT,
                detail=f"left out {left_out:,} rows without a voltage or a current",
                evidence="no value",
                rows=left_out,
            )
        )
        raw = raw.filter(pa.array(~gap))
    return raw, left_out


def _check_exact(values: pa.Array, kind: Kind, name: str) -> None:
    if kind is not Kind.INTEGER:
        return
    numbers = values.to_numpy(zero_copy_only=False)
    if np.nanmax(np.abs(numbers), initial=0.0) >= LARGEST_EXACT:
        raise UnreadableError(
            f"{name!r} holds whole numbers beyond 2^53, which a double does not keep apart; where "
            "they are ticks of a clock, state ticks",
            cause="integer_too_large",
        )


def _converted(name: str, one: ColumnMap, values: pa.Array) -> Values:
    numbers = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    if one.unit is not None:
        found = raw_conversion(name, one.unit)
        assert found is not None
        if found.scale != 1.0:
            # By the inverse where that is whole: 3712 mV / 1000 is nearer than 3712 * 0.001.
            inverse = 1.0 / found.scale
            is_whole = found.scale < 1 and abs(inverse - round(inverse)) < 1e-6
            numbers = numbers / round(inverse) if is_whole else numbers * found.scale
        if found.shift:
            numbers = numbers + found.shift
    if one.positive == "charge":
        numbers = -numbers + 0.0
    return numbers


def _decoded(name: str, one: ColumnMap, values: pa.Array) -> pa.Array:
    assert one.codes is not None
    coded = values.dictionary_encode()
    words = []
    for code in coded.dictionary.to_pylist():
        if code not in one.codes:
            raise UnreadableError(
                f"{name!r} holds the code {code!r}, for which codes has no word",
                cause="unknown_code",
            )
        words.append(one.codes[code])
    return pa.array(words, pa.string()).take(coded.indices)


def _ticks(values: pa.Array | pa.ChunkedArray, fetch: Fetch, one: ColumnMap, name: str) -> Any:
    """Return a clock's values as whole ticks of UTC, and the ticks in a second."""
    if fetch is Fetch.WHOLE:
        assert one.ticks is not None
        return values, TICKS_PER_SECOND[one.ticks]
    if fetch is Fetch.TEXT:
        values = moments_of_text(values, repr(one.column))
    if one.zone is not None:
        values = utc_of_local(values, one.zone, f"{name!r} ({one.column})")
    return values, MICROSECONDS


def _clock(values: pa.Array, fetch: Fetch, one: ColumnMap, name: str) -> Floats:
    if values.null_count:
        raise UnreadableError(
            f"{values.null_count:,} rows have no {name!r} ({one.column} is NULL)",
            cause="no_time",
        )
    ticks, per_second = _ticks(values, fetch, one, name)
    return seconds_since_first(ticks.to_numpy().astype(np.int64), per_second)


def _start_time(raw: pa.Table, columns: RawColumns, one: ColumnMap | None) -> str | None:
    if one is None:
        return None
    index = columns.of_mapping[START_TIME]
    first = raw.column(index).slice(0, 1)
    if not raw.num_rows or first.null_count:
        return None
    ticks, per_second = _ticks(first, columns.all[index].fetch, one, START_TIME)
    return iso_of_ticks(ticks[0].as_py(), per_second)


def _derive(
    numbers: dict[str, Values], mapping: Mapping[str, ColumnMap], decisions: list[Decision]
) -> None:
    """Add step and cycle counts and what follows; set running totals back where that is stated."""
    totals = {name: numbers[name] for name in terms.CUMULATIVE_COLUMNS if name in numbers}
    if terms.STEP_FROM_CYCLER not in numbers:
        decisions.append(
            Decision(
                code=DecisionCode.STEPS_DERIVED,
                detail="no step column: a step begins where the current's direction changes",
                evidence="direction of the current",
            )
        )
        if terms.CYCLE_FROM_CYCLER in numbers:
            # A cycle ends a step too: a total that restarts with it would fall within one.
            numbers[FRAME] = numbers[terms.CYCLE_FROM_CYCLER]
    with np.errstate(all="ignore"):
        complete(numbers)
    numbers.pop(FRAME, None)
    step = numbers[terms.STEP_COUNT]
    starts = np.flatnonzero(np.concatenate(([True], step[1:] != step[:-1])))
    begin = np.repeat(starts, np.diff(np.append(starts, len(step))))
    for name, values in totals.items():
        numbers[name] = values
        if mapping[name].runs_on_through is not None:
            total = np.asarray(values, dtype=np.float64)
            numbers[name] = total - total[begin]
            decisions.append(
                Decision(
                    code=DecisionCode.TOTALS_SET_BACK,
                    detail=f"{name!r} runs on through the {mapping[name].runs_on_through}: set "
                    "back at each step",
                    evidence="stated",
                    columns=(name,),
                )
            )


def _table(numbers: Mapping[str, Values], texts: Mapping[str, pa.Array]) -> pa.Table:
    arrays: dict[str, pa.Array] = {}
    leading = [name for name in _LEADING if name in numbers]
    for name in (*leading, *(one for one in numbers if one not in _LEADING)):
        arrays[name] = _array(numbers[name], is_whole=name in _COUNTED)
    return pa.table({**arrays, **texts})


def _array(values: Values, *, is_whole: bool) -> pa.Array:
    if not np.issubdtype(values.dtype, np.floating):
        return pa.array(values)
    array = pa.array(values, from_pandas=True)
    if is_whole:
        try:
            return array.cast(pa.int64())
        except pa.ArrowInvalid:
            return array
    return array
