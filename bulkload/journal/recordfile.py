"""An append-only file of records, each whole or not there: what a network file system can keep.

The file begins with a line that says what it is. A record is a mark, its number, its length and
a CRC-32 of these and of its text, which is UTF-8. A record whose writing was cut short can only
be the last one, and is left out; anything else that is not as it was written is damage and
raises ``JournalError``. The numbers show that a record is missing in the middle.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from bulkload.errors import JournalError

VERSION: Final = 1
_TITLE: Final = b"bulkload journal log "
_HEADER: Final = _TITLE + b"%d\n" % VERSION
#: Two bytes that UTF-8 never has: no text of a record can be taken for the beginning of one.
_MARK: Final = b"\xff\xfe"
#: Mark, number, length, CRC-32.
_HEAD: Final = struct.Struct(">2sQII")


class RecordFile:
    """A file of records that is open for appending, by one writer."""

    def __init__(self, path: Path) -> None:
        """Open a log, or create it; ``records`` must be read before the first append.

        Raises ``JournalError`` for a file that is not a log of ours, or of another version.
        """
        self._path = path
        self._file: BinaryIO = path.open("r+b" if path.exists() else "x+b", buffering=0)
        try:
            if not _has_header(self._file, path):
                self._file.seek(0)
                self._write(_HEADER)
                os.fsync(self._file.fileno())
                _flush_folder(path.parent)
        except BaseException:
            self._file.close()
            raise
        #: Bytes of a last record that a crash cut short, and that were removed on opening.
        self.torn_bytes = 0
        #: Where the next record goes, and its number; None once nothing more can be written.
        self._end: int | None = None
        self._count = 0

    def records(self) -> Iterator[str]:
        """Yield the texts of all records; then cut off one whose writing was cut short."""
        end = len(_HEADER)
        for text, after in _records(self._file, self._path):
            self._count += 1
            end = after
            yield text
        self.torn_bytes = self._size() - end
        if self.torn_bytes:
            self._file.truncate(end)
            os.fsync(self._file.fileno())
        self._end = end

    def append(self, text: str) -> None:
        """Write a record and flush it to the disk.

        Raises ``OSError`` where that fails, and ``JournalError`` for ever after where it is not
        known what is on the disk, or where another process has written to the file.
        """
        end = self._end
        if end is None or self._size() != end:
            self.stop()
            raise JournalError(
                f"{self._path} cannot be written any more: an earlier write failed, or another "
                "process wrote to it; end the other process, and run the command again"
            )
        body = text.encode("utf-8")
        record = _head(self._count + 1, body) + body
        self._file.seek(end)
        self.stop()
        try:
            self._write(record)
        except OSError:
            # A full disk: what was written of it goes, and the next record has its place.
            self._file.truncate(end)
            os.fsync(self._file.fileno())
            self._end = end
            raise
        os.fsync(self._file.fileno())
        self._count += 1
        self._end = end + len(record)

    def stop(self) -> None:
        """Write nothing more: what follows would not fit what is on the disk."""
        self._end = None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size


def read_records(path: Path) -> Iterator[str]:
    """Yield the texts of a log's records, and change nothing. Raises ``JournalError``."""
    with path.open("rb") as file:
        if _has_header(file, path):
            for text, _ in _records(file, path):
                yield text


def _has_header(file: BinaryIO, path: Path) -> bool:
    """Return whether a log has begun: one whose first line was cut short has not."""
    found = file.read(len(_HEADER))
    if found == _HEADER:
        return True
    if _HEADER.startswith(found):
        return False
    if found.startswith(_TITLE):
        version = found.removeprefix(_TITLE).partition(b"\n")[0].decode("ascii", "replace")
        raise JournalError(
            f"{path} is a journal of version {version}; this bulkload reads version {VERSION}"
        )
    raise JournalError(f"{path} is not a journal of bulkload")


def _records(file: BinaryIO, path: Path) -> Iterator[tuple[str, int]]:
    """Yield the text of each record and where it ends, up to one that was cut short."""
    number, end = 0, len(_HEADER)
    file.seek(end)
    while True:
        number += 1
        body = _body(file, number)
        if body is None:
            file.seek(end)
            if _has_whole_record(file.read()):
                raise JournalError(f"{path} is damaged at byte {end:,} (record {number:,})")
            return
        end += _HEAD.size + len(body)
        yield body.decode("utf-8"), end


def _body(file: BinaryIO, number: int) -> bytes | None:
    """Read the body of a record; None where it is not the one of this number, or not whole."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length = _HEAD.unpack(head)[2]
    # A length that is damaged is not to be read: it may be 4 GB.
    left = os.fstat(file.fileno()).st_size - file.tell()
    body = file.read(length) if length <= left else b""
    return body if _head(number, body) == head else None


def _head(number: int, body: bytes) -> bytes:
    crc = zlib.crc32(struct.pack(">QI", number, len(body)) + body)
    return _HEAD.pack(_MARK, number, len(body), crc)


def _has_whole_record(data: bytes) -> bool:
    """Return whether a whole record of any number follows a broken one."""
    at = data.find(_MARK)
    while at >= 0:
        if at + _HEAD.size <= len(data):
            _, number, length, _ = _HEAD.unpack_from(data, at)
            body = data[at + _HEAD.size : at + _HEAD.size + length]
            if len(body) == length and _head(number, body) == data[at : at + _HEAD.size]:
                return True
        at = data.find(_MARK, at + 1)
    return False


def _flush_folder(folder: Path) -> None:
    """Flush the name of a new file to the disk, where the system can do that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
