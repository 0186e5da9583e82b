"""Potentiostats that write cycling and spectra into one table: VersaStudio, Parstat, Squidstat."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from bulkload.core import terms
from bulkload.errors import UnreadableError
from bulkload.readers.dialect import (
    MODE,
    PHASE_NEGATED,
    Z_IM_NEGATED,
    ColumnRule,
    Dialect,
    Kind,
    Sign,
)
from bulkload.readers.file_kinds import TEXT
from bulkload.readers.header_fields import grouped, merged
from bulkload.readers.headers import HeaderLine, grid_below
from bulkload.readers.multi_test import chosen_member
from bulkload.readers.normalise import read_grid
from bulkload.readers.probe import Probe
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.spectrum import MODULUS, PHASE, tell_sweeps
from bulkload.readers.table_format import TableFormat
from bulkload.readers.timestamps import start_of

_SPECTRUM: Final = (
    ColumnRule(terms.FREQUENCY, ("frequency",), needs_unit=True),
    ColumnRule(terms.Z_RE, ("zre", "z real", "z'"), unit="Ohm"),
    ColumnRule(terms.Z_IM, ("zim", "z imag", 'z"', "z''"), unit="Ohm"),
    ColumnRule(Z_IM_NEGATED, ('-z"', "-z''"), unit="Ohm"),
    ColumnRule(MODULUS, ("|z|",), unit="Ohm"),
    ColumnRule(PHASE, ("phase", "z phase"), unit="deg"),
    ColumnRule(PHASE_NEGATED, ("-phase",), unit="deg"),
)

PARSTAT: Final = Dialect(
    name="VersaStudio table",
    cycler="Princeton Applied Research",
    signature=(("potential",), ("current",), ("elapsed time",), ("frequency",), ("zre",), ("zim",)),
    columns=(
        ColumnRule(terms.TIME, ("elapsed time",), kind=Kind.DURATION),
        ColumnRule(terms.VOLTAGE, ("potential",)),
        ColumnRule(terms.CURRENT, ("current",)),
        *_SPECTRUM,
    ),
    sign=Sign.UNSTATED,
    delimiter="\t",
)

SQUIDSTAT: Final = Dialect(
    name="Squidstat export",
    cycler="Admiral Squidstat",
    signature=(
        ("step number",),
        ("elapsed time",),
        ("current", "frequency"),
        ("working electrode", "working electrode vs reference", "voltage"),
    ),
    columns=(
        ColumnRule(terms.TIME, ("elapsed time",), kind=Kind.DURATION),
        ColumnRule(terms.VOLTAGE, ("voltage", "cell voltage", "we vs ce")),
        ColumnRule(
            terms.WORKING_POTENTIAL,
            ("working electrode", "working electrode vs reference"),
            needs_unit=True,
        ),
        ColumnRule(
            terms.COUNTER_POTENTIAL,
            ("counter electrode", "counter electrode vs reference"),
            needs_unit=True,
        ),
        ColumnRule(terms.CURRENT, ("current",)),
        ColumnRule(terms.STEP_FROM_CYCLER, ("step number",)),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("repeats", "cycle number", "cycle")),
        ColumnRule(terms.TEMPERATURE, ("temperature",), needs_unit=True),
        ColumnRule(MODE, ("step name",), kind=Kind.TEXT),
        *_SPECTRUM,
    ),
    sign=Sign.UNSTATED,
)


SEGMENT: Final = Dialect(
    name="VersaStudio .par",
    cycler="Princeton Applied Research",
    signature=(("e",), ("i",), ("elapsed time",)),
    columns=(
        ColumnRule(terms.TIME, ("elapsed time",), kind=Kind.DURATION),
        ColumnRule(terms.VOLTAGE, ("e",)),
        ColumnRule(terms.CURRENT, ("i",)),
        ColumnRule(terms.STEP_FROM_CYCLER, ("actionid", "segment")),
        ColumnRule(terms.FREQUENCY, ("frequency",), needs_unit=True),
        ColumnRule(terms.Z_RE, ("z real",), unit="Ohm"),
        ColumnRule(terms.Z_IM, ("z imag",), unit="Ohm"),
    ),
    sign=Sign.UNSTATED,
    # The last name of the definition has no values.
    short_rows=True,
    delimiter=",",
)

_SECTION: Final = re.compile(rb"(?m)^<(?P<name>\w+)>\s*$")
_DEFINITION: Final = re.compile(rb"(?m)^Definition=(?P<names>[^\r\n]*)\r?\n")
_FIELD: Final = re.compile(r"(?m)^(?P<label>[^=\r\n]+)=(?P<value>[^\r\n]*)")


class VersaStudio(Format):
    """A .par file: sections of settings, and the segments of the data between them."""

    name = "versastudio"
    is_decisive = True

    def sniff(self, probe: Probe) -> Evidence:
        """Look for the program's section at the beginning, and a segment with its columns."""
        if probe.kind != TEXT or not probe.text.data.lstrip()[:200].startswith(b"<Application>"):
            return Evidence()
        if b"VersaStudio" not in probe.text.data[:2000]:
            return Evidence()
        if not list(_segments(probe.text.data)):
            return Evidence(fits=("begins as a VersaStudio file",), lacks=("a segment of data",))
        return Evidence(fits=("begins as a VersaStudio file", "has a segment of data"))

    def members(self, probe: Probe) -> Sequence[str]:
        """Name the segments where there are several."""
        names = [name for name, _ in _segments(probe.text.data)]
        return names if len(names) > 1 else ()

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the segment, or the one that the options name."""
        segments = dict(_segments(probe.text.data))
        if not segments:
            raise UnreadableError(
                f"{probe.name}: no segment of data in this VersaStudio file; the test recorded "
                "nothing, or the file was cut short",
                cause="no_rows",
            )
        chosen = chosen_member(probe.name, list(segments), options.member)
        begin, end = segments[chosen]
        data = probe.text.data
        definition = _DEFINITION.search(data, begin, end)
        if definition is None:
            raise UnreadableError(
                f"{probe.name}: the segment {chosen} names no columns; copy the file again",
                cause="damaged",
            )
        names = tuple(n.strip() for n in definition["names"].decode("utf-8").split(","))
        number = data.count(b"\n", 0, definition.end())
        text = replace(probe.text, data=data[:end])
        header = HeaderLine(number, definition.start(), definition.end(), ",", names)
        grid = grid_below(text, header, SEGMENT)
        reading = read_grid(grid, SEGMENT, probe.name, replace(options, member=None), tell_sweeps)
        return replace(reading, header=merged(_described(data), reading.header))


def _segments(data: bytes) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the segments with their bytes; one that is not closed was cut short."""
    for section in _SECTION.finditer(data):
        if section["name"].startswith(b"Segment"):
            name = section["name"].decode("ascii", "replace")
            end = data.find(f"</{name}>".encode(), section.end())
            yield name, (section.end(), len(data) if end < 0 else end)


