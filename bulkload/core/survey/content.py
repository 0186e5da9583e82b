"""What a file is by its first bytes: data, picture, document, program, archive, or unfinished."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class ContentKind(StrEnum):
    """What a file is, as far as moving measurements is concerned."""

    DATA = "data"
    #: A table that no reader knows, or a text that may be one.
    UNKNOWN_TABLE = "unknown table"
    PICTURE = "picture"
    VIDEO = "video"
    DOCUMENT = "document"
    PROGRAM = "program"
    ARCHIVE = "archive"
    DATABASE = "database"
    METADATA = "metadata"
    TEMPORARY = "temporary"
    SYSTEM = "system file"
    EMPTY = "empty"
    #: Begins as something that it does not go on to be, or ends in the middle.
    CUT_SHORT = "cut short"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"


#: What is not uploaded, whatever its name says.
NOT_DATA: Final = frozenset(set(ContentKind) - {ContentKind.DATA})

_MAGIC: Final = (
    (b"\xff\xd8\xff", ContentKind.PICTURE),
    (b"\x89PNG\r\n\x1a\n", ContentKind.PICTURE),
    (b"GIF8", ContentKind.PICTURE),
    (b"II*\0", ContentKind.PICTURE),
    (b"MM\0*", ContentKind.PICTURE),
    (b"%PDF", ContentKind.DOCUMENT),
    (b"{\\rtf", ContentKind.DOCUMENT),
    (b"MZ", ContentKind.PROGRAM),
    (b"\x7fELF", ContentKind.PROGRAM),
    (b"#!", ContentKind.PROGRAM),
    (b"SQLite format 3\0", ContentKind.DATABASE),
    (b"7z\xbc\xaf\x27\x1c", ContentKind.ARCHIVE),
    (b"Rar!", ContentKind.ARCHIVE),
    (b"L\0\0\0\x01\x14\x02\0", ContentKind.SYSTEM),
)
#: Words at a place other than the beginning: (offset, bytes, kind).
_INNER: Final = (
    (8, b"WEBP", ContentKind.PICTURE),
    (4, b"ftyphei", ContentKind.PICTURE),
    (4, b"ftyp", ContentKind.VIDEO),
    (8, b"AVI ", ContentKind.VIDEO),
    (257, b"ustar", ContentKind.ARCHIVE),
)
_BY_SUFFIX: Final = {
    **dict.fromkeys((".doc", ".docx", ".ppt", ".pptx", ".odt", ".odp", ".pdf", ".rtf"), "document"),
    **dict.fromkeys((".md", ".htm", ".html", ".msg", ".eml", ".tex", ".log"), "document"),
    **dict.fromkeys(
        (".py", ".m", ".bat", ".cmd", ".ps1", ".sh", ".vbs", ".r", ".ipynb"), "program"
    ),
    **dict.fromkeys((".exe", ".dll", ".msi", ".so", ".jar", ".c", ".cpp", ".vi", ".js"), "program"),
    # Schedules and settings of cyclers: programs of the machine.
    **dict.fromkeys((".sdx", ".sdu", ".mps", ".mgr", ".000", ".pro", ".ini", ".cfg"), "program"),
    **dict.fromkeys((".opj", ".opju", ".ogw", ".pzf", ".pzfx", ".bak"), "document"),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".heic"), "picture"),
    **dict.fromkeys((".mp4", ".mov", ".avi"), "video"),
    **dict.fromkeys((".zip", ".7z", ".rar", ".tar", ".tgz"), "archive"),
}


def kind_by_magic(head: bytes) -> ContentKind | None:
    """Return what the first bytes announce; None where it may be a measurement."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    for offset, magic, kind in _INNER:
        if head[offset : offset + len(magic)] == magic:
            return kind
    # "BM" alone begins many a text.
    return ContentKind.PICTURE if head.startswith(b"BM") and b"\0" in head[:16] else None


def kind_by_suffix(suffix: str) -> ContentKind | None:
    """Return what a file's ending says, where its content says nothing that a reader knows."""
    found = _BY_SUFFIX.get(suffix.lower())
    return None if found is None else ContentKind(found)


def last_row_is_cut(head: bytes, tail: bytes) -> bool:
    """Tell whether a delimited text ends in the middle of a row.

    The last row has no line end and fewer fields than the rows before it.
    """
    if tail.endswith((b"\n", b"\r", b"\0")) or b"\n" not in tail:
        return False
    *before, last = tail.split(b"\n")
    whole = [line for line in before[1:] if line.strip()]
    if not whole or not head:
        return False
    delimiter = max((b"\t", b";", b","), key=whole[-1].count)
    expected = {line.count(delimiter) for line in whole[-5:]}
    return len(expected) == 1 and expected != {0} and last.count(delimiter) < expected.pop()
