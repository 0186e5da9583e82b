"""List, stamp, open and copy what lies in an archive, by its path.

Archives that are read from stay open, the :data:`MAX_OPEN` used last of a process: what opening
one costs (a directory, a stream's beginning) is paid once and not for each member.
"""

from __future__ import annotations

import atexit
import hashlib
import io
import os
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import BinaryIO, Final, cast

from bulkload.archives import remote
from bulkload.archives.directory import Archive, Directory
from bulkload.archives.limits import (
    CHUNK_BYTES,
    INNER_MEMORY_BYTES,
    MAX_INNER_BYTES,
    MAX_MEMBER_BYTES,
    MAX_NESTING,
    MAX_OPEN,
)
from bulkload.archives.seven_zip import SevenZip
from bulkload.archives.tar_file import Tar
from bulkload.archives.zip_file import Zip
from bulkload.core.address import (
    archive_form,
    file_name,
    innermost,
    is_elsewhere,
    is_member,
    is_remote,
    nesting,
)
from bulkload.core.plan_check import Rule
from bulkload.core.prepare_result import SourceStamp
from bulkload.core.systems import fit_name
from bulkload.core.text import printable
from bulkload.errors import UnreadableError


@dataclass(frozen=True, slots=True)
class _Opened:
    archive: Archive
    #: Of its file: another one means that it was written anew.
    stamp: tuple[int, int]
    #: Held while it is read from: it has one place in its file.
    lock: RLock


_opened: Final[OrderedDict[str, _Opened]] = OrderedDict()
_lock: Final = RLock()


def directory_of(archive: str) -> Directory:
    """Return the checked directory of an archive.

    Raises ``UnreadableError`` with the reason for one that is broken, encrypted or a bomb,
    ``MissingExtraError`` for a form whose library is missing, and ``OSError``.
    """
    one = _archive(archive)
    with one.lock:
        return one.archive.directory()


def names_in(folder: str) -> list[str]:
    """Return the names of the files in a folder of an archive; none for one that is unreadable."""
    if not is_member(folder):
        return remote.names_in(folder)
    archive, inner = innermost(folder)
    try:
        return directory_of(archive).folders.get(inner, [])
    except (OSError, UnreadableError):
        # It is reported where the archive itself is listed.
        return []


def stamp_of(path: str) -> tuple[int, int] | None:
    """Return a source's size and stamp, None if it is not there, or was not listed remotely."""
    if not is_member(path):
        return remote.stamp_of(path)
    archive, name = innermost(path)
    try:
        one = _archive(archive)
        with one.lock:
            member = one.archive.member(name)
    except (OSError, UnreadableError):
        return None
    return None if member is None else (member.size_bytes, member.stamp_ns)


@contextmanager
def opened(path: str, largest_bytes: int | None = None) -> Iterator[BinaryIO]:
    """Open a member for reading, from its beginning to its end.

    One that is larger than ``largest_bytes`` is opened as an empty file. Raises
    ``UnreadableError`` for a member that is not there or damaged, and ``OSError``.
    """
    if not is_member(path):
        with _remote(path) as stream:
            yield stream
        return
    archive, name = innermost(path)
    one = _archive(archive)
    with one.lock:
        member = one.archive.member(name)
        if member is None:
            raise UnreadableError(
                f"{printable(file_name(name))}: the archive does not hold it, or it is refused "
                "there; restore it, or plan again",
                cause="vanished",
            )
        if largest_bytes is not None and member.size_bytes > largest_bytes:
            yield io.BytesIO()
            return
        with _named(name), one.archive.open(name) as stream:
            yield stream


def beginning(path: str, size_bytes: int, *, largest_bytes: int | None = None) -> bytes:
    """Return the first bytes of a member; nothing of one that is larger than a limit."""
    with opened(path, largest_bytes) as stream:
        return stream.read(size_bytes)


