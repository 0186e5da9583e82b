"""Impedance spectra as text: ZPlot, Autolab, CHI, PowerSuite, Maccor, Zahner, EC-Lab, Squidstat.

What they have in common is a frequency and an impedance, in parts or as modulus and phase, and no
voltage or current of a cell. How each names its columns is a dialect.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from bulkload.core import terms
from bulkload.errors import UnreadableError
from bulkload.readers.dialect import ColumnRule, Dialect
from bulkload.readers.file_kinds import TEXT
from bulkload.readers.header_fields import grouped, labelled, merged, with_iso_start
from bulkload.readers.header_match import headings
from bulkload.readers.headers import HeaderLine, find, grid_below
from bulkload.readers.probe import Probe
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.spectrum import (
    FREQUENCIES,
    IMAGINARIES,
    MODULI,
    NEGATED,
    NEGATED_PHASES,
    PHASES,
    REALS,
    SPECTRAL,
    read_spectrum,
)
from bulkload.readers.units import is_unit

#: Names of other tables: with a voltage and a current it is cycling that has a spectrum beside.
_VOLTAGES: Final = frozenset({"voltage", "potential", "u", "ewe", "<ewe>"})
_CURRENTS: Final = frozenset({"current", "i", "<i>"})


def _dialect(name: str, cycler: str, *, slash: bool = False, **changes: Any) -> Dialect:
    return Dialect(
        name=name,
        cycler=cycler,
        signature=(
            FREQUENCIES,
            (*REALS, *MODULI),
            (*IMAGINARIES, *NEGATED, *PHASES, *NEGATED_PHASES),
        ),
        columns=(*SPECTRAL, ColumnRule(terms.TIME, ("time", "elapsed time"), unit="s")),
        slash_units=slash,
        **changes,
    )


#: The program writes hertz and ohms, and no units.
POWERSUITE: Final = Dialect(
    name="PowerSuite spectrum",
    cycler="Princeton Applied Research",
    signature=(("frequency",), ("zre",), ("zimg",)),
    columns=(
        ColumnRule(terms.FREQUENCY, ("frequency",), unit="Hz"),
        ColumnRule(terms.Z_RE, ("zre",), unit="Ohm"),
        ColumnRule(terms.Z_IM, ("zimg",), unit="Ohm"),
    ),
    delimiter="\t",
)

#: Read in this order: a slash in a name without units is not a unit.
DIALECTS: Final = (
    _dialect("impedance spectrum", ""),
    _dialect("impedance spectrum with slashes", "", slash=True),
    POWERSUITE,
)

#: What the first lines of a program say that writes such a table.
_PROGRAMS: Final = (
    ("CHI", re.compile(r"^Instrument Model:\s*CHI", re.MULTILINE), "CH Instruments"),
    ("Zahner", re.compile(r"zahner|thales", re.IGNORECASE), "Zahner"),
    ("Ivium", re.compile(r"ivium", re.IGNORECASE), "Ivium"),
    ("Autolab", re.compile(r"autolab|nova \d", re.IGNORECASE), "Metrohm Autolab"),
    ("Maccor", re.compile(r"^.*Frequency Sweep:", re.MULTILINE), "Maccor"),
)

_LABELS: Final = {
    "instrument model": "instrument",
    "start date": "start_time",
    "date": "start_time",
    "note": "notes",
    "file": "source_file_path",
}


class Impedance(Format):
    """A spectrum as text: frequency and impedance, without a cell's voltage and current."""

    name = "impedance"

    def sniff(self, probe: Probe) -> Evidence:
        """Look for a header of frequency and impedance that has no voltage or current."""
        found = _found(probe)
        if found is None:
            return Evidence()
        dialect, header = found
        return Evidence(fits=(f"line {header.number} holds the columns of an {dialect.name}",))

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the spectrum."""
        del options
        found = _found(probe)
        if found is None:
            raise UnreadableError(
                f"{probe.name}: read as a spectrum, but no header names a frequency and an "
                "impedance",
                cause="wrong_reader",
            )
        dialect, header = found
        reading = read_spectrum(grid_below(probe.text, header, dialect), dialect, probe.name)
        above = probe.text.data[: header.begin].decode("utf-8")
        return replace(reading, header=merged(_header(above), reading.header))


def _found(probe: Probe) -> tuple[Dialect, HeaderLine] | None:
    if probe.kind != TEXT:
        return None
    for dialect in DIALECTS:
        header = find(probe.headers, dialect)
        if header is None:
            continue
        found = headings(header.names, dialect)
        bases = {heading.base for heading in found}
        if not _VOLTAGES.isdisjoint(bases) and not _CURRENTS.isdisjoint(bases):
            return None
        has_units = any(heading.unit and is_unit(heading.unit) for heading in found)
        if has_units or dialect is POWERSUITE:
            return dialect, header
    return None


def _header(text: str) -> dict[str, Any]:
    """Read the labelled lines, and which program wrote them."""
    found: dict[str, Any] = dict(labelled(text.splitlines(), _LABELS))
    cycler = next((make for _, mark, make in _PROGRAMS if mark.search(text)), None)
    if cycler == "CH Instruments":
        # The first line of its exports is the date: Feb. 20, 2020   15:55:08.
        found["start_time"] = _named_date(text)
    return grouped({**with_iso_start(found), "cycler": cycler})


def _named_date(text: str) -> str | None:
    hit = re.match(
        r"\s*([A-Z][a-z]{2})[a-z]*\.?\s+(\d{1,2}),\s+(\d{4})\s+(\d{1,2}:\d{2}:\d{2})", text
    )
    return f"{hit[2]} {hit[1]} {hit[3]} {hit[4]}" if hit else None


class ZPlot(Format):
    """A .z file of ZPlot, or of a program that writes its format."""

    name = "zplot"
    is_decisive = True

    def sniff(self, probe: Probe) -> Evidence:
        """Look for the program's words at the beginning, and for the line of its columns."""
        if probe.kind != TEXT or not probe.text.data.lstrip()[:40].startswith(_ZPLOT):
            return Evidence()
        if _ZPLOT_HEADER.search(probe.text.data) is None:
            return Evidence(fits=("begins as a ZPlot file",), lacks=("the line of its columns",))
        return Evidence(fits=("begins as a ZPlot file", "names the columns of one"))

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the rows below the line of columns, or below the end of the comments."""
        del options
        data = probe.text.data
        line = _ZPLOT_HEADER.search(data)
        if line is None:
            raise UnreadableError(
                f"{probe.name}: no line names the columns Freq and Z'", cause="wrong_reader"
            )
        names = [name.decode("utf-8", "replace") for name in _ZPLOT_NAME.findall(line[0])]
        comments = data.find(b"End Comments", line.end())
        begin = line.end() if comments < 0 else comments
        end = data.find(b"\n", begin) + 1
        number = data.count(b"\n", 0, end)
        first = data[end : data.find(b"\n", end)]
        delimiter = "\t" if b"\t" in first else ","
        header = HeaderLine(number, line.start(), end, delimiter, tuple(names))
        reading = read_spectrum(grid_below(probe.text, header, _ZVIEW), _ZVIEW, probe.name)
        above = data[: line.start()].decode("utf-8")
        date = re.search(r"Date:\s*([\d-]+)\s+Time:\s*([\d:]+)", above)
        start = {"start_time": f"{date[1]} {date[2]}"} if date else {}
        return replace(reading, header=merged(grouped(with_iso_start(start)), reading.header))


_ZPLOT: Final = (b"ZPLOT2 ASCII", b'"ZPlotW', b"ZPlotW", b'"Z60W', b"Z60W", b'"ZPlot', b"ZPlot")
_ZPLOT_HEADER: Final = re.compile(rb"(?m)^[ \t\"]*Freq ?\(Hz\)[^\r\n]*Z'[^\r\n]*")
_ZPLOT_NAME: Final = re.compile(rb"[^\s\",;()]+(?:\s?\([^)]*\))?")

#: The brackets of its impedances name the part, not a unit: Z'(a), Z''(b).
_ZVIEW: Final = replace(
    DIALECTS[0],
    name="ZPlot",
    cycler="ZPlot",
    columns=(
        ColumnRule(terms.FREQUENCY, ("freq",), unit="Hz"),
        ColumnRule(terms.Z_RE, ("z'",), unit="Ohm", ignores_unit=True),
        ColumnRule(terms.Z_IM, ("z''",), unit="Ohm", ignores_unit=True),
        ColumnRule(terms.TIME, ("time",), unit="s"),
        ColumnRule("AC amplitude [V]", ("ampl",), unit="V"),
        ColumnRule("DC bias [V]", ("bias",), unit="V"),
    ),
)

FORMAT: Final = Impedance()
ZPLOT: Final = ZPlot()
