"""Maccor: text exports of three header generations, in points or commas, seconds or minutes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import pyarrow.compute as pc

from bulkload.core import terms
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
from bulkload.readers.formats.time_unit import settle_time_unit
from bulkload.readers.header_fields import between, grouped, labelled, with_iso_start
from bulkload.readers.headers import cut, find
from bulkload.readers.headers import lines as lines_of
from bulkload.readers.probe import Probe
from bulkload.readers.raw_columns import Raw
from bulkload.readers.table_format import TableFormat
from bulkload.readers.units import split_heading

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


def _prepare(raw: Raw) -> None:
    """Cut the mode to its letter, and settle the unit of a test time that states none."""
    if MODE in raw.texts:
        mode = raw.texts[MODE]
        kept = pc.utf8_slice_codeunits(mode, 0, 1)
        raw.texts[MODE] = pc.if_else(pc.equal(mode, "MSG"), mode, kept)
    settle_time_unit(raw)


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


_CLOCK: Final = re.compile(r"\d{1,2}:\d{2}:\d{2}(?:\.\d*)?(?:\s*[AaPp][Mm])?")


def _first_clock(probe: Probe) -> str:
    """Return the time of day of the first row, empty where its column has dates or is not there."""
    header = find(probe.headers, TABLE)
    if header is None:
        return ""
    names = [split_heading(name).base for name in header.names]
    place = next((names.index(name) for name in ("dpt time", "dpt") if name in names), None)
    first = next((line for *_, line in lines_of(probe.text, header.end) if line.strip()), "")
    fields = cut(first, header.delimiter)
    stated = fields[place].strip() if place is not None and place < len(fields) else ""
    return stated if _CLOCK.fullmatch(stated) else ""


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
        if ":" not in found["start_time"]:
            # Only the day stands here; the clock of the first row, where that is all it states.
            found["start_time"] += f" {_first_clock(probe)}"
    else:
        rows = (re.sub(r"^([^\t:,]+):?[\t,]+", r"\1:", line) for line in lines)
        found = dict(labelled(rows, _ROW_LABELS))
    suffix = probe.content.suffix[1:]
    if suffix.isdigit() and not found.get("channel_number"):
        # A Maccor names its files after the channel: cell.057 is channel 57.
        found["channel_number"] = int(suffix)
    return grouped(with_iso_start(found))


FORMAT: Final = TableFormat(name="maccor", dialects=(TABLE,), preamble=_preamble, prepare=_prepare)
