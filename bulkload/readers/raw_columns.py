"""A dialect's columns as the file has them: chosen, in Ionworks' units, nothing derived yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bulkload.core.decisions import Decision, DecisionCode
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers import timestamps as clock
from bulkload.readers.decimal_marks import strict_number
from bulkload.readers.dialect import UNITS_OF, Dialect, Kind, Match, Matched, TwiceError, match
from bulkload.readers.table_source import Grid, as_floats
from bulkload.readers.units import UNITS, conversion

Values = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float64]


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
    decisions: list[Decision] = field(default_factory=list)
    #: Targets whose unit the header does not state and the data have proved.
    proved: set[str] = field(default_factory=set)
    #: The day comes first in dates such as 05/06/2024; and whether nothing settled that.
    day_first: bool = False
    has_open_dates: bool = False
    #: Rows of this test that are no samples of it.
    left_out: int = 0

    @property
    def rows(self) -> int:
        """How many rows there are: none where no column is known."""
        return len(next(iter((self.columns or self.texts).values()), ()))

    def decide(
        self,
        code: DecisionCode,
        detail: str,
        *,
        evidence: str = "",
        rows: int = 0,
        columns: Sequence[str] = (),
    ) -> None:
        """Record a decision about this table."""
        self.decisions.append(
            Decision(code=code, detail=detail, evidence=evidence, rows=rows, columns=tuple(columns))
        )

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Keep these rows only."""
        self.reorder(np.flatnonzero(mask))

    def leave_out(self, mask: npt.NDArray[np.bool_], why: str, *, evidence: str) -> None:
        """Leave these rows out, count them and say why: no row goes unaccounted."""
        rows = int(mask.sum())
        self.left_out += rows
        self.decide(
            DecisionCode.ROWS_LEFT_OUT,
            f"left out {rows} {why}",
            evidence=evidence,
            rows=rows,
        )
        self.keep(~mask)

    def reorder(self, index: npt.NDArray[np.intp]) -> None:
        """Take these rows in this order."""
        self.columns = {name: values[index] for name, values in self.columns.items()}
        self.texts = {name: values.take(pa.array(index)) for name, values in self.texts.items()}


def fetch_raw(grid: Grid, dialect: Dialect, name: str) -> Raw:
    """Fetch the columns that the dialect knows, and the others where it keeps them."""
    try:
        found = match(grid.names, grid.units, dialect)
    except TwiceError as error:
        raise UnreadableError(
            f"{name}: the column {printable(str(error))!r} occurs twice; remove or rename one",
            cause="duplicate_column",
        ) from error
    kinds = {column.index: _kind(column, grid) for column in found.columns}
    others = [i for i in range(len(grid.names)) if i not in kinds] if dialect.keep_others else []
    fetched = _fetched(grid, kinds, others)
    read_as = {column.target: kinds[column.index] for column in found.columns}
    raw = Raw(name=name, dialect=dialect, match=found, columns={}, texts={}, kinds=read_as)
    raw.decisions.extend(found.decisions)
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
