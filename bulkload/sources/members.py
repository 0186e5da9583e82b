"""Files that hold several tests become several measurements, before they are read.

Workbooks and Arbin's databases are opened for it. Of a text only the beginning is read: if no
header there names a column of test or channel numbers, it is one job. A file that cannot be opened
is one job too: preparing it reports why.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bulkload.archives.access import beginning, local_copy, stamp_of
from bulkload.core.address import is_elsewhere, is_remote
from bulkload.core.path_layout import COMPRESSED_SUFFIXES
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Problem, Skip, UploadJob
from bulkload.core.terms import MeasurementType
from bulkload.core.test_columns import TEST_COLUMNS
from bulkload.core.text import shown
from bulkload.errors import UnreadableError
from bulkload.sources.entry import Entry, Found, LeftFolder
from bulkload.sources.limits import PEEKED_AT_ONCE
from bulkload.sources.patience import StuckError, patience

if TYPE_CHECKING:
    from bulkload.readers import ReadOptions

#: Endings of files that may hold several tests, whatever their first bytes are.
CONTAINERS: Final = frozenset(
    {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".res", ".h5", ".hdf", ".hdf5"}
)

#: Endings of texts in which a column may separate several tests.
TEXTS: Final = frozenset({".csv", ".txt", ".tsv", ".dat"})

#: Bytes of a text's beginning that are looked at. The vendors whose tables separate tests have
#: their header on the first lines.
HEAD_BYTES: Final = 16 * 1024

#: Largest text that the plan reads the numbers of its tests from, in bytes as it lies on disk: the
#: planning process holds it whole. A larger one of several tests is rejected when it is read.
MAX_TEXT_BYTES: Final = 256 * 1024**2

#: How a beginning is opened: as bytes on Windows too.
_READING: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0)

#: Delimiters of a header with a cell, time, voltage and current: a label above it has fewer.
MIN_DELIMITERS: Final = 3

#: Names of columns that distinguish tests, as bytes; a word ends with a space, a sign or nothing.
_NAMES: Final = tuple(
    re.escape(name.encode()).replace(rb"\ ", rb"[ _.\#-]*")
    for names in TEST_COLUMNS.values()
    for name in names
)

#: A field of a header, not of a sentence, that may distinguish tests.
_NUMBERING: Final = re.compile(
    rb"""(?:^|[,;\t])[\xef\xbb\xbf\xff\xfe"' ]*(?:"""
    + rb"|".join(_NAMES)
    + rb""")[ #."']*(?:[,;\t]|\r?$)""",
    re.MULTILINE,
)
#: A header has letters where rows of numbers have none but an exponent's: all bytes but those,
#: and but ends of lines.
_NO_LETTERS: Final = bytes(
    byte
    for byte in range(0x80)
    if byte != ord("\n") and not (chr(byte).islower() and byte != ord("e"))
)
_NAMES_LEFT: Final = frozenset(
    name.encode().translate(None, _NO_LETTERS) for names in TEST_COLUMNS.values() for name in names
)
#: What is left of the names without those bytes; of names that hold others, the others.
_LETTERS_OF_NAMES: Final = re.compile(
    b"|".join(
        re.escape(name)
        for name in sorted(_NAMES_LEFT)
        if not any(other in name for other in _NAMES_LEFT if other != name)
    )
)


class Members:
    """Finds the tests in the files of one plan."""

    def __init__(self, options: Callable[[], ReadOptions]) -> None:
        """``options`` is called only where a file may hold several: readers take long to load."""
        self._options = options
        #: Path -> whether the file may hold several tests, of the entries looked at ahead.
        self._ahead: dict[str, bool] = {}

    def split(self, job: UploadJob) -> Iterator[UploadJob]:
        """Yield a job for each test in the file, where it holds several; the job itself otherwise.

        Each is named after the file's measurement and the test: ``<measurement> <member>``.
        """
        looked = self._ahead.pop(job.path, None)
        # What was seen ahead was the file's beginning; its metadata may have named the test since.
        may = _may_hold_several(job) if looked is None else looked and job.member is None
        members = _members(job, self._options) if may else ()
        if len(members) < 2:
            yield job
            return
        for member in members:
            name = f"{job.key.measurement} {member}"
            yield replace(job, key=job.key._replace(measurement=name), member=member)

    def look_ahead(self, found: Found) -> Found:
        """Yield entries, the beginnings of whose files are read where a stuck one can be left.

        Such a one is a problem of its own; the others go on to ``split``, which need not look
        again.
        """
        waiting: list[Entry | LeftFolder | Problem | Skip] = []
        for item in found:
            waiting.append(item)
            if len(waiting) >= PEEKED_AT_ONCE:
                yield from self._looked_at(waiting)
                waiting = []
        yield from self._looked_at(waiting)

    def _looked_at(self, items: Sequence[Entry | LeftFolder | Problem | Skip]) -> Found:
        entries = [item for item in items if isinstance(item, Entry)]
        answers = patience().each(_may_hold_several, [entry.job for entry in entries])
        stuck: dict[int, StuckError] = {}
        for entry, answer in zip(entries, answers, strict=True):
            if isinstance(answer, StuckError):
                stuck[id(entry)] = answer
            elif isinstance(answer, bool):
                self._ahead[entry.job.path] = answer
        for item in items:
            if isinstance(item, Entry) and id(item) in stuck:
                what = f"{shown(item.job.path)} cannot be read: {stuck[id(item)].strerror}"
                yield Problem(where=item.where, rule=Rule.UNREADABLE_FILE, message=what)
            else:
                yield item
        self._ahead.clear()


