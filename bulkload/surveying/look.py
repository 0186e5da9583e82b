"""Open the beginning of a file and return what it is. Runs in worker processes."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from bulkload.archives.access import opened
from bulkload.core.path_layout import COMPRESSED_SUFFIXES
from bulkload.core.survey.content import (
    ContentKind,
    kind_by_suffix,
    kind_by_word,
    last_row_is_cut,
)
from bulkload.core.survey.dates import date_marks
from bulkload.core.survey.proposal import FileFacts
from bulkload.errors import UnreadableError
from bulkload.readers.content import FileContent, beginning
from bulkload.readers.file_kinds import (
    ACCESS,
    BIOLOGIC_BINARY,
    NEWARE_ARCHIVE,
    NEWARE_BINARY,
    PARQUET,
    TEXT,
    WORKBOOK,
    described,
    kind_of,
    markup_of,
)
from bulkload.readers.formats.generic import FORMAT as LABELLED
from bulkload.readers.probe import Probe
from bulkload.readers.registry import VENDOR_FORMATS
from bulkload.surveying.walk import ListedFile

#: Bytes of a file's beginning that are looked at; the whole of a smaller file.
HEAD_BYTES: Final = 16 * 1024
#: More of it, where a text's header was not among them: the longest preamble seen has 730 lines.
LONG_HEAD_BYTES: Final = 256 * 1024
#: Bytes of a text's end, to see whether its last row is whole.
TAIL_BYTES: Final = 4 * 1024
#: Largest workbook or columnar file that is opened: its directory stands at its end.
CONTAINER_BYTES: Final = 64 * 1024**2
#: Databases of Access consist of pages of 2 or 4 KiB.
ACCESS_PAGE_BYTES: Final = 2048
#: Bytes of a preamble in which dates are looked for.
DATED_BYTES: Final = 4 * 1024
#: Years of a preamble around which a date is looked for, and how far.
MAX_DAYS: Final = 20
DATE_CHARACTERS: Final = 16
#: Lines in which the header of a table with record numbers is looked for.
MAX_HEADER_LINES: Final = 200
#: Verdicts kept for files that begin alike.
REMEMBERED_BEGINNINGS: Final = 4096

_BINARIES: Final = {
    ACCESS: "arbin res",
    BIOLOGIC_BINARY: "biologic mpr",
    NEWARE_BINARY: "neware nda",
    NEWARE_ARCHIVE: "neware nda",
}
#: How files begin whose directory stands at their end: zip, old Office, Parquet.
_CONTAINERS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PAR1")
_VENDORS: Final = {
    "ionworks": "Ionworks columns",
    "labelled": "labelled columns",
    "bdf": "Battery Data Format",
    "pyprobe": "PyProBE",
    "biologic": "BioLogic",
    "basytec": "BaSyTec",
}
_RECORD: Final = re.compile(
    r"\A\W*(?:record(?: ?(?:id|number|index|no\.?))?|rec#?|data[_ ]point|数据序号|记录序号)\W*\Z",
    re.IGNORECASE,
)
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_LETTER: Final = re.compile(r"[^\W\d_]{2}")
_DIGITS: Final = re.compile(rb"\d+")


@dataclass(frozen=True, slots=True)
class Beginning:
    """What was read of a file."""

    head: bytes
    tail: bytes
    is_whole: bool


def look_at_all(listed: Sequence[ListedFile]) -> list[FileFacts]:
    """Look at files one after the other; one that cannot be read becomes a fact that says so."""
    return [look(one) for one in listed]


def look(listed: ListedFile) -> FileFacts:
    """Return what a file is by its beginning; ``digest`` is that of the beginning."""
    facts = FileFacts(
        path=listed.path,
        size_bytes=listed.size_bytes,
        modified_s=listed.modified_s,
        kind=ContentKind.UNKNOWN,
    )
    try:
        read = _read(listed, HEAD_BYTES)
        if not read.head.strip(b"\0"):
            # A file system's hole, or a file that a crash left: no byte was written.
            return replace(facts, kind=ContentKind.CUT_SHORT, remark="holds nothing but zeros")
        facts = _facts(facts, listed, read)
    except (OSError, UnreadableError, ValueError, RuntimeError) as error:
        error_text = " ".join(str(error).split())[:160]
        return replace(facts, kind=ContentKind.UNREADABLE, remark=f"cannot be read: {error_text}")
    return replace(facts, digest=hashlib.blake2b(read.head, digest_size=16).hexdigest())


def content_digest(listed: ListedFile) -> str:
    """Return the digest of a file's whole content; empty where it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with _opened(listed) as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except (OSError, UnreadableError):
        return ""
    return digest.hexdigest()


