"""BioLogic: EC-Lab and BT-Lab text exports (.mpt, .txt), cycling and impedance."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.errors import UnreadableError
from bulkload.readers.dialect import (
    ELECTRODES,
    RECORD_CHARGE,
    Z_IM_NEGATED,
    ColumnRule,
    Dialect,
    Kind,
    Sign,
)
from bulkload.readers.file_kinds import TEXT
from bulkload.readers.header_fields import grouped, merged, with_iso_start
from bulkload.readers.headers import HeaderLine, cut, find, grid_below
from bulkload.readers.normalise import read_grid
from bulkload.readers.probe import Probe
from bulkload.readers.raw_columns import Floats, Raw
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.table_format import TableFormat

#: EC-Lab counts changes of the current's direction; two of them are a cycle.
HALF_CYCLE: Final = "half cycle"

EXPORT: Final = Dialect(
    name="EC-Lab export",
    cycler="BioLogic",
    signature=(("time",), ("ewe", "ecell", "<ewe>", "<ecell>", "ewe ece")),
    columns=(
        ColumnRule(terms.TIME, ("time",), kind=Kind.DURATION),
        ColumnRule(terms.VOLTAGE, ("ecell", "<ecell>")),
        *ELECTRODES,
        ColumnRule(terms.CURRENT, ("i", "<i>")),
        ColumnRule(terms.TEMPERATURE, ("temperature",), needs_unit=True),
        ColumnRule(terms.STEP_FROM_CYCLER, ("ns",)),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle number",)),
        ColumnRule(HALF_CYCLE, ("half cycle",), unless=terms.CYCLE_FROM_CYCLER),
        ColumnRule(terms.FREQUENCY, ("freq",)),
        ColumnRule(terms.Z_RE, ("re(z)",)),
        ColumnRule(Z_IM_NEGATED, ("-im(z)",)),
        ColumnRule(terms.Z_IM, ("im(z)",)),
        ColumnRule("Z_Mod [Ohm]", ("|z|",)),
        ColumnRule("Z_Phase [deg]", ("phase(z)",)),
    ),
    # EC-Lab counts oxidation positive, which raises the voltage.
    sign=Sign.CHARGE_POSITIVE,
    slash_units=True,
    delimiter="\t",
)

_HEADER_LINES: Final = re.compile(r"Nb header lines\s*:\s*(\d+)")
_SERIAL: Final = re.compile(r"^(?P<name>.*?)\s*\(SN\s*(?P<serial>[^)]+)\)")
_SOFTWARE: Final = re.compile(r"^(?P<name>.+?\sv[\d.]+)\s*\(software\)", re.IGNORECASE)
#: Longest preamble line whose form is looked at, in characters.
MAX_LINE_CHARS: Final = 300

#: How the columns of techniques begin that let a current flow.
_FLOWS: Final = ("I/", "<I", "|I|/", "dq/", "dQ/", "(Q-Qo)/", "control/", "freq/")

_OPEN_CIRCUIT: Final = "open circuit voltage"
_LABELS: Final = {
    "loaded setting file": "procedure",
    "run on channel": "channel_number",
    "user": "operator",
    "device": "instrument",
    "acquisition started on": "start_time",
    "comments": "notes",
    "electrode material": "electrode_material",
    "electrolyte": "electrolyte",
}


class BioLogicText(Format):
    """An export whose second line counts the lines of its header."""

    name = "biologic"
    is_decisive = True

    def sniff(self, probe: Probe) -> Evidence:
        """Look for a first line that names the program and a second that counts the header."""
        if probe.kind != TEXT:
            return Evidence()
        head = probe.text.data[:400].decode("utf-8", "replace")
        marks = ("EC-Lab ASCII FILE", "BT-Lab ASCII FILE", "EC-LAB ASCII FILE", "BT-LAB ASCII FILE")
        program = next((mark for mark in marks if head.startswith(mark)), None)
        if program is None:
            return Evidence()
        if _HEADER_LINES.search(head) is None:
            return Evidence(fits=(f"begins with {program!r}",), lacks=("'Nb header lines'",))
        return Evidence(fits=(f"begins with {program!r}", "counts the lines of its header"))

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the table below the counted header."""
        preamble, header = _header(probe)
        technique = next((line.strip() for line in preamble[2:] if line.strip()), "")
        grid = grid_below(probe.text, header, EXPORT)

        def prepare(raw: Raw) -> None:
            is_named = _OPEN_CIRCUIT in technique.lower()
            make_series(raw, is_rest=is_named or not (technique or flows(header.names)))

        reading = read_grid(grid, EXPORT, probe.name, options, prepare)
        return replace(reading, header=merged(reading.header, describe(preamble)))


def flows(names: Iterable[str]) -> bool:
    """Return whether columns are of a technique that lets a current flow.

    One that controls anything records its control, a current or a charge; a rest does not.
    """
    return any(name.startswith(_FLOWS) for name in names)


