"""A cycler's table as data: what its header must hold, and what each column means.

A new cycler is a page: a :class:`Dialect` with its signature and columns. Everything else
(finding the header, units, decimal marks, time, sign, counts) is done by the same code for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final

from bulkload.core import terms
from bulkload.core.decisions import Decision, DecisionCode
from bulkload.readers.units import UNITS, Heading, conversion, split_heading

#: Roles of columns that do not become columns of the result as they are.
RECORD: Final = "record number"
TIMESTAMP: Final = "timestamp"
#: The same as a number: seconds since 1970.
EPOCH: Final = "seconds since 1970"
STEP_TIME: Final = "step time"
MODE: Final = "mode"
Z_IM_NEGATED: Final = "-Z_Im"
PHASE_NEGATED: Final = "-Z_Phase"
#: Numbers, or names, of tests and channels: a table may hold the rows of several.
TEST: Final = "test"
CHANNEL: Final = "channel"
CELL: Final = "cell"
BARCODE: Final = "barcode"
SERIAL: Final = "serial number"
#: The time of the test once more, in another unit.
SECOND_TIME: Final = "second time"
#: Charge that moved since the record before.
RECORD_CHARGE: Final = "record charge"

#: The voltage between working and counter electrode.
DIFFERENCE: Final = "Ewe-Ece"
#: Its name as a column of its own, where the voltage was stated to be the working electrode's.
DIFFERENCE_COLUMN: Final = "Ewe-Ece [V]"

#: Whose units a role is written in.
UNITS_OF: Final = {
    Z_IM_NEGATED: terms.Z_IM,
    PHASE_NEGATED: "Z_Phase [deg]",
    STEP_TIME: terms.TIME,
    SECOND_TIME: terms.TIME,
    RECORD_CHARGE: terms.CAPACITY,
    DIFFERENCE: terms.VOLTAGE,
}


#: Headers with fewer columns are preamble lines.
MIN_COLUMNS: Final = 3

#: Columns that a time series cannot do without: with an unknown unit the file is refused.
REQUIRED: Final = (terms.TIME, terms.VOLTAGE, terms.CURRENT)


class TwiceError(ValueError):
    """Two columns claim what there can be but one of; the argument is their name."""


class Sign(StrEnum):
    """What a format says of the sign of its current."""

    CHARGE_POSITIVE = "positive is charge"
    DISCHARGE_POSITIVE = "positive is discharge"
    #: Magnitudes: only the mode column tells charge from discharge.
    UNSIGNED = "unsigned"
    #: Not laid down: the data must prove it.
    UNSTATED = "not stated"


class Kind(StrEnum):
    """How a column's text is read."""

    NUMBER = "number"
    #: Seconds as a number, or ``h:mm:ss`` and its relatives.
    DURATION = "duration"
    TIMESTAMP = "timestamp"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """One column of the result, or a role, and the headers it may come under."""

    target: str
    #: Folded names, the preferred first.
    names: tuple[str, ...]
    #: Unit where the header states none; None: the header, or evidence, must say.
    unit: str | None = None
    kind: Kind = Kind.NUMBER
    #: Whole numbers, such as a status code.
    whole: bool = False
    #: Without a unit in the header the column is another quantity, or nobody knows its scale.
    needs_unit: bool = False
    #: What stands in the place of the unit is something else, such as a sensor's name.
    ignores_unit: bool = False
    #: Not looked for where the header has a column for this target.
    unless: str | None = None


#: What potentiostats call the potentials of electrodes, alone or averaged.
ELECTRODES: Final = (
    ColumnRule(DIFFERENCE, ("ewe ece", "<ewe ece>"), needs_unit=True),
    ColumnRule(terms.WORKING_POTENTIAL, ("ewe", "<ewe>"), needs_unit=True),
    ColumnRule(terms.COUNTER_POTENTIAL, ("ece", "<ece>"), needs_unit=True),
)

#: Columns by which a table may hold several tests or cells, whatever made it. Only without a unit:
#: ``Cell (V)`` is a voltage, ``Test (Sec)`` a time.
TESTS: Final = (
    ColumnRule(TEST, ("test id", "test number", "test no", "test"), kind=Kind.TEXT),
    ColumnRule(
        CHANNEL,
        (
            *("channel", "channel id", "channel number", "channel no", "channel index", "chl"),
            *("chan", "slot", "kanal", "canal", "通道", "通道号"),
        ),
        kind=Kind.TEXT,
    ),
    ColumnRule(
        CELL,
        (
            *("cell id", "cell name", "cell number", "cell no", "cell", "battery id", "battery"),
            *(
                "sample id",
                "sample name",
                "sample",
                "specimen",
                "specimen id",
                "device",
                "device id",
            ),
            *("dut", "dut id", "unit", "unit id", "module", "module id", "position"),
            *("zelle", "zellnummer", "cellule", "celda", "电池编号", "电池", "电芯", "样品"),
        ),
        kind=Kind.TEXT,
    ),
    ColumnRule(BARCODE, ("barcode", "bar code", "条码"), kind=Kind.TEXT),
    ColumnRule(
        SERIAL, ("serial number", "serial no", "serial", "cell serial", "sn"), kind=Kind.TEXT
    ),
)

