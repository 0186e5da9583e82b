"""A manifest: one row a measurement, in a file that people and programs read, edit and run.

A plan that ``bulkload plan --out`` writes is a manifest, and reads back as the same jobs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bulkload.archives.access import directory_of, stamp_of
from bulkload.archives.remote import look
from bulkload.core.address import file_name, innermost, is_elsewhere, is_member
from bulkload.core.issues import Severity
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Problem, Scope, Skip, UploadJob
from bulkload.core.sheets.headers import IGNORED
from bulkload.core.terms import MeasurementType
from bulkload.core.text import shown
from bulkload.errors import MissingExtraError, PlanError, UnreadableError
from bulkload.sources import field_parsers
from bulkload.sources.columns import COLUMNS, job_of, parse_row
from bulkload.sources.drift import drift, is_stated_new, seen_in
from bulkload.sources.entry import Entry
from bulkload.sources.joining import with_names
from bulkload.sources.json_yaml_toml import DOCUMENT_SUFFIXES
from bulkload.sources.limits import PEEKED_AT_ONCE
from bulkload.sources.manifest_header import (
    KNOWN,
    ManifestOptions,
    is_manifest_header,
    understand,
)
from bulkload.sources.patience import StuckError, patience
from bulkload.sources.schema import unknown
from bulkload.sources.tables import (
    TABLE_SUFFIXES,
    BadRow,
    Header,
    Line,
    Row,
    read_table,
    remarks_of,
)

if TYPE_CHECKING:
    import pandas as pd

MANIFEST_SUFFIXES: Final = TABLE_SUFFIXES
#: Rows of a DataFrame turned into Python objects at a time.
FRAME_ROWS: Final = 1024
_YES: Final = frozenset(("yes", "true", "1", "y", "ja", "j", "oui", "si", "sí", "是", "x"))
_NO: Final = frozenset(("no", "false", "0", "n", "nein", "non", "否"))


def read_manifest(
    path: Path, options: ManifestOptions | None = None
) -> Iterator[Entry | Problem | Skip]:
    """Yield the jobs that a manifest states; whether their files exist is not checked."""
    where = str(path)
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 - links in it stay as they are
    for remark in remarks_of(path, is_manifest_header):
        yield Problem(
            where=where,
            rule=Rule.SHEET_REMARK,
            message=f"{where}: {remark}",
            severity=Severity.WARNING,
        )
    try:
        yield from _entries(read_table(path), where, folder, options or ManifestOptions())
    except UnreadableError as error:
        yield Problem(
            where=where,
            rule=Rule.UNREADABLE_TABLE,
            message=f"{where} {error}",
            scope=Scope.PLAN,
        )


def read_frame(
    frame: pd.DataFrame, *, base: Path | None = None, options: ManifestOptions | None = None
) -> Iterator[Entry | Problem | Skip]:
    """Yield the jobs that a table in memory states; relative paths start at ``base`` or here."""
    folder = Path(os.path.abspath(base or "."))  # noqa: PTH100 - links in the path stay as they are
    options = options or ManifestOptions()
    yield from _entries(_frame_lines(frame), "the table", folder, options)


def existing(entries: Iterable[Entry | Problem | Skip]) -> Iterator[Entry | Problem | Skip]:
    """Replace entries whose path does not exist, or is of the wrong kind, by problems."""
    rest = iter(entries)
    while some := list(islice(rest, PEEKED_AT_ONCE)):
        for entry, fault in zip(some, patience().each(_fault_of, some), strict=True):
            if isinstance(fault, StuckError):
                message = f"{entry.where} cannot be accessed: {fault.strerror}"
                yield Problem(where=entry.where, rule=Rule.UNREADABLE_FILE, message=message)
            elif isinstance(fault, Exception):
                raise fault
            elif fault is None:
                yield entry
            else:
                yield Problem(where=entry.where, rule=fault[0], message=fault[1])


def _fault_of(entry: Entry | Problem | Skip) -> tuple[Rule, str] | None:
    return (_path_fault(entry.job) or drift(entry)) if isinstance(entry, Entry) else None


def _frame_lines(frame: pd.DataFrame) -> Iterator[Line]:
    columns = tuple(str(column) for column in frame.columns)
    yield Header(columns)
    for start in range(0, len(frame), FRAME_ROWS):
        chunk = frame.iloc[start : start + FRAME_ROWS]
        values = (chunk.iloc[:, at].tolist() for at in range(len(columns)))
        for number, cells in enumerate(zip(*values, strict=True), start=start + 2):
            yield Row(number, dict(zip(columns, cells, strict=True)))


def _entries(
    lines: Iterator[Line], where: str, base: Path, options: ManifestOptions
) -> Iterator[Entry | Problem | Skip]:
    names: Mapping[str, str] = {}
    for line in lines:
        if isinstance(line, Header):
            header = understand(line.columns, where, options)
            yield from header.problems
            if not header.is_usable:
                # Rows under a faulty header would only repeat its faults.
                return
            names = header.names
        elif isinstance(line, BadRow):
            yield Problem(
                where=_row_name(where, line.number),
                rule=Rule.BAD_ROW,
                message=f"row {line.number} {line.message}",
            )
        else:
            yield from _row_entries(_renamed(line, names, options), where, base, options)


def _renamed(row: Row, names: Mapping[str, str], options: ManifestOptions) -> Row:
    """Return a row under the columns' own names, its specification filled from its cell's."""
    # Only JSON lines have a column that no header has shown: it keeps its name.
    left_out = {column for column, name in options.columns.items() if name == IGNORED}
    cells = {
        names.get(column, column): cell
        for column, cell in row.cells.items()
        if column in names or column not in left_out
    }
    if options.spec_of and not str(cells.get("spec") or "").strip():
        cells["spec"] = options.spec_of.get(str(cells.get("cell") or "").strip())
    return Row(row.number, cells)


def _row_entries(
    line: Row, where: str, base: Path, options: ManifestOptions
) -> Iterator[Entry | Problem | Skip]:
    place = _row_name(where, line.number)
    decision = _decision(line, place, base)
    if decision is not None:
        yield decision
        return
    line = Row(line.number, with_names(line.cells, options.links, base))
    row = parse_row(line.cells, options.order)
    # Where a plan carries its cells, a specification that is missing follows from the cell.
    is_asked = options.spec_of and "cell" not in row.stated
    faults = [
        (Rule.BAD_VALUE, column, fault)
        for column, fault in row.faults
        if not (is_asked and column == "spec")
    ]
    faults += [
        (Rule.UNKNOWN_COLUMN, column, unknown(column, dict.fromkeys(COLUMNS)))
        for column in line.cells
        if column not in KNOWN
    ]
    seen = None
    if not options.accepts_drift:
        try:
            seen = seen_in(line.cells)
        except ValueError as error:
            faults.append((Rule.BAD_VALUE, "modified", str(error)))
    for rule, column, fault in faults:
        message = f"row {line.number}, column {shown(column)} {fault}"
        scope = Scope.PLAN if rule is Rule.UNKNOWN_COLUMN else Scope.ENTRY
        yield Problem(where=place, rule=rule, message=message, scope=scope)
    if not faults:
        job = job_of(row.stated, base)
        if not options.accepts_drift and is_stated_new(line.cells):
            job = replace(job, expects_new=True)
        folder = Path(os.path.normpath(job.path)).parent
        root = base if folder.is_relative_to(base) else Path(folder.anchor)
        yield Entry(where=place, job=job, folder=folder, root=root, seen=seen)


def _decision(line: Row, place: str, base: Path) -> Problem | Skip | None:
    """Return what becomes of a row that is not uploaded, None for one that is."""
    if "upload" not in line.cells:
        return None
    cell = field_parsers.plain(line.cells["upload"])
    stated = "" if cell is None else field_parsers.name(cell).strip().casefold()
    if stated in _YES:
        return None
    path = str(line.cells.get("path") or "").strip()
    if stated in _NO:
        rule = str(line.cells.get("rule") or "").strip() or "left_out"
        where = path if Path(path).is_absolute() else os.path.normpath(base / path)
        return Skip(where=where, rule=rule)
    what = (
        f"column 'upload' holds {shown(stated)}; write yes or no"
        if stated
        else f"nobody has decided whether {shown(path)} is uploaded; write yes or no in column "
        "'upload'"
    )
    return Problem(where=place, rule=Rule.UNDECIDED, message=f"row {line.number}: {what}")


def _path_fault(job: UploadJob) -> tuple[Rule, str] | None:
    path = Path(job.path)
    if is_elsewhere(job.path):
        return _member_fault(job)
    try:
        if path.is_dir():
            if job.type is MeasurementType.FILE:
                return None
            return Rule.PATH_IS_FOLDER, f"{shown(job.path)} is a folder; name the file in it"
        if path.is_file():
            return _ending_fault(path, job.type)
        if path.exists():
            return Rule.NOT_A_FILE, f"{shown(job.path)} is neither a file nor a folder"
    except OSError as error:
        return (
            Rule.UNREADABLE_FILE,
            f"{shown(job.path)} cannot be accessed: {error.strerror or error}",
        )
    return (
        Rule.PATH_MISSING,
        f"{shown(job.path)} does not exist; paths are relative to the manifest's folder",
    )


def _member_fault(job: UploadJob) -> tuple[Rule, str] | None:
    """Return the fault of a path into an archive: the archive's, or that it lacks the member."""
    if not is_member(job.path):
        return _remote_fault(job)
    if stamp_of(job.path) is not None:
        return _ending_fault(Path(job.path), job.type)
    archive, inner = innermost(job.path)
    what = "does not hold it, or it is refused there"
    try:
        refused = {one.name: one.message for one in directory_of(archive).refusals}
        what = refused.get(inner, what)
    except UnreadableError as error:
        what = str(error)
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
    return Rule.PATH_MISSING, f"{shown(job.path)}: {shown(file_name(archive))} {what}"


def _remote_fault(job: UploadJob) -> tuple[Rule, str] | None:
    try:
        look(job.path)
    except (UnreadableError, PlanError, MissingExtraError) as error:
        return Rule.PATH_MISSING, f"{shown(job.path)}: {error}"
    return _ending_fault(Path(job.path), job.type)


def _ending_fault(path: Path, kind: MeasurementType) -> tuple[Rule, str] | None:
    if kind is not MeasurementType.PROPERTIES or path.suffix.lower() in DOCUMENT_SUFFIXES:
        return None
    known = ", ".join(DOCUMENT_SUFFIXES)
    return Rule.BAD_VALUE, f"{shown(str(path))} cannot hold properties; they are read from {known}"


def _row_name(where: str, number: int) -> str:
    return f"{where}, row {number}"
