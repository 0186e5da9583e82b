"""Maccor: text exports of three header generations, in points or commas, seconds or minutes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.errors import UnreadableError
from bulkload.readers import timestamps as clock
from bulkload.readers.derive import ENERGY
from bulkload.readers.dialect import (
    MODE,
    RECORD,
    TIMESTAMP,
    ColumnRule,
    Dialect,
    Kind,
    Series,
    Sign,
)
from bulkload.readers.metadata import between, grouped, labelled, with_iso_start
from bulkload.readers.probe import Probe
from bulkload.readers.raw_columns import Raw
from bulkload.readers.table_format import TableFormat

TABLE: Final = Dialect(
    name="Maccor table",
    cycler="Maccor",
    signature=(
        ("step",),
        ("test", "test time", "testtime"),
        ("amps", "mamps", "current"),
        ("volts", "voltage"),
        ("rec", "cyc", "cycle p", "cycle c"),
    ),
    columns=(
        ColumnRule(RECORD, ("rec",)),
        ColumnRule(TIMESTAMP, ("dpt time", "dpt"), kind=Kind.TIMESTAMP),
        ColumnRule(terms.TIME, ("test", "test time", "testtime"), kind=Kind.DURATION),
        ColumnRule(terms.VOLTAGE, ("volts", "voltage"), unit="V"),
        ColumnRule(terms.CURRENT, ("amps", "current"), unit="A"),
        ColumnRule(terms.CURRENT, ("mamps",), unit="mA"),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle c", "cycle", "cyc", "cycle p")),
        ColumnRule(terms.STEP_FROM_CYCLER, ("step",)),
        ColumnRule(terms.CAPACITY, ("amp hr",), unit="Ah"),
        ColumnRule(terms.CAPACITY, ("mamp hr",), unit="mAh"),
        ColumnRule(terms.CAPACITY, ("capacity", "cap"), needs_unit=True),
        ColumnRule(terms.CHARGE_CAPACITY, ("chg capacity",), needs_unit=True),
        ColumnRule(terms.DISCHARGE_CAPACITY, ("dchg capacity",), needs_unit=True),
        ColumnRule(ENERGY, ("watt hr",), unit="Wh"),
        ColumnRule(ENERGY, ("mwatt hr",), unit="mWh"),
        ColumnRule(ENERGY, ("energy", "ener"), needs_unit=True),
        ColumnRule(terms.CHARGE_ENERGY, ("chg energy",), needs_unit=True),
        ColumnRule(terms.DISCHARGE_ENERGY, ("dchg energy",), needs_unit=True),
        ColumnRule(
            terms.TEMPERATURE,
            ("logtemp001", "temperature", "evtemp", "temperature cell"),
            unit="C",
        ),
        ColumnRule("DC resistance [Ohm]", ("dcir",), needs_unit=True),
        ColumnRule("End status from cycler", ("es",), whole=True),
        ColumnRule(MODE, ("state", "md", "status"), kind=Kind.TEXT),
    ),
    series=(
        Series(re.compile(r"loop ?(\d+)"), "Loop {} from cycler", whole=True),
        Series(re.compile(r"var ?(\d+)"), "VAR{} from cycler"),
        Series(re.compile(r"flag ?(\d+)"), "FLAG{} from cycler"),
    ),
    sign=Sign.UNSTATED,
    message_modes=frozenset({"MSG"}),
    keep_mode=True,
)

#: Seconds that one unit of an unlabelled test time may be.
_TIME_UNITS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}

#: Pairs of rows whose timestamps are held against the test time.
PAIRS_SAMPLED: Final = 100

#: How near to one of them the timestamps must come: they are whole seconds over hours.
_UNIT_TOLERANCE: Final = 0.05


def _prepare(raw: Raw) -> None:
    """Cut the mode to its letter, and settle the unit of a test time that states none."""
    if MODE in raw.texts:
        mode = raw.texts[MODE]
        kept = pc.utf8_slice_codeunits(mode, 0, 1)
        raw.texts[MODE] = pc.if_else(pc.equal(mode, "MSG"), mode, kept)
    column = raw.match.of(terms.TIME)
    if column is None or column.unit is not None or terms.TIME not in raw.columns:
        return
    if raw.kinds[terms.TIME] is Kind.NUMBER and TIMESTAMP in raw.texts:
        _settle_unit(raw)


def _settle_unit(raw: Raw) -> None:
    """Hold the unlabelled test time against the timestamps beside it."""
    time = np.asarray(raw.columns[terms.TIME], dtype=np.float64)
    if raw.rows < 2:
        return
    rows = np.linspace(0, raw.rows - 2, min(raw.rows - 1, PAIRS_SAMPLED)).astype(np.int64)
    stamps = raw.texts[TIMESTAMP].take(pa.array(np.stack((rows, rows + 1), axis=1).ravel()))
    try:
        seconds = clock.timestamps(stamps)
    except clock.ClockError:
        return
    ticks, elapsed = time[rows + 1] - time[rows], seconds[1::2] - seconds[::2]
    running = (ticks > 0) & (elapsed > 0)
    # Day and month may be swapped, which only spoils the steps over midnight: take the middle.
    ratio = float(np.median(elapsed[running] / ticks[running])) if running.any() else np.nan
    for unit, scale in _TIME_UNITS.items():
        if abs(ratio / scale - 1.0) < _UNIT_TOLERANCE:
            raw.columns[terms.TIME] = time * scale
            raw.proved.add(terms.TIME)
            raw.decide(
                DecisionCode.UNIT_PROVED,
                f"the test time states no unit: {unit}, proved by the timestamps beside it",
                evidence="timestamps of the rows",
            )
            return
    raise UnreadableError(
        f"{raw.name}: the test time states no unit, and one of it is {ratio:.3g} s by the "
        "timestamps beside it; state the unit in a dialect file",
        cause="unknown_unit",
    )


_LABELS: Final = ("Today's Date", "Date of Test", "Filename", "Procedure", "Comment/Barcode")
_ROW_LABELS: Final = {
    "channel": "channel_number",
    "tester": "instrument",
    "procedure": "procedure",
    "description": "notes",
    "started": "start_time",
    "name": "test_name",
}
_OTHERS: Final = (*_LABELS, "Tester Channel", "Description", "TestName")


def _preamble(lines: Sequence[str], probe: Probe) -> dict[str, Any]:
    """Read the header in one line, or in one field a line."""
    text = "\n".join(lines)
    if "Date of Test" in text:
        found: dict[str, Any] = {
            "procedure": between(text, "Procedure", _OTHERS),
            "source_file_path": between(text, "Filename", _OTHERS),
            "channel_number": between(text, "Tester Channel", _OTHERS),
            "barcode_comment": between(text, "Comment/Barcode", _OTHERS),
            "start_time": between(text, "Date of Test", _OTHERS) or "",
        }
    else:
        rows = (re.sub(r"^([^\t:,]+):?[\t,]+", r"\1:", line) for line in lines)
        found = dict(labelled(rows, _ROW_LABELS))
    suffix = probe.content.suffix[1:]
    if suffix.isdigit() and not found.get("channel_number"):
        # A Maccor names its files after the channel: cell.057 is channel 57.
        found["channel_number"] = int(suffix)
    return grouped(with_iso_start(found))


FORMAT: Final = TableFormat(name="maccor", dialects=(TABLE,), preamble=_preamble, prepare=_prepare)
