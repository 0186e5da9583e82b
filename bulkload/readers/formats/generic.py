"""A table whose header says all: time, voltage and current with their units, make unknown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

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
from bulkload.readers.header_fields import grouped, labelled, with_iso_start
from bulkload.readers.probe import Probe
from bulkload.readers.spectrum import SPECTRAL, tell_sweeps
from bulkload.readers.table_format import TableFormat

#: The time of the test by name precedes a bare time, which may be the step's own.
_TIME: Final = (
    *("test time", "total time", "cumulative time", "run time", "running time", "elapsed time"),
    *("testzeit", "gesamtzeit", "laufzeit", "temps total", "temps écoulé", "tiempo total"),
    *("测试时间", "总时间", "time", "zeit", "temps", "tiempo", "tempo", "tijd", "时间", "時間"),
    *("경과 시간", "시간", "время", "t"),
)
_DATES: Final = (
    *("date time", "datetime", "timestamp", "time stamp", "date", "datum", "zeitstempel"),
    *("date heure", "fecha", "日期"),
)
_VOLTAGE: Final = (
    *("cell voltage", "ecell", "zellspannung", "voltage", "potential", "spannung", "tension"),
    *("tensión", "voltaje", "tensione", "tensão", "spanning", "电压", "电压值", "電圧", "전압"),
    *("напряжение", "u", "v", "e"),
)
_ELECTRODES: Final = tuple(name for rule in ELECTRODES[:2] for name in rule.names)
_CURRENT: Final = (
    *("current", "cell current", "strom", "zellstrom", "courant", "intensité", "corriente"),
    *("corrente", "stroom", "电流", "電流", "전류", "ток", "i"),
)


_MODES: Final = (
    *("mode", "status", "state", "step type", "modus", "zustand", "betriebsart", "schritttyp"),
    *("état", "estado", "modo", "stato", "工步类型", "状态", "工步状态"),
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
            ColumnRule(MODE, _MODES, kind=Kind.TEXT),
        ),
        slash_units=slash,
        suffix_units=suffix,
    )


#: What lines above a table call the moment at which the test began.
_STARTS: Final = (
    *("start", "start time", "start date", "started", "test start", "start of test", "begin"),
    *("date of test", "startzeit", "beginn", "startdatum", "début", "inicio", "开始时间"),
)


def _preamble(lines: Sequence[str], _probe: Probe) -> dict[str, Any]:
    rows = (re.sub(r"^([^\t:;,]+):?[\t;,]+", r"\1:", line) for line in lines)
    found = labelled(rows, dict.fromkeys(_STARTS, "start_time"))
    return grouped(with_iso_start(dict(found)))


FORMAT: Final = TableFormat(
    name="labelled",
    dialects=(
        _plain(""),
        _plain(" with slashes", slash=True),
        _plain(" with units as suffixes", suffix=True),
    ),
    preamble=_preamble,
    prepare=tell_sweeps,
)
