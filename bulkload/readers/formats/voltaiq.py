"""Voltaiq data format: a table of any cycler under names of its own, units in the row below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.readers.derive import DUPLICATE_OFFSET_S
from bulkload.readers.dialect import RECORD, ColumnRule, Dialect, Kind, Sign
from bulkload.readers.header_fields import grouped, labelled
from bulkload.readers.probe import Probe
from bulkload.readers.raw_columns import Raw
from bulkload.readers.table_format import TableFormat
from bulkload.readers.timestamps import iso_of

TABLE: Final = Dialect(
    name="Voltaiq data format",
    cycler="",
    signature=(
        ("datapoint number", "data point"),
        ("test time",),
        ("current",),
        ("potential",),
        ("timestamp",),
    ),
    columns=(
        ColumnRule(RECORD, ("datapoint number", "data point")),
        ColumnRule(terms.TIME, ("test time",), kind=Kind.DURATION),
        ColumnRule(terms.VOLTAGE, ("potential",)),
        ColumnRule(terms.CURRENT, ("current",)),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle number", "cycle index")),
        ColumnRule(terms.STEP_FROM_CYCLER, ("step index", "step number", "protocol step number")),
        ColumnRule(
            terms.TEMPERATURE,
            ("cell temperature", "cell temperature 1", "temperature", "ambient temperature"),
            needs_unit=True,
        ),
        ColumnRule(terms.CHARGE_CAPACITY, ("charge capacity",), needs_unit=True),
        ColumnRule(terms.DISCHARGE_CAPACITY, ("discharge capacity",), needs_unit=True),
        ColumnRule(terms.CHARGE_ENERGY, ("charge energy",), needs_unit=True),
        ColumnRule(terms.DISCHARGE_ENERGY, ("discharge energy",), needs_unit=True),
    ),
    sign=Sign.UNSTATED,
    units_row=True,
)

_LABELS: Final = {
    "start time": "start",
    "channel number": "channel_number",
    "channel": "channel_number",
    "protocol": "procedure",
    "protocol name": "procedure",
    "device": "instrument",
    "device name": "cell_label",
    "operator": "operator",
    "comments": "notes",
}

#: Milliseconds since 1970 that a test can have begun at: 1982 to 2119.
_MILLISECONDS: Final = (3.8e11, 4.7e12)


def _preamble(lines: Sequence[str], _probe: Probe) -> dict[str, Any]:
    found: dict[str, Any] = dict(labelled(lines, _LABELS))
    start = found.pop("start", "")
    if start.isdigit() and _MILLISECONDS[0] < int(start) < _MILLISECONDS[1]:
        found["start_time"] = iso_of(int(start) / 1000.0)
    return grouped(found)


def _prepare(raw: Raw) -> None:
    """Set records apart that stand in the table twice, under one number and one time."""
    if not {RECORD, terms.TIME} <= raw.columns.keys():
        return
    record = np.asarray(raw.columns[RECORD], dtype=np.float64)
    time = np.asarray(raw.columns[terms.TIME], dtype=np.float64)
    again = np.concatenate(([False], (np.diff(record) == 0) & (np.diff(time) == 0)))
    if not again.any():
        return
    begin = np.maximum.accumulate(np.where(again, 0, np.arange(raw.rows)))
    raw.columns[terms.TIME] = time + (np.arange(raw.rows) - begin) * DUPLICATE_OFFSET_S
    raw.decide(
        DecisionCode.TIMES_SET_APART,
        f"{int(again.sum())} rows repeat the record before: each a microsecond later",
        evidence="record number",
        rows=int(again.sum()),
    )


FORMAT: Final = TableFormat(name="voltaiq", dialects=(TABLE,), preamble=_preamble, prepare=_prepare)
