"""Specifications from files that ``--specs`` names: .json .yaml .toml, .csv .xlsx, or a folder.

In a spreadsheet each row is a specification and each column a key: ``name``, ``form_factor``,
``manufacturer``, ``capacity [A.h]``. A unit in brackets makes a Quantity, a rating goes under
``ratings`` by itself, and points lead deeper: ``cathode.material.name``,
``cathode.properties.loading [mg/cm**2]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bulkload.core.job import Problem, Skip, Specification
from bulkload.core.layout import normalised
from bulkload.core.plan import Rule, shown
from bulkload.errors import PlanError, UnreadableError
from bulkload.sources.documents import DOCUMENT_SUFFIXES, load
from bulkload.sources.schema import RATING_KEYS, SPECIFICATION_KEYS, check_specification, told
from bulkload.sources.tables import BadRow, Header, Row, read_table

_SHEET_SUFFIXES: Final = (".csv", ".xlsx")
_COLUMN = re.compile(r"(?P<keys>[^\[\]]+?)\s*(?:\[(?P<unit>[^\[\]]+)\])?\Z")


@dataclass(slots=True)
class Specifications:
    """Specifications by name, as they were read."""

    found: dict[str, Specification] = field(default_factory=dict)


def read_specifications(path: Path, into: Specifications) -> Iterator[Problem | Skip]:
    """Read a file or a folder of specifications; what is wrong is told, the rest is read."""
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.suffix.lower() in (*DOCUMENT_SUFFIXES, *_SHEET_SUFFIXES) and file.is_file():
                yield from _read_file(file, into)
            else:
                yield Skip(where=str(file), rule=Rule.NOT_A_SPECIFICATION_FILE)
    elif path.suffix.lower() in (*DOCUMENT_SUFFIXES, *_SHEET_SUFFIXES) and path.exists():
        yield from _read_file(path, into)
    else:
        known = ", ".join((*DOCUMENT_SUFFIXES, *_SHEET_SUFFIXES))
        raise PlanError(f"--specs {path}: must be a folder or a file of one of {known}")


def _read_file(path: Path, into: Specifications) -> Iterator[Problem]:
    try:
        if path.suffix.lower() in _SHEET_SUFFIXES:
            yield from _read_sheet(path, into)
        else:
            yield from _read_document(path, into)
    except UnreadableError as error:
        yield _problem(path, Rule.UNREADABLE_METADATA, f"{path} {error}")


def _read_document(path: Path, into: Specifications) -> Iterator[Problem]:
    document = load(path)
    for above, data in _records(document.data):
        checked = check_specification(data)

        def line_of(*keys: str, above: tuple[str, ...] = above) -> int:
            return document.line_of(*above, *keys)

        if not checked.faults:
            yield from _add(checked.fields, path, str(path), into)
        for rule, message in told(checked.faults, line_of):
            yield _problem(path, rule, message)


def _records(data: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Tell one specification, a list of them, and an object of name -> specification apart."""
    if isinstance(data, list):
        yield from (((), item) for item in data)
    elif isinstance(data, dict) and not set(data) & set(SPECIFICATION_KEYS) and data:
        for name, item in data.items():
            is_named = not isinstance(item, dict) or "name" in item
            yield (name,), item if is_named else {"name": name, **item}
    else:
        yield (), data


def _add(
    fields: dict[str, Any], path: Path, origin: str, into: Specifications
) -> Iterator[Problem]:
    if "name" not in fields:
        yield _problem(path, Rule.BAD_VALUE, f"a specification in {shown(origin)} has no name")
        return
    name = normalised(fields["name"])
    found = Specification(name=name, payload={**fields, "name": name}, origin=origin)
    known = into.found.setdefault(name, found)
    if known.payload != found.payload:
        message = (
            f"specification {shown(name)} stands in {shown(known.origin)} and, with other "
            f"content, in {shown(origin)}; make them equal or keep one"
        )
        yield _problem(path, Rule.SPECIFICATION_CONFLICT, message)


def _read_sheet(path: Path, into: Specifications) -> Iterator[Problem]:
    columns: dict[str, tuple[tuple[str, ...], str | None]] = {}
    for line in read_table(path):
        if isinstance(line, Header):
            for column in line.columns:
                yield from _add_column(path, column, columns)
            if len(columns) != len(line.columns):
                return
        elif isinstance(line, BadRow):
            yield _problem(path, Rule.BAD_ROW, f"row {line.number} {line.message}")
        else:
            yield from _add_row(path, line, columns, into)


def _add_column(
    path: Path, column: str, columns: dict[str, tuple[tuple[str, ...], str | None]]
) -> Iterator[Problem]:
    found = _COLUMN.match(column)
    if found is None or column in columns:
        what = "stands in the header twice" if column in columns else "has no name"
        yield _problem(path, Rule.DUPLICATE_COLUMN, f"the column {shown(column)} {what}")
        return
    keys = tuple(found["keys"].split("."))
    if keys[0] in RATING_KEYS:
        keys = ("ratings", *keys)
    columns[column] = (keys, found["unit"])


def _add_row(
    path: Path,
    row: Row,
    columns: Mapping[str, tuple[tuple[str, ...], str | None]],
    into: Specifications,
) -> Iterator[Problem]:
    data: dict[str, Any] = {}
    for column, (keys, unit) in columns.items():
        cell = row.cells.get(column)
        if cell is None or cell == "":
            continue
        *above, last = keys
        place = data
        for key in above:
            place = place.setdefault(key, {})
        place[last] = cell if unit is None else {"value": _number(cell), "unit": unit}
    checked = check_specification(data)
    for fault in checked.faults:
        message = f"row {row.number}, {shown('.'.join(fault.keys))} {fault.message}"
        yield _problem(path, fault.rule, message)
    if not checked.faults:
        yield from _add(checked.fields, path, f"{path}, row {row.number}", into)


def _number(cell: Any) -> Any:
    try:
        return float(cell) if isinstance(cell, str) else cell
    except ValueError:
        return cell


def _problem(path: Path, rule: Rule, message: str) -> Problem:
    return Problem(where=str(path), rule=rule, message=message)
