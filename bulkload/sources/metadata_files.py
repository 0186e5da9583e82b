"""Metadata beside the data: the files for a measurement, a cell and a specification.

``spec.*`` and ``cell.*`` are searched for in the folder of a data file and then upwards to the
source's root, nearest first. Such a file counts if its ``name`` is the wanted name, or, if
it has no ``name``, if its folder has that name. ``<measurement>.meta.*`` lies in the folder itself.

The metadata of the :data:`CACHED_FOLDERS` folders used last is kept, so memory does not grow with
the archive.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from bulkload.archives.access import names_in
from bulkload.core.address import folder_name, is_elsewhere
from bulkload.core.address import place as place_of
from bulkload.core.issues import Severity
from bulkload.core.path_layout import normalised
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Problem, Scope
from bulkload.core.text import shown
from bulkload.errors import UnreadableError
from bulkload.sources.json_yaml_toml import DOCUMENT_SUFFIXES, load
from bulkload.sources.patience import patience
from bulkload.sources.schema import (
    CELL_KEYS,
    MEASUREMENT_KEYS,
    Checked,
    check_keys,
    check_specification,
    with_lines,
)

#: Folders whose metadata is kept: more than any path is deep, and the neighbours of a manifest's
#: rows that are not sorted by folder.
CACHED_FOLDERS: Final = 512

_ENDINGS: Final = tuple(DOCUMENT_SUFFIXES)
_SUFFIXES: Final = "|".join(suffix.lstrip(".") for suffix in DOCUMENT_SUFFIXES)


class Role(StrEnum):
    """What a metadata file describes; for the first two also its name without ending."""

    SPECIFICATION = "spec"
    CELL = "cell"
    MEASUREMENT = "meta"


@dataclass(frozen=True, slots=True)
class Note:
    """A metadata file and its content."""

    path: str
    #: Its own ``name``, else its folder's.
    name: str
    #: Its content without its ``name``; None if the file is broken.
    fields: Mapping[str, Any] | None
    #: Digest of the fields but for a cell's batch, which is compared by itself.
    digest: bytes = b""


@dataclass(slots=True)
class _Folder:
    #: (role, stem) -> file names.
    files: dict[tuple[Role, str], list[str]]
    notes: dict[tuple[Role, str], Note] = field(default_factory=dict)
    used: set[tuple[Role, str]] = field(default_factory=set)


def role_of(file_name: str) -> tuple[Role, str] | None:
    """Return the role of a metadata file and the measurement it belongs to; None for others."""
    if not file_name.lower().endswith(_ENDINGS):
        return None
    stem, _, _ = file_name.rpartition(".")
    if stem.lower() in (Role.SPECIFICATION, Role.CELL):
        return Role(stem.lower()), ""
    stem, _, kind = stem.rpartition(".")
    return (Role.MEASUREMENT, normalised(stem)) if kind.lower() == "meta" and stem else None


def read_mapping(path: Path) -> dict[str, Any]:
    """Read an object from a .json, .yaml or .toml file; raise UnreadableError otherwise."""
    if path.suffix.lower() not in DOCUMENT_SUFFIXES:
        raise UnreadableError(f"{path}: properties are read from {', '.join(DOCUMENT_SUFFIXES)}")
    try:
        data = load(path).data
    except UnreadableError as error:
        raise UnreadableError(f"{path}: {error}", cause=error.cause) from error
    if not isinstance(data, dict):
        raise UnreadableError(f"{path}: must be an object of keys and values")
    return data


class MetadataStore:
    """Finds, reads, checks and keeps the metadata beside the data."""

    def __init__(self) -> None:
        self._folders: OrderedDict[Path, _Folder] = OrderedDict()
        self._problems: list[Problem] = []
        #: Broken files that were reported: a folder may be read again after it was forgotten.
        self._reported: set[str] = set()

    def of_measurement(self, folder: Path, stems: Sequence[str]) -> Note | None:
        """Return the ``.meta`` file in a folder for the first of the stems that has one."""
        record = self._folder(folder)
        if not record.files:
            return None
        for stem in stems:
            key = (Role.MEASUREMENT, normalised(stem))
            if key in record.files:
                record.used.add(key)
                return self._note(folder, record, key)
        return None

    def of_parent(self, role: Role, name: str, folder: Path, root: Path) -> Note | None:
        """Return the nearest ``spec.*`` or ``cell.*`` of a name; a broken one ends the search."""
        for record, note in self._upwards(role, folder, root):
            if note.fields is None or note.name == name:
                record.used.add((role, ""))
                return note
        return None

    def nearest(self, role: Role, folder: Path, root: Path) -> Note | None:
        """Return the nearest ``spec.*`` or ``cell.*``, whatever its name."""
        for record, note in self._upwards(role, folder, root):
            record.used.add((role, ""))
            return note
        return None

    def searched_places(self, role: Role, folder: Path, root: Path) -> str:
        """Return where a parent's file was searched for, and which files did not match."""
        chain = _chain(folder, root)
        places = shown(str(chain[0])) + (
            f" and above, up to {shown(str(chain[-1]))}" if chain[1:] else ""
        )
        others = [
            f"{shown(note.path)} is for {shown(note.name)}"
            for _, note in self._upwards(role, folder, root)
        ]
        found = f" ({'; '.join(others[:3])})" if others else ""
        return f"{role}.{{{_SUFFIXES}}} in {places}{found}"

    def take_problems(self) -> list[Problem]:
        """Return the problems found since the last call."""
        problems, self._problems = self._problems, []
        return problems

    def leave(self, folder: Path) -> Iterator[Problem]:
        """Forget a finished folder, and warn of each metadata file that nothing used."""
        record = self._folders.pop(folder, None) or _Folder(_metadata_files(folder))
        for key, names in sorted(record.files.items()):
            if key not in record.used:
                yield Problem(
                    where=str(folder / names[0]),
                    rule=Rule.METADATA_UNUSED,
                    message=_unused(*key, record.notes.get(key)),
                    severity=Severity.WARNING,
                )

    def _upwards(self, role: Role, folder: Path, root: Path) -> Iterator[tuple[_Folder, Note]]:
        for place in _chain(folder, root):
            record = self._folder(place)
            if (role, "") in record.files:
                yield record, self._note(place, record, (role, ""))

    def _folder(self, folder: Path) -> _Folder:
        record = self._folders.get(folder)
        if record is None:
            record = self._folders[folder] = _Folder(_metadata_files(folder))
            if len(self._folders) > CACHED_FOLDERS:
                self._folders.popitem(last=False)
        self._folders.move_to_end(folder)
        return record

    def _note(self, folder: Path, record: _Folder, key: tuple[Role, str]) -> Note:
        note = record.notes.get(key)
        if note is None:
            note = record.notes[key] = self._read(folder, key[0], record.files[key])
        return note

    def _read(self, folder: Path, role: Role, names: list[str]) -> Note:
        path = folder / names[0]
        if len(names) > 1:
            message = (
                f"{shown(names[0])} and {shown(names[1])} describe the same thing; keep one of them"
            )
            return self._broken(path, [(Rule.METADATA_TWICE, message)])
        try:
            document = load(path)
        except UnreadableError as error:
            return self._broken(path, [(Rule.UNREADABLE_METADATA, str(error))])
        checked = _check(role, document.data)
        if checked.faults:
            return self._broken(path, with_lines(checked.faults, document.line_of))
        name = checked.fields.pop("name", None) or folder_name(folder.name)
        return Note(place_of(path), normalised(name), checked.fields, _digest(checked.fields))

    def _broken(
        self, path: Path, faults: Iterator[tuple[Rule, str]] | list[tuple[Rule, str]]
    ) -> Note:
        where = place_of(path)
        if where not in self._reported:
            self._reported.add(where)
            self._problems += [
                Problem(where=where, rule=rule, message=message, scope=_scope(rule))
                for rule, message in faults
            ]
        return Note(where, "", None)


