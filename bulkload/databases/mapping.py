"""From the raw columns of one measurement to a table in Ionworks columns, units and signs."""

from __future__ import annotations

from collections.abc import Mapping
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
    seconds_since,
    states_zone,
    utc_of_local,
)
from bulkload.databases.columns import RawColumns
from bulkload.databases.configuration import (
    START_TIME,
    TICKS_PER_SECOND,
    ColumnMap,
    SamplesQuery,
)
from bulkload.databases.engines.base import Fetch, ValueKind
from bulkload.databases.sums import LARGEST_EXACT
from bulkload.databases.units import raw_conversion
from bulkload.errors import UnreadableError
from bulkload.readers.derive import FRAME, Completer, largest_current
from bulkload.readers.reading import ReadAgainError

Values = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float64]

_LEADING: Final = (
    *(terms.TIME, terms.VOLTAGE, terms.CURRENT, terms.STEP_COUNT, terms.CYCLE_COUNT),
)
_COUNTED: Final = (terms.STEP_FROM_CYCLER, terms.CYCLE_FROM_CYCLER)


class Mapper:
    """Converts the ordered raw rows of a measurement, chunk by chunk."""

    def __init__(self, columns: RawColumns, query: SamplesQuery) -> None:
        self._columns, self._query = columns, query
        #: Columns of counts of which a value is not whole: they are floats in all chunks.
        self._floats: set[str] = set()
        #: The largest magnitude of the current, in A, once a pass over all rows has found it.
        self.largest_current: float | None = None
        self.begin()

    @property
    def needs_largest_current(self) -> bool:
        """True where the steps are cut by the current: its largest magnitude comes first."""
        return terms.STEP_FROM_CYCLER not in self._query.mapped and self.largest_current is None

    def begin(self) -> None:
        """Forget the rows that were seen."""
        self.start_time: str | None = None
        self.rows = self.left_out = 0
        #: What was subtracted from the time, in seconds.
        self.time_offset_s = 0.0
        #: The least and the greatest time, in seconds.
        self.time_range_s: tuple[float, float] = (np.nan, np.nan)
        self._first_tick: int | None = None
        #: Whether the first text of the clock states its offset: all others have to do the same.
        self._has_zone: bool | None = None
        self._has_begun = False
        self._completer = Completer(self.largest_current)

    def map(self, raw: pa.Table, *, is_whole: bool) -> pa.Table | None:
        """Convert the next rows; None where none of them is a sample.

        Raises ``UnreadableError`` for a value that no column can hold.

        Raises ``ReadAgainError`` where a chunk that is not the whole shows that a count has
        fractions.
        """
        if not self._has_begun:
            self._has_begun = True
            one = self._query.columns.get(START_TIME)
            self.start_time = _start_time(raw, self._columns, one)
        raw, left_out = _kept(raw, self._columns)
        self.left_out += left_out
        if not raw.num_rows:
            return None
        numbers, texts = self._converted(raw)
        time = np.asarray(numbers[terms.TIME], dtype=np.float64)
        if not self.rows:
            self.time_offset_s = float(time[0])
        if self.time_offset_s:
            numbers[terms.TIME] = time = time - self.time_offset_s
        low, high = self.time_range_s
        self.time_range_s = (
            float(np.fmin(low, np.fmin.reduce(time))),
            float(np.fmax(high, np.fmax.reduce(time))),
        )
        self._derive(numbers)
        table = self._table(numbers, texts, is_whole=is_whole)
        self.rows += table.num_rows
        return table

    def largest_of(self, raw: pa.Table) -> float:
        """Return the largest magnitude of the current of some rows, in A."""
        index = self._columns.of_mapping[terms.CURRENT]
        values = _kept(raw, self._columns)[0].column(index).combine_chunks()
        one = self._query.mapped[terms.CURRENT]
        return largest_current(np.asarray(_converted(terms.CURRENT, one, values), np.float64))

    def end(self) -> None:
        """Refuse a measurement without a sample."""
        if not self.rows:
            raise UnreadableError("no row has both a voltage and a current", cause="no_rows")

    def decisions(self) -> tuple[Decision, ...]:
        """Return what was decided or done with the rows."""
        found = []
        if self.left_out:
            left_out = f"left out {self.left_out:,} rows without a voltage or a current"
            found.append(
                Decision(
                    code=DecisionCode.ROWS_LEFT_OUT,
                    detail=left_out,
                    evidence="no value",
                    rows=self.left_out,
                )
            )
        if self.time_offset_s:
            begins = f"time begins at {self.time_offset_s:.9g} s: shifted to begin at zero"
            found.append(
                Decision(
                    code=DecisionCode.TIME_SHIFTED,
                    detail=begins,
                    evidence="values",
                    rows=self.rows,
                )
            )
        return (*found, *_stated(self._query.mapped))

    def _converted(self, raw: pa.Table) -> tuple[dict[str, Values], dict[str, pa.Array]]:
        numbers: dict[str, Values] = {}
        texts: dict[str, pa.Array] = {}
        for name, one in self._query.mapped.items():
            index = self._columns.of_mapping[name]
            column = self._columns.all[index]
            values = raw.column(index).combine_chunks()
            if column.fetch is Fetch.NUMBER:
                _check_exact(values, column.kind, name)
                numbers[name] = _converted(name, one, values)
            elif column.fetch is Fetch.TEXT and name != terms.TIME:
                texts[name] = values
            elif column.fetch is Fetch.CODE:
                texts[name] = _decoded(name, one, values)
            else:
                numbers[name] = self._clock(values, column.fetch, one, name)
        return numbers, texts

    def _clock(self, values: pa.Array, fetch: Fetch, one: ColumnMap, name: str) -> Floats:
        if values.null_count:
            raise UnreadableError(
                f"{values.null_count:,} rows have no {name!r} ({one.column} is NULL)",
                cause="no_time",
            )
        if fetch is Fetch.TEXT and self._has_zone is None:
            self._has_zone = states_zone(values[0].as_py())
        ticks, per_second = _ticks(values, fetch, one, name, has_zone=bool(self._has_zone))
        counted = ticks.to_numpy().astype(np.int64)
        if self._first_tick is None:
            self._first_tick = int(counted[0])
        return seconds_since(self._first_tick, counted, per_second)

    def _derive(self, numbers: dict[str, Values]) -> None:
        """Add counts and what follows; set running totals back where that is stated."""
        mapping = self._query.mapped
        totals = {name: numbers[name] for name in terms.CUMULATIVE_COLUMNS if name in numbers}
        if terms.STEP_FROM_CYCLER not in numbers and terms.CYCLE_FROM_CYCLER in numbers:
            # A cycle ends a step too: a total that restarts with it would fall within one.
            numbers[FRAME] = numbers[terms.CYCLE_FROM_CYCLER]
        with np.errstate(all="ignore"):
            self._completer.complete(numbers)
        numbers.pop(FRAME, None)
        for name, values in totals.items():
            numbers[name] = values
            if mapping[name].runs_on_through is not None:
                total = np.asarray(values, dtype=np.float64)
                numbers[name] = self._completer.since_step(f"total {name}", total)

    def _table(
        self, numbers: Mapping[str, Values], texts: Mapping[str, pa.Array], *, is_whole: bool
    ) -> pa.Table:
        arrays: dict[str, pa.Array] = {}
        leading = [name for name in _LEADING if name in numbers]
        for name in (*leading, *(one for one in numbers if one not in _LEADING)):
            array = pa.array(numbers[name], from_pandas=True)
            if name in _COUNTED and pa.types.is_floating(array.type) and name not in self._floats:
                try:
                    array = array.cast(pa.int64())
                except pa.ArrowInvalid:
                    self._floats.add(name)
                    if not is_whole:
                        raise ReadAgainError(name) from None
            arrays[name] = array
        return pa.table({**arrays, **texts})


