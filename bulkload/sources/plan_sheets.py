"""The specifications and cells that a plan carries with it: sheets of a workbook, files else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bulkload.core.plan_items import CellMetadata, Problem
from bulkload.core.ratings import CAPACITY_UNITS
from bulkload.core.sheets.cell_table import CellTable, read_cells
from bulkload.core.sheets.headers import find_header
from bulkload.core.sheets.rows import CellFault
from bulkload.errors import PlanError, UnreadableError
from bulkload.sources.columns import Cell
from bulkload.sources.field_parsers import json_object
from bulkload.sources.json_yaml_toml import parse_json
from bulkload.sources.sheets.grid import VisibleSheet, read_book
from bulkload.sources.specs import (
    PAYLOAD,
    Stated,
    payload_of_row,
    read_specification_sheet,
    read_specifications,
)
from bulkload.sources.tables import Line, Row, read_sheet, read_table, sheet_names
from bulkload.sources.writers import Sheet, companion

SPECIFICATIONS: Final = "specifications"
CELLS: Final = "cells"
#: What the plan was made from, and the options that it was made with.
MADE_FROM: Final = "made_from"
OPTION: Final = "option"


def carried_specifications(path: Path, into: Stated) -> Iterator[Problem]:
    """Read the specifications that a plan carries.

    Side effects: fills ``into`` as the iterator is exhausted.
    """
    if path.suffix.lower() == ".xlsx":
        if SPECIFICATIONS in sheet_names(path):
            yield from read_specification_sheet(path, SPECIFICATIONS, into)
        return
    beside = companion(path, SPECIFICATIONS)
    if beside.is_file():
        for item in read_specifications(beside, into):
            if isinstance(item, Problem):
                yield item


def carried_cells(path: Path) -> tuple[CellTable, list[CellFault]]:
    """Return the cells that a plan carries, and what of them was not understood."""
    grid = _cell_grid(path)
    if grid is None:
        return CellTable(), []
    header = find_header([row for _, row in grid.rows], {}, is_tests=False)
    if header is None:
        return CellTable(), []
    table = read_cells(grid.rows[header.row + 1 :], header)
    _take_payloads(grid, header.row, table)
    return table, table.faults


def _take_payloads(grid: VisibleSheet, header_row: int, table: CellTable) -> None:
    """Take what a column of payloads states of the cells: it is whole."""
    names = [str(cell) for cell in grid.rows[header_row][1]]
    if PAYLOAD not in names:
        return
    at = names.index(PAYLOAD)
    rows = dict(grid.rows)
    for record in table.cells.values():
        cells = rows.get(record.row, ())
        if at < len(cells) and cells[at]:
            try:
                record.payload |= json_object(cells[at])
            except ValueError as error:
                table.faults.append(CellFault(record.row, PAYLOAD, str(error)))


def _cell_grid(path: Path) -> VisibleSheet | None:
    if path.suffix.lower() == ".xlsx":
        if CELLS not in sheet_names(path):
            return None
        return next((one for one in read_book(path).sheets if one.name == CELLS), None)
    beside = companion(path, CELLS)
    return read_book(beside).sheets[0] if beside.is_file() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What a plan carries beside its rows, so that a rerun needs nothing else."""

    #: Payloads by name, ``name`` included.
    specifications: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cells: Sequence[CellMetadata] = ()
    #: Options that change how the rows are read or checked, by their names.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: What the plan was made from and when, as (what, name, value).
    made_from: Sequence[tuple[str, str, str]] = ()


def sheets_of(carried: Carried) -> dict[str, Sheet]:
    """Return the sheets that carry what a plan needs; read again they state the same."""
    specs = [_specification_row(payload) for payload in carried.specifications.values()]
    known: dict[str, CellMetadata] = {}
    for one in carried.cells:
        known.setdefault(one.cell, one)
    cells = [_cell_row(one) for one in known.values()]
    made = [{"what": what, "name": name, "value": value} for what, name, value in carried.made_from]
    options = [
        {"what": OPTION, "name": name, "value": _option_text(value)}
        for name, value in carried.options.items()
    ]
    sheets = {
        SPECIFICATIONS: Sheet(_columns(["name"], specs), specs),
        CELLS: Sheet(_columns(["cell", "spec"], cells), cells),
        MADE_FROM: Sheet(("what", "name", "value"), [*made, *options]),
    }
    return {name: sheet for name, sheet in sheets.items() if sheet.rows}


