"""Specifications from files that ``--specs`` names: .json .yaml .toml, .csv .xlsx, or a folder.

In a spreadsheet each row is a specification and each column a key: ``name``, ``form_factor``,
``manufacturer``, ``capacity [A.h]``. A unit in brackets makes a Quantity, a rating belongs under
``ratings``, and dots lead deeper: ``cathode.material.name``,
``cathode.properties.loading [mg/cm**2]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from bulkload.core.path_layout import normalised
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Problem, Scope, Skip, Specification
from bulkload.core.text import shown
from bulkload.errors import PlanError, UnreadableError
from bulkload.sources import field_parsers as cells
from bulkload.sources.json_yaml_toml import DOCUMENT_SUFFIXES, load
from bulkload.sources.schema import (
    RATING_KEYS,
    SPECIFICATION_KEYS,
    check_specification,
    unknown,
    with_lines,
)
from bulkload.sources.tables import BadRow, Header, Line, Row, read_sheet, read_table

#: What makes the file useless as it is, or says one thing twice: which is meant is not guessed.
_OF_THE_PLAN: Final = frozenset(
    {
        Rule.DUPLICATE_COLUMN,
        Rule.MISSING_COLUMN,
        Rule.SPECIFICATION_CONFLICT,
        Rule.UNKNOWN_COLUMN,
        Rule.UNKNOWN_KEY,
        Rule.UNREADABLE_METADATA,
        Rule.UNREADABLE_TABLE,
    }
)
_SHEET_SUFFIXES: Final = (".csv", ".xlsx")
#: A column of a plan's own sheets: a payload as JSON, where columns cannot state it.
PAYLOAD: Final = "payload"
_COLUMN = re.compile(r"(?P<keys>[^\[\]]+?)\s*(?:\[(?P<unit>[^\[\]]+)\])?\Z")


class Stated(dict[str, Specification]):
    """Specifications by name, and which names stand in a file only with an error."""

    def __init__(self) -> None:
        super().__init__()
        #: Name -> file with an error in what it says of it; empty for a file that says nothing.
        self.broken: dict[str, str] = {}

    def root_of(self, name: str) -> str | None:
        """Return the file whose error is the reason that a specification is missing."""
        return self.broken.get(name) or self.broken.get("")


def read_specifications(path: Path, into: Stated) -> Iterator[Problem | Skip]:
    """Read a file or a folder of specifications by name, and yield the problems.

    Side effects: fills ``into`` as the iterator is exhausted.
    """
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.suffix.lower() in (*DOCUMENT_SUFFIXES, *_SHEET_SUFFIXES) and file.is_file():
                yield from _read_file(file, into)
            else:
                yield Skip(where=str(file), rule=Rule.NOT_A_SPECIFICATION_FILE)
    elif path.suffix.lower() in (*DOCUMENT_SUFFIXES, *_SHEET_SUFFIXES) and path.is_file():
        yield from _read_file(path, into)
    elif not path.exists():
        raise PlanError(f"--specs {path}: there is no such file or folder")
    elif not path.is_file():
        raise PlanError(f"--specs {path}: is not a file but a folder, a pipe or a device")
    else:
        known = ", ".join((*DOCUMENT_SUFFIXES, *_SHEET_SUFFIXES))
        raise PlanError(f"--specs {path}: must be a folder or a file of one of {known}")


def _read_file(path: Path, into: Stated) -> Iterator[Problem]:
    try:
        if path.suffix.lower() in _SHEET_SUFFIXES:
            yield from _read_sheet(path, into)
        else:
            yield from _read_document(path, into)
    except UnreadableError as error:
        into.broken[""] = str(path)
        yield _problem(path, Rule.UNREADABLE_METADATA, f"{path} {error}")


def _read_document(path: Path, into: Stated) -> Iterator[Problem]:
    document = load(path)
    for above, data in _records(document.data):
        checked = check_specification(data)

        def line_of(*keys: str, above: tuple[str, ...] = above) -> int:
            return document.line_of(*above, *keys)

        if not checked.faults:
            yield from _add(checked.fields, path, str(path), into)
        else:
            into.broken[_name_of(data)] = str(path)
        for rule, message in with_lines(checked.faults, line_of):
            yield _problem(path, rule, message)


def _name_of(data: Any) -> str:
    """Return the name of a specification with an error, empty where it has none."""
    name = data.get("name") if isinstance(data, dict) else None
    return normalised(str(name)) if isinstance(name, str | int) else ""


def _records(data: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Return the records of one specification, a list, or an object of name -> specification."""
    if isinstance(data, list):
        yield from (((), item) for item in data)
    elif isinstance(data, dict) and not set(data) & set(SPECIFICATION_KEYS) and data:
        for name, item in data.items():
            is_named = not isinstance(item, dict) or "name" in item
            yield (name,), item if is_named else {"name": name, **item}
    else:
        yield (), data


def _add(fields: dict[str, Any], path: Path, origin: str, into: Stated) -> Iterator[Problem]:
    if "name" not in fields:
        into.broken[""] = str(path)
        yield _problem(path, Rule.BAD_VALUE, f"a specification in {shown(origin)} has no name")
        return
    name = normalised(fields["name"])
    found = Specification(name=name, payload={**fields, "name": name}, origin=origin)
    known = into.setdefault(name, found)
    if known.payload != found.payload:
        message = (
            f"specification {shown(name)} stands in {shown(known.origin)} and, with other "
            f"content, in {shown(origin)}; make them equal or keep one"
        )
        yield _problem(path, Rule.SPECIFICATION_CONFLICT, message)


