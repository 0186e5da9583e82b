"""A table whose header says all: time, voltage and current with their units, make unknown."""

from __future__ import annotations

from typing import Final

from bulkload.core import terms
from bulkload.readers.derive import ENERGY
from bulkload.readers.dialect import (
    ELECTRODES,
    MODE,
    RECORD,
    STEP_TIME,
    TESTS,
    TIMESTAMP,
    ColumnRule,
    Dialect,
    Kind,
)
from bulkload.readers.table_format import TableFormat

#: The time of the test by name goes before a bare time, which may be the step's own.
_TIME: Final = (
    *("test time", "total time", "cumulative time", "run time", "running time", "elapsed time"),
    *("time", "t"),
)
_VOLTAGE: Final = ("cell voltage", "ecell", "voltage", "potential", "u", "v", "e")
_ELECTRODES: Final = tuple(name for rule in ELECTRODES[:2] for name in rule.names)
_CURRENT: Final = ("current", "cell current", "i")


def _plain(*, slash: bool) -> Dialect:
    return Dialect(
        name="labelled columns" + (" with slashes" if slash else ""),
        cycler="",
        signature=(_TIME, (*_VOLTAGE, *_ELECTRODES), _CURRENT),
        columns=(
            *TESTS,
            ColumnRule(RECORD, ("record", "rec", "data point", "point", "index")),
            ColumnRule(
                TIMESTAMP, ("date time", "datetime", "timestamp", "date"), kind=Kind.TIMESTAMP
            ),
            ColumnRule(terms.TIME, _TIME, kind=Kind.DURATION),
            ColumnRule(STEP_TIME, ("step time", "time in step", "relative time"), kind=Kind.TEXT),
            ColumnRule(terms.VOLTAGE, _VOLTAGE),
            *ELECTRODES,
            ColumnRule(terms.CURRENT, _CURRENT),
            ColumnRule(
                terms.TEMPERATURE,
                ("temperature", "temp", "cell temperature", "temperature 1"),
                needs_unit=True,
            ),
            ColumnRule(terms.STEP_FROM_CYCLER, ("step", "step index", "step number", "step id")),
            ColumnRule(
                terms.CYCLE_FROM_CYCLER, ("cycle", "cycle index", "cycle number", "cycle id")
            ),
            ColumnRule(terms.CHARGE_CAPACITY, ("charge capacity",), needs_unit=True),
            ColumnRule(terms.DISCHARGE_CAPACITY, ("discharge capacity",), needs_unit=True),
            ColumnRule(terms.CHARGE_ENERGY, ("charge energy",), needs_unit=True),
            ColumnRule(terms.DISCHARGE_ENERGY, ("discharge energy",), needs_unit=True),
            ColumnRule(ENERGY, ("energy",), needs_unit=True),
            ColumnRule(MODE, ("mode", "status", "state", "step type"), kind=Kind.TEXT),
        ),
        slash_units=slash,
    )


FORMAT: Final = TableFormat(name="labelled", dialects=(_plain(slash=False), _plain(slash=True)))
