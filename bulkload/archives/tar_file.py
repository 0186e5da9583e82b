"""Tar archives, compressed or not: a header before each member, and two empty blocks at the end."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import IO, BinaryIO, Final, cast

from bulkload.archives.directory import Directory, ListedMember, Member, Refusal, broken, checked
from bulkload.archives.forward import Bounded, Forward
from bulkload.archives.limits import CHUNK_BYTES, INNER_MEMORY_BYTES, MAX_UNPACKED_STREAM_BYTES
from bulkload.core.address import plain_member
from bulkload.core.plan_check import Rule
from bulkload.errors import UnreadableError

_BLOCK_BYTES: Final = 512
_DAMAGED: Final = (tarfile.TarError, EOFError, ValueError, OverflowError, LookupError)


class Tar:
    """A tar archive over an open file."""

    def __init__(self, file: BinaryIO, compression: str) -> None:
        self._file = file
        self._forward = Forward(file, compression) if compression else None
        #: A compressed tar of moderate size as a plain one: its members are asked for by cells,
        #: and each step back would decompress it from the beginning.
        self._plain = None if self._forward is None else _unpacked(self._forward)
        self._stream = cast("BinaryIO", self._stream_of(file))
        #: Members met so far, by their path: a stream is only read as far as is asked for.
        self._met: dict[str, tarfile.TarInfo] = {}
        self._all: list[tarfile.TarInfo] = []
        self._is_at_end = False
        try:
            self._stream.seek(0)
            self._tar = tarfile.open(fileobj=self._stream, mode="r:", encoding="utf-8")  # noqa: SIM115
        except (*_DAMAGED, UnreadableError) as error:
            if self._plain is not None:
                self._plain.close()
            if isinstance(error, UnreadableError):
                raise
            raise broken("it does not begin as a tar archive", error) from error

    def _stream_of(self, file: BinaryIO) -> Bounded | Forward:
        if self._plain is not None:
            return Bounded(self._plain)
        return self._forward or Bounded(file)

    def directory(self) -> Directory:
        """List and check all members; of a compressed one this reads all of it."""
        return self._directory

    @cached_property
    def _directory(self) -> Directory:
        listed: list[ListedMember] = []
        cut: Refusal | None = None
        try:
            listed.extend(_listed(info) for info in self._infos() if not info.isdir())
            self._check_end()
        except UnreadableError as error:
            if error.cause != Rule.BROKEN_ARCHIVE or not listed:
                raise
            message = f"{error}: the members before that point are read, those after it are missing"
            cut = Refusal("", Rule.BROKEN_ARCHIVE, message)
        directory = checked(listed)
        if cut is not None:
            directory.refusals.append(cut)
        return directory

    def _infos(self) -> Iterator[tarfile.TarInfo]:
        """Yield all members, those met before first."""
        yield from tuple(self._all)
        while (info := self._next()) is not None:
            yield info

    def _next(self) -> tarfile.TarInfo | None:
        if self._is_at_end:
            return None
        try:
            info = self._tar.next()
        except _DAMAGED as error:
            raise broken("it ends too early, or is damaged", error) from error
        if info is None:
            self._is_at_end = True
        else:
            self._all.append(info)
            self._met.setdefault(plain_member(info.name), info)
        return info

    def _check_end(self) -> None:
        """Refuse an end without its mark: the library takes any damage there for the end."""
        self._stream.seek(self._tar.offset)
        block = self._stream.read(_BLOCK_BYTES)
        if block.strip(b"\0") or len(block) < _BLOCK_BYTES:
            raise broken("it is damaged, or ends without its end mark: it was cut short")
        if self._forward is not None and self._plain is None:
            self._forward.read_to_end()

    def member(self, name: str) -> Member | None:
        """Return one member; reads on until it is met."""
        info = self._find(name)
        if info is None:
            return None
        one = _listed(info)
        return None if one.fault else Member(name, one.size_bytes, one.stamp_ns)

    def _find(self, name: str) -> tarfile.TarInfo | None:
        while name not in self._met:
            if self._next() is None:
                return None
        return self._met[name]

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a member."""
        info = self._find(name)
        try:
            stream = None if info is None else self._tar.extractfile(info)
            if stream is None:
                raise broken("the member is not there any more")
            with stream:
                yield cast("BinaryIO", stream)
        except _DAMAGED as error:
            raise broken("the member is damaged", error) from error

    def close(self) -> None:
        """Close the archive."""
        self._tar.close()
        if self._plain is not None:
            self._plain.close()
        self._file.close()


def _unpacked(stream: Forward) -> IO[bytes] | None:
    """Return a stream as a temporary file; None for one beyond the limit, or that is damaged."""
    file = cast("IO[bytes]", tempfile.SpooledTemporaryFile(INNER_MEMORY_BYTES))  # noqa: SIM115
    size = 0
    try:
        while block := stream.read(CHUNK_BYTES):
            size += len(block)
            if size > MAX_UNPACKED_STREAM_BYTES:
                break
            file.write(block)
        else:
            return file
    except UnreadableError as error:
        if error.cause == Rule.ARCHIVE_BOMB:
            file.close()
            raise
    file.close()
    stream.seek(0)
    return None


def _listed(info: tarfile.TarInfo) -> ListedMember:
    fault: tuple[Rule, str] | None = None
    if info.issym() or info.islnk():
        what = "a link; nothing is read through a link of an archive, so pack the file itself"
        fault = Rule.LINK_IN_ARCHIVE, f"is {what}"
    elif not info.isreg():
        fault = Rule.DEVICE_IN_ARCHIVE, "is a device, a pipe or something else that is no file"
    return ListedMember(
        raw_name=info.name,
        size_bytes=info.size,
        stamp_ns=max(0, int(info.mtime * 10**9)),
        fault=fault,
    )
