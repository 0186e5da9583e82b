"""What the columns of a table of samples mean: clock, unit and sign, by names and values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa

from bulkload.core import terms
from bulkload.databases import survey_names as names
from bulkload.databases.engines.base import ValueKind
from bulkload.databases.survey_names import NamedQuantity

Row = Mapping[str, Any]

#: Share of the rows that have to agree before a sign is proposed.
CLEAR: Final = 0.9
#: Values that a column may have to be taken for one that tells the direction of the current.
MAX_STATES: Final = 12
#: Share of its maximum from which on a total that a step begins with was not set back.
GOES_ON: Final = 0.01

#: Units of columns whose name alone says what they hold.
_PLAIN_UNITS: Final = {
    terms.TIME: "s",
    terms.CHARGE_CAPACITY: "A.h",
    terms.DISCHARGE_CAPACITY: "A.h",
    terms.TEMPERATURE: "degC",
}
_COUNTED: Final = frozenset({terms.STEP_FROM_CYCLER, terms.CYCLE_FROM_CYCLER})
#: Seconds since 1970 of the years 1998 to 2040: what a clock that counts from then shows.
_EPOCH_S: Final = (0.9e9, 2.2e9)
_TICKS: Final = {"s": 1.0, "ms": 1e3, "us": 1e6, "100ns": 1e7, "ns": 1e9}
#: Counts of days: their names, and what they show in those years.
_DAYS: Final = {"Julian days": (2.45e6, 2.47e6), "days of a spreadsheet": (35_000.0, 52_000.0)}
_TIME_IS: Final = f'"{terms.TIME}" = '
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?")


@dataclass(slots=True, kw_only=True)
class SampleColumns:
    """The columns of one table of samples; evidence and questions are added to those of others."""

    table: str
    kinds: Mapping[str, ValueKind]
    rows: Sequence[Row]
    found: Mapping[str, NamedQuantity]
    #: The column that puts them in their order.
    order: str
    evidence: list[str]
    questions: list[str]
    #: Long shape: the columns that are codes, as TOML has each.
    codes: Mapping[str, str] = field(default_factory=dict)

    def _origin(self, column: str) -> str:
        """Return what a column of the mapping comes from."""
        code = self.codes.get(column)
        return f"column = {text(column)}" if code is None else f"code = {code}"

    def _called(self, column: str) -> str:
        return f"code {column}" if column in self.codes else column

    def lines(self, known: frozenset[str]) -> list[str]:
        """Return the mapping; ``known`` are the columns that have another use."""
        lines = [self._line(name, one) for name, one in self.found.items()]
        lines += [
            f'start_time = {one.removeprefix(_TIME_IS).removesuffix(" }")}, take = "first" }}'
            for one in lines
            if one.startswith(_TIME_IS) and "ticks" in one
        ]
        used = known | {one.column for one in self.found.values()}
        if rest := [column for column in self.kinds if column not in used]:
            lines.append(f"# not used: {', '.join(rest)}")
        return lines

    def _line(self, name: str, quantity: NamedQuantity) -> str:
        column = quantity.column
        if name == terms.TIME:
            return self._time(quantity)
        if (trouble := self._trouble(column)) is not None:
            self.questions.append(trouble)
        if name in _COUNTED:
            return f"{text(name)} = {{ {self._origin(column)} }}"
        unit = self._unit(name, quantity)
        stated = "" if unit is None else f', unit = "{unit}"'
        if unit is None:
            self.questions.append(f"the unit of {self._called(column)}")
        if name == terms.CURRENT:
            stated += self._sign(column)
        elif name in terms.CUMULATIVE_COLUMNS:
            stated += self._total(column)
        return f"{text(name)} = {{ {self._origin(column)}{stated} }}"

    def _trouble(self, column: str) -> str | None:
        """Return why a column's values are not numbers, None where they are."""
        for value in self._values(column):
            if isinstance(value, bytes | memoryview):
                return (
                    f"{self._called(column)}: holds blobs, which are not taken apart; write one "
                    "row a sample into a table or a file"
                )
            if isinstance(value, list):
                return (
                    f"{self._called(column)}: holds arrays; make a row of each sample in the "
                    "query by UNNEST, and give samples.total"
                )
            if isinstance(value, timedelta | pa.MonthDayNano):
                return (
                    f"{self._called(column)}: holds durations; make seconds of them in the query, "
                    "by EXTRACT(EPOCH FROM ...) or TIME_TO_SEC(...)"
                )
            if isinstance(value, str) and self.kinds[column] is not ValueKind.NUMBER:
                return (
                    f"{self._called(column)}: holds text such as {value[:20]!r}; make numbers "
                    "of it in the query, and say there what a decimal comma or a word means"
                )
        return None

    def _values(self, column: str) -> list[Any]:
        return [row[column] for row in self.rows if row[column] is not None]

    def _time(self, quantity: NamedQuantity) -> str:
        column, name = quantity.column, text(terms.TIME)
        first = next(iter(self._values(column)), None)
        if isinstance(first, date) or (isinstance(first, str) and _ISO.match(first)):
            if isinstance(first, datetime) and first.tzinfo is not None:
                return f"{name} = {{ {self._origin(column)} }}"
            self.questions.append(f"columns.{terms.TIME}: the zone of {column}, such as {first}")
            return f'# {name} = {{ {self._origin(column)}, zone = "Europe/Berlin" }}'
        if (trouble := self._trouble(column)) is not None:
            self.questions.append(trouble)
        values = numbers(self.rows, column)
        clock = self._clock(quantity, float(np.median(values)) if len(values) else 0.0)
        if clock is not None:
            return f"{name} = {{ {self._origin(column)}, {clock} }}"
        unit = quantity.unit or (None if quantity.is_clock else _PLAIN_UNITS[terms.TIME])
        if quantity.unit is not None and column not in self.codes:
            self.evidence.append(f"{self._called(column)} is named after its unit")
        if unit is None:
            self.questions.append(
                f"the unit of {self._called(column)}, and when it is zero: it is {first}"
            )
            return f"# {name} = {{ {self._origin(column)} }}"
        if self._restarts(column):
            self.questions.append(
                f"{self._called(column)}: falls in the order of {self.order}; where it restarts, "
                "at a step or a cycle, add it up in the query"
            )
        return f'{name} = {{ {self._origin(column)}, unit = "{unit}" }}'

    def _clock(self, quantity: NamedQuantity, middle: float) -> str | None:
        """Return what the values of a clock count, None for those of a time since a beginning."""
        column = quantity.column
        for ticks, per_second in _TICKS.items():
            if _EPOCH_S[0] <= middle / per_second <= _EPOCH_S[1]:
                self.evidence.append(
                    f"{self._called(column)}: counts {ticks} since 1970, such as {middle:.17g}"
                )
                is_whole = all(isinstance(one, int) for one in self._values(column))
                return f'ticks = "{ticks}"' if is_whole else f'unit = "{ticks}"'
        for what, (low, high) in _DAYS.items():
            if quantity.is_clock and low <= middle <= high:
                self.evidence.append(f"{self._called(column)}: {what}, such as {middle:.17g}")
                return 'unit = "d"'
        return None

    def _restarts(self, column: str) -> bool:
        rows = [row for row in self._in_order(column) if number(row[column]) is not None]
        if len(rows) < 2:
            return False
        ids = [one for one in self.kinds if _is_id(one)]
        is_same = [all(a[one] == b[one] for one in ids) for a, b in pairwise(rows)]
        return bool(np.any((np.diff(numbers(rows, column)) < 0) & np.array(is_same)))

    def _unit(self, name: str, quantity: NamedQuantity) -> str | None:
        column = quantity.column
        if quantity.unit is not None:
            if column not in self.codes:
                self.evidence.append(f"{self._called(column)} is named after its unit")
            return quantity.unit
        if name != terms.VOLTAGE:
            # Seconds and degrees are what they are called; a current may be A or mA.
            return _PLAIN_UNITS.get(name)
        values = np.abs(numbers(self.rows, column))
        middle = float(np.median(values)) if len(values) else 0.0
        for unit, scale in (("V", 1.0), ("mV", 1000.0)):
            if 0.5 * scale <= middle <= 6.0 * scale:
                self.evidence.append(
                    f"{self._called(column)}: the middle value is {middle:g}, a voltage in {unit}"
                )
                return unit
        return None

    def _in_order(self, *columns: str) -> list[Row]:
        """Return the rows that have these values, in the order of time, test by test."""
        needed = (self.order, *columns)
        whole = [row for row in self.rows if None not in [row[one] for one in needed]]
        return _ordered(whole, self.order, *columns)

    def _sign(self, column: str) -> str:
        voltage = self.found[terms.VOLTAGE].column
        rows = self._in_order(column, voltage)
        share, moving = _rising(rows, column, voltage)
        if share >= CLEAR or share <= 1 - CLEAR:
            positive = "charge" if share >= CLEAR else "discharge"
            self.evidence.append(
                f"{self._called(column)}: the voltage rises with a positive current in {share:.0%} "
                f"of {moving} rows, so positive is {positive}"
            )
            return f', positive = "{positive}"'
        current = numbers(rows, column)
        if len(current) and (np.all(current >= 0) or np.all(current <= 0)):
            side = "negative" if np.all(current >= 0) else "positive"
            hint = self._direction(rows, column, voltage)
            self.questions.append(f"the sign of {self._called(column)}: it is never {side}{hint}")
            return ""
        self.questions.append(
            f"the sign of {self._called(column)}: positive = 'charge' or 'discharge'"
        )
        return ""

    def _direction(self, rows: Sequence[Row], column: str, voltage: str) -> str:
        """Return how another column tells the direction of a current that has no sign."""
        taken = {one.column for one in self.found.values()}
        for other in self.kinds:
            states = {row[other] for row in rows}
            if other in taken or not 2 <= len(states) <= MAX_STATES or None in states:
                continue
            shares = {}
            for state in states:
                share, moving = _rising([r for r in rows if r[other] == state], column, voltage)
                if moving:
                    shares[state] = share
            falling = [state for state, share in shares.items() if share <= 1 - CLEAR]
            if falling and any(share >= CLEAR for share in shares.values()):
                listed = ", ".join(f"'{s}'" if isinstance(s, str) else str(s) for s in falling)
                return (
                    f", and the voltage falls where {other} is {listed}; in the query: CASE WHEN "
                    f"{other} IN ({listed}) THEN -{column} ELSE {column} END, positive = 'charge'"
                )
        return "; where it charges the cell has to be said in the query"

    def _total(self, column: str) -> str:
        """Return whether a total runs on where the direction of the current changes."""
        current = self.found[terms.CURRENT].column
        rows = self._in_order(column, current)
        flow, total = numbers(rows, current), numbers(rows, column)
        if len(total) != len(rows) or len(flow) != len(rows) or len(rows) < 2:
            return ""
        turned = np.sign(flow[1:]) != np.sign(flow[:-1])
        fell = total[1:] < total[:-1]
        if not np.any(turned & ~fell & (total[1:] > GOES_ON * total.max())):
            return ""
        through = "cycle" if np.any(fell) else "test"
        self.evidence.append(
            f"{self._called(column)}: goes on where the current changes its direction"
        )
        return f', runs_on_through = "{through}"'


