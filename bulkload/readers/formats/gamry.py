"""Gamry: .DTA files of tagged lines and tables; impedance (ZCURVE) and what was before it."""

from __future__ import annotations

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
from bulkload.readers.metadata import grouped, merged, with_iso_start
from bulkload.readers.normalise import read_grid
from bulkload.readers.probe import Probe
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.table_source import ArrayGrid

IMPEDANCE: Final = Dialect(
    name="Gamry DTA",
    cycler="Gamry",
    signature=(("time",), ("vdc",)),
    columns=(
        ColumnRule(terms.TIME, ("time",), unit="s"),
        ColumnRule(terms.VOLTAGE, ("vdc",), unit="V"),
        ColumnRule(terms.CURRENT, ("idc",), unit="A"),
        ColumnRule(terms.FREQUENCY, ("freq",), unit="Hz"),
        ColumnRule(terms.Z_RE, ("zreal",), unit="Ohm"),
        ColumnRule(terms.Z_IM, ("zimag",), unit="Ohm"),
        ColumnRule("Z_Mod [Ohm]", ("zmod",), unit="Ohm"),
        ColumnRule("Z_Phase [deg]", ("zphz",), unit="deg"),
        ColumnRule(terms.TEMPERATURE, ("temp",), unit="degC"),
    ),
    sign=Sign.UNSTATED,
)

_TABLES: Final = ("ZCURVE", "OCVCURVE", "CURVE")
_TAGS: Final = {"TITLE": "test_name", "PSTAT": "instrument", "NOTES": "notes"}

#: Temperatures that mean no sensor.
_NO_SENSOR_DEGC: Final = -100.0


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
        """Read the impedance table, and before it the rest at open circuit."""
        lines = probe.text.data.decode("utf-8").splitlines()
        tables = list(_tables(lines, probe.name))
        sweeps = [table for table in tables if table.name.startswith("ZCURVE")]
        if not sweeps:
            raise UnreadableError(
                f"{probe.name}: no impedance table (ZCURVE) in this Gamry file; its tables are "
                f"{', '.join(table.name for table in tables) or 'none'}",
                cause="missing_column",
            )
        rests = [t for t in tables if t.name.startswith("OCVCURVE") and "Vf" in t.columns]
        columns, decisions = _joined(rests, sweeps)
        grid = ArrayGrid({n: pa.chunked_array([v]) for n, v in columns.items()}, probe.name)
        reading = read_grid(grid, IMPEDANCE, probe.name, options)
        left_out = sum(table.left_out for table in (*rests, *sweeps))
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
            found.append(_table(fields[0], lines, index, name))
    return found


def _table(title: str, lines: Sequence[str], index: int, name: str) -> _Table:
    heads = lines[index + 1].split("\t")
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
    columns: dict[str, np.ndarray[Any, np.dtype[np.float64]]] = {}
    for position, head in enumerate(heads):
        if head and head not in {"Over", "Pt"}:
            columns[head] = _numbers([row[position] for row in rows], head, title, name)
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


def _joined(
    rests: Sequence[_Table], sweeps: Sequence[_Table]
) -> tuple[dict[str, pa.Array], list[Decision]]:
    """Put the tables one after the other in time; a rest at open circuit has no current."""
    decisions = [
        Decision(
            code=DecisionCode.ROWS_LEFT_OUT,
            detail=f"left out {table.left_out} line(s) of {table.name} that do not have its "
            "columns",
            evidence="number of fields",
            rows=table.left_out,
        )
        for table in (*rests, *sweeps)
        if table.left_out
    ]
    parts: dict[str, list[np.ndarray[Any, np.dtype[np.float64]]]] = {}
    begin = 0.0
    for table in (*rests, *sweeps):
        columns = dict(table.columns)
        if table in rests:
            rows = len(columns["Vf"])
            columns = {"Time": columns["T"], "Vdc": columns["Vf"], "Idc": np.zeros(rows)}
            decisions.append(
                Decision(
                    code=DecisionCode.CURRENT_DERIVED,
                    detail=f"{table.name}: {rows} rows at open circuit, their current is zero",
                    evidence="technique",
                    rows=rows,
                )
            )
        columns.pop("Temp", None)
        columns["Time"] = columns["Time"] + begin
        begin = float(columns["Time"][-1])
        for head in sweeps[0].columns.keys() | columns.keys():
            values = columns.get(head, np.full(len(columns["Time"]), np.nan))
            parts.setdefault(head, []).append(values)
    wanted = ("Time", "Vdc", "Idc", "Freq", "Zreal", "Zimag", "Zmod", "Zphz")
    joined = {h: np.concatenate(parts[h]) for h in wanted if h in parts}
    return {h: pa.array(v, from_pandas=True) for h, v in joined.items()}, decisions


def _header(lines: Sequence[str]) -> dict[str, Any]:
    tags: dict[str, list[str]] = {}
    for line in lines:
        fields = line.split("\t")
        if len(fields) > 1 and not line[0].isspace():
            tags.setdefault(fields[0], fields[1:])
    found: dict[str, Any] = {
        key: tags[tag][1] for tag, key in _TAGS.items() if len(tags.get(tag, ())) > 1
    }
    found["procedure"] = tags.get("TAG", [None])[0]
    if "DATE" in tags and "TIME" in tags:
        found["start_time"] = f"{tags['DATE'][1]} {tags['TIME'][1]}"
    return grouped(with_iso_start(found))


FORMAT: Final = Gamry()
