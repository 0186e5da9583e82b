"""Gamry: .DTA files of tagged lines and tables: impedance, charge and discharge, rests, cycles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from bulkload.core import terms
from bulkload.core.decisions import Decision, DecisionCode
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.dialect import ColumnRule, Dialect, Sign
from bulkload.readers.file_kinds import TEXT
from bulkload.readers.header_fields import grouped, merged, with_iso_start
from bulkload.readers.normalise import read_grid
from bulkload.readers.probe import Probe
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.table_source import ArrayGrid

TABLE: Final = Dialect(
    name="Gamry DTA",
    cycler="Gamry",
    signature=(("time",), ("voltage",)),
    columns=(
        ColumnRule(terms.TIME, ("time",), unit="s"),
        ColumnRule(terms.VOLTAGE, ("voltage",), unit="V"),
        ColumnRule(terms.CURRENT, ("current",), unit="A"),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle",)),
        ColumnRule(terms.FREQUENCY, ("freq",), unit="Hz"),
        ColumnRule(terms.Z_RE, ("zreal",), unit="Ohm"),
        ColumnRule(terms.Z_IM, ("zimag",), unit="Ohm"),
        ColumnRule("Z_Mod [Ohm]", ("zmod",), unit="Ohm"),
        ColumnRule("Z_Phase [deg]", ("zphz",), unit="deg"),
        ColumnRule(terms.TEMPERATURE, ("temp",), unit="degC"),
    ),
    sign=Sign.UNSTATED,
)

#: Tables by the beginning of their names: a rest, a sweep, and every other test.
_TABLES: Final = ("ZCURVE", "OCVCURVE", "CURVE")
#: Cycles of a voltammetry are a table each.
_CYCLE: Final = re.compile(r"CURVE(\d+)")
#: Columns of a sweep, and of every other table, with what they are called here.
_SWEEP: Final = {
    "Time": "Time",
    "Vdc": "Voltage",
    "Idc": "Current",
    "Temp": "Temp",
    **{name: name for name in ("Freq", "Zreal", "Zimag", "Zmod", "Zphz")},
}
_RUN: Final = {"T": "Time", "Vf": "Voltage", "Im": "Current", "Temp": "Temp"}

_TAGS: Final = {"TITLE": "test_name", "PSTAT": "instrument"}

#: Temperatures that mean no sensor.
_NO_SENSOR_DEGC: Final = -100.0

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a DTA file: its name, columns and rows."""

    name: str
    columns: Mapping[str, np.ndarray[Any, np.dtype[np.float64]]]
    left_out: int


