"""Novonix: a summary, the protocol, then rows; a restarted test writes all of it once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.errors import UnreadableError
from bulkload.readers import timestamps as clock
from bulkload.readers.derive import FRAME
from bulkload.readers.dialect import TIMESTAMP, ColumnRule, Dialect, Kind, Sign
from bulkload.readers.file_kinds import TEXT
from bulkload.readers.header_fields import grouped, labelled, merged, with_iso_start
from bulkload.readers.headers import HeaderLine, cut, grid_below
from bulkload.readers.normalise import read_grid
from bulkload.readers.probe import Probe
from bulkload.readers.raw_columns import Raw
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.text import Text

#: Temperatures at or below this mean that no sensor is connected.
NO_SENSOR_DEGC: Final = -9999.0

_CIRCUIT: Final = "Circuit temperature [degC]"
_SEGMENT: Final = "segment"

EXPORT: Final = Dialect(
    name="Novonix HPC",
    cycler="Novonix",
    signature=(("date and time",), ("run time",), ("potential",), ("current",)),
    columns=(
        ColumnRule(TIMESTAMP, ("date and time",), kind=Kind.TIMESTAMP),
        ColumnRule(terms.TIME, ("run time",), kind=Kind.DURATION),
        ColumnRule(terms.VOLTAGE, ("potential",)),
        ColumnRule(terms.CURRENT, ("current",)),
        ColumnRule(terms.TEMPERATURE, ("temperature",), needs_unit=True),
        ColumnRule(_CIRCUIT, ("circuit temperature",)),
        ColumnRule(terms.STEP_FROM_CYCLER, ("step number",)),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle number",)),
    ),
    sign=Sign.UNSTATED,
    delimiter=",",
)

_HEADER: Final = b"Date and Time,"
_LABELS: Final = {
    "channel": "channel_number",
    "cell": "cell_label",
    "serial number": "cycler_serial_number",
    "description": "notes",
    "protocol": "procedure",
    "started": "start_time",
    "version": "software_version",
}


class Novonix(Format):
    """An export of a Novonix high-precision charger."""

    name = "novonix"
    is_decisive = True

    def sniff(self, probe: Probe) -> Evidence:
        """Look for the summary that names the maker, and the header of the rows."""
        if probe.kind != TEXT:
            return Evidence()
        head = probe.text.data[:2000]
        if not head.lstrip().startswith(b"[Summary]"):
            return Evidence()
        marks = {
            "begins with [Summary]": True,
            "names Novonix": b"Novonix" in head,
            "has a 'Date and Time' header": _HEADER in probe.text.data,
        }
        return Evidence(
            fits=tuple(mark for mark, there in marks.items() if there),
            lacks=tuple(mark for mark, there in marks.items() if not there),
        )

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the rows below each header as one continued test."""
        headers = _headers(probe.text)
        if not headers:
            raise UnreadableError(
                f"{probe.name}: no 'Date and Time' header; the test recorded nothing, or the "
                "export was cut short",
                cause="no_rows",
            )
        text, segments = _joined(probe.text, headers)
        grid = grid_below(text, headers[0], EXPORT)

        def prepare(raw: Raw) -> None:
            _prepare(raw, segments)

        reading = read_grid(grid, EXPORT, probe.name, options, prepare)
        above = probe.text.data[: headers[0].begin].decode("utf-8").splitlines()
        end = next((i for i, line in enumerate(above) if line.startswith("[End Summary]")), 0)
        fields: dict[str, Any] = dict(labelled(above[:end], _LABELS))
        table = reading.table
        if FRAME in table.column_names:
            table = table.drop_columns([FRAME])
        found = grouped(with_iso_start(fields))
        return replace(reading, table=table, header=merged(reading.header, found))