def _described(data: bytes) -> dict[str, Any]:
    """Read what the sections say of the instrument and of the time of the test."""
    fields = {
        name: dict(_FIELD.findall(_section(data, name).decode("utf-8", "replace")))
        for name in ("Instrument", "Experiment", "Application", "Action1")
    }
    experiment = fields["Experiment"]
    found = {
        "instrument": fields["Instrument"].get("Type"),
        "cycler_serial_number": fields["Instrument"].get("SN"),
        "software_version": fields["Application"].get("Version"),
        "procedure": fields["Action1"].get("Name"),
        "start_time": _start(experiment),
    }
    return grouped(found)


def _section(data: bytes, name: str) -> bytes:
    begin = data.find(f"<{name}>".encode())
    end = data.find(f"</{name}>".encode(), begin)
    return data[begin:end] if 0 <= begin < end else b""


_LONG_DATE: Final = re.compile(
    r"(?P<month>[A-Z][a-z]{2})[a-z]*\.? (?P<day>\d{1,2}), (?P<year>\d{4})"
)


def _start(experiment: Mapping[str, str]) -> str | None:
    """Read ``Thursday, July 19, 2018`` and ``9:40:30 AM``."""
    date = _LONG_DATE.search(experiment.get("DateAcquired", "")[:60])
    if date is None:
        return None
    time = experiment.get("TimeAcquired", "")[:20]
    return start_of(f"{date['day']} {date['month']} {date['year']} {time}")


PARSTAT_FORMAT: Final = TableFormat(name="parstat", dialects=(PARSTAT,), prepare=tell_sweeps)
SQUIDSTAT_FORMAT: Final = TableFormat(name="squidstat", dialects=(SQUIDSTAT,), prepare=tell_sweeps)
VERSASTUDIO: Final = VersaStudio()
