"""BaSyTec, Digatron, Bitrode, Landt: makes whose exports are one table below a preamble."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from bulkload.core import terms
from bulkload.readers.dialect import MODE, TIMESTAMP, ColumnRule, Dialect, Kind, Series, Sign
from bulkload.readers.formats.time_unit import settle_time_unit
from bulkload.readers.header_fields import grouped, labelled, with_iso_start
from bulkload.readers.probe import Probe
from bulkload.readers.table_format import TableFormat

BASYTEC_RESULT: Final = Dialect(
    name="BaSyTec result file",
    cycler="BaSyTec",
    signature=(("dataset",), ("line",), ("u",), ("i",), ("time",)),
    columns=(
        ColumnRule(terms.TIME, ("time",), unit="s", kind=Kind.DURATION),
        # Always with their units: a bare letter may be anything.
        ColumnRule(terms.VOLTAGE, ("u",)),
        ColumnRule(terms.CURRENT, ("i",)),
        # Its degree sign is lost in many an export; a BaSyTec logs no other unit.
        ColumnRule(terms.TEMPERATURE, ("t1",), unit="degC", ignores_unit=True),
        ColumnRule(terms.STEP_FROM_CYCLER, ("line",)),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cyc count",)),
        ColumnRule(terms.CHARGE_CAPACITY, ("ah charge",), unit="Ah"),
        ColumnRule(terms.DISCHARGE_CAPACITY, ("ah discharge",), unit="Ah"),
        ColumnRule(terms.CHARGE_ENERGY, ("wh charge",), unit="Wh"),
        ColumnRule(terms.DISCHARGE_ENERGY, ("wh discharge",), unit="Wh"),
    ),
    sign=Sign.CHARGE_POSITIVE,
)

_BASYTEC_LABELS: Final = {
    "name of test": "test_name",
    "battery": "cell_label",
    "testplan": "procedure",
    "testchannel": "channel_number",
    "start of test": "start_time",
    "operator (test)": "operator",
}


def _basytec(lines: Sequence[str], _probe: Probe) -> dict[str, Any]:
    return grouped(with_iso_start(dict(labelled(lines, _BASYTEC_LABELS))))


DIGATRON_EXPORT: Final = Dialect(
    name="Digatron export",
    cycler="Digatron",
    # In English and in German.
    signature=(
        ("step", "schritt"),
        ("status", "zustand"),
        ("prog time", "programmdauer", "programmzeit", "prog zeit"),
        ("voltage", "spannung"),
        ("current", "strom"),
        ("ahaccu", "ahakku"),
    ),
    columns=(
        ColumnRule(
            terms.TIME,
            ("prog time", "programmdauer", "programmzeit", "prog zeit"),
            kind=Kind.DURATION,
        ),
        ColumnRule(terms.VOLTAGE, ("voltage", "spannung")),
        ColumnRule(terms.CURRENT, ("current", "strom")),
        # The units row holds the sensor's name in the place of the unit.
        ColumnRule(
            terms.TEMPERATURE,
            ("logtempmid", "logtemp001", "logtemppositive", "temp13", "temp1", "temperatur"),
            unit="degC",
            ignores_unit=True,
        ),
        *(
            ColumnRule(f"{name} [degC]", (name.lower(),), unit="degC", ignores_unit=True)
            for name in ("LogTempMid", "LogTempPositive", "LogTempNegative")
        ),
        ColumnRule(terms.STEP_FROM_CYCLER, ("step", "schritt")),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle", "zyklus")),
        ColumnRule(MODE, ("status", "zustand"), kind=Kind.TEXT),
        ColumnRule(TIMESTAMP, ("zeitstempel", "datum", "time stamp"), kind=Kind.TIMESTAMP),
    ),
    series=(Series(re.compile(r"logtemp(\d+)"), "LogTemp{:03d} [degC]", unit="degC"),),
    sign=Sign.CHARGE_POSITIVE,
    units_row=True,
)

_DIGATRON_LABELS: Final = {
    "program": "procedure",
    "battery name": "cell_label",
    "circuit": "channel_number",
    "start time": "start_time",
    "comment": "notes",
    "test section": "test_name",
    "programm": "procedure",
    "prüfprogramm": "procedure",
    "batteriename": "cell_label",
    "batterie": "cell_label",
    "kreis": "channel_number",
    "stromkreis": "channel_number",
    "startzeit": "start_time",
    "start": "start_time",
    "kommentar": "notes",
    "bemerkung": "notes",
    "prüfabschnitt": "test_name",
}


def _digatron(lines: Sequence[str], _probe: Probe) -> dict[str, Any]:
    return grouped(with_iso_start(dict(labelled(lines, _DIGATRON_LABELS, separator=",;\t:"))))


BITRODE_EXPORT: Final = Dialect(
    name="Bitrode export",
    cycler="Bitrode",
    signature=(("exclude",), ("time",), ("loop",), ("current",), ("voltage",), ("mode",)),
    columns=(
        ColumnRule(terms.TIME, ("time",), kind=Kind.DURATION),
        ColumnRule(terms.VOLTAGE, ("voltage",)),
        ColumnRule(terms.CURRENT, ("current",)),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle",)),
        ColumnRule(terms.STEP_FROM_CYCLER, ("step",)),
        ColumnRule(MODE, ("mode",), kind=Kind.TEXT),
    ),
    sign=Sign.UNSIGNED,
)

_BITRODE_NAMES: Final = (
    ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle",)),
    ColumnRule(terms.STEP_FROM_CYCLER, ("step",)),
    ColumnRule(MODE, ("mode",), kind=Kind.TEXT),
)

BITRODE_MODULE: Final = Dialect(
    name="Bitrode module export",
    cycler="Bitrode",
    signature=(
        ("total time",),
        ("loop counter 1", "loop counter"),
        ("amp hours",),
        ("current",),
        ("voltage",),
        ("mode",),
    ),
    columns=(
        ColumnRule(TIMESTAMP, ("real time",), kind=Kind.TIMESTAMP),
        # No unit: the clock beside it tells.
        ColumnRule(terms.TIME, ("total time",), kind=Kind.DURATION),
        # VisuaLCN exports no other units than these, and names none.
        ColumnRule(terms.VOLTAGE, ("voltage",), unit="V"),
        ColumnRule(terms.CURRENT, ("current",), unit="A"),
        ColumnRule(terms.CHARGE_CAPACITY, ("amp hours charge",), unit="Ah"),
        ColumnRule(terms.DISCHARGE_CAPACITY, ("amp hours discharge",), unit="Ah"),
        *_BITRODE_NAMES,
    ),
    sign=Sign.CHARGE_POSITIVE,
)

_BITRODE_LABELS: Final = {
    "test name": "test_name",
    "test date": "start_time",
    "operator id": "operator",
    "program name": "procedure",
    "module type": "instrument",
    "name": "channel_number",
    "notes": "notes",
}


def _bitrode(lines: Sequence[str], _probe: Probe) -> dict[str, Any]:
    return grouped(with_iso_start(dict(labelled(lines, _BITRODE_LABELS, separator=","))))


LANDT_EXPORT: Final = Dialect(
    name="Landt export",
    cycler="Landt",
    signature=(("test time s",), ("current a",), ("voltage v",), ("step index",), ("step name",)),
    columns=(
        ColumnRule(TIMESTAMP, ("date time iso string",), kind=Kind.TIMESTAMP),
        ColumnRule(terms.TIME, ("test time s",), unit="s", kind=Kind.DURATION),
        ColumnRule(terms.VOLTAGE, ("voltage v",), unit="V"),
        ColumnRule(terms.CURRENT, ("current a",), unit="A"),
        ColumnRule(terms.TEMPERATURE, ("temperature 1 c",), unit="C"),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle index",)),
        ColumnRule(terms.STEP_FROM_CYCLER, ("step index",)),
        ColumnRule(terms.DISCHARGE_CAPACITY, ("discharge capacity ah",), unit="Ah"),
        ColumnRule(terms.CHARGE_CAPACITY, ("charge capacity ah",), unit="Ah"),
        ColumnRule(terms.DISCHARGE_ENERGY, ("discharge energy wh",), unit="Wh"),
        ColumnRule(terms.CHARGE_ENERGY, ("charge energy wh",), unit="Wh"),
        ColumnRule(MODE, ("step name",), kind=Kind.TEXT),
    ),
    sign=Sign.CHARGE_POSITIVE,
)

BASYTEC: Final = TableFormat(name="basytec", dialects=(BASYTEC_RESULT,), preamble=_basytec)
DIGATRON: Final = TableFormat(name="digatron", dialects=(DIGATRON_EXPORT,), preamble=_digatron)
BITRODE: Final = TableFormat(
    name="bitrode",
    dialects=(BITRODE_EXPORT, BITRODE_MODULE),
    preamble=_bitrode,
    prepare=settle_time_unit,
)
LANDT: Final = TableFormat(name="landt", dialects=(LANDT_EXPORT,))