class Gamry(Format):
    """A DTA file."""

    name = "gamry"
    is_decisive = True

    def sniff(self, probe: Probe) -> Evidence:
        """Look for EXPLAIN at the beginning, and a table."""
        if probe.kind != TEXT:
            return Evidence()
        data = probe.text.data
        if not data.lstrip().startswith(b"EXPLAIN"):
            return Evidence()
        tables = [name for name in _TABLES if f"\n{name}".encode() in data]
        if not tables:
            return Evidence(fits=("begins with EXPLAIN",), lacks=("a table",))
        return Evidence(fits=("begins with EXPLAIN", f"has the table {', '.join(tables)}"))

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the tables one after the other in time: rests, sweeps, and what else was run."""
        lines = probe.text.data.decode("utf-8").splitlines()
        tables = _tables(lines, probe.name)
        if not tables:
            raise UnreadableError(
                f"{probe.name}: no table with columns T and Vf, or Time and Vdc, in this Gamry "
                "file; the test recorded nothing, or the file was cut short",
                cause="no_rows",
            )
        decisions: list[Decision] = []
        columns = _joined(tables, decisions)
        grid = ArrayGrid({n: pa.chunked_array([v]) for n, v in columns.items()}, probe.name)
        reading = read_grid(grid, TABLE, probe.name, options)
        left_out = sum(table.left_out for table in tables)
        rows = {name: reading.facts[name] + left_out for name in ("rows_read", "rows_left_out")}
        return replace(
            reading,
            header=merged(reading.header, _header(lines)),
            decisions=(*reading.decisions, *decisions),
            facts={**reading.facts, **rows, "encoding": probe.text.encoding},
        )


def _tables(lines: Sequence[str], name: str) -> list[_Table]:
    """Read the tables: a line ``NAME TABLE``, the columns, their units, indented rows."""
    found: list[_Table] = []
    for index, line in enumerate(lines):
        fields = line.split("\t")
        if fields[0].startswith(_TABLES) and fields[1:2] == ["TABLE"] and index + 2 < len(lines):
            table = _table(fields[0], lines, index, name)
            if table is not None:
                found.append(table)
    return found


def _table(title: str, lines: Sequence[str], index: int, name: str) -> _Table | None:
    """Read one table; None where it has no time and no voltage."""
    heads, units = lines[index + 1].split("\t"), lines[index + 2].split("\t")
    names = _SWEEP if title.startswith("ZCURVE") else _RUN
    wanted = {names[head]: place for place, head in enumerate(heads) if head in names}
    if not {"Time", "Voltage"} <= wanted.keys():
        return None
    rows: list[list[str]] = []
    left_out = 0
    for line in lines[index + 3 :]:
        if not line.strip() or not line[0].isspace():
            break
        fields = line.split("\t")
        if len(fields) == len(heads):
            rows.append(fields)
        else:
            left_out += 1
    if not rows:
        raise UnreadableError(f"{name}: the table {title} has no rows", cause="no_rows")
    columns = {
        target: _numbers([row[place] for row in rows], heads[place], title, name)
        for target, place in wanted.items()
    }
    unit = units[wanted["Current"]].strip() if "Current" in wanted else "A"
    if unit not in {"A", "Amps"}:
        raise UnreadableError(
            f"{name}: the current of {title} is in {printable(unit)!r}, not in A; export the test "
            "without normalising it by the area",
            cause="unknown_unit",
        )
    return _Table(title, columns, left_out)


def _numbers(
    values: Sequence[str], head: str, title: str, name: str
) -> np.ndarray[Any, np.dtype[np.float64]]:
    comma = any("," in value for value in values)
    try:
        return np.array([float(v.replace(",", ".") if comma else v) for v in values])
    except ValueError as error:
        raise UnreadableError(
            f"{name}: {printable(str(error))[:80]} in column {head!r} of {title}",
            cause="not_a_number",
        ) from error


def _joined(tables: Sequence[_Table], decisions: list[Decision]) -> dict[str, pa.Array]:
    """Put the tables one after the other in time; a rest at open circuit has no current."""
    parts: list[dict[str, Floats]] = []
    end = 0.0
    for table in tables:
        columns = dict(table.columns)
        rows = len(columns["Time"])
        if table.left_out:
            decisions.append(_left_out(table))
        if "Current" not in columns:
            columns["Current"] = np.zeros(rows)
            decisions.append(
                Decision(
                    code=DecisionCode.CURRENT_DERIVED,
                    detail=f"{table.name}: {rows} rows at open circuit, their current is zero",
                    evidence="technique",
                    rows=rows,
                )
            )
        if cycle := _CYCLE.fullmatch(table.name):
            columns["Cycle"] = np.full(rows, float(cycle[1]))
        temperature = columns.get("Temp")
        if temperature is not None and not (temperature > _NO_SENSOR_DEGC).all():
            del columns["Temp"]
        # Some tables count on from the one before, others begin at zero.
        if columns["Time"][0] < end:
            columns["Time"] = columns["Time"] + end
        end = float(columns["Time"][-1])
        parts.append(columns)
    names = dict.fromkeys(name for columns in parts for name in columns)
    return {
        name: pa.array(
            np.concatenate([c.get(name, np.full(len(c["Time"]), np.nan)) for c in parts]),
            from_pandas=True,
        )
        for name in names
    }


def _left_out(table: _Table) -> Decision:
    return Decision(
        code=DecisionCode.ROWS_LEFT_OUT,
        detail=f"left out {table.left_out} line(s) of {table.name} that do not have its columns",
        evidence="number of fields",
        rows=table.left_out,
        columns=(table.name,),
    )


def _header(lines: Sequence[str]) -> dict[str, Any]:
    tags: dict[str, list[str]] = {}
    notes: list[str] = []
    for line in lines:
        fields = line.split("\t")
        if len(fields) > 1 and not line[0].isspace():
            tags.setdefault(fields[0], fields[1:])
        elif next(reversed(tags), None) == "NOTES":
            # The tag holds the number of the lines that follow: they are the notes.
            notes.append(line.strip())
    found: dict[str, Any] = {
        key: tags[tag][1] for tag, key in _TAGS.items() if len(tags.get(tag, ())) > 1
    }
    found["procedure"] = tags.get("TAG", [None])[0]
    found["notes"] = "\n".join(notes).strip()
    if "DATE" in tags and "TIME" in tags:
        found["start_time"] = f"{tags['DATE'][1]} {tags['TIME'][1]}"
    return grouped(with_iso_start(found))


FORMAT: Final = Gamry()