def _opened(listed: ListedFile) -> AbstractContextManager[BinaryIO]:
    return opened(listed.file) if listed.is_member else Path(listed.file).open("rb")


def _read(listed: ListedFile, size_bytes: int) -> Beginning:
    suffix = listed.path[listed.path.rfind(".") :].lower()
    if suffix in COMPRESSED_SUFFIXES and not listed.is_member:
        head = beginning(Path(listed.file), size_bytes)
        return Beginning(head, b"", len(head) < size_bytes)
    with _opened(listed) as stream:
        head = stream.read(size_bytes)
        if len(head) < size_bytes:
            return Beginning(head, head[-TAIL_BYTES:], is_whole=True)
        if listed.is_member:
            return Beginning(head, b"", is_whole=False)
        stream.seek(max(size_bytes, listed.size_bytes - TAIL_BYTES))
        return Beginning(head, stream.read(TAIL_BYTES), is_whole=False)


def _facts(facts: FileFacts, listed: ListedFile, read: Beginning) -> FileFacts:
    head = read.head
    if head.startswith(_CONTAINERS):
        return _container(facts, listed)
    what = kind_of(head)
    if what in _BINARIES:
        if what == ACCESS and listed.size_bytes % ACCESS_PAGE_BYTES:
            return _cut(_known(facts, _BINARIES[what]), "its last page is not whole")
        return _known(facts, _BINARIES[what])
    suffix = listed.path[listed.path.rfind(".") :].lower()
    if what != TEXT:
        kind = kind_by_word(what) or kind_by_suffix(suffix) or ContentKind.UNKNOWN
        return replace(facts, kind=kind, remark=what)
    if _is_binary(head):
        return replace(facts, kind=kind_by_suffix(suffix) or ContentKind.UNKNOWN)
    markup = markup_of(head)
    if markup is not None:
        kind = kind_by_word(markup) or kind_by_suffix(suffix) or ContentKind.DOCUMENT
        return replace(facts, kind=kind, remark=markup)
    return _text(facts, listed, read, suffix)


def _is_binary(head: bytes) -> bool:
    """Return whether bytes are no text: zeros that are no half of a UTF-16 letter."""
    if b"\0" not in head:
        return False
    is_wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    half = len(head) // 2
    return not is_wide and max(head[::2].count(0), head[1::2].count(0)) < 0.9 * half


def _known(facts: FileFacts, reader: str) -> FileFacts:
    word = reader.split(maxsplit=1)[0]
    return replace(
        facts,
        kind=ContentKind.DATA,
        reader=reader,
        vendor=_VENDORS.get(word, word.capitalize()),
    )


def _container(facts: FileFacts, listed: ListedFile) -> FileFacts:
    """Open a workbook or a columnar file: where its tables begin stands at its end."""
    if listed.size_bytes > CONTAINER_BYTES:
        remark = f"a container of more than {CONTAINER_BYTES >> 20} MiB: not looked into"
        return replace(facts, kind=ContentKind.UNKNOWN_TABLE, remark=remark)
    with _opened(listed) as stream:
        data = stream.read(CONTAINER_BYTES + 1)
    what = kind_of(data)
    suffix = listed.path[listed.path.rfind(".") :].lower()
    if data.startswith(b"PK") and not zipfile.is_zipfile(io.BytesIO(data)):
        return _cut(facts, f"begins as {described(what)} and its end is missing")
    if what in _BINARIES:
        return _known(facts, _BINARIES[what])
    if what not in (WORKBOOK, PARQUET):
        # A cut archive no longer names its members: its ending says what it was.
        kind = kind_by_suffix(suffix) or kind_by_word(what) or ContentKind.UNKNOWN
        return replace(facts, kind=kind, remark=what)
    try:
        reader = _reader(_content(listed, data))
    except UnreadableError as error:
        return replace(facts, kind=ContentKind.CUT_SHORT, remark=str(error))
    if reader is None:
        remark = "a table in which no reader finds a test"
        return replace(facts, kind=ContentKind.UNKNOWN_TABLE, remark=remark)
    return _known(facts, reader)


def _cut(facts: FileFacts, remark: str) -> FileFacts:
    remark = f"{remark}: copy or export it again"
    return replace(facts, kind=ContentKind.CUT_SHORT, remark=remark)