def _ordered(rows: Sequence[Row], order: str, *measured: str) -> list[Row]:
    """Put the rows in the order of their time, the tests one after the other."""
    ids = [c for c in (rows[0] if rows else ()) if c not in {order, *measured} and _is_id(c)]

    def place(row: Row) -> tuple[str, float, str]:
        at = row[order]
        known = number(at)
        return " ".join(str(row[c]) for c in ids), known if known is not None else 0.0, str(at)

    return sorted(rows, key=place)


def _is_id(column: str) -> bool:
    name = names.folded(column)
    return bool(names.TEST_WORDS.search(name) or names.CELL_WORDS.search(name))


def _rising(rows: Sequence[Row], column: str, voltage: str) -> tuple[float, int]:
    """Return in what share of how many rows the voltage rises with a positive current."""
    whole = [row for row in rows if None not in (number(row[column]), number(row[voltage]))]
    if len(whole) < 2:
        return 0.5, 0
    current, volts = numbers(whole, column), numbers(whole, voltage)
    steady = (current[1:] * current[:-1] > 0) & (np.diff(volts) != 0)
    rises = (np.diff(volts) > 0) == (current[1:] > 0)
    return (float(rises[steady].mean()) if steady.any() else 0.5), int(steady.sum())


def number(value: Any) -> float | None:
    """Return a value as a number, None for what is none; a numeric may come as its text."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def numbers(rows: Sequence[Row], column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the numbers among a column's values."""
    found = (number(row[column]) for row in rows)
    return np.array([one for one in found if one is not None], dtype=np.float64)


def text(value: str) -> str:
    """Write a text of TOML; JSON's strings are TOML's."""
    return json.dumps(value, ensure_ascii=False)