def _scope(rule: Rule) -> Scope:
    """Return what a fault of a metadata file concerns: a key that is not known, the whole plan."""
    return Scope.PLAN if rule is Rule.UNKNOWN_KEY else Scope.METADATA


def _check(role: Role, data: object) -> Checked:
    if role is Role.SPECIFICATION:
        return check_specification(data)
    return check_keys(data, CELL_KEYS if role is Role.CELL else MEASUREMENT_KEYS)


def _digest(fields: Mapping[str, Any]) -> bytes:
    text = json.dumps({**fields, "batch": None}, sort_keys=True)
    return blake2b(text.encode(), digest_size=16).digest()


def _metadata_files(folder: Path) -> dict[tuple[Role, str], list[str]]:
    files: dict[tuple[Role, str], list[str]] = {}
    try:
        for name in _names(folder):
            key = role_of(name)
            if key is not None:
                files.setdefault(key, []).append(name)
    except OSError:
        # A folder that cannot be listed is reported where its data are needed.
        return {}
    return {key: sorted(names) for key, names in files.items()}


def _names(folder: Path) -> Iterator[str]:
    if is_elsewhere(str(folder)):
        yield from names_in(place_of(folder))
        return
    yield from patience().one(partial(os.listdir, folder))


@lru_cache(maxsize=CACHED_FOLDERS)
def _chain(folder: Path, root: Path) -> tuple[Path, ...]:
    """Return a folder and those above it, up to the root or to the anchor of the file system."""
    above = folder.parents
    if root in above:
        return (folder, *above[: above.index(root) + 1])
    return (folder,) if folder == root else (folder, *above)


def _unused(role: Role, stem: str, note: Note | None) -> str:
    if role is Role.MEASUREMENT:
        return f"no file beside it is planned as {shown(stem)}, so it is not used"
    if note is None:
        return "no file in or below its folder is planned, so it is not used"
    label = "specification" if role is Role.SPECIFICATION else "cell"
    return f"it is for {label} {shown(note.name)}, and no file here is planned for that"