def copy(path: str, target: BinaryIO) -> SourceStamp:
    """Write a member to an open file; return its size, stamp and hash.

    Raises ``UnreadableError`` also for one that is shorter or longer than its archive says.
    """
    if not is_member(path):
        with _named(path):
            return remote.fetch(path, target)
    before = stamp_of(path)
    digest, size = hashlib.sha256(), 0
    with opened(path) as stream:
        while block := stream.read(CHUNK_BYTES):
            size += len(block)
            if size > MAX_MEMBER_BYTES:
                break
            digest.update(block)
            target.write(block)
    if before is None or size != before[0]:
        announced = "nothing" if before is None else f"{before[0]:,} bytes"
        raise UnreadableError(
            f"{printable(file_name(path))}: {size:,} bytes were read where the archive announces "
            f"{announced}; copy the archive again",
            cause=Rule.BROKEN_ARCHIVE,
        )
    return SourceStamp(size_bytes=size, mtime_ns=before[1], sha256=digest.hexdigest())


@contextmanager
def local_copy(path: str, folder: Path | None = None) -> Iterator[tuple[Path, SourceStamp]]:
    """Copy a member under its own name into a folder of its own, for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="bulkload-member-", dir=folder) as scratch:
        target = Path(scratch) / safe_name(path)
        with target.open("wb") as file:
            stamp = copy(path, file)
        yield target, stamp


@contextmanager
def on_disk(path: str) -> Iterator[Path]:
    """Return a source as a file on disk: itself, or a copy for the length of the block."""
    if not is_elsewhere(path):
        yield Path(path)
        return
    with local_copy(path) as (copied, _):
        yield copied


def safe_name(path: str) -> str:
    """Return the name of a copy on disk: the file's own, with what no file system may refuse."""
    return fit_name(file_name(path))


def _archive(path: str) -> _Opened:
    """Return an open archive: one of those kept, or opened now."""
    stamp = _file_stamp(path)
    with _lock:
        known = _opened.get(path)
        if known is not None and known.stamp == stamp:
            _opened.move_to_end(path)
            return known
        if nesting(path) >= MAX_NESTING:
            raise UnreadableError(
                f"lies in {MAX_NESTING} archives in one another, the limit; unpack the outer ones",
                cause=Rule.ARCHIVE_BOMB,
            )
        with ExitStack() as stack:
            file = stack.enter_context(_file(path))
            one = _Opened(_of_form(path, file), stamp, RLock())
            stack.pop_all()
        if known is not None:
            _close(path)
        _opened[path] = one
        for other in list(_opened)[:-MAX_OPEN]:
            _close(other)
        return one


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Put a file's name before what is said of it."""
    try:
        yield
    except UnreadableError as error:
        raise UnreadableError(
            f"{printable(file_name(path))}: {error}", cause=error.cause
        ) from error


@contextmanager
def _remote(path: str) -> Iterator[BinaryIO]:
    with _named(path), remote.RemoteReader(path) as stream:
        yield cast("BinaryIO", stream)


def _close(path: str) -> None:
    """Close an archive that is kept, unless it is being read: then it stays for now."""
    one = _opened[path]
    if one.lock.acquire(blocking=False):
        try:
            del _opened[path]
            one.archive.close()
        finally:
            one.lock.release()


def _of_form(path: str, file: BinaryIO) -> Archive:
    form = archive_form(file_name(path))
    if form is None:
        raise ValueError(f"{path} does not have the suffix of an archive")
    match form[0]:
        case "zip":
            return Zip(file)
        case "7z":
            return SevenZip(file)
        case _:
            return Tar(file, form[1])


def _file_stamp(path: str) -> tuple[int, int]:
    if is_member(path):
        return stamp_of(path) or (0, 0)
    if is_remote(path):
        return remote.look(path)
    status = os.stat(path)  # noqa: PTH116  (once a member)
    return status.st_size, status.st_mtime_ns


def _file(path: str) -> BinaryIO:
    """Open an archive's file; one that lies in another is unpacked into a temporary file."""
    if not is_member(path):
        is_far = is_remote(path)
        return cast("BinaryIO", remote.RemoteReader(path)) if is_far else Path(path).open("rb")
    file = cast("BinaryIO", tempfile.SpooledTemporaryFile(INNER_MEMORY_BYTES))  # noqa: SIM115
    try:
        size = 0
        with opened(path) as stream:
            while block := stream.read(CHUNK_BYTES):
                size += len(block)
                if size > MAX_INNER_BYTES:
                    raise UnreadableError("is larger than the limit", cause=Rule.ARCHIVE_BOMB)
                file.write(block)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def close_all() -> None:
    """Close the archives that are kept open."""
    with _lock:
        for path in list(_opened):
            _close(path)


atexit.register(close_all)
