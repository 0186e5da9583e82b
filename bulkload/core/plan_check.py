"""What is in the way of a plan, decided from its stream without keeping the stream.

Names are compared in two ways. Names that are equal in Unicode's composed form (NFC) are the
same name: two sources that have it are in each other's way, an error. Names that differ only
in case are two names, with a warning: whether Studio distinguishes them is not published (it
does not for batches, which are therefore compared without case), and a client that compares
what it found with what it asked for cannot mistake one for the other.

Names of measurements are compared in the journal, which has them all: ``plan_writer``. Here is
kept, in memory, a few hundred bytes a cell and a specification, and nothing a measurement.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from bulkload.core.issues import Severity
from bulkload.core.path_layout import REMEMBERED_NAMES, normalised
from bulkload.core.plan_items import Problem, UploadJob
from bulkload.core.terms import MAX_NAME_LENGTH, JobKey
from bulkload.core.text import shown

#: Length of the digest that stands for a name: two of a thousand million names meet by chance
#: with a probability below one in 10**20.
DIGEST_BYTES: Final = 16

# Control characters, line and paragraph separators, halves of surrogate pairs.
_UNUSABLE_CATEGORIES: Final = frozenset({"Cc", "Zl", "Zp", "Cs"})


class Rule(StrEnum):
    """Why something is in the way of a plan, or was left out; scripts branch on these codes."""

    # Names.
    #: A name has no characters but white space.
    EMPTY_NAME = "empty_name"
    #: A name has more than 255 characters.
    NAME_TOO_LONG = "name_too_long"
    #: A name holds a control character; in a measurement's name it costs that file only.
    CONTROL_CHARACTER = "control_character"
    #: Warning: a name begins or ends with white space.
    OUTER_SPACE = "outer_space"
    #: A name contains a character that takes no place or turns the direction of reading.
    INVISIBLE_CHARACTER = "invisible_character"
    #: Two sources claim the same specification, cell and measurement, with different content.
    DUPLICATE_NAME = "duplicate_name"
    #: Skipped: another source of the same content claims the same name, and is sent.
    SAME_CONTENT = "same_content"
    #: Warning: two names differ only in case; both are sent.
    NAMES_DIFFER_BY_CASE = "names_differ_by_case"
    # Parents.
    #: No specification of that name was found beside the data or in `--specs`.
    SPECIFICATION_MISSING = "specification_missing"
    #: Two specifications of one name differ.
    SPECIFICATION_CONFLICT = "specification_conflict"
    #: Warning: a specification states no capacity or no voltage limits.
    RATINGS_MISSING = "ratings_missing"
    #: A path or row names no cell.
    CELL_MISSING = "cell_missing"
    #: Two `cell.*` files describe one cell differently.
    CELL_CONFLICT = "cell_conflict"
    #: One cell is stated to belong to two batches.
    BATCH_CONFLICT = "batch_conflict"
    # Folders and files.
    #: A file's path does not fit the layout.
    NO_LAYOUT = "no_layout"
    #: A folder cannot be listed.
    UNREADABLE_FOLDER = "unreadable_folder"
    #: A file cannot be opened.
    UNREADABLE_FILE = "unreadable_file"
    #: A symbolic link leads to nothing.
    BROKEN_LINK = "broken_link"
    #: A file name is not valid text in this system's encoding.
    UNDECODABLE_NAME = "undecodable_name"
    #: Folders are nested deeper than the limit.
    TOO_DEEP = "too_deep"
    #: A row names a path that does not exist.
    PATH_MISSING = "path_missing"
    #: A source has changed since the plan that names it was written.
    SOURCE_DRIFTED = "source_drifted"
    #: A row names a folder where a file is needed.
    PATH_IS_FOLDER = "path_is_folder"
    #: A source is neither a folder nor a manifest.
    NOT_A_SOURCE = "not_a_source"
    # Archives.
    #: An archive is damaged, or ends too early.
    BROKEN_ARCHIVE = "broken_archive"
    #: An archive, or a member, is encrypted.
    ENCRYPTED = "encrypted"
    #: Something unpacks to more than the limits allow, or holds too many members or archives.
    ARCHIVE_BOMB = "archive_bomb"
    #: A member's path is absolute, leads out of the archive, or is no text.
    UNSAFE_MEMBER = "unsafe_member"
    #: A member is a link.
    LINK_IN_ARCHIVE = "link_in_archive"
    #: A member is a device, a pipe or a socket.
    DEVICE_IN_ARCHIVE = "device_in_archive"
    #: Several members of an archive have one path.
    DUPLICATE_MEMBER = "duplicate_member"
    #: Members of an archive share their bytes.
    OVERLAPPING_MEMBERS = "overlapping_members"
    #: A member is packed by a method that is not read.
    UNSUPPORTED_COMPRESSION = "unsupported_compression"
    #: An archive's form needs a package that is not installed.
    MISSING_EXTRA = "missing_extra"
    # Tables: manifests, plans, specifications as a spreadsheet.
    #: A manifest or a table of specifications cannot be read.
    UNREADABLE_TABLE = "unreadable_table"
    #: A column has a name that is not known.
    UNKNOWN_COLUMN = "unknown_column"
    #: A required column is missing.
    MISSING_COLUMN = "missing_column"
    #: Two columns have the same name.
    DUPLICATE_COLUMN = "duplicate_column"
    #: A row has more or fewer cells than the header.
    BAD_ROW = "bad_row"
    #: A value is not what its column or key takes.
    BAD_VALUE = "bad_value"
    #: A sheet was understood in a way that should be looked at.
    SHEET_REMARK = "sheet_remark"
    #: Rows that continue one another cannot become one measurement.
    NOT_JOINED = "not_joined"
    #: A row of a proposed plan states neither yes nor no in the column `upload`.
    UNDECIDED = "undecided"
    # Metadata beside the data, and files of specifications.
    #: A metadata file is not valid JSON, YAML or TOML.
    UNREADABLE_METADATA = "unreadable_metadata"
    #: A metadata file has a key that is not known.
    UNKNOWN_KEY = "unknown_key"
    #: Two metadata files describe the same thing.
    METADATA_TWICE = "metadata_twice"
    #: A measurement's metadata file has an error, so the measurement is not planned.
    METADATA_BROKEN = "metadata_broken"
    #: Warning: no measurement uses a metadata file.
    METADATA_UNUSED = "metadata_unused"
    # Left out on purpose.
    #: Skipped: its rows go into the measurement of the file that it continues.
    JOINED = "joined"
    #: Skipped: a hidden file or folder.
    HIDDEN = "hidden"
    #: Skipped: a file that the operating system keeps, such as `Thumbs.db`.
    SYSTEM_FILE = "system_file"
    #: Skipped: a job folder, or the data of a local Studio.
    OWN_FOLDER = "own_folder"
    #: Skipped: an unfinished or temporary file, such as `.tmp`.
    TEMPORARY_FILE = "temporary_file"
    #: Skipped: the lock of an open spreadsheet (`~$book.xlsx`).
    OFFICE_LOCK = "office_lock"
    #: Skipped: a link to a folder within the same source.
    LINK_INTO_SOURCE = "link_into_source"
    #: Skipped: a link that leads back to a folder above it.
    LINK_LOOP = "link_loop"
    #: Skipped: a socket, pipe or device.
    NOT_A_FILE = "not_a_file"
    #: Skipped: a file in the folder of `--specs` with an ending that no specification has.
    NOT_A_SPECIFICATION_FILE = "not_a_specification_file"


#: Rules that another problem of the plan mostly is the reason for: they are shown after it.
CONSEQUENCES: Final = frozenset({Rule.METADATA_BROKEN, Rule.SPECIFICATION_MISSING})


class PlanCheck:
    """Checks jobs one after the other; what it admits can be sent together."""

    def __init__(self) -> None:
        #: Digest of a specification or cell without case -> digests of its spellings.
        self._spellings: dict[bytes, set[bytes]] = {}
        #: Digest of a cell -> its batch, in the spelling first met.
        self._batches: dict[bytes, str | None] = {}
        #: The cell checked last and its digest: the jobs of a cell mostly come together.
        self._last = ("", ""), b""

    def admit(self, job: UploadJob, where: str) -> Iterator[UploadJob | Problem]:
        """Yield what is in the way of a job, and the job itself where that is only warnings.

        A job that does not state its cell's batch gets the one that was stated before.
        """
        problems = [*name_problems(job, where)]
        if not _blocked(problems):
            problems += self._batch_problems(job, where)
        if not _blocked(problems):
            problems += self._parent_warnings(job, where)
        yield from problems
        if _blocked(problems):
            return
        batch = self._batches[self._cell(job)]
        is_same = job.batch == batch and job.origin == where
        yield job if is_same else replace(job, batch=batch, origin=where)

    def _batch_problems(self, job: UploadJob, where: str) -> Iterator[Problem]:
        cell = self._cell(job)
        known = self._batches.setdefault(cell, job.batch)
        if job.batch is None or (known and folded_name(known) == folded_name(job.batch)):
            return
        first = "without a batch" if known is None else f"in batch {shown(known)}"
        yield Problem(
            where=where,
            rule=Rule.BATCH_CONFLICT,
            message=f"cell {shown(job.key.cell)} of {shown(job.key.spec)} is in batch "
            f"{shown(job.batch)} here and was {first} before; state one batch for the cell",
        )

    def _parent_warnings(self, job: UploadJob, where: str) -> Iterator[Problem]:
        if job.key[:2] == self._last[0]:
            return
        self._last = job.key[:2], self._cell(job)
        for level, label in ((1, "specification"), (2, "cell")):
            parent = job.key[:level]
            name, folded = _digest(parent), _digest((*parent[:-1], folded_name(parent[-1])))
            spellings = self._spellings.setdefault(folded, set())
            if spellings and name not in spellings:
                yield differs_by_case(where, label, parent[-1])
            spellings.add(name)

    def _cell(self, job: UploadJob) -> bytes:
        cell, digest = self._last
        return digest if job.key[:2] == cell else _digest(job.key[:2])


#: What is wrong with a name and is sent all the same.
_WARNED: Final = frozenset({Rule.OUTER_SPACE, Rule.INVISIBLE_CHARACTER})


def duplicate_name(key: JobKey, where: str, other_path: str) -> Problem:
    """Return the problem of an entry whose name another source of the plan has too."""
    name = " / ".join(shown(part) for part in key)
    return Problem(
        where=where,
        rule=Rule.DUPLICATE_NAME,
        message=f"{name} is claimed by {shown(where)} and, with other content, by "
        f"{shown(other_path)}{_apart(where, other_path)}, so neither is sent; rename or leave out "
        "one of the two",
    )


def name_problems(job: UploadJob, where: str) -> Iterator[Problem]:
    """Yield what is wrong with the names of a job; warnings included."""
    labels = ("specification", "cell", "measurement", "batch")
    for label, name in zip(labels, (*job.key, job.batch), strict=True):
        if name is None:
            continue
        found = _name_fault(name)
        if found is not None and not (label == "measurement" and is_left_to_preparing(name)):
            rule, fault = found
            severity = Severity.WARNING if rule in _WARNED else Severity.ERROR
            message = f"{label} name {shown(name)} {fault}"
            yield Problem(where=where, rule=rule, message=message, severity=severity)


def is_left_to_preparing(name: str) -> bool:
    """Return whether a measurement's name is wrong by a control character alone.

    A file of that name must not stop the plan: it is rejected by itself. What could not even be
    written down (a NUL, half of a surrogate pair) is a problem of the plan all the same.
    """
    found = _name_fault(name)
    is_control = found is not None and found[0] is Rule.CONTROL_CHARACTER
    return is_control and "\0" not in name and all(unicodedata.category(c) != "Cs" for c in name)


@lru_cache(REMEMBERED_NAMES)
def _name_fault(name: str) -> tuple[Rule, str] | None:
    if not name.strip():
        return Rule.EMPTY_NAME, "is empty; give it one"
    if len(name) > MAX_NAME_LENGTH:
        length = f"{len(name)} characters"
        return Rule.NAME_TOO_LONG, f"has {length}, {MAX_NAME_LENGTH} are allowed; shorten it"
    if not name.isprintable():
        bad = [c for c in name if unicodedata.category(c) in _UNUSABLE_CATEGORIES]
        if bad:
            return (
                Rule.CONTROL_CHARACTER,
                f"contains the control character U+{ord(bad[0]):04X}; remove it",
            )
    if name != name.strip():
        return Rule.OUTER_SPACE, "begins or ends with a space, which is kept as part of it"
    if not name.isprintable() and (hidden := _invisible(name)):
        return Rule.INVISIBLE_CHARACTER, f"contains {hidden}, which is invisible, and is kept"
    return None


def _invisible(name: str) -> str:
    """Name the first character that takes no place or turns the direction of reading.

    Empty without one. Every character of that category has a name in Unicode.
    """
    for character in name:
        if unicodedata.category(character) == "Cf":
            return f"U+{ord(character):04X} ({unicodedata.name(character)})"
    return ""


def _apart(one: str, other: str) -> str:
    """Return by which code points two texts differ that look the same, empty where they do not."""
    if one == other or normalised(one) != normalised(other):
        return ""
    start = next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    spelled = (
        " ".join(f"U+{ord(c):04X}" for c in text[start : start + 2]) for text in (one, other)
    )
    first, second = spelled
    return f" (they look the same: the one has {first}, the other {second})"


def differs_by_case(where: str, label: str, name: str) -> Problem:
    """Return the warning that a name differs from an earlier one in case only."""
    return Problem(
        where=where,
        rule=Rule.NAMES_DIFFER_BY_CASE,
        message=f"{label} {shown(name)} differs only in case from an earlier one; "
        "both are sent, so make them one name if they are the same",
        severity=Severity.WARNING,
    )


def _blocked(problems: list[Problem]) -> bool:
    return bool(problems) and any(problem.severity is Severity.ERROR for problem in problems)


def folded_name(name: str) -> str:
    """Return a name without the differences of case and of Unicode form."""
    return normalised(normalised(name).casefold())


def _digest(names: tuple[str, ...]) -> bytes:
    # No name that gets here holds a NUL, so a NUL tells ("a", "bc") from ("ab", "c").
    text = normalised("\0".join(names))
    return blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()