def _text(facts: FileFacts, listed: ListedFile, read: Beginning, suffix: str) -> FileFacts:
    reader = _text_reader(listed, read)
    if reader is None and not read.is_whole:
        read = _read(listed, LONG_HEAD_BYTES)
        reader = _text_reader(listed, read)
    if reader is None:
        kind = kind_by_suffix(suffix) or _unknown_text(read.head)
        remark = "" if kind is not ContentKind.UNKNOWN_TABLE else "a table that no reader knows"
        return replace(facts, kind=kind, remark=remark)
    if last_row_is_cut(read.head, read.tail):
        return _cut(_known(facts, reader), "ends in the middle of a row")
    return replace(_known(facts, reader), days_inside=_days(read.head), records=_records(read))


def _unknown_text(head: bytes) -> ContentKind:
    lines = [line for line in head.replace(b"\0", b"").splitlines() if line.strip()][:200]
    for delimiter in (b"\t", b";", b","):
        wide = sum(line.count(delimiter) >= 2 for line in lines)
        if len(lines) >= 3 and wide >= 0.6 * len(lines):
            return ContentKind.UNKNOWN_TABLE
    return ContentKind.DOCUMENT


def _content(listed: ListedFile, data: bytes) -> FileContent:
    """Return a file's beginning in the form in which readers look at files."""
    path = Path(listed.path)
    is_packed = path.suffix.lower() in COMPRESSED_SUFFIXES
    return FileContent(
        path=path, data=data, sha256="", size_bytes=len(data), mtime_ns=0,
        compression="packed" if is_packed else None,
    )  # fmt: skip


def _text_reader(listed: ListedFile, read: Beginning) -> str | None:
    head = read.head
    is_wide = b"\0" in head
    if not read.is_whole:
        head = head[: len(head) & ~1] if is_wide else head[: head.rfind(b"\n") + 1] or head
    # Files of one program differ in their numbers only, as far as their beginning goes.
    plain = head if is_wide else _DIGITS.sub(b"0", head[:DATED_BYTES])
    key = hashlib.blake2b(plain, digest_size=16).digest()
    found = _REMEMBERED.get(key)
    if found is None:
        found = _reader(_content(listed, head))
        if found is not None and len(_REMEMBERED) < REMEMBERED_BEGINNINGS:
            _REMEMBERED[key] = found
    return found


#: Masked beginning -> reader, in this process: an archive has few formats and many files.
_REMEMBERED: Final[dict[bytes, str]] = {}


def _reader(content: FileContent) -> str | None:
    """Return the reader whose signature fits; what several fit is named by the first."""
    probe = Probe(content)
    for reader in (*VENDOR_FORMATS, LABELLED):
        if reader.sniff(probe).is_fit:
            return reader.name
    return None


def _days(head: bytes) -> tuple[str, ...]:
    """Return the days in a preamble that can be read in one way only."""
    text = head[:DATED_BYTES].replace(b"\0", b"").decode("utf-8", "replace")
    found: dict[str, None] = {}
    for year in islice(_YEAR.finditer(text), MAX_DAYS):
        around = text[max(0, year.start() - DATE_CHARACTERS) : year.end() + DATE_CHARACTERS]
        for mark in date_marks(around):
            days = {reading.day for reading in mark.readings}
            if len(days) == 1 and not mark.is_weak and year[0] in next(iter(days)):
                found[days.pop()] = None
    return tuple(found)


def _records(read: Beginning) -> tuple[int, int] | None:
    """Return the first and last record number of a text whose rows are numbered."""
    lines = read.head.decode("utf-8", "replace").splitlines()
    for at, line in enumerate(lines[:-1][:MAX_HEADER_LINES]):
        if _LETTER.search(line) is None:
            continue
        delimiter = max("\t;,", key=line.count)
        names = line.split(delimiter)
        if len(names) < 3:
            continue
        column = next((place for place, name in enumerate(names) if _RECORD.match(name)), None)
        if column is not None:
            first = _whole(lines[at + 1], delimiter, column)
            last_line = read.tail.decode("utf-8", "replace").strip().rpartition("\n")[2]
            last = _whole(last_line, delimiter, column)
            return None if first is None or last is None else (first, last)
    return None


def _whole(line: str, delimiter: str, column: int) -> int | None:
    fields = line.split(delimiter)
    text = fields[column].strip(' "') if column < len(fields) else ""
    return int(text) if text.isdigit() and len(text) < 12 else None