def cells_of_two(carried: Carried) -> list[str]:
    """Return the cells whose metadata cannot be carried: another has the name, of another spec."""
    specs: dict[str, str] = {}
    return [one.cell for one in carried.cells if specs.setdefault(one.cell, one.spec) != one.spec]


def carried_options(path: Path) -> dict[str, Any]:
    """Return the options that a plan carries, by their names on the command line."""
    lines: Iterable[Line]
    if path.suffix.lower() == ".xlsx":
        lines = read_sheet(path, MADE_FROM) if MADE_FROM in sheet_names(path) else ()
    else:
        beside = companion(path, MADE_FROM)
        lines = read_table(beside) if beside.is_file() else ()
    found: dict[str, Any] = {}
    try:
        for line in lines:
            if isinstance(line, Row) and line.cells.get("what") == OPTION:
                found[str(line.cells["name"])] = parse_json(str(line.cells["value"]))
    except (KeyError, UnreadableError, ValueError) as error:
        raise PlanError(f"{path}: the options in {MADE_FROM} cannot be read: {error}") from error
    return found


def _option_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _columns(first: Sequence[str], rows: Sequence[Mapping[str, Cell]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *(column for row in rows for column in row)]))


def _specification_row(payload: Mapping[str, Any]) -> dict[str, Cell]:
    row = dict(flat_payload(payload, ""))
    if payload_of_row(row) == payload:
        return row
    rest = {key: value for key, value in payload.items() if key != "name"}
    return {"name": payload["name"], PAYLOAD: json.dumps(rest, ensure_ascii=False)}


def _cell_row(one: CellMetadata) -> dict[str, Cell]:
    payload = {key: value for key, value in one.payload.items() if key != "name"}
    row: dict[str, Cell] = {"cell": one.cell, "spec": one.spec}
    flat = dict(flat_payload(payload.get("measured_properties", {}), "measured_properties"))
    plain = {key: value for key, value in payload.items() if key != "measured_properties"}
    if all(isinstance(value, str) for value in plain.values()):
        stated = {**row, **plain, **flat}
        header = find_header([list(stated)], {}, is_tests=False)
        if header is not None and not header.unknown:
            table = read_cells([(2, list(stated.values()))], header)
            record = table.cells.get(one.cell)
            if record is not None and not table.faults and record.payload == payload:
                return stated
    return {**row, PAYLOAD: json.dumps(payload, ensure_ascii=False)}


def flat_payload(
    payload: Mapping[str, Any], above: str, *, in_ah: bool = False
) -> Iterator[tuple[str, Cell]]:
    """Yield the columns that say what a payload says, quantities with their unit in brackets.

    ``in_ah`` gives capacities in A.h, whatever each states: one column has one unit.
    """
    for key, value in payload.items():
        name = key if above in ("", "ratings") else f"{above}.{key}"
        if isinstance(value, Mapping) and set(value) == {"value", "unit"}:
            amount, unit = value["value"], str(value["unit"])
            if in_ah:
                amount, unit = _in_common_unit(float(amount), unit)
            yield f"{name} [{unit}]", amount
        elif isinstance(value, Mapping):
            yield from flat_payload(value, name, in_ah=in_ah)
        elif value is not None:
            yield name, value


def _in_common_unit(value: float, unit: str) -> tuple[float, str]:
    """Give capacities in A.h, whatever each row states: one column has one unit."""
    factor = CAPACITY_UNITS.get(unit.replace(".", ""))
    if factor is None or unit == "A.h":
        return value, unit
    # Rounded to what a double holds of 0.002: 2.0 * 1e-3 is not 2e-3 in every case.
    return float(f"{value * factor:.12g}"), "A.h"
