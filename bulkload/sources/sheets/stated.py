"""What sheets of cells and tests state, read and checked, for a plan and for a survey."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from bulkload.core.issues import Severity
from bulkload.core.path_layout import normalised
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Problem, Scope, Specification, UploadJob
from bulkload.core.sheets.cell_table import CellRecord, CellTable, read_cells
from bulkload.core.sheets.headers import (
    IGNORED,
    OPEN_FIELDS,
    SheetHeader,
    find_header,
    known_fields,
)
from bulkload.core.sheets.quantities import unit_of
from bulkload.core.sheets.rows import CellFault
from bulkload.core.sheets.test_table import TestTable, read_tests
from bulkload.core.survey.cells import KnownCells
from bulkload.core.survey.dates import DateOrder
from bulkload.core.text import shown
from bulkload.errors import PlanError, SettingsError, UnreadableError
from bulkload.sources.plan_sheets import carried_cells
from bulkload.sources.sheets.grid import VisibleSheet, read_book

_MAPPED: Final = re.compile(
    r"\s*(?P<column>[^=]+?)\s*=\s*(?P<field>[\w.]+|-)\s*(?P<unit>\[[^\]]*\])?\s*(?:,|\Z)"
)


@dataclass(frozen=True, slots=True)
class SheetOptions:
    """Where sheets lie and how their columns are mapped."""

    cells: Path | None = None
    tests: Path | None = None
    #: Column -> field, as a person stated it.
    columns: Mapping[str, str] = field(default_factory=dict)
    order: DateOrder | None = None


@dataclass(slots=True)
class StatedSheets:
    """What the sheets state; empty where none is given."""

    cells: CellTable = field(default_factory=CellTable)
    tests: TestTable = field(default_factory=TestTable)
    known: KnownCells = field(default_factory=lambda: KnownCells(()))
    origin: str = ""

    def cell(self, name: str) -> CellRecord | None:
        """Return what is stated of a cell, however its name is written."""
        found = self.known.whole(name) if name and self.known else None
        return None if found is None else self.cells.cells[found]

    def spec_of(self) -> dict[str, str]:
        """Return the specification of each cell that states one."""
        return {name: one.spec for name, one in self.cells.cells.items() if one.spec}

    def add_carried(self, plan: Path) -> Iterator[Problem]:
        """Add the cells that a plan carries; a sheet that is named overrides them."""
        table, faults = carried_cells(plan)
        yield from _problems_of(plan, faults, ())
        self.add(table.cells.values())

    def add(self, records: Iterable[CellRecord]) -> None:
        """Add cells that a file of a job states; a sheet that is named overrides them."""
        for record in records:
            self.cells.cells.setdefault(record.name, record)
        if self.cells.cells:
            self.known = KnownCells(self.cells.cells)

    def specifications(self) -> Iterator[Specification]:
        """Yield the specifications of the sheet of cells."""
        for name, stated in self.cells.specifications.items():
            payload = {**stated, "name": normalised(name)}
            yield Specification(name=normalised(name), payload=payload, origin=self.origin)

    def applied(self, job: UploadJob) -> tuple[UploadJob, Mapping[str, Any]]:
        """Return a job with the names that the sheets state, and the metadata of its test."""
        if not self.tests.records and not self.known:
            return job, {}
        test = self.tests.of(job.path, job.key.cell, job.key.measurement)
        names = {} if test is None else test.names
        cell = names.get("cell") or job.key.cell
        record = self.cell(cell)
        key = job.key._replace(
            cell=cell if record is None else record.name,
            spec=names.get("spec") or job.key.spec,
            measurement=names.get("measurement") or job.key.measurement,
        )
        batch = names.get("batch") or job.batch or (record.batch or None if record else None)
        return replace(job, key=key, batch=batch), {} if test is None else test.fields


def parse_map(text: str) -> dict[str, str]:
    """Read ``Zellname=cell, Kap. [mAh]=spec.ratings.capacity``; ``-`` leaves a column out.

    Raises ``SettingsError`` for what is not a mapping or an unknown field.
    """
    found: dict[str, str] = {}
    at = 0
    known = known_map_fields()
    while at < len(text):
        match = _MAPPED.match(text, at)
        if match is None:
            raise SettingsError(
                f"--map: {text[at:]!r} is not a mapping; write it as 'Zellname=cell, Kap.=capacity'"
            )
        if match["field"] not in known and not match["field"].startswith(OPEN_FIELDS):
            fields = ", ".join(known)
            raise SettingsError(f"--map: {match['field']!r} is not a field; there are {fields}")
        found[match["column"]] = match["field"] + _unit(match["unit"])
        at = match.end()
    return found


def known_map_fields() -> dict[str, None]:
    """Return the fields that a column of a sheet may be mapped to, by name."""
    names = (*known_fields(is_tests=False), *known_fields(is_tests=True), IGNORED)
    return dict.fromkeys(sorted(names))


def _unit(stated: str | None) -> str:
    if not stated:
        return ""
    unit = unit_of(stated)
    if unit is None:
        raise SettingsError(f"--map: the unit {stated} is not known")
    return f" [{unit}]"


def read_sheets(options: SheetOptions) -> tuple[StatedSheets, list[Problem]]:
    """Read the sheets that are given; each cell not understood is a problem that names it.

    Raises ``PlanError`` for a file that is not there or has no header.
    """
    stated = StatedSheets()
    problems: list[Problem] = []
    if options.cells is not None:
        grid, header = _sheet(options.cells, options, problems, is_tests=False)
        stated.cells = read_cells(grid.rows[header.row + 1 :], header, options.order)
        records = stated.cells.cells.values()
        aliases = {one.alias: one.name for one in records if one.alias}
        stated.known = KnownCells(stated.cells.cells, aliases)
        stated.origin = f"{options.cells}, sheet {grid.name}"
        problems += _problems_of(options.cells, stated.cells.faults, stated.cells.remarks)
    if options.tests is not None:
        grid, header = _sheet(options.tests, options, problems, is_tests=True)
        stated.tests = read_tests(grid.rows[header.row + 1 :], header, options.order)
        problems += _problems_of(options.tests, stated.tests.faults, stated.tests.remarks)
    return stated, problems


def _sheet(
    path: Path, options: SheetOptions, problems: list[Problem], *, is_tests: bool
) -> tuple[VisibleSheet, SheetHeader]:
    try:
        book = read_book(path)
    except UnreadableError as error:
        raise PlanError(str(error)) from error
    fields = {column: name.partition(" ")[0] for column, name in options.columns.items()}
    found = [
        (grid, header)
        for grid in book.sheets
        if (header := find_header([row for _, row in grid.rows], fields, is_tests=is_tests))
    ]
    if not found:
        raise PlanError(
            f"{path}: no row of its first ones names columns that are known; give --map "
            "'Column=cell, ...' with the columns as they are called there"
        )
    grid, header = max(found, key=lambda one: len(one[1].columns))
    others = [one.name for one in book.sheets if one is not grid]
    problems += _about(path, grid, header, [*others], book.hidden)
    return grid, _with_units(header, options.columns)


def _with_units(header: SheetHeader, stated: Mapping[str, str]) -> SheetHeader:
    units = {
        " ".join(column.split()).casefold(): name.partition(" [")[2].rstrip("]")
        for column, name in stated.items()
    }
    columns = tuple(
        replace(column, unit=units.get(" ".join(column.name.split()).casefold()) or column.unit)
        for column in header.columns
    )
    return replace(header, columns=columns)


def _about(
    path: Path,
    grid: VisibleSheet,
    header: SheetHeader,
    others: Sequence[str],
    hidden: Sequence[str],
) -> Iterator[Problem]:
    """Yield, as warnings, how the sheet is understood."""
    proposed = [column for column in header.columns if column.how != "stated"]
    if proposed:
        named = ", ".join(f"{shown(column.name)} as {column.field}" for column in proposed)
        yield _remark(path, f"{path}: header in row {header.row + 1} of sheet {shown(grid.name)}; "
                      f"taken by their names: {named}; change it with --map")  # fmt: skip
    for name in header.unknown:
        yield _remark(
            path, f"{path}: the column {shown(name)} is not used; give --map '{name}=field', or "
            f"'{name}=-' to leave it out"
        )  # fmt: skip
    for name in hidden:
        yield _remark(path, f"{path}: the sheet {shown(name)} is hidden and is not read")
    for name in others:
        yield _remark(path, f"{path}: the sheet {shown(name)} is not read; {shown(grid.name)} is")


def _problems_of(
    path: Path, faults: Sequence[CellFault], remarks: Sequence[str]
) -> Iterator[Problem]:
    for fault in sorted(faults, key=lambda one: one.row):
        column = f", column {shown(fault.column)}" if fault.column else ""
        message = f"{path}, row {fault.row}{column} {fault.message}"
        yield Problem(
            where=f"{path}, row {fault.row}",
            rule=Rule.BAD_VALUE,
            message=message,
            # A value that is left out would be missing in Studio without a trace.
            scope=Scope.PLAN,
        )
    for remark in remarks:
        yield _remark(path, f"{path}: {remark}")


def _remark(path: Path, message: str) -> Problem:
    return Problem(
        where=str(path), rule=Rule.SHEET_REMARK, message=message, severity=Severity.WARNING
    )