#: What those columns say.
TELLING: Final = frozenset(rule.target for rule in TESTS)


@dataclass(frozen=True, slots=True)
class Series:
    """Numbered columns: the pattern of their folded names and the name of the result."""

    pattern: re.Pattern[str]
    target: str
    whole: bool = False
    #: Their unit, whatever stands in its place; None: the numbers have none.
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One table layout of one cycler."""

    name: str
    #: The make, as ``test_setup`` bears it.
    cycler: str
    #: Folded names that the header must hold; a group of several needs one of them.
    signature: tuple[tuple[str, ...], ...]
    columns: tuple[ColumnRule, ...]
    series: tuple[Series, ...] = ()
    sign: Sign = Sign.UNSTATED
    #: Pairs of columns that count charge and discharge: they witness the sign of current.
    totals: tuple[tuple[str, str], ...] = ((terms.CHARGE_CAPACITY, terms.DISCHARGE_CAPACITY),)
    #: The unit stands after a slash (``I/mA``), not in brackets.
    slash_units: bool = False
    #: The unit ends the name, after an underscore (``I_mA``).
    suffix_units: bool = False
    #: The row below the header has units even where none of them is known.
    units_row: bool = False
    #: Rows may lack the last columns of the header: the format writes none where all are empty.
    short_rows: bool = False
    #: None: decided by the values.
    decimal: str | None = None
    #: None: decided by the header line.
    delimiter: str | None = None
    #: Rows of these modes are messages, not samples.
    message_modes: frozenset[str] = frozenset()
    #: The time of the test includes its pauses, as the dates of the rows have them.
    time_from_timestamps: bool = False
    #: Order of day and month in dates such as 06/05/2021, where the values do not settle it.
    day_first: bool | None = None
    #: The mode codes become a column, and the calls of sub-procedures frames.
    keep_mode: bool = False
    #: Columns that no rule names are kept under their own names.
    keep_others: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """A column of the file with what it is."""

    #: Position in the header; names need not be unique.
    index: int
    name: str
    target: str
    kind: Kind
    unit: str | None
    whole: bool = False
    #: The header itself states the unit, or the dialect knows better; else it is the make's habit.
    is_stated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A header held against a dialect."""

    columns: tuple[Matched, ...]
    decisions: tuple[Decision, ...] = field(default=())

    def of(self, target: str) -> Matched | None:
        """Return the column that gives this target."""
        return next((column for column in self.columns if column.target == target), None)


def headings(names: Iterable[str], dialect: Dialect) -> list[Heading]:
    """Split the names of a header the way the dialect writes units."""
    return [
        split_heading(name, slash=dialect.slash_units, suffix=dialect.suffix_units)
        for name in names
    ]


class Named:
    """Names that may be a header's: folded once, for all the dialects that ask."""

    names: tuple[str, ...]

    @cached_property
    def _plain(self) -> frozenset[str]:
        return frozenset(split_heading(name).base for name in self.names)

    @cached_property
    def _slashed(self) -> frozenset[str]:
        return frozenset(split_heading(name, slash=True).base for name in self.names)

    @cached_property
    def _suffixed(self) -> frozenset[str]:
        return frozenset(split_heading(name, suffix=True).base for name in self.names)

    def _bases(self, dialect: Dialect) -> frozenset[str]:
        if dialect.suffix_units:
            return self._suffixed
        return self._slashed if dialect.slash_units else self._plain

    def fits(self, dialect: Dialect) -> bool:
        """Tell whether all of the dialect's signature is among the names, units split off."""
        bases = self._bases(dialect)
        return not any(bases.isdisjoint(group) for group in dialect.signature)

    def lacks(self, dialect: Dialect) -> list[str]:
        """List what of the signature is not."""
        return missing(self._bases(dialect), dialect)


@dataclass(frozen=True)
class HeaderRow(Named):
    """A row of a sheet that may be the header of a table."""

    #: From 0.
    index: int
    names: tuple[str, ...]


