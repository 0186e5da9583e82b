"""Remote trees by their URL (fsspec): listed once, copied whole, proved unchanged."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from threading import RLock
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

from bulkload.archives.limits import (
    CHUNK_BYTES,
    MAX_MEMBER_BYTES,
    MAX_REMOTE_FILES,
    READ_BLOCK_BYTES,
)
from bulkload.archives.stores import (
    TransientStoreError,
    changed,
    file_system,
    path_in_store,
    refuse_secrets,
    retried,
)
from bulkload.core.prepare_result import SourceStamp
from bulkload.errors import PlanError, UnreadableError

#: Stores that know no folders.
_FLAT: Final = frozenset({"s3", "s3a", "gs", "gcs"})
#: Names that stores have for the mark of a content, and for its time.
_MARKS: Final = ("ETag", "etag", "md5Hash", "md5", "content_md5", "checksum")
_TIMES: Final = ("LastModified", "mtime", "last_modified", "updated", "modified", "created")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as a store describes it."""

    size_bytes: int
    #: Changes when the content does, as far as the store says: its mark, else its time.
    stamp_ns: int


@dataclass(slots=True)
class _Known:
    """What this process has listed."""

    files: dict[str, RemoteFile] = field(default_factory=dict)
    #: Folder -> names of the files in it.
    folders: dict[str, list[str]] = field(default_factory=dict)


_known: Final = _Known()
_lock: Final = RLock()


@dataclass(frozen=True, slots=True)
class RemoteTree:
    """What a listing found."""

    #: Folder below the top -> names of its files.
    files: Mapping[str, list[str]]
    #: Folder that could not be listed -> why.
    unlisted: Mapping[str, str]


def tree_of(url: str) -> RemoteTree:
    """List all files below a URL, once; later questions are answered from the listing.

    Raises ``PlanError`` where nothing is there, it may not be read, or the store stays out of
    reach, and ``MissingExtraError``.
    """
    refuse_secrets(url)
    base = url.rstrip("/")
    try:
        top, found, unlisted = _listed(base)
    except UnreadableError as error:
        raise PlanError(f"{base}: {error}") from error
    if not found:
        raise PlanError(f"{base}: no file is there; check the URL")
    files: dict[str, list[str]] = {}
    with _lock:
        for name, one in found.items():
            below = name[len(top) :].lstrip("/") if name.startswith(top) else name
            if not below:
                raise PlanError(f"{base} is a file; give the folder that it lies in")
            _known.files[f"{base}/{below}"] = one
            folder, _, last = below.rpartition("/")
            files.setdefault(folder, []).append(last)
        for folder, names in files.items():
            _known.folders[f"{base}/{folder}".rstrip("/")] = names
    return RemoteTree(files, {name[len(top) :].strip("/"): why for name, why in unlisted.items()})


def _listed(base: str) -> tuple[str, dict[str, RemoteFile], dict[str, str]]:
    """Return the library's name of the top, all files by theirs, and folders left out."""
    if urlsplit(base).scheme in _FLAT:
        # Such stores know no folders: one listing has all.
        return retried(lambda: _flat(base), base)
    top = retried(lambda: path_in_store(base), base).rstrip("/")
    files: dict[str, RemoteFile] = {}
    unlisted: dict[str, str] = {}
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            found = retried(partial(_entries, base, folder), base)
        except UnreadableError as error:
            if folder == top:
                raise
            # The library's own walk would leave such a folder out without a word.
            unlisted[folder] = str(error)
            continue
        for name, kind, one in found:
            if kind == "directory":
                folders.append(name.rstrip("/"))
            else:
                files[name] = one
        _check_number(base, len(files) + len(folders))
    return top, files, unlisted


def _flat(base: str) -> tuple[str, dict[str, RemoteFile], dict[str, str]]:
    system, top = file_system(base), path_in_store(base).rstrip("/")
    found = {
        name: _described(info)
        for name, info in system.find(top, detail=True).items()
        if info.get("type") != "directory" and not name.endswith("/")
    }
    _check_number(base, len(found))
    return top, found, {}


def _entries(base: str, folder: str) -> list[tuple[str, str, RemoteFile]]:
    system = file_system(base)
    # A web server lists a folder only under its whole name.
    asked = f"{folder}/" if "://" in folder else folder
    found = []
    for info in system.ls(asked, detail=True):
        name, kind = str(info["name"]), str(info.get("type"))
        if name.rstrip("/") == folder:
            continue
        # Lists of web servers name files and no sizes.
        is_bare = kind != "directory" and info.get("size") is None
        found.append((name, kind, _described(system.info(name) if is_bare else info)))
    return found


