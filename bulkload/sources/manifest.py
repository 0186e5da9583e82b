"""A manifest: one row a measurement, in a file that people and programs read, edit and run.

A plan that ``bulkload plan --out`` writes is a manifest, and reads back as the same jobs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Problem, UploadJob
from bulkload.core.terms import MeasurementType
from bulkload.core.text import shown
from bulkload.errors import PlanError, UnreadableError
from bulkload.sources.columns import COLUMNS, REQUIRED_COLUMNS, job_of, parse_row, row_of
from bulkload.sources.entry import Entry
from bulkload.sources.json_yaml_toml import DOCUMENT_SUFFIXES
from bulkload.sources.schema import unknown
from bulkload.sources.tables import TABLE_SUFFIXES, BadRow, Header, Line, Row, read_table
from bulkload.sources.writers import WRITERS

if TYPE_CHECKING:
    import pandas as pd

MANIFEST_SUFFIXES: Final = TABLE_SUFFIXES
#: Rows of a DataFrame turned into Python objects at a time.
FRAME_ROWS: Final = 1024


def read_manifest(path: Path) -> Iterator[Entry | Problem]:
    """Give the jobs that a manifest states; whether their files exist is not looked at."""
    where = str(path)
    try:
        yield from _entries(read_table(path), where, Path(os.path.abspath(path)).parent)  # noqa: PTH100
    except UnreadableError as error:
        yield Problem(where=where, rule=Rule.UNREADABLE_TABLE, message=f"{where} {error}")


def read_frame(frame: pd.DataFrame, *, base: Path | None = None) -> Iterator[Entry | Problem]:
    """Give the jobs that a table in memory states; relative paths start at ``base`` or here."""
    folder = Path(os.path.abspath(base or "."))  # noqa: PTH100 - links in the path stay as they are
    yield from _entries(_frame_lines(frame), "the table", folder)


def existing(entries: Iterable[Entry | Problem]) -> Iterator[Entry | Problem]:
    """Tell the entries whose path leads to nothing, or to the wrong kind of thing."""
    for entry in entries:
        fault = _path_fault(entry.job) if isinstance(entry, Entry) else None
        if fault is None:
            yield entry
        else:
            yield Problem(where=entry.where, rule=fault[0], message=fault[1])


def write_plan(path: Path, jobs: Iterable[UploadJob]) -> int:
    """Write jobs as a manifest, in the form that the path's ending names; give their number.

    Side effects: the file appears, or replaces an older one, when the last job is written.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise PlanError(f"{path}: a plan is written as one of {', '.join(WRITERS)}")
    unfinished = path.with_name(f".{path.stem}.unfinished{path.suffix}")
    try:
        count = writer(unfinished, (row_of(job) for job in jobs))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def _frame_lines(frame: pd.DataFrame) -> Iterator[Line]:
    columns = tuple(str(column) for column in frame.columns)
    yield Header(columns)
    for start in range(0, len(frame), FRAME_ROWS):
        chunk = frame.iloc[start : start + FRAME_ROWS]
        values = (chunk.iloc[:, at].tolist() for at in range(len(columns)))
        for number, cells in enumerate(zip(*values, strict=True), start=start + 2):
            yield Row(number, dict(zip(columns, cells, strict=True)))


def _entries(lines: Iterator[Line], where: str, base: Path) -> Iterator[Entry | Problem]:
    for line in lines:
        if isinstance(line, Header):
            problems = list(_header_problems(line.columns, where))
            yield from problems
            if problems:
                # Rows under a header that is not understood would be a second list of the same.
                return
        elif isinstance(line, BadRow):
            yield Problem(
                where=_row_name(where, line.number),
                rule=Rule.BAD_ROW,
                message=f"row {line.number} {line.message}",
            )
        else:
            yield from _row_entries(line, where, base)


def _row_entries(line: Row, where: str, base: Path) -> Iterator[Entry | Problem]:
    place = _row_name(where, line.number)
    row = parse_row(line.cells)
    faults = [(Rule.BAD_VALUE, column, fault) for column, fault in row.faults]
    # Only JSON lines get here with a column that no header has shown.
    faults += [
        (Rule.UNKNOWN_COLUMN, column, unknown(column, dict.fromkeys(COLUMNS)))
        for column in line.cells
        if column not in COLUMNS
    ]
    for rule, column, fault in faults:
        message = f"row {line.number}, column {shown(column)} {fault}"
        yield Problem(where=place, rule=rule, message=message)
    if not faults:
        job = job_of(row.said, base)
        folder = Path(os.path.normpath(job.path)).parent
        root = base if folder.is_relative_to(base) else Path(folder.anchor)
        yield Entry(where=place, job=job, folder=folder, root=root)


def _header_problems(columns: tuple[str, ...], where: str) -> Iterator[Problem]:
    missing = [column for column in REQUIRED_COLUMNS if column not in columns]
    if len(missing) == len(REQUIRED_COLUMNS):
        message = (
            f"{where} is not a manifest: it has none of the columns {', '.join(REQUIRED_COLUMNS)}. "
            "If it is a file of data, give the folder it lies in, or a manifest that names it"
        )
        yield Problem(where=where, rule=Rule.NOT_A_SOURCE, message=message)
        return
    for column in missing:
        message = f"the column {shown(column)} is missing; each manifest needs it"
        yield Problem(where=where, rule=Rule.MISSING_COLUMN, message=message)
    for column in dict.fromkeys(columns):
        if columns.count(column) > 1:
            message = f"the column {shown(column)} stands in the header twice"
            yield Problem(where=where, rule=Rule.DUPLICATE_COLUMN, message=message)
        if column not in COLUMNS:
            message = f"the column {shown(column)} {unknown(column, dict.fromkeys(COLUMNS))}"
            yield Problem(where=where, rule=Rule.UNKNOWN_COLUMN, message=message)


def _path_fault(job: UploadJob) -> tuple[Rule, str] | None:
    path = Path(job.path)
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
        return Rule.UNREADABLE_FILE, f"{shown(job.path)} cannot be seen: {error.strerror or error}"
    return (
        Rule.PATH_MISSING,
        f"{shown(job.path)} is not there; paths start at the manifest's folder",
    )


def _ending_fault(path: Path, kind: MeasurementType) -> tuple[Rule, str] | None:
    if kind is not MeasurementType.PROPERTIES or path.suffix.lower() in DOCUMENT_SUFFIXES:
        return None
    known = ", ".join(DOCUMENT_SUFFIXES)
    return Rule.BAD_VALUE, f"{shown(str(path))} holds no properties: they are read from {known}"


def _row_name(where: str, number: int) -> str:
    return f"{where}, row {number}"