def read_specification_sheet(path: Path, name: str, into: Stated) -> Iterator[Problem]:
    """Read the specifications in a sheet of a workbook; nothing where it has no such sheet."""
    yield from _read_lines(path, read_sheet(path, name), into)


def _read_sheet(path: Path, into: Stated) -> Iterator[Problem]:
    yield from _read_lines(path, read_table(path), into)


def _read_lines(path: Path, lines: Iterable[Line], into: Stated) -> Iterator[Problem]:
    columns: dict[str, _Column] = {}
    for line in lines:
        if isinstance(line, Header):
            problems = list(_header_problems(path, line.columns))
            yield from problems
            if problems:
                into.broken[""] = str(path)
                return
            columns = {name: _Column.of(name) for name in line.columns}
        elif isinstance(line, BadRow):
            into.broken[""] = str(path)
            yield _problem(path, Rule.BAD_ROW, f"row {line.number} {line.message}")
        else:
            yield from _add_row(path, line, columns, into)


def _header_problems(path: Path, names: tuple[str, ...]) -> Iterator[Problem]:
    seen: set[tuple[str, ...]] = set()
    for name in names:
        keys = _Column.of(name).keys
        above = {keys[:length] for length in range(1, len(keys))}
        if name == PAYLOAD:
            continue
        if keys[0] not in SPECIFICATION_KEYS:
            known = dict.fromkeys((*SPECIFICATION_KEYS, *RATING_KEYS))
            message = f"the column {shown(name)} {unknown(keys[0], known)}"
            yield _problem(path, Rule.UNKNOWN_COLUMN, message)
        elif keys in seen or above & seen or any(other[: len(keys)] == keys for other in seen):
            message = f"the column {shown(name)} repeats what another column states"
            yield _problem(path, Rule.DUPLICATE_COLUMN, message)
        elif _is_rating(keys) and _Column.of(name).unit is None:
            message = f"the column {shown(name)} needs its unit, as in 'capacity [A.h]'"
            yield _problem(path, Rule.UNKNOWN_COLUMN, message)
        seen.add(keys)
    if ("name",) not in seen:
        yield _problem(path, Rule.MISSING_COLUMN, "the column 'name' is missing")


@dataclass(frozen=True, slots=True)
class _Column:
    """Where the cells of a column belong in a specification."""

    keys: tuple[str, ...]
    unit: str | None

    @classmethod
    def of(cls, name: str) -> Self:
        found = _COLUMN.match(name)
        keys = tuple((found["keys"] if found else name).split("."))
        return cls(("ratings", *keys) if keys[0] in RATING_KEYS else keys, found and found["unit"])

    def value(self, cell: Any) -> Any:
        if self.unit is not None:
            return {"value": cells.number(cell), "unit": self.unit}
        # Only properties may be plain numbers; a form factor of 18650 is a name.
        is_number = isinstance(cell, int | float) and "properties" in self.keys
        return cell if is_number else cells.name(cell)


def _is_rating(keys: tuple[str, ...]) -> bool:
    return len(keys) == 2 and keys[0] == "ratings"


def _add_row(
    path: Path, row: Row, columns: Mapping[str, _Column], into: Stated
) -> Iterator[Problem]:
    place = f"row {row.number}, "
    try:
        data = _stated(row.cells, columns)
    except _FaultyCellError as error:
        into.broken[_name_of({"name": cells.plain(row.cells.get("name"))})] = str(path)
        yield _problem(path, Rule.BAD_VALUE, f"{place}column {shown(error.column)} {error}")
        return
    checked = check_specification(data)
    if checked.faults:
        into.broken[_name_of(data)] = str(path)
    for fault in checked.faults:
        message = f"{place}{shown('.'.join(fault.keys))} {fault.message}"
        yield _problem(path, fault.rule, message)
    if not checked.faults:
        yield from _add(checked.fields, path, f"{path}, {place.rstrip(', ')}", into)


class _FaultyCellError(ValueError):
    def __init__(self, column: str, what: str) -> None:
        super().__init__(what)
        self.column = column


def _stated(row: Mapping[str, Any], columns: Mapping[str, _Column]) -> dict[str, Any]:
    """Return what the cells of a row state, keys within keys."""
    data: dict[str, Any] = {}
    for name, column in columns.items():
        if (fault := cells.fault_of(row.get(name))) is not None:
            raise _FaultyCellError(name, fault)
        cell = cells.plain(row.get(name))
        if cell is None:
            continue
        try:
            if name == PAYLOAD:
                data |= cells.json_object(cell)
                continue
            value = column.value(cell)
        except ValueError as error:
            raise _FaultyCellError(name, str(error)) from error
        inner = data
        for key in column.keys[:-1]:
            inner = inner.setdefault(key, {})
        inner[column.keys[-1]] = value
    return data


def payload_of_row(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the specification that a row of a sheet states, None where it has a fault."""
    try:
        data = _stated(row, {name: _Column.of(name) for name in row})
    except ValueError:
        return None
    checked = check_specification(data)
    return None if checked.faults else checked.fields


def _problem(path: Path, rule: Rule, message: str) -> Problem:
    scope = Scope.PLAN if rule in _OF_THE_PLAN else Scope.METADATA
    return Problem(where=str(path), rule=rule, message=message, scope=scope)
