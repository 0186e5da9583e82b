"""A source on disk: its files, and the stamp that shows whether it changed."""

from __future__ import annotations

import filecmp
import hashlib
import os
import stat
from pathlib import Path
from typing import Final

from bulkload.archives.access import local_copy, stamp_of
from bulkload.core.address import is_elsewhere, place
from bulkload.core.prepare_result import SourceStamp
from bulkload.errors import UnreadableError

#: How much of a file is hashed at a time: large enough for full speed, small in memory.
HASH_BLOCK_BYTES: Final = 1 << 20


def attachments(path: Path) -> list[Path]:
    """Return the files of a source: the file itself, or those of a folder, by name."""
    if not path.is_dir():
        return [path]
    return sorted(entry for entry in path.iterdir() if entry.is_file() and entry.name[0] != ".")


def quick_stamp(path: Path | str) -> tuple[int, int] | None:
    """Return a source's size and modification time, None if it cannot be accessed.

    The size of a folder is that of its files, as in ``stamp``.
    """
    if is_elsewhere(str(path)):
        return stamp_of(place(Path(path)))
    try:
        status = os.stat(path)  # noqa: PTH116  (once a file)
        if stat.S_ISREG(status.st_mode):
            return status.st_size, status.st_mtime_ns
        statuses = [one.stat() for one in attachments(Path(path))]
    except OSError:
        return None
    return (
        sum(status.st_size for status in statuses),
        max((status.st_mtime_ns for status in statuses), default=0),
    )


def stamp(path: Path) -> SourceStamp:
    """Return a source's size, modification time and SHA-256."""
    if is_elsewhere(str(path)):
        with local_copy(place(path)) as (_, found):
            return found
    status = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return SourceStamp(
        size_bytes=status.st_size, mtime_ns=status.st_mtime_ns, sha256=digest.hexdigest()
    )


def have_same_content(one: Path, other: Path) -> bool:
    """Return whether two files hold the same bytes; False where either cannot be read."""
    try:
        if is_elsewhere(str(one)) or is_elsewhere(str(other)):
            return sha256(one) == sha256(other)
        return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)
    except (OSError, UnreadableError):
        return False


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of a member of an archive."""
    return stamp(path).sha256
