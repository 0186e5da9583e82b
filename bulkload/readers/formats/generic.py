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
    TIMESTAMP,
    ColumnRule,
    Dialect,
    Kind,
)
from bulkload.readers.spectrum import SPECTRAL, tell_sweeps
from bulkload.readers.table_format import TableFormat

#: The time of the test by name precedes a bare time, which may be the step's own.
_TIME: Final = (
    *("test time", "total time", "cumulative time", "run time", "running time", "elapsed time"),
    *("testzeit", "gesamtzeit", "laufzeit", "temps total", "temps écoulé", "tiempo total"),
    *("测试时间", "总时间", "time", "zeit", "temps", "tiempo", "时间", "t"),
)
_DATES: Final = (
    *("date time", "datetime", "timestamp", "time stamp", "date", "datum", "zeitstempel"),
    *("date heure", "fecha", "日期"),
)
_VOLTAGE: Final = (
    *("cell voltage", "ecell", "zellspannung", "voltage", "potential", "spannung", "tension"),
    *("tensión", "voltaje", "电压", "电压值", "u", "v", "e"),
)
_ELECTRODES: Final = tuple(name for rule in ELECTRODES[:2] for name in rule.names)
_CURRENT: Final = (
    *("current", "cell current", "strom", "zellstrom", "courant", "intensité", "corriente"),
    *("电流", "i"),
)


def _plain(how: str, *, slash: bool = False, suffix: bool = False) -> Dialect:
    return Dialect(
        name=f"labelled columns{how}",
        cycler="",
        signature=((*_TIME, *_DATES), (*_VOLTAGE, *_ELECTRODES), _CURRENT),
        columns=(
            ColumnRule(RECORD, ("record", "rec", "data point", "point", "index")),
            ColumnRule(TIMESTAMP, _DATES, kind=Kind.TIMESTAMP),
            ColumnRule(terms.TIME, _TIME, kind=Kind.DURATION),
            ColumnRule(STEP_TIME, ("step time", "time in step", "relative time"), kind=Kind.TEXT),
            ColumnRule(terms.VOLTAGE, _VOLTAGE),
            *ELECTRODES,
            ColumnRule(terms.CURRENT, _CURRENT),
            ColumnRule(
                terms.TEMPERATURE,
                (
                    *("cell temperature", "temperature", "temp", "temperature 1", "temperatur"),
                    *("température", "temperatura", "温度"),
                ),
                needs_unit=True,
            ),
            ColumnRule(
                terms.STEP_FROM_CYCLER,
                (
                    *("step", "step index", "step number", "step id", "schritt", "étape", "paso"),
                    *("工步号", "工步序号"),
                ),
            ),
            ColumnRule(
                terms.CYCLE_FROM_CYCLER,
                (
                    *("cycle", "cycle index", "cycle number", "cycle id", "zyklus", "ciclo"),
                    *("循环号", "循环序号"),
                ),
            ),
            ColumnRule(terms.CHARGE_CAPACITY, ("charge capacity",), needs_unit=True),
            ColumnRule(terms.DISCHARGE_CAPACITY, ("discharge capacity",), needs_unit=True),
            ColumnRule(terms.CHARGE_ENERGY, ("charge energy",), needs_unit=True),
            ColumnRule(terms.DISCHARGE_ENERGY, ("discharge energy",), needs_unit=True),
            ColumnRule(ENERGY, ("energy",), needs_unit=True),
            *SPECTRAL,
            ColumnRule(MODE, ("mode", "status", "state", "step type"), kind=Kind.TEXT),
        ),
        slash_units=slash,
        suffix_units=suffix,
    )


FORMAT: Final = TableFormat(
    name="labelled",
    dialects=(
        _plain(""),
        _plain(" with slashes", slash=True),
        _plain(" with units as suffixes", suffix=True),
    ),
    prepare=tell_sweeps,
)
