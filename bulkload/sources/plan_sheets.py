"""The specifications and cells that a plan carries with it: sheets of a workbook, files else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bulkload.core.plan_items import Problem, Specification
from bulkload.core.sheets.cell_table import CellTable, read_cells
from bulkload.core.sheets.headers import find_header
from bulkload.core.sheets.rows import Fault
from bulkload.sources.sheets.grid import Grid, read_book
from bulkload.sources.specs import read_specification_sheet, read_specifications
from bulkload.sources.tables import sheet_names
from bulkload.sources.writers import companion

SPECIFICATIONS: Final = "specifications"
CELLS: Final = "cells"


def carried_specifications(path: Path, into: dict[str, Specification]) -> Iterator[Problem]:
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


def carried_cells(path: Path) -> tuple[CellTable, list[Fault]]:
    """Return the cells that a plan carries, and what of them was not understood."""
    grid = _cell_grid(path)
    if grid is None:
        return CellTable(), []
    header = find_header([row for _, row in grid.rows], {}, is_tests=False)
    if header is None:
        return CellTable(), []
    table = read_cells(grid.rows[header.row + 1 :], header)
    return table, table.faults


def _cell_grid(path: Path) -> Grid | None:
    if path.suffix.lower() == ".xlsx":
        if CELLS not in sheet_names(path):
            return None
        return next((one for one in read_book(path).sheets if one.name == CELLS), None)
    beside = companion(path, CELLS)
    return read_book(beside).sheets[0] if beside.is_file() else None
