"""7z archives (extra ``archives``): members are mostly packed together, as one stream."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import IO, Any, BinaryIO, Final, cast

from bulkload.archives.directory import (
    Directory,
    ListedMember,
    Member,
    bomb,
    broken,
    checked,
    is_bomb,
)
from bulkload.archives.limits import BATCH_BYTES, INNER_MEMORY_BYTES, MAX_UNPACKED_STREAM_BYTES
from bulkload.core.address import plain_member
from bulkload.core.plan_check import Rule
from bulkload.errors import MissingExtraError, UnreadableError

#: Ticks of 100 ns between the beginnings of the times of Windows (1601) and of Unix.
_EPOCH_TICKS: Final = 116444736000000000


class SevenZip:
    """A 7z archive over an open file."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            import py7zr
        except ModuleNotFoundError as error:
            raise MissingExtraError("reading .7z archives", "archives") from error
        self._file = file
        self._packed_bytes = file.seek(0, io.SEEK_END)
        file.seek(0)
        try:
            self._archive = py7zr.SevenZipFile(file, "r")
            self._is_encrypted = self._archive.needs_password()
        except py7zr.exceptions.PasswordRequired as error:
            message = "is encrypted; unpack it with its password"
            raise UnreadableError(message, cause=Rule.ENCRYPTED) from error
        # The library raises anything on a damaged header.
        except Exception as error:
            raise broken("its directory is broken, or it ends too early", error) from error
        #: Members unpacked together, in one temporary file.
        self._unpacked: _Sinks | None = None

    @cached_property
    def _files(self) -> dict[str, Any]:
        return {plain_member(one.filename): one for one in self._archive.files}

    def directory(self) -> Directory:
        """List and check all members."""
        return self._directory

    @cached_property
    def _directory(self) -> Directory:
        files = [one for one in self._archive.files if not one.is_directory]
        if is_bomb(sum(one.uncompressed for one in files), self._packed_bytes):
            raise bomb(self._packed_bytes)
        return checked(map(self._listed, files))

    def _listed(self, one: Any) -> ListedMember:
        fault: tuple[Rule, str] | None = None
        if one.is_symlink or one.is_junction:
            message = "is a link; nothing is read through a link of an archive"
            fault = Rule.LINK_IN_ARCHIVE, message
        elif one.is_socket:
            fault = Rule.DEVICE_IN_ARCHIVE, "is a device, a pipe or a socket"
        elif self._is_encrypted:
            fault = Rule.ENCRYPTED, "is encrypted; unpack it with its password"
        ticks = int(one.lastwritetime or _EPOCH_TICKS)
        seconds = max(0, (ticks - _EPOCH_TICKS) // 10**7)
        stamp_ns = seconds * 10**9 + (one.crc32 or 0) % 10**9
        return ListedMember(
            raw_name=one.filename, size_bytes=one.uncompressed, stamp_ns=stamp_ns, fault=fault
        )

    def member(self, name: str) -> Member | None:
        """Return one member."""
        return self._directory.members.get(name)

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a member; those behind it are unpacked with it, up to a bound."""
        if self._unpacked is None or name not in self._unpacked.places:
            self._forget()
            self._unpacked = self._unpack(self._batch(name))
        yield io.BytesIO(self._unpacked.content(name))

    def _batch(self, name: str) -> Sequence[str]:
        members = self._directory.members
        names = list(members)
        if sum(one.size_bytes for one in members.values()) <= MAX_UNPACKED_STREAM_BYTES:
            return names
        found = [name]
        total = members[name].size_bytes
        for other in names[names.index(name) + 1 :]:
            total += members[other].size_bytes
            if total > BATCH_BYTES:
                break
            found.append(other)
        return found

    def _unpack(self, names: Sequence[str]) -> _Sinks:
        wanted = set(names)
        sinks = _Sinks([name for name in self._files if name in wanted], self._directory.members)
        try:
            self._archive.reset()
            targets = [self._files[name].filename for name in names]
            self._archive.extract(targets=targets, factory=cast("Any", sinks))
        except UnreadableError:
            sinks.file.close()
            raise
        # The library raises anything on damaged content.
        except Exception as error:
            sinks.file.close()
            raise broken("the member, or one packed with it, is damaged", error) from error
        return sinks

    def _forget(self) -> None:
        if self._unpacked is not None:
            self._unpacked.file.close()
        self._unpacked = None

    def close(self) -> None:
        """Close the archive."""
        self._forget()
        self._archive.close()
        self._file.close()


class _Sinks:
    """A file for the members that are wanted, in the order in which the library asks for them.

    That is the archive's; it writes one after the other.
    """

    def __init__(self, names: Sequence[str], members: dict[str, Member]) -> None:
        self.file = cast("IO[bytes]", tempfile.SpooledTemporaryFile(INNER_MEMORY_BYTES))  # noqa: SIM115
        #: Member -> where it begins in the file, and its length.
        self.places: dict[str, tuple[int, int]] = {}
        at = 0
        for name in names:
            self.places[name] = at, members[name].size_bytes
            at += members[name].size_bytes
        self._names = iter(names)

    def create(self, filename: str) -> _Sink:
        """Return where the next member goes."""
        del filename
        return _Sink(self.file, *self.places[next(self._names)])

    def content(self, name: str) -> bytes:
        """Return the bytes of a member."""
        start, length = self.places[name]
        self.file.seek(start)
        return self.file.read(length)


class _Sink:
    """Where the library writes one member: no more than its directory announced."""

    def __init__(self, file: IO[bytes], start: int, length: int) -> None:
        self._file = file
        self._start = start
        self._length = length
        self._written = 0

    def write(self, data: bytes | bytearray) -> int:
        """Take the next bytes."""
        if self._written + len(data) > self._length:
            raise broken("a member is longer than the directory says")
        self._file.seek(self._start + self._written)
        self._written += len(data)
        return self._file.write(data)

    def read(self, size: int | None = None) -> bytes:
        """Return what was written."""
        self._file.seek(self._start)
        return self._file.read(self._written if size is None else min(size, self._written))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Stay: what is written follows what was."""
        del offset, whence
        return self._written

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Leave the file open: it is read next."""

    def size(self) -> int:
        """Return how much was written."""
        return self._written
