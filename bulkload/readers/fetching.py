"""Fetch a table's columns: those that its dialect names, and what was measured beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers import timestamps as clock
from bulkload.readers.channels import ABSOLUTE_ZERO_DEGC, AS_IT_IS, Channel, Reason, channel
from bulkload.readers.decimal_marks import parse_numbers, strict_number
from bulkload.readers.dialect import STEP_TIME, TIMESTAMP, UNITS_OF, Dialect, Kind
from bulkload.readers.header_match import Match, Matched, TwiceError, headings, match
from bulkload.readers.open_marks import settle_mark
from bulkload.readers.raw_columns import ColumnUse, Floats, Raw
from bulkload.readers.table_source import Grid, as_floats
from bulkload.readers.units import UNITS, Conversion, conversion

#: How a number may begin that an auxiliary column holds.
_NUMBER: Final = re.compile(
    r"[-+]?(\d[\d.,]*|[.,]\d+)([eE][-+]?\d+)?|[-+]?(nan|inf)", re.IGNORECASE
)

#: Instruments write 9.9E37 for what is beyond their range, and 9.91E37 for no number (SCPI 1999,
#: Vol. 1, 7.2.1.4-5): no quantity of a test is so large.
OVERLOAD: Final = 9.899e37

#: Name of the columns that hold the unit of the column before them.
_UNIT_BESIDE: Final = frozenset({"unit", "units", "einheit"})


def fetch_raw(grid: Grid, dialect: Dialect, name: str) -> Raw:
    """Fetch the columns that the dialect knows, and the channels that no rule names."""
    try:
        found = match(grid.names, grid.units, dialect)
    except TwiceError as error:
        raise UnreadableError(
            f"{name}: the column {printable(str(error))!r} occurs twice; remove or rename one",
            cause="duplicate_column",
        ) from error
    kinds = {column.index: _kind(column, grid) for column in found.columns}
    raw = Raw(
        name=name,
        dialect=dialect,
        match=found,
        columns={},
        texts={},
        kinds={column.target: kinds[column.index] for column in found.columns},
        postponed=_postponed(found, kinds, grid, dialect),
        grid=grid,
    )
    raw.decisions.extend(found.decisions)
    now = {i: kind for i, kind in kinds.items() if i not in raw.postponed.values()}
    others = _others(grid, dialect, kinds)
    wanted = [index for index, other in others.items() if isinstance(other, Channel)]
    raw.decisions.extend(settle_mark(grid, found, now, name))
    fetched = _fetched(grid, now, wanted)
    uses = {c.index: ColumnUse(c.name, c.target) for c in found.columns}
    for column in found.columns:
        if column.index in fetched:
            uses[column.index] = _take(raw, column, kinds[column.index], fetched[column.index])
    has_temperature = terms.TEMPERATURE in raw.columns
    for index, other in others.items():
        use = _keep(raw, grid.names[index], other, fetched.get(index), first=not has_temperature)
        has_temperature |= use.target == terms.TEMPERATURE and use.reason is None
        uses[index] = use
    raw.uses = [uses[index] for index in sorted(uses)]
    return raw


def _postponed(
    found: Match, kinds: Mapping[int, Kind], grid: Grid, dialect: Dialect
) -> dict[str, int]:
    """Name the columns that are not read unless the dates leave a question open.

    The time within the step is one. A running time in whole seconds beside dates is another,
    where the test includes its pauses: it says no more than they do.
    """
    later = {c.target: c.index for c in found.columns if c.target == STEP_TIME}
    time = found.of(terms.TIME)
    if time is None or found.of(TIMESTAMP) is None or not dialect.time_from_timestamps:
        return later
    if kinds[time.index] is Kind.DURATION and not set(".,") & set(grid.sample(time.index)):
        later[terms.TIME] = time.index
    return later


def _others(grid: Grid, dialect: Dialect, known: Mapping[int, Kind]) -> dict[int, Channel | Reason]:
    """Record what each column without a rule is, or why it is left out."""
    split = headings(grid.names, dialect)
    found: dict[int, Channel | Reason] = {}
    for index, name in enumerate(grid.names):
        if index in known:
            continue
        if dialect.keep_others:
            found[index] = Channel(name, AS_IT_IS) if name else Reason.NAMELESS
            continue
        unit = split[index].unit or grid.units[index]
        if unit is None and index + 1 < len(split) and split[index + 1].base in _UNIT_BESIDE:
            unit = grid.sample(index + 1).strip() or None
        other = channel(name, split[index], unit, slash=dialect.slash_units)
        is_number = isinstance(other, Channel) and _may_be_number(grid.sample(index))
        found[index] = other if is_number or isinstance(other, Reason) else Reason.TEXT
    return found


def _may_be_number(sample: str) -> bool:
    return not sample or _NUMBER.fullmatch(sample.strip()) is not None


def _fetched(
    grid: Grid, kinds: Mapping[int, Kind], others: Sequence[int]
) -> Mapping[int, pa.ChunkedArray]:
    """Fetch all in one pass; what no rule names as text where a value of it is not a number."""
    try:
        return grid.fetch({**kinds, **dict.fromkeys(others, Kind.NUMBER)})
    except UnreadableError:
        if not others:
            raise
        fetched = dict(grid.fetch(kinds))
        decimal = grid.facts.get("decimal") or "."
        for index, text in grid.fetch(dict.fromkeys(others, Kind.TEXT)).items():
            try:
                fetched[index] = parse_numbers(text, decimal)
            except ValueError:
                fetched[index] = text
        return fetched


def _take(raw: Raw, column: Matched, kind: Kind, values: pa.ChunkedArray) -> ColumnUse:
    """Put a column that a rule names under its target."""
    use = ColumnUse(column.name, column.target)
    if kind is Kind.NUMBER:
        change = _change(raw, column)
        numbers = _changed(_within_range(raw, column.name, as_floats(values)), change)
        if column.target.endswith("[degC]") and _is_no_sensor(numbers):
            return replace(use, reason=Reason.NO_SENSOR)
        raw.columns[column.target] = numbers
        return replace(use, change=change)
    if kind is Kind.DURATION:
        raw.columns[column.target] = _durations(raw, column, values)
    else:
        raw.texts[column.target] = values
    return use


def _keep(
    raw: Raw, name: str, other: Channel | Reason, values: pa.ChunkedArray | None, *, first: bool
) -> ColumnUse:
    """Keep a column that no rule names, or record why it is left out."""
    if isinstance(other, Reason) or values is None:
        return ColumnUse(name, "", reason=other if isinstance(other, Reason) else Reason.TEXT)
    if pa.types.is_string(values.type):
        numbers = strict_number(values)
        if numbers is None and not raw.dialect.keep_others:
            return ColumnUse(name, "", reason=Reason.TEXT)
        if numbers is None:
            raw.texts[name] = values
            return ColumnUse(name, name)
        values = numbers
    if values.null_count == len(values):
        return ColumnUse(name, "", reason=Reason.EMPTY)
    changed = _changed(_within_range(raw, name, as_floats(values)), other.change)
    if other.target.endswith("[degC]") and _is_no_sensor(changed):
        return ColumnUse(name, "", reason=Reason.NO_SENSOR)
    target = terms.TEMPERATURE if other.is_temperature and first else other.target
    if target in raw.columns or target in raw.texts:
        return (
            ColumnUse(name, "", reason=Reason.TWICE)
            if raw.dialect.keep_others
            else _numbered(raw, name, target, changed, other.change)
        )
    raw.columns[target] = changed
    return ColumnUse(name, target, other.change)


def _numbered(raw: Raw, name: str, target: str, values: Floats, change: Conversion) -> ColumnUse:
    """Keep a column whose name another has already, with a number behind it."""
    base, bracket, unit = target.partition(" [")
    count = 2
    while f"{base} {count}{bracket}{unit}" in raw.columns:
        count += 1
    target = f"{base} {count}{bracket}{unit}"
    raw.columns[target] = values
    return ColumnUse(name, target, change)


def _within_range(raw: Raw, name: str, values: Floats) -> Floats:
    """Return values without the marks of an instrument for overload and no number."""
    # A column with gaps has no largest value: it is looked at more closely.
    if len(values) and values.min() > -OVERLOAD and values.max() < OVERLOAD:
        return values
    sizes = np.abs(values)
    marks = (sizes >= OVERLOAD) & (sizes < np.inf)
    if not marks.any():
        return values
    raw.decide(
        DecisionCode.OVERLOADS_LEFT_OUT,
        f"{int(marks.sum())} values of {printable(name.strip())!r} are an instrument's mark for "
        "overload or no number (9.9E37): taken as no value",
        evidence="values",
        rows=int(marks.sum()),
        columns=(name,),
    )
    return np.where(marks, np.nan, values)


def _is_no_sensor(degrees: Floats) -> bool:
    """Return whether a channel without a sensor logged values that no temperature can have."""
    known = degrees[np.isfinite(degrees)]
    return bool(known.size) and bool((known < ABSOLUTE_ZERO_DEGC).all())


def _kind(column: Matched, grid: Grid) -> Kind:
    """Return by its first value whether a duration is a number, hours and minutes, or a date."""
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


def _change(raw: Raw, column: Matched) -> Conversion:
    """Return how numbers come to the Ionworks unit of their target."""
    base = UNITS_OF.get(column.target, column.target)
    if column.unit is None:
        return AS_IT_IS
    step = conversion(base, column.unit)
    if step is None and base not in UNITS:
        return AS_IT_IS
    if step is None:
        raise UnreadableError(
            f"{raw.name}: unit {printable(column.unit)!r} of column {printable(column.name)!r} is "
            f"not known for {base!r}; describe the column in a dialect file",
            cause="unknown_unit",
        )
    return step


def _changed(values: Floats, change: Conversion) -> Floats:
    if change.scale != 1.0:
        values = values * change.scale
    return values if change.shift == 0.0 else values + change.shift