def _kept(raw: pa.Table, columns: RawColumns) -> tuple[pa.Table, int]:
    """Return the rows that have a voltage and a current, and how many have not."""
    gap = np.zeros(raw.num_rows, dtype=bool)
    for name in (terms.VOLTAGE, terms.CURRENT):
        values = raw.column(columns.of_mapping[name]).to_numpy()
        gap |= np.isnan(np.asarray(values, dtype=np.float64))
    left_out = int(gap.sum())
    return (raw.filter(pa.array(~gap)), left_out) if left_out else (raw, 0)


def _stated(mapping: Mapping[str, ColumnMap]) -> list[Decision]:
    """Return the decisions that the mapping makes, whatever the rows."""
    found = []
    if terms.STEP_FROM_CYCLER not in mapping:
        found.append(
            Decision(
                code=DecisionCode.STEPS_DERIVED,
                detail="no step column: a step begins where the current's direction changes",
                evidence="direction of the current",
            )
        )
    for name in terms.CUMULATIVE_COLUMNS:
        through = mapping[name].runs_on_through if name in mapping else None
        if through is not None:
            found.append(
                Decision(
                    code=DecisionCode.TOTALS_SET_BACK,
                    detail=f"{name!r} runs on through the {through}: set back at each step",
                    evidence="stated",
                    columns=(name,),
                )
            )
    return found


def _check_exact(values: pa.Array, kind: ValueKind, name: str) -> None:
    if kind is not ValueKind.INTEGER:
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


def _ticks(
    values: pa.Array | pa.ChunkedArray,
    fetch: Fetch,
    one: ColumnMap,
    name: str,
    *,
    has_zone: bool,
) -> Any:
    """Return a clock's values as whole ticks of UTC, and the ticks in a second."""
    if fetch is Fetch.WHOLE:
        assert one.ticks is not None
        return values, TICKS_PER_SECOND[one.ticks]
    if fetch is Fetch.TEXT:
        values = moments_of_text(values, repr(one.column), has_zone=has_zone)
    if one.zone is not None and not has_zone:
        values = utc_of_local(values, one.zone, f"{name!r} ({one.column})")
    return values, MICROSECONDS


def _start_time(raw: pa.Table, columns: RawColumns, one: ColumnMap | None) -> str | None:
    if one is None:
        return None
    index = columns.of_mapping[START_TIME]
    first = raw.column(index).slice(0, 1)
    if not raw.num_rows or first.null_count:
        return None
    fetch = columns.all[index].fetch
    has_zone = fetch is Fetch.TEXT and states_zone(first[0].as_py())
    ticks, per_second = _ticks(first, fetch, one, START_TIME, has_zone=has_zone)
    return iso_of_ticks(ticks[0].as_py(), per_second)