def _header(probe: Probe) -> tuple[list[str], HeaderLine]:
    """Return the preamble's lines and the header below them."""
    head = probe.text.data[:400].decode("utf-8", "replace")
    counted = _HEADER_LINES.search(head)
    wanted = int(counted.group(1)) if counted else 0
    data = probe.text.data
    begin = _below(data, wanted - 1)
    if not wanted or begin == len(data):
        raise UnreadableError(
            f"{probe.name}: the header should have {wanted} lines and the file ends before; "
            "it was cut short",
            cause="truncated",
        )
    end = _below(data, 1, begin)
    line = data[begin:end].decode("utf-8", "replace").strip("\r\n")
    delimiter = max(("\t", ";", ","), key=line.count)
    names = tuple(name.strip() for name in cut(line, delimiter))
    header = HeaderLine(wanted, begin, end, delimiter, names)
    if not header.fits(EXPORT):
        # Lines were added or lost on the way through another program: the count is the old one.
        header = find(probe.headers, EXPORT) or header
        begin = header.begin
    return data[:begin].decode("utf-8", "replace").splitlines(), header


def _below(data: bytes, count: int, begin: int = 0) -> int:
    """Return where the text below so many lines begins: its end where there are fewer."""
    for _ in range(count):
        begin = data.find(b"\n", begin) + 1
        if not begin:
            return len(data)
    return begin


def make_series(raw: Raw, *, is_rest: bool) -> None:
    """Make what the columns of an export or a binary hold in another form.

    -Im(Z) is turned round; a cycle is two half cycles where cycles are not numbered (so in every
    export that has both); a missing current is the charge of each record over its time, the first
    record's zero (so in every pair of a binary and its export), or zero at rest.
    """
    negated = raw.columns.pop(Z_IM_NEGATED, None)
    if negated is not None and terms.Z_IM not in raw.columns:
        raw.columns[terms.Z_IM] = -np.asarray(negated, dtype=np.float64)
    half = raw.columns.pop(HALF_CYCLE, None)
    if half is not None and terms.CYCLE_FROM_CYCLER not in raw.columns:
        raw.columns[terms.CYCLE_FROM_CYCLER] = np.asarray(half, dtype=np.float64) // 2
        raw.decide(
            DecisionCode.CYCLES_DERIVED,
            "cycles are not numbered: two half cycles are one",
            evidence="half cycle",
            rows=raw.rows,
        )
    charge = raw.columns.pop(RECORD_CHARGE, None)
    if terms.CURRENT in raw.columns:
        return
    if charge is not None and terms.TIME in raw.columns:
        _current_from_charge(raw, np.asarray(charge, dtype=np.float64))
    elif is_rest:
        raw.columns[terms.CURRENT] = np.zeros(raw.rows)
        raw.decide(
            DecisionCode.CURRENT_DERIVED,
            "open-circuit technique without a current column: the current is zero",
            evidence="technique",
            rows=raw.rows,
        )


def _current_from_charge(raw: Raw, charge: Floats) -> None:
    """Make the current of each record from its charge, in A.h, and the time before it."""
    time = np.asarray(raw.columns[terms.TIME], dtype=np.float64)
    span = np.diff(time, prepend=time[:1])
    with np.errstate(divide="ignore", invalid="ignore"):
        current = np.where(charge == 0.0, 0.0, charge * 3600.0 / span)
    current[:1] = 0.0
    raw.columns[terms.CURRENT] = current
    raw.decide(
        DecisionCode.CURRENT_DERIVED,
        "no current column: the charge of each record over its time, as EC-Lab's own export has it",
        evidence="record charge",
        rows=raw.rows,
    )


def describe(preamble: Sequence[str]) -> dict[str, Any]:
    """Read the labelled lines; those that are indented belong to the label above."""
    found: dict[str, Any] = {}
    parent = ""
    for line in preamble:
        if " :" not in line and "(software)" not in line:
            continue
        label, colon, value = (part.strip() for part in line.partition(":"))
        software = _SOFTWARE.match(line[:MAX_LINE_CHARS]) if "(software)" in line.lower() else None
        if software:
            found.setdefault("software_version", software.group("name").strip())
        if not colon:
            continue
        if line[:1].isspace():
            if parent == "saved on" and label.lower() == "directory":
                found.setdefault("source_file_path", value)
            continue
        parent = label.lower()
        if value and parent in _LABELS:
            key = _LABELS[parent]
            known = found.get(key)
            found[key] = f"{known}\n{value}" if known and key == "notes" else known or value
    for key in ("channel_number", "instrument"):
        serial = _SERIAL.match(found.get(key, ""))
        if serial:
            found[key] = serial.group("name")
            found["cycler_serial_number"] = serial.group("serial")
    return grouped(with_iso_start(found))


#: The same columns without the lines above them, as a lab saves them from a spreadsheet.
TABLE: Final = replace(
    EXPORT,
    name="EC-Lab columns",
    signature=(*EXPORT.signature, ("i", "<i>")),
    delimiter=None,
)


def _make_table(raw: Raw) -> None:
    make_series(raw, is_rest=False)


FORMAT: Final = BioLogicText()
TABLE_FORMAT: Final = TableFormat(name="biologic table", dialects=(TABLE,), prepare=_make_table)
