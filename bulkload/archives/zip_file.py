"""Zip archives: the directory stands at the end, and each member is packed by itself."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import BinaryIO, Final, cast

from bulkload.archives.directory import Directory, ListedMember, Member, broken, checked, too_many
from bulkload.archives.limits import MAX_DIRECTORY_BYTES, MAX_MEMBERS
from bulkload.core.address import plain_member
from bulkload.core.plan_check import Rule

#: The end of the central directory: a record of 22 bytes, and a comment of at most 64 KiB.
_END: Final = struct.Struct("<4s4H2LH")
_MAX_COMMENT: Final = 65535
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64: Final = struct.Struct("<4sLQL")
#: Bytes of a local header without name and extra field.
_LOCAL_HEADER_BYTES: Final = 30
_METHODS: Final = frozenset(
    {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
)
#: Flags: encrypted; names are UTF-8.
_ENCRYPTED: Final = 0x1
_UTF8: Final = 0x800
#: What the library raises on a directory or a member that is damaged.
_DAMAGED: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError),
    *(struct.error, LookupError, OverflowError),
)


class Zip:
    """A zip archive over an open file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        _check_size(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except _DAMAGED as error:
            raise broken("its directory is broken, or it ends too early", error) from error

    @cached_property
    def _infos(self) -> dict[str, zipfile.ZipInfo]:
        return {plain_member(_name(info)): info for info in self._zip.infolist()}

    def directory(self) -> Directory:
        """List and check all members."""
        return self._directory

    @cached_property
    def _directory(self) -> Directory:
        overlapping = _overlapping(self._zip.infolist())
        return checked(
            _listed(info, is_overlapping=info.header_offset in overlapping)
            for info in self._zip.infolist()
            if not _name(info).endswith("/")
        )

    def member(self, name: str) -> Member | None:
        """Return one member."""
        return self._directory.members.get(name)

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a member; what it holds is held against its checksum at its end."""
        try:
            with self._zip.open(self._infos[name]) as stream:
                yield cast("BinaryIO", stream)
        except _DAMAGED as error:
            raise broken("the member is damaged", error) from error

    def close(self) -> None:
        """Close the archive."""
        self._zip.close()
        self._file.close()


def _name(info: zipfile.ZipInfo) -> str:
    r"""Return a member's name: UTF-8 also where only its bytes say so, and no ``\\``.

    Programs of macOS and old ones of Windows leave the flag out, or write ``\\`` for ``/``.
    """
    name = info.orig_filename.partition("\0")[0] if "\\" in info.orig_filename else info.filename
    if not info.flag_bits & _UTF8 and not name.isascii():
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _listed(info: zipfile.ZipInfo, *, is_overlapping: bool) -> ListedMember:
    return ListedMember(
        raw_name=_name(info),
        size_bytes=info.file_size,
        stamp_ns=_stamp_ns(info),
        fault=_fault(info, is_overlapping=is_overlapping),
        packed_bytes=info.compress_size,
    )


def _fault(info: zipfile.ZipInfo, *, is_overlapping: bool) -> tuple[Rule, str] | None:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return Rule.LINK_IN_ARCHIVE, "is a link; nothing is read through a link of an archive"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return Rule.DEVICE_IN_ARCHIVE, "is a device, a pipe or a socket"
    if info.flag_bits & _ENCRYPTED:
        return Rule.ENCRYPTED, "is encrypted; unpack it with its password"
    if is_overlapping:
        message = "shares its bytes with another member, as bombs do; pack the archive again"
        return Rule.OVERLAPPING_MEMBERS, message
    if info.compress_type not in _METHODS:
        return Rule.UNSUPPORTED_COMPRESSION, (
            f"is packed by method {info.compress_type}, which is not read; pack it again with "
            "deflate, bzip2 or LZMA"
        )
    return None


def _stamp_ns(info: zipfile.ZipInfo) -> int:
    """Return the member's time to the second, with its checksum as the rest.

    The same member in an archive that was packed anew with more of them has the same stamp.
    """
    try:
        seconds = int(datetime(*info.date_time, tzinfo=UTC).timestamp())
    except ValueError:
        seconds = 0
    return seconds * 10**9 + info.CRC % 10**9


def _overlapping(infos: list[zipfile.ZipInfo]) -> set[int]:
    """Return the offsets of members whose bytes are others' too."""
    found: set[int] = set()
    end, widest = -1, -1
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset < end:
            found |= {info.header_offset, widest}
        length = len(info.orig_filename.encode("utf-8", "replace"))
        if info.flag_bits & _UTF8 == 0:
            length = len(info.orig_filename)
        last = info.header_offset + _LOCAL_HEADER_BYTES + length + info.compress_size
        if last > end:
            end, widest = last, info.header_offset
    return found


def _check_size(file: BinaryIO) -> None:
    """Refuse a directory of too many members before the library reads it into memory."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _END.size - _MAX_COMMENT - _LOCATOR_64.size))
    start, tail = file.tell(), file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        raise broken("it has no directory: it ends too early, or is no zip archive")
    _, _, _, _, count, length, _, _ = _END.unpack_from(tail, at)
    locator = at - _LOCATOR_64.size
    if locator >= 0 and tail[locator : locator + 4] == b"PK\6\7":
        _, _, offset, _ = _LOCATOR_64.unpack_from(tail, locator)
        if offset < start + at:
            file.seek(offset)
            record = file.read(_END_64.size)
            if len(record) == _END_64.size and record.startswith(b"PK\6\6"):
                _, _, _, _, _, _, _, count, length, _ = _END_64.unpack(record)
    file.seek(0)
    if count > MAX_MEMBERS or length > MAX_DIRECTORY_BYTES:
        raise too_many(count)
