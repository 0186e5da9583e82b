"""A cycler's table as data: what its header must hold, and what each column means.

A new cycler is a page: a :class:`Dialect` with its signature and columns. Everything else
(finding the header, units, decimal marks, time, sign, counts) is done by the same code for all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bulkload.core import terms
from bulkload.core.test_columns import TEST_COLUMNS

#: Roles of columns that do not become columns of the result as they are.
RECORD: Final = "record number"
TIMESTAMP: Final = "timestamp"
#: The same as a number: seconds since 1970.
EPOCH: Final = "seconds since 1970"
STEP_TIME: Final = "step time"
MODE: Final = "mode"
Z_IM_NEGATED: Final = "-Z_Im"
PHASE_NEGATED: Final = "-Z_Phase"
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


#: Columns that a time series cannot do without: with an unknown unit the file is refused.
REQUIRED: Final = (terms.TIME, terms.VOLTAGE, terms.CURRENT)


class Sign(StrEnum):
    """What a format says of the sign of its current."""

    CHARGE_POSITIVE = "positive is charge"
    DISCHARGE_POSITIVE = "positive is discharge"
    #: Magnitudes: only the mode column distinguishes charge from discharge.
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
    #: Without a unit in the header the column is another quantity, or its scale is unknown.
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
TESTS: Final = tuple(
    ColumnRule(target, names, kind=Kind.TEXT) for target, names in TEST_COLUMNS.items()
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
    #: The make, as ``test_setup`` has it.
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
