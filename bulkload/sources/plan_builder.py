"""From entries to plan items: add the metadata beside the data, send parents ahead, check."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bulkload.core.issues import Severity
from bulkload.core.path_layout import normalised, split_suffix
from bulkload.core.plan_check import PlanCheck, Rule
from bulkload.core.plan_items import (
    CellMetadata,
    Checks,
    PlanItem,
    Problem,
    Specification,
    UploadJob,
)
from bulkload.core.terms import JobKey
from bulkload.core.text import shown
from bulkload.sources.entry import Entry, Found, LeftFolder
from bulkload.sources.metadata_files import MetadataStore, Note, Role
from bulkload.sources.sheets.stated import StatedSheets
from bulkload.sources.specs import Stated

#: Keys of the metadata that are sent with a measurement.
METADATA_KEYS: Final = ("protocol", "test_setup", "start_time", "end_time", "notes", "tags")
#: The ratings that the checks need, and without which Studio may reject a specification.
_EXPECTED_RATINGS: Final = ("capacity", "voltage_min", "voltage_max")


class _InTheWayError(Exception):
    """One entry cannot be planned; holds the rule and the message."""

    def __init__(self, rule: Rule, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


@dataclass(frozen=True, slots=True)
class _Notes:
    """The metadata beside one file."""

    specification: Note | None
    cell: Note | None
    measurement: Note | None = None


@dataclass(frozen=True, slots=True)
class _Cell:
    name: str
    batch: str | None
    payload: Mapping[str, Any]
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Parents:
    """Specification and cell of an entry, and what they followed from."""

    asked: tuple[tuple[str, ...], str | None, str | None]
    notes: _Notes
    specification: Specification
    cell: _Cell


#: Yields the jobs of the tests in a file, given the file's job.
Split = Callable[[UploadJob], Iterable[UploadJob]]


class Assembler:
    """Turns the entries of all sources of a run into plan items."""

    def __init__(
        self,
        stated: Stated,
        stated_in: Path | None,
        split: Split,
        sheets: StatedSheets | None = None,
    ) -> None:
        self._stated = stated
        self._stated_in = stated_in
        self._split = split
        self._sheets = StatedSheets() if sheets is None else sheets
        self._store = MetadataStore()
        self._check = PlanCheck()
        self._specifications: dict[str, Specification] = {}
        #: What was found for the entry before: those of one cell mostly come together.
        self._last_notes: tuple[tuple[Path, Path, str, str], _Notes] | None = None
        self._last_parents: _Parents | None = None
        #: Names of a cell -> digest of its metadata.
        self._cells: dict[tuple[str, str], bytes] = {}

    def items(self, found: Found) -> Iterator[PlanItem]:
        """Yield plan items as a stream: a specification and a cell before their first job."""
        for item in found:
            if isinstance(item, Entry):
                yield from self._entry(item)
            elif isinstance(item, LeftFolder):
                yield from self._store.leave(item.path)
            else:
                yield item

    def _entry(self, entry: Entry) -> Iterator[PlanItem]:
        job, test = self._sheets.applied(entry.job)
        if job is not entry.job or test:
            entry = replace(entry, job=_with_note(job, test) if test else job)
        notes = self._notes(entry)
        yield from self._store.take_problems()
        try:
            specification, cell = self._parents_of(entry, notes)
            job = _job(entry, notes, specification, cell)
            if entry.defaults:
                job = _with_note(job, entry.defaults)
        except _InTheWayError as error:
            yield Problem(where=entry.where, rule=error.rule, message=error.message)
            return
        for one in self._split(job):
            for item in self._check.admit(one, entry.where):
                if isinstance(item, UploadJob):
                    yield from self._parents(specification, cell)
                yield item

    def _parents_of(self, entry: Entry, notes: _Notes) -> tuple[Specification, _Cell]:
        """Return specification and cell: those of the entry before where nothing differs."""
        job = entry.job
        asked = (job.key[:2], job.batch, entry.folder_batch)
        last = self._last_parents
        if (
            last is not None
            and last.asked == asked
            and last.notes.specification is notes.specification
            and last.notes.cell is notes.cell
        ):
            return last.specification, last.cell
        specification = self._specification(entry, notes)
        cell = self._cell(entry, notes, specification.name)
        self._last_parents = _Parents(asked, notes, specification, cell)
        return specification, cell

    def _notes(self, entry: Entry) -> _Notes:
        """Return all three notes of an entry: each counts as used, whatever its faults."""
        folder = entry.folder
        spec, cell, measurement = map(normalised, entry.job.key)
        asked = (folder, entry.root, spec, cell)
        if self._last_notes is None or self._last_notes[0] != asked:
            self._last_notes = asked, self._parent_notes(folder, entry.root, spec, cell)
        notes = self._last_notes[1]
        stem, _ = split_suffix(os.path.basename(entry.job.path))  # noqa: PTH119  (once a file)
        own = self._store.of_measurement(folder, (stem, measurement))
        return notes if own is None else replace(notes, measurement=own)

    def _parent_notes(self, folder: Path, root: Path, spec: str, cell: str) -> _Notes:
        find, nearest = self._store.of_parent, self._store.nearest
        return _Notes(
            find(Role.SPECIFICATION, spec, folder, root)
            if spec
            else nearest(Role.SPECIFICATION, folder, root),
            find(Role.CELL, cell, folder, root) if cell else nearest(Role.CELL, folder, root),
        )

    def _specification(self, entry: Entry, notes: _Notes) -> Specification:
        note = notes.specification
        name = normalised(entry.job.key.spec)
        record = self._sheets.cell(entry.job.key.cell)
        # The sheet of cells overrides the name of a folder that states nothing.
        if record is not None and record.spec and note is None and name not in self._stated:
            name = normalised(record.spec)
        name = name or (self._only_name() if note is None else note.name)
        found = self._stated.get(name) if note is None else _of_note(note)
        if found is None and (root := self._stated.root_of(name)) is not None:
            # In the same words for every entry: the error itself is reported once.
            message = f"its specification is not known, for {shown(root)} has an error"
            raise _InTheWayError(Rule.METADATA_BROKEN, f"{message}; correct that file first")
        if found is None:
            raise _InTheWayError(Rule.SPECIFICATION_MISSING, self._missing(entry, name))
        for other in (self._stated.get(name), self._specifications.get(name)):
            if other is not None and other.payload != found.payload:
                message = (
                    f"specification {shown(name)} stands in {shown(found.origin)} and, "
                    f"with other content, in {shown(other.origin)}; make them equal or keep one"
                )
                raise _InTheWayError(Rule.SPECIFICATION_CONFLICT, message)
        return found

    def _only_name(self) -> str:
        return next(iter(self._stated)) if len(self._stated) == 1 else ""

    def _missing(self, entry: Entry, name: str) -> str:
        what = f"specification {shown(name)}" if name else "a specification"
        looked = self._store.searched_places(Role.SPECIFICATION, entry.folder, entry.root)
        if self._stated_in is None:
            return f"{what} was not found; looked for {looked}. Add one, or give --specs"
        stated = f"in {shown(str(self._stated_in))} (--specs)"
        return f"{what} was not found; looked for {looked}, and {stated}. Add it to one of them"

    def _cell(self, entry: Entry, notes: _Notes, specification: str) -> _Cell:
        note = notes.cell
        name = normalised(entry.job.key.cell) or (note.name if note is not None else "")
        if not name and note is None:
            looked = self._store.searched_places(Role.CELL, entry.folder, entry.root)
            message = (
                f"the layout has no {{cell}}, and no {looked} names it; "
                "add the field to --layout, or the file"
            )
            raise _InTheWayError(Rule.CELL_MISSING, message)
        record = self._sheets.cell(name)
        payload = {
            **({} if record is None else record.payload),
            **({} if note is None else _fields(note)),
        }
        stated = payload.pop("batch", None)
        batch = entry.job.batch or stated or entry.folder_batch
        self._agree(specification, name, note)
        digest = b"" if note is None else note.digest
        return _Cell(name, None if batch is None else normalised(batch), payload, digest)

    def _agree(self, specification: str, name: str, note: Note | None) -> None:
        known = self._cells.get((specification, name))
        if note is None or known is None or known == note.digest:
            return
        message = (
            f"{shown(note.path)} adds metadata to cell {shown(name)} after its first "
            "measurement was planned; state the cell's metadata once, above all of its files"
        )
        raise _InTheWayError(Rule.CELL_CONFLICT, message)

    def _parents(self, specification: Specification, cell: _Cell) -> Iterator[PlanItem]:
        if specification.name not in self._specifications:
            self._specifications[specification.name] = specification
            yield from _rating_warnings(specification)
            yield specification
        key = (specification.name, cell.name)
        if key not in self._cells:
            self._cells[key] = cell.digest
            if cell.payload:
                yield CellMetadata(spec=specification.name, cell=cell.name, payload=cell.payload)


def _job(entry: Entry, notes: _Notes, specification: Specification, cell: _Cell) -> UploadJob:
    note = notes.measurement
    job = entry.job if note is None else _with_note(entry.job, _fields(note))
    if entry.folder_date is not None and "start_time" not in job.metadata:
        job = replace(job, metadata={**job.metadata, "start_time": entry.folder_date})
    key = JobKey(specification.name, cell.name, normalised(entry.job.key.measurement))
    is_same = key == job.key and cell.batch == job.batch
    return job if is_same else replace(job, key=key, batch=cell.batch)


def _with_note(job: UploadJob, fields: Mapping[str, Any]) -> UploadJob:
    """Return a job completed from the metadata file beside its data."""
    metadata = {key: fields[key] for key in METADATA_KEYS if key in fields}
    for key, value in job.metadata.items():
        below = metadata.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            metadata[key] = {**below, **value}
        else:
            metadata[key] = value
    stated = job.checks
    checks = Checks(
        strict=fields.get("strict") if stated.strict is None else stated.strict,
        skip_checks=stated.skip_checks or frozenset(fields.get("skip_checks", ())),
        rated_capacity=stated.rated_capacity or fields.get("rated_capacity"),
        voltage_window=stated.voltage_window or fields.get("voltage_window"),
    )
    return replace(
        job,
        member=job.member or fields.get("member"),
        reader=job.reader or fields.get("reader"),
        data_type=job.data_type or fields.get("data_type"),
        day_first=fields.get("day_first") if job.day_first is None else job.day_first,
        voltage=job.voltage or fields.get("voltage"),
        transforms=job.transforms or tuple(fields.get("transforms", ())),
        metadata=metadata,
        checks=checks,
    )


def _fields(note: Note) -> Mapping[str, Any]:
    if note.fields is None:
        message = f"its metadata in {shown(note.path)} has an error; correct that file first"
        raise _InTheWayError(Rule.METADATA_BROKEN, message)
    return note.fields


def _of_note(note: Note) -> Specification:
    payload = {"name": note.name, **_fields(note)}
    return Specification(name=note.name, payload=payload, origin=note.path)


def _rating_warnings(specification: Specification) -> Iterator[Problem]:
    missing = [
        key for key in _EXPECTED_RATINGS if key not in specification.payload.get("ratings", {})
    ]
    if missing:
        yield Problem(
            where=specification.origin,
            rule=Rule.RATINGS_MISSING,
            message=f"specification {shown(specification.name)} has no rating for "
            f"{', '.join(missing)}: Studio may reject it, and checks that need them are left out",
            severity=Severity.WARNING,
        )