def _may_hold_several(job: UploadJob) -> bool:
    # Of a remote tree the plan reads the listing alone, not every file.
    is_listed_only = is_remote(job.path)
    if is_listed_only or job.type is not MeasurementType.TIME_SERIES or job.member is not None:
        return False
    # Once a file: os.path costs a fifth of what Path does.
    stem, suffix = os.path.splitext(job.path)  # noqa: PTH122
    suffix = suffix.lower()
    if suffix in CONTAINERS:
        return _answers(job.path)
    is_compressed = suffix in COMPRESSED_SUFFIXES
    inner = os.path.splitext(stem)[1].lower() if is_compressed else suffix  # noqa: PTH122
    return inner in TEXTS and _numbers_tests(job.path, is_compressed=is_compressed)


def _answers(path: str) -> bool:
    """Read a byte of a file that is opened later: one that is stuck is found here."""
    if is_elsewhere(path):
        return True
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  (once a file)
            return bool(file.read(1))
    except OSError:
        return False


def _numbers_tests(path: str, *, is_compressed: bool) -> bool:
    try:
        head = _head(path, is_compressed=is_compressed)
    except (OSError, UnreadableError):
        return False
    # UTF-16 has a zero in every other byte.
    text = (head.translate(None, b"\0") if b"\0" in head else head).lower()
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    # Of a thousand rows of numbers nothing is left, and of rows that end in the name of a step a
    # few different words: a search in each line would take longer than all the rest of planning.
    lettered = text.translate(None, _NO_LETTERS).rstrip(b"\n").split(b"\n")
    naming = {one for one in set(lettered) if _LETTERS_OF_NAMES.search(one) is not None}
    if not naming:
        return False
    return any(
        letters in naming
        and _delimiters(line) >= MIN_DELIMITERS
        and _NUMBERING.search(line) is not None
        for letters, line in zip(lettered, text.split(b"\n", len(lettered)), strict=False)
    )


def _delimiters(line: bytes) -> int:
    return max(line.count(mark) for mark in (b",", b";", b"\t"))


def _head(path: str, *, is_compressed: bool) -> bytes:
    """Return a file's beginning, nothing of one that is too large to be read for its tests."""
    if is_elsewhere(path):
        return _head_of_member(path, is_compressed=is_compressed)
    # Once a file: a file object costs more than all that is done with it.
    file = os.open(path, _READING)
    try:
        if os.fstat(file).st_size > MAX_TEXT_BYTES:
            return b""
        if not is_compressed:
            return os.read(file, HEAD_BYTES)
    finally:
        os.close(file)
    # The readers take long to load: most files do not need them.
    from bulkload.readers.content import beginning

    return beginning(Path(path), HEAD_BYTES)


def _head_of_member(path: str, *, is_compressed: bool) -> bytes:
    if not is_compressed:
        return beginning(path, HEAD_BYTES, largest_bytes=MAX_TEXT_BYTES)
    stamp = stamp_of(path)
    if stamp is None or stamp[0] > MAX_TEXT_BYTES:
        return b""
    from bulkload.readers.content import beginning as packed_beginning

    with local_copy(path) as (local, _):
        return packed_beginning(local, HEAD_BYTES)


def _members(job: UploadJob, options: Callable[[], ReadOptions]) -> tuple[str, ...]:
    from bulkload.readers import list_members

    stated = options()
    stated = replace(stated, reader=job.reader or stated.reader)
    try:
        if is_elsewhere(job.path):
            with local_copy(job.path) as (local, _):
                return tuple(list_members(local, stated))
        return tuple(list_members(Path(job.path), stated))
    except (OSError, UnreadableError):
        return ()