def may_be_header(texts: int, filled: int) -> bool:
    """Tell by what it holds whether a row may be a header: several texts, few numbers."""
    return texts >= MIN_COLUMNS and 4 * texts >= 3 * filled


def missing(bases: AbstractSet[str], dialect: Dialect) -> list[str]:
    """List what of the signature the header does not hold."""
    return [" or ".join(group) for group in dialect.signature if bases.isdisjoint(group)]


def match(names: Sequence[str], units: Sequence[str | None], dialect: Dialect) -> Match:
    """Hold a header against a dialect: each target gets its preferred column, the first of equals.

    ``units`` are those of a row below the header; None where it has none.
    """
    split = headings(names, dialect)
    places: dict[str, list[int]] = {}
    for index, heading in enumerate(split):
        places.setdefault(heading.base, []).append(index)
    found: list[Matched] = []
    taken: set[int] = set()
    decisions: list[Decision] = []
    for column in (*dialect.columns, *TESTS):
        hits = [
            index
            for wanted in column.names
            for index in places.get(wanted, ())
            if index not in taken
            and _is_usable(column, split[index].unit or units[index])
            and (column.target not in TELLING or split[index].unit is None)
        ]
        if not hits or any(m.target in {column.target, column.unless} for m in found):
            continue
        chosen = hits[0]
        if len(hits) > 1 and split[hits[1]].base == split[chosen].base:
            chosen, evidence = _one_of(column, hits, split)
            if chosen < 0:
                raise TwiceError(names[hits[0]])
            twin = _second_time(column, chosen, hits, names, split)
            if twin is not None:
                taken.add(twin.index)
                found.append(twin)
            decisions.append(
                Decision(
                    code=DecisionCode.COLUMN_TAKEN,
                    detail=f"{split[chosen].base!r} is there more than once: {names[chosen]!r} was "
                    "taken",
                    evidence=evidence,
                    columns=(names[chosen],),
                )
            )
        taken.add(chosen)
        stated = None if column.ignores_unit else split[chosen].unit or units[chosen]
        found.append(
            Matched(
                index=chosen,
                name=names[chosen],
                target=column.target,
                kind=column.kind,
                unit=stated or column.unit,
                whole=column.whole,
                is_stated=stated is not None or column.ignores_unit,
            )
        )
    numbered = _numbered(names, split, dialect, taken)
    return Match(columns=(*found, *numbered), decisions=tuple(decisions))


def _one_of(column: ColumnRule, hits: Sequence[int], split: Sequence[Heading]) -> tuple[int, str]:
    """Return which of several columns of one name is taken, and why; -1 where none can be.

    The time of a test in two units is one time: the finer unit is taken. Of a voltage or a current
    there can be but one.
    """
    same = [index for index in hits if split[index].base == split[hits[0]].base]
    if column.target not in REQUIRED:
        return same[0], "order of the columns"
    steps = [conversion(column.target, split[index].unit or "") for index in same]
    scales = [step.scale for step in steps if step is not None]
    if column.target == terms.TIME and len(scales) == len(set(scales)) == len(same):
        return same[scales.index(min(scales))], "unit"
    return -1, ""


def _second_time(
    column: ColumnRule,
    chosen: int,
    hits: Sequence[int],
    names: Sequence[str],
    split: Sequence[Heading],
) -> Matched | None:
    """Return a second column of the time in another unit, which must say the same."""
    others = [i for i in hits if i != chosen and split[i].base == split[chosen].base]
    if column.target != terms.TIME or len(others) != 1:
        return None
    return Matched(
        index=others[0],
        name=names[others[0]],
        target=SECOND_TIME,
        kind=Kind.NUMBER,
        unit=split[others[0]].unit,
    )


def _is_usable(column: ColumnRule, unit: str | None) -> bool:
    """Leave an optional column out, rather than guess, where nobody knows its scale."""
    if column.target in REQUIRED or column.kind is not Kind.NUMBER or column.ignores_unit:
        return True
    if unit is None:
        return not column.needs_unit
    return column.target not in UNITS or conversion(column.target, unit) is not None


def _numbered(
    names: Sequence[str], split: Sequence[Heading], dialect: Dialect, taken: AbstractSet[int]
) -> Iterable[Matched]:
    for index, (name, heading) in enumerate(zip(names, split, strict=True)):
        for series in () if index in taken else dialect.series:
            if hit := series.pattern.fullmatch(heading.base):
                yield Matched(
                    index=index,
                    name=name,
                    target=series.target.format(int(hit.group(1))),
                    kind=Kind.NUMBER,
                    unit=series.unit,
                    whole=series.whole,
                )
