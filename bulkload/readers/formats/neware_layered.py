"""Neware's layered text export: cycle, step and record rows interleaved under three headers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from bulkload.core import terms
from bulkload.errors import UnreadableError
from bulkload.readers.dialect import (
    MODE,
    RECORD,
    STEP_TIME,
    TIMESTAMP,
    ColumnRule,
    Dialect,
    Kind,
    Sign,
)
from bulkload.readers.file_kinds import TEXT
from bulkload.readers.formats import neware as names
from bulkload.readers.formats.neware import FLAT, prepare
from bulkload.readers.headers import HeaderLine, cut, grid_below, lines
from bulkload.readers.normalise import read_grid
from bulkload.readers.probe import Probe
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.text import Text
from bulkload.readers.units import split_heading

RECORDS: Final = Dialect(
    name="BTSDA layered export",
    cycler="Neware",
    signature=FLAT.signature,
    columns=(
        ColumnRule(RECORD, names.RECORDS),
        ColumnRule(TIMESTAMP, names.DATES, kind=Kind.TIMESTAMP),
        ColumnRule(terms.TIME, ("total time", "总时间"), kind=Kind.DURATION),
        ColumnRule(STEP_TIME, names.STEP_TIMES, kind=Kind.TEXT),
        ColumnRule(terms.CURRENT, ("current", "cur", "电流")),
        ColumnRule(terms.VOLTAGE, ("voltage", "电压")),
        ColumnRule(terms.STEP_FROM_CYCLER, ("step number",)),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle index",)),
        ColumnRule(terms.TEMPERATURE, ("t1",), unit="degC", ignores_unit=True),
        ColumnRule(terms.TEMPERATURE, ("temperature", "温度"), needs_unit=True),
        ColumnRule(terms.CAPACITY, ("capacity",), needs_unit=True),
        ColumnRule("Energy [W.h]", ("energy",), needs_unit=True),
        ColumnRule(MODE, ("step type",), kind=Kind.TEXT),
    ),
    sign=Sign.CHARGE_POSITIVE,
    delimiter=",",
)

#: Fields before those of each layer's own.
_CYCLE, _STEP, _RECORD = 0, 1, 2

#: What the three headers must have, by what BTS 8 and BTS 5 to 7 call it.
_LAYERS: Final = (names.CYCLES, names.STEPS, names.RECORDS)
_BEGINNINGS: Final = (b"Cycle I", b'"Cycle', "循环".encode(), '"循环'.encode())

#: The number and the type of a step, the preferred first.
_NUMBERS: Final = ("step number", "step id", "工步序号", "工步号", "step index")
_TYPES: Final = names.MODES


class NewareLayered(Format):
    """The export whose rows are indented by their layer."""

    name = "neware layered"
    is_decisive = True

    def sniff(self, probe: Probe) -> Evidence:
        """Look for the headers of cycles, steps and records on the first three lines."""
        if probe.kind != TEXT or not probe.text.data.lstrip().startswith(_BEGINNINGS):
            return Evidence()
        layers = _layers(_with_commas(probe.text))
        lacks = tuple(
            f"a header of {wanted[0]!r} on line {index + 1}"
            for index, wanted in enumerate(_LAYERS)
            if not any(name in layers[index] for name in wanted)
        )
        if len(lacks) >= 2:
            return Evidence()
        return Evidence(fits=("cycle, step and record headers on three lines",), lacks=lacks)

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the records, each with the cycle and step it stands under."""
        flat, header = _flattened(_with_commas(probe.text))
        grid = grid_below(flat, header, RECORDS)
        return read_grid(grid, RECORDS, probe.name, options, prepare)


def _with_commas(text: Text) -> Text:
    """Return an export that is indented by tabs as one that is by commas."""
    if b"," in text.data or b"\n\t\t" not in text.data:
        return text
    return replace(text, data=text.data.replace(b"\t", b","))


def _layers(text: Text) -> list[list[str]]:
    """Return the folded names of the first three lines."""
    found = [[split_heading(name).base for name in cut(line, ",")] for *_, line in _first(text, 3)]
    return [*found, [], [], []][:3]


def _first(text: Text, count: int) -> list[tuple[int, int, int, str]]:
    found = []
    for entry in lines(text, 0):
        found.append(entry)
        if len(found) == count:
            break
    return found


def _flattened(text: Text) -> tuple[Text, HeaderLine]:
    """Write the cycle, step and step type before each record, and the header above them."""
    heads = _first(text, 3)
    cycle_names, step_names, record_names = (cut(line, ",") for *_, line in heads)
    folded = [split_heading(name).base for name in step_names]
    number, kind = (
        next((folded.index(name) for name in wanted if name in folded), None)
        for wanted in (_NUMBERS, _TYPES)
    )
    if number is None or kind is None:
        raise UnreadableError(
            f"{text.name}, line 2: the header of the steps has no number or no type of a step; "
            "export the test again",
            cause="missing_column",
        )
    layers = _Layers(
        cycle_width=len(cycle_names),
        step_width=len(step_names) - _STEP,
        number=number - _STEP,
        kind=kind - _STEP,
    )
    header_names = ["Cycle Index", "Step Number", "Step Type", *record_names[_RECORD:]]
    out = bytearray(",".join(header_names).encode() + b"\n")
    header = HeaderLine(heads[-1][0], 0, len(out), ",", tuple(header_names))
    prefix, cycle = b"", ""
    # Line by line through the bytes: as a list of lines a large export would be in memory thrice.
    for index, line in enumerate(_lines(text.data, heads[-1][2])):
        if line.startswith(b",,"):
            if not prefix:
                raise _stray(text.name, index)
            out += prefix + line[_RECORD:] + b"\n"
        elif line.strip(b", \r"):
            cycle, step = layers.read(line.decode("utf-8"), cycle)
            if step and len(step) <= max(layers.number, layers.kind):
                raise _stray(text.name, index)
            if step:
                stated = f"{cycle},{step[layers.number].strip()},{step[layers.kind].strip()},"
            else:
                stated = ""
            prefix = stated.encode()
    return Text(data=bytes(out), encoding=text.encoding, name=text.name), header


def _lines(data: bytes, begin: int) -> Iterator[bytes]:
    while begin < len(data):
        end = data.find(b"\n", begin)
        end = len(data) if end < 0 else end
        yield data[begin:end].rstrip(b"\r")
        begin = end + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layers:
    """Where cycle and step rows have what."""

    cycle_width: int
    step_width: int
    #: Places of the step's number and type among the step's own fields.
    number: int
    kind: int

    def read(self, line: str, cycle: str) -> tuple[str, list[str]]:
        """Return the cycle and the fields of the step that a row above the records states."""
        fields = cut(line.strip("\r"), ",")
        if line.startswith(","):
            return cycle, fields[_STEP : _STEP + self.step_width]
        # A cycle's first step may stand on the cycle's own line, or below it.
        return fields[0], fields[self.cycle_width : self.cycle_width + self.step_width]


def _stray(name: str, index: int) -> UnreadableError:
    return UnreadableError(
        f"{name}, line {index + 4}: neither a cycle, nor a step, nor a record below a step; "
        "export the test again",
        cause="ragged_rows",
    )