def _headers(text: Text) -> list[HeaderLine]:
    """Find every header line: the maker's first column never begins a row."""
    found: list[HeaderLine] = []
    begin = text.data.find(_HEADER)
    while begin >= 0:
        end = text.data.find(b"\n", begin)
        end = len(text.data) if end < 0 else end + 1
        names = cut(text.data[begin:end].decode("utf-8").strip("\r\n"), ",")
        number = text.data.count(b"\n", 0, begin) + 1
        found.append(HeaderLine(number, begin, end, ",", tuple(name.strip() for name in names)))
        begin = text.data.find(_HEADER, end)
    return found


def _joined(text: Text, headers: Sequence[HeaderLine]) -> tuple[Text, list[int]]:
    """Cut later preambles out; return the rows of each segment."""
    if len(headers) == 1:
        return text, []
    if any(header.names != headers[0].names for header in headers):
        raise UnreadableError(
            f"{text.name}: the test was restarted with other columns; split the file",
            cause="several_headers",
        )
    parts = [text.data[: headers[0].end]]
    rows: list[int] = []
    for header, following in zip(headers, [*headers[1:], None], strict=True):
        stop = len(text.data)
        if following is not None:
            stop = text.data.rfind(b"[Summary]", header.end, following.begin)
            stop = following.begin if stop < 0 else stop
        body = text.data[header.end : stop].strip(b"\r\n ") + b"\n"
        rows.append(sum(1 for line in body.splitlines() if line.strip()))
        parts.append(body)
    return Text(data=b"".join(parts), encoding=text.encoding, name=text.name), rows


def _prepare(raw: Raw, segments: Sequence[int]) -> None:
    _choose_sensor(raw)
    if segments:
        _continue_time(raw, segments)


def _choose_sensor(raw: Raw) -> None:
    """Take the cell's sensor, or the circuit's where none is connected to the cell."""
    circuit = raw.columns.pop(_CIRCUIT, None)
    for values in (raw.columns.get(terms.TEMPERATURE), circuit):
        if values is None:
            continue
        degrees = np.asarray(values, dtype=np.float64)
        kept = np.where(degrees <= NO_SENSOR_DEGC, np.nan, degrees)
        if np.isfinite(kept).any():
            raw.columns[terms.TEMPERATURE] = kept
            return
    raw.columns.pop(terms.TEMPERATURE, None)


def _continue_time(raw: Raw, segments: Sequence[int]) -> None:
    """Let the time of a restarted test run on, by the dates of its rows."""
    label = np.repeat(np.arange(len(segments)), segments)
    time = np.asarray(raw.columns[terms.TIME], dtype=np.float64)
    starts = np.cumsum([0, *segments[:-1]])
    ends = np.cumsum(segments) - 1
    stamps = raw.texts[TIMESTAMP].take(pa.array(np.sort(np.concatenate([starts, ends]))))
    elapsed = time[ends] - time[starts]
    for day_first in (False, True):
        try:
            seconds = clock.timestamps(stamps, day_first=day_first)
        except clock.ClockError:
            continue
        begin, end = seconds[::2], seconds[1::2]
        # The order of day and month that fits the run time within the segments is the right one.
        if np.all(np.abs(end - begin - elapsed) <= 0.02 * elapsed + 60.0):
            shift = begin - begin[0] - time[starts]
            raw.columns[terms.TIME] = time + shift[label]
            raw.columns[FRAME] = label
            gaps = ", ".join(f"{gap:.0f} s" for gap in begin[1:] - end[:-1])
            raw.decide(
                DecisionCode.TIME_CONTINUED,
                f"the test was restarted {len(segments) - 1} time(s): its time runs on by the "
                f"dates of the rows (gaps of {gaps})",
                evidence="timestamps of the rows",
                rows=raw.rows - segments[0],
            )
            return
    raise UnreadableError(
        f"{raw.name}: the test was restarted, and the dates of the rows do not fit their run "
        "time; split the file",
        cause="several_headers",
    )


FORMAT: Final = Novonix()