def _check_number(base: str, number: int) -> None:
    if number > MAX_REMOTE_FILES:
        raise PlanError(
            f"{base}: more than {MAX_REMOTE_FILES:,} files; give its folders one by one"
        )


def names_in(folder: str) -> list[str]:
    """Return the names of the files in a folder that was listed."""
    return _known.folders.get(folder, [])


def stamp_of(url: str) -> tuple[int, int] | None:
    """Return the size and stamp of a file that was listed, None for any other. Sends no request."""
    one = _known.files.get(url)
    return None if one is None else (one.size_bytes, one.stamp_ns)


def look(url: str) -> tuple[int, int]:
    """Return the size and stamp of a file; asks the store where it was not listed."""
    known = stamp_of(url)
    if known is None:
        refuse_secrets(url)
        one = retried(lambda: _described(file_system(url).info(path_in_store(url))), url)
        with _lock:
            _known.files[url] = one
        known = one.size_bytes, one.stamp_ns
    return known


def fetch(url: str, target: BinaryIO) -> SourceStamp:
    """Write a remote file to an open file, whole and as it was listed.

    Raises ``UnreadableError``: ``remote_forbidden``, ``vanished``, ``source_changing`` at once,
    ``remote_unreachable`` after the last attempt. What was written then is not the file.
    """
    listed = look(url)
    if listed[0] > MAX_MEMBER_BYTES:
        limit = MAX_MEMBER_BYTES // 1024**3
        raise UnreadableError(f"is larger than {limit} GiB, the limit", cause="too_large")
    return retried(lambda: _fetched(url, target, listed), url)


def _fetched(url: str, target: BinaryIO, listed: tuple[int, int]) -> SourceStamp:
    target.seek(0)
    target.truncate()
    digest, size = hashlib.sha256(), 0
    system, path = file_system(url), path_in_store(url)
    with system.open(path, "rb", block_size=READ_BLOCK_BYTES) as stream:
        while block := stream.read(CHUNK_BYTES):
            size += len(block)
            digest.update(block)
            target.write(block)
    with suppress(AttributeError, TypeError):
        system.invalidate_cache(path)
    after = _described(system.info(path))
    if (after.size_bytes, after.stamp_ns) != listed:
        raise changed(f"{listed[0]:,} bytes, then {after.size_bytes:,}")
    if size != listed[0]:
        raise TransientStoreError(f"the connection ended after {size:,} of {listed[0]:,} bytes")
    return SourceStamp(size_bytes=size, mtime_ns=listed[1], sha256=digest.hexdigest())


class RemoteReader(io.RawIOBase):
    """A remote file in which any place can be read, for the archives in it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._size = look(url)[0]
        self._at = 0
        self._file: Any = None

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: its position can be set."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, as many as were asked for and are there."""
        left = max(0, self._size - self._at)
        wanted = left if size < 0 else min(size, left)
        if not wanted:
            return b""
        data = retried(lambda: self._read(wanted), self._url)
        self._at += len(data)
        return data

    def _read(self, wanted: int) -> bytes:
        try:
            if self._file is None:
                system, path = file_system(self._url), path_in_store(self._url)
                self._file = system.open(path, "rb", block_size=READ_BLOCK_BYTES)
                if not self._file.seekable():
                    raise UnreadableError(
                        "the server sends files only as a whole, and an archive is read in "
                        "pieces; download it",
                        cause="not_seekable",
                    )
            self._file.seek(self._at)
            data: bytes = self._file.read(wanted)
            if len(data) < wanted:
                raise TransientStoreError(f"the connection ended after {len(data):,} bytes")
        except BaseException:
            self._drop()
            raise
        return data

    def _drop(self) -> None:
        file, self._file = self._file, None
        # What is given up may fail once more while it is closed.
        with suppress(Exception):
            if file is not None:
                file.close()

    def close(self) -> None:
        """Close the connection's file."""
        self._drop()
        super().close()


def _described(info: Mapping[str, Any]) -> RemoteFile:
    mark = next((info[name] for name in _MARKS if info.get(name)), None)
    size = info.get("size")
    if mark is not None:
        digest = hashlib.blake2b(str(mark).encode(), digest_size=8).digest()
        return RemoteFile(int(size or 0), int.from_bytes(digest, "big") >> 1)
    moment = next((info[name] for name in _TIMES if info.get(name)), None)
    if isinstance(moment, datetime):
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(moment, str):
        with suppress(ValueError):
            moment = datetime.fromisoformat(moment).timestamp()
    stamp_ns = int(moment * 10**9) if isinstance(moment, int | float) else 0
    return RemoteFile(int(size or 0), stamp_ns)
