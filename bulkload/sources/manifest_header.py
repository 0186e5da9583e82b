"""The header of a manifest: its own columns, and those that people call otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bulkload.core.issues import Severity
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Problem, Scope
from bulkload.core.sheets.headers import IGNORED, manifest_field
from bulkload.core.survey.dates import DateOrder
from bulkload.core.text import shown
from bulkload.sources.columns import (
    COLUMNS,
    DECISION_COLUMNS,
    NOTE_COLUMNS,
    REQUIRED_COLUMNS,
)
from bulkload.sources.joining import Links
from bulkload.sources.schema import unknown

#: Every column that a plan may have.
KNOWN: Final = (*COLUMNS, *DECISION_COLUMNS, *NOTE_COLUMNS)


@dataclass(frozen=True, slots=True)
class ManifestOptions:
    """What a person states about manifests that were not written by ``plan --out``."""

    #: Column -> field, ``-`` for a column that goes nowhere.
    columns: Mapping[str, str] = field(default_factory=dict)
    order: DateOrder | None = None
    #: Cell -> specification, for rows that leave the specification empty.
    spec_of: Mapping[str, str] = field(default_factory=dict)
    #: Which rows go on with which.
    links: Links = field(default_factory=Links)
    #: Take sources and names as they are now, whatever the plan saw.
    accepts_drift: bool = False


@dataclass(slots=True)
class ManifestHeader:
    """Which column of a manifest is which, and what is wrong with them."""

    #: Column as it is written -> as it is called here; without those that go nowhere.
    names: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_usable(self) -> bool:
        """Nothing but warnings stands in the way."""
        return all(problem.severity is Severity.WARNING for problem in self.problems)


def understand(columns: tuple[str, ...], where: str, options: ManifestOptions) -> ManifestHeader:
    """Return what the columns of a manifest mean.

    A name counts whatever its case and padding. One that people use for a column here (Zelle,
    Datei, 温度) is taken, with a warning that says so.
    """
    header = ManifestHeader()
    stated = {_key(name): wanted.partition(" [")[0] for name, wanted in options.columns.items()}
    taken: dict[str, str] = {}
    for column in columns:
        name = stated.get(_key(column)) or _own(column) or column
        if name == column and name not in KNOWN:
            name = manifest_field(column) or column
            if name != column and name not in columns:
                message = f"the column {shown(column)} is taken as {name}; change it with --map"
                header.problems.append(_problem(where, Rule.SHEET_REMARK, message, is_warning=True))
        if name == IGNORED:
            continue
        taken[column] = name
        header.names[column] = name
    header.problems += _faults(columns, taken, where, options)
    return header


def is_manifest_header(cells: Sequence[str]) -> bool:
    """Return whether a row has the columns that every manifest needs, but for the specification."""
    names = {_own(cell) or manifest_field(cell) or cell for cell in cells}
    return {"cell", "measurement", "path"} <= names


def _faults(
    columns: tuple[str, ...], taken: Mapping[str, str], where: str, options: ManifestOptions
) -> Iterator[Problem]:
    names = [taken[column] for column in columns if column in taken]
    missing = [column for column in REQUIRED_COLUMNS if column not in names]
    if len(missing) == len(REQUIRED_COLUMNS):
        message = (
            f"{where} is not a manifest: it has none of the required columns "
            f"{', '.join(REQUIRED_COLUMNS)}. "
            "If it is a file of data, give the folder it lies in, or a manifest that names it"
        )
        yield _problem(where, Rule.NOT_A_SOURCE, message)
        return
    for column in missing:
        if column != "spec" or not options.spec_of:
            message = f"the column {shown(column)} is missing; every manifest needs it"
            yield _problem(where, Rule.MISSING_COLUMN, message)
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            message = f"the column {shown(name)} occurs twice in the header"
            yield _problem(where, Rule.DUPLICATE_COLUMN, message)
        if name not in KNOWN:
            message = f"the column {shown(name)} {unknown(name, dict.fromkeys(COLUMNS))}"
            yield _problem(where, Rule.UNKNOWN_COLUMN, message)


def _own(column: str) -> str | None:
    key = _key(column).replace(" ", "_")
    return key if key in KNOWN else None


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def _problem(where: str, rule: Rule, message: str, *, is_warning: bool = False) -> Problem:
    severity = Severity.WARNING if is_warning else Severity.ERROR
    return Problem(where=where, rule=rule, message=message, severity=severity, scope=Scope.PLAN)
