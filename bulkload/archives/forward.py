"""A compressed stream as a file in which one goes forward; a step back begins it anew."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import IO, BinaryIO, Final, cast

from bulkload.archives.directory import bomb, broken
from bulkload.archives.limits import (
    BACK_BYTES,
    CHUNK_BYTES,
    MAX_RATIO,
    MAX_READ_BYTES,
    RATIO_FREE_BYTES,
)
from bulkload.errors import UnreadableError


def _zstd(raw: BinaryIO) -> BinaryIO:
    # Here: the parent of an upload does without it.
    import pyarrow as pa

    return cast("BinaryIO", pa.CompressedInputStream(pa.PythonFile(raw), "zstd"))


_OPENERS: Final[dict[str, Callable[[BinaryIO], BinaryIO]]] = {
    "gzip": lambda raw: cast("BinaryIO", gzip.GzipFile(fileobj=raw, mode="rb")),
    "bz2": lambda raw: cast("BinaryIO", bz2.BZ2File(raw)),
    "xz": lambda raw: cast("BinaryIO", lzma.LZMAFile(raw)),  # noqa: SIM115
    "zstd": _zstd,
}
_DAMAGED: Final = (EOFError, OSError, zlib.error, lzma.LZMAError)


class Bounded(io.RawIOBase):
    """A file that refuses to be read in one piece of any size."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: its position can be set."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self._file.seek(offset, whence)
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes."""
        if size < 0 or size > MAX_READ_BYTES:
            raise broken(f"one of its headers claims a size of {size:,} bytes")
        return self._file.read(size)


class Forward(io.RawIOBase):
    """A decompressed stream with ``seek``: forward by reading, back by beginning anew.

    Refuses to unpack more than the ratio allows, and to be read in one piece of any size.
    """

    def __init__(self, file: BinaryIO, compression: str) -> None:
        super().__init__()
        self._file = file
        self._packed_bytes = file.seek(0, io.SEEK_END)
        self._opener = _OPENERS[compression]
        self._compression = compression
        self._begin()

    def _begin(self) -> None:
        self._file.seek(0)
        self._stream = self._opener(self._file)
        #: The bytes at hand, and where in the stream they begin.
        self._window = b""
        self._start = 0
        self._at = 0

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
        """Go to a place of the stream; its end is not known."""
        if whence == io.SEEK_CUR:
            offset += self._at
        elif whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end of a stream is not known")
        if offset < self._start:
            self._begin()
        while self._start + len(self._window) < offset and self._more():
            pass
        self._at = min(offset, self._start + len(self._window))
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes; fewer only at the end."""
        if size < 0 or size > MAX_READ_BYTES:
            raise broken(f"one of its headers claims a size of {size:,} bytes")
        parts: list[bytes] = []
        wanted = size
        while wanted:
            offset = self._at - self._start
            piece = self._window[offset : offset + wanted]
            if not piece and not self._more():
                break
            parts.append(piece)
            self._at += len(piece)
            wanted -= len(piece)
        return b"".join(parts)

    def read_to_end(self) -> None:
        """Read what is left: the checksum stands at the end."""
        self._at = self._start + len(self._window)
        while self._more():
            self._at = self._start + len(self._window)

    def _more(self) -> bool:
        """Decompress the next piece; False at the end."""
        try:
            piece = self._stream.read(CHUNK_BYTES)
        except UnreadableError:
            raise
        except _DAMAGED as error:
            is_cut = isinstance(error, EOFError) or "runcated" in str(error)
            what = "ends too early" if is_cut else "is damaged"
            raise broken(f"its {self._compression} stream {what}", error) from error
        if not piece:
            return False
        self._start += max(0, len(self._window) - BACK_BYTES)
        self._window = self._window[-BACK_BYTES:] + piece
        unpacked = self._start + len(self._window)
        if unpacked > RATIO_FREE_BYTES and unpacked > MAX_RATIO * self._packed_bytes:
            raise bomb(self._packed_bytes)
        return True
