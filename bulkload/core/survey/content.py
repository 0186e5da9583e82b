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

#: Words in the name of what a file begins as (``readers/file_kinds``) -> its kind here.
_BY_WORD: Final = (
    ("image", ContentKind.PICTURE),
    ("video", ContentKind.VIDEO),
    ("document", ContentKind.DOCUMENT),
    ("presentation", ContentKind.DOCUMENT),
    ("drawing", ContentKind.DOCUMENT),
    ("message", ContentKind.DOCUMENT),
    ("Origin project", ContentKind.DOCUMENT),
    ("OpenDocument text", ContentKind.DOCUMENT),
    ("HTML", ContentKind.DOCUMENT),
    ("program", ContentKind.PROGRAM),
    ("script", ContentKind.PROGRAM),
    ("settings file", ContentKind.PROGRAM),
    ("Java archive", ContentKind.PROGRAM),
    ("archive", ContentKind.ARCHIVE),
    ("database", ContentKind.DATABASE),
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


def kind_by_word(described: str) -> ContentKind | None:
    """Return the kind of what a file begins as; None where that is none of the kinds here."""
    return next((kind for word, kind in _BY_WORD if word in described), None)


def kind_by_suffix(suffix: str) -> ContentKind | None:
    """Return what a file's ending says, where its content says nothing that a reader knows."""
    found = _BY_SUFFIX.get(suffix.lower())
    return None if found is None else ContentKind(found)


def last_row_is_cut(head: bytes, tail: bytes) -> bool:
    """Return whether a delimited text ends in the middle of a row.

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
    # A line of words is what some makers end their files with, not a row.
    if delimiter not in last and any(byte > 64 for byte in last):
        return False
    return len(expected) == 1 and expected != {0} and last.count(delimiter) < expected.pop()
