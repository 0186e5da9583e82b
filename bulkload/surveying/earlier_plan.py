"""A plan that a person has corrected, surveyed again with the files that came since.

Its rows stay as they stand: what was uploaded under a name keeps that name, whatever the names of
the files that came since would propose.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from bulkload.core.path_layout import normalised
from bulkload.core.survey.proposal import Sureness
from bulkload.core.survey.propose import Survey
from bulkload.core.text import shown
from bulkload.errors import PlanError, UnreadableError
from bulkload.sources.columns import Cell
from bulkload.sources.field_parsers import plain
from bulkload.sources.plan_sheets import CELLS, SPECIFICATIONS
from bulkload.sources.tables import Line, Row, read_sheet, read_table
from bulkload.sources.writers import Sheet, companion

Cells = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class EarlierPlan:
    """The rows of a plan, and of the sheets that it carries; empty where there is none."""

    rows: Sequence[Cells] = ()
    #: Name of a sheet -> its rows.
    sheets: Mapping[str, Sequence[Cells]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a plan; raise ``PlanError`` for a table that is none."""
        try:
            rows = _rows(read_table(path))
            sheets = {name: _rows(_carried(path, name)) for name in (SPECIFICATIONS, CELLS)}
        except UnreadableError as error:
            raise PlanError(f"{path} {error}") from error
        if any("path" not in row for row in rows):
            raise PlanError(f"{path} has no column 'path', so it is not a plan of a survey")
        return cls(rows, sheets)

    def new_in(self, found: Survey, path_of: Callable[[str], str]) -> Survey:
        """Return what a survey proposes for the files that the plan does not have.

        ``path_of`` returns a file's path as the plan writes it. A file whose content the plan has
        is a copy, and a name that the plan has is open.
        """
        known = {_key(row.get("path")): row for row in self.rows}
        names = {_name_of(row): row for row in self.rows if _is_sent(row)}
        copies = {
            one.copy_of: one.facts.path
            for one in found.proposals
            if one.copy_of and _key(path_of(one.facts.path)) in known
        }
        fresh = [one for one in found.proposals if _key(path_of(one.facts.path)) not in known]
        for one in fresh:
            if one.facts.path in copies and one.upload is not False:
                one.copy_of = copies[one.facts.path]
                one.leave_out("copy", f"same content as {one.copy_of}, which the plan has")
            taken = names.get((one.cell, normalised(one.measurement)))
            # A row without a specification has that of its cell.
            is_same = taken is not None and taken.get("spec") in (None, one.spec)
            if taken is not None and is_same and one.upload is not False:
                one.upload = None
                one.doubt(
                    Sureness.OPEN,
                    f"the plan has this name already, for {shown(str(taken.get('path')))}: "
                    "give it another, and write yes in column upload",
                )
        return replace(found, proposals=fresh)

    def with_rows(self, name: str, sheet: Sheet) -> Sheet:
        """Return a sheet with the plan's own rows first, which are as a person left them."""
        kept = self.sheets.get(name, ())
        key = sheet.columns[0]
        known = {row.get(key) for row in kept}
        rows = [*kept, *(row for row in sheet.rows if row.get(key) not in known)]
        return Sheet(columns_of(sheet.columns, kept), rows)


def columns_of(columns: Iterable[str], rows: Iterable[Cells]) -> tuple[str, ...]:
    """Return columns, then those that rows have besides."""
    return tuple(dict.fromkeys([*columns, *(column for row in rows for column in row)]))


def _carried(path: Path, name: str) -> Iterable[Line]:
    if path.suffix.lower() == ".xlsx":
        return read_sheet(path, name)
    beside = companion(path, name)
    return read_table(beside) if beside.is_file() else ()


def _rows(lines: Iterable[Line]) -> list[Cells]:
    return [
        {column: _cell(value) for column, value in line.cells.items() if column}
        for line in lines
        if isinstance(line, Row)
    ]


def _cell(value: object) -> Cell:
    value = plain(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return value if value is None or isinstance(value, str | float | bool) else str(value)


def _key(path: object) -> str:
    return normalised(os.path.normpath(str(path)))


def _is_sent(row: Cells) -> bool:
    return str(row.get("upload") or "yes").strip().casefold() != "no"


def _name_of(row: Cells) -> tuple[str, str]:
    return str(row.get("cell") or ""), normalised(str(row.get("measurement") or ""))
