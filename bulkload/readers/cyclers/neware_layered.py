"""Neware's layered text export: cycle, step and record rows interleaved under three headers."""

from __future__ import annotations

from typing import Final

from bulkload.core import terms
from bulkload.errors import UnreadableError
from bulkload.readers.assemble import read_grid
from bulkload.readers.cyclers.neware import FLAT, prepare
from bulkload.readers.dialect import MODE, RECORD, TIMESTAMP, Column, Dialect, Kind, Sign
from bulkload.readers.headers import HeaderLine, cut, grid_below, lines
from bulkload.readers.probe import TEXT, Evidence, Format, Probe
from bulkload.readers.series import Reading, ReadOptions
from bulkload.readers.text import Text
from bulkload.readers.units import split_heading

RECORDS: Final = Dialect(
    name="BTSDA layered export",
    cycler="Neware",
    signature=FLAT.signature,
    columns=(
        Column(RECORD, ("datapoint",)),
        Column(TIMESTAMP, ("date",), kind=Kind.TIMESTAMP),
        Column(terms.TIME, ("total time",), kind=Kind.DURATION),
        Column(terms.CURRENT, ("current",)),
        Column(terms.VOLTAGE, ("voltage",)),
        Column(terms.STEP_FROM_CYCLER, ("step number",)),
        Column(terms.CYCLE_FROM_CYCLER, ("cycle index",)),
        Column(terms.TEMPERATURE, ("t1",), unit="degC", ignores_unit=True),
        Column(terms.CAPACITY, ("capacity",), needs_unit=True),
        Column("Energy [W.h]", ("energy",), needs_unit=True),
        Column(MODE, ("step type",), kind=Kind.TEXT),
    ),
    sign=Sign.CHARGE_POSITIVE,
    delimiter=",",
)

#: Fields before those of each layer's own.
_CYCLE, _STEP, _RECORD = 0, 1, 2

_LAYERS: Final = ("cycle index", "step index", "datapoint")


class NewareLayered(Format):
    """The export whose rows are indented by their layer."""

    name = "neware layered"
    is_decisive = True

    def sniff(self, probe: Probe) -> Evidence:
        """Look for the headers of cycles, steps and records on the first three lines."""
        if probe.kind != TEXT or not probe.text.data.lstrip().startswith(
            (b"Cycle Index", b'"Cycle')
        ):
            return Evidence()
        layers = _layers(probe.text)
        lacks = tuple(
            f"a header of {wanted!r} on line {index + 1}"
            for index, wanted in enumerate(_LAYERS)
            if wanted not in layers[index]
        )
        if len(lacks) >= 2:
            return Evidence()
        return Evidence(fits=("cycle, step and record headers on three lines",), lacks=lacks)

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the records, each with the cycle and step it stands under."""
        flat, header = _flattened(probe.text)
        grid = grid_below(flat, header, RECORDS)
        return read_grid(grid, RECORDS, probe.name, options, prepare)


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
    cycle_width, step_width = len(cycle_names), len(step_names) - _STEP
    names = ["Cycle Index", "Step Number", "Step Type", *record_names[_RECORD:]]
    number = [split_heading(n).base for n in step_names].index("step number") - _STEP
    kind = [split_heading(n).base for n in step_names].index("step type") - _STEP
    out = [",".join(names)]
    prefix = ""
    cycle = ""
    body = text.data[heads[-1][2] :].decode("utf-8").splitlines()
    for index, line in enumerate(body):
        if line.startswith(",,"):
            if not prefix:
                raise _stray(text.name, index)
            out.append(prefix + line[_RECORD:])
            continue
        if not line.strip(", "):
            continue
        fields = cut(line, ",")
        if line.startswith(","):
            step = fields[_STEP : _STEP + step_width]
        else:
            # A cycle's first step may stand on the cycle's own line, or below it.
            cycle = fields[0]
            step = fields[cycle_width : cycle_width + step_width]
        if step and len(step) <= max(number, kind):
            raise _stray(text.name, index)
        prefix = f"{cycle},{step[number]},{step[kind]}," if step else ""
    data = "\n".join(out).encode()
    end = data.find(b"\n") + 1
    header = HeaderLine(heads[-1][0], 0, end or len(data), ",", tuple(names))
    return Text(data=data, encoding=text.encoding, name=text.name), header


def _stray(name: str, index: int) -> UnreadableError:
    return UnreadableError(
        f"{name}, line {index + 4}: neither a cycle, nor a step, nor a record below a step; "
        "export the test again",
        cause="ragged_rows",
    )
