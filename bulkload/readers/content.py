"""A file's bytes, read once: hashed as they lie on disk, then decompressed.

Everything downstream parses these very bytes, so a file that grows or vanishes while it
is read cannot give a table that belongs to two versions of it.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import zlib
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import pyarrow as pa

from bulkload.core.text import printable
from bulkload.errors import UnreadableError

#: Largest content that is read into memory, in bytes, after decompression: a guard against
#: decompression bombs. The largest cycler exports seen are a few hundred megabytes.
MAX_CONTENT_BYTES: Final = 4 * 1024**3

#: Bytes taken from a decompressor at once.
CHUNK_BYTES: Final = 1024 * 1024

_SIGNATURES: Final = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bz2",
}


#: What opening or reading a stream raises that ends early or is damaged.
_DAMAGED: Final = (EOFError, OSError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """The bytes of one file and what they were."""

    path: Path
    data: bytes
    #: Of the file as it lies on disk, before decompression.
    sha256: str
    size_bytes: int
    mtime_ns: int
    compression: str | None = None

    @property
    def name(self) -> str:
        """The file's name as a message may print it: no control characters."""
        return printable(self.path.name)

    @property
    def suffix(self) -> str:
        """The last suffix in lower case, that of the compression left out."""
        suffixes = [suffix.lower() for suffix in self.path.suffixes]
        if self.compression is not None and suffixes:
            suffixes.pop()
        return suffixes[-1] if suffixes else ""


def load(path: Path) -> FileContent:
    """Read a file whole and decompress it where its first bytes say so."""
    name = printable(path.name)
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size > MAX_CONTENT_BYTES:
                raise _too_large(name)
            # What it should hold and a byte more: a file that grew meanwhile is read on.
            raw = file.read(status.st_size + 1)
            if len(raw) > status.st_size:
                raw += file.read(MAX_CONTENT_BYTES)
            if len(raw) > MAX_CONTENT_BYTES:
                raise _too_large(name)
    except FileNotFoundError as error:
        raise UnreadableError(
            f"{name}: the file is gone since the plan was made; restore it, or plan again",
            cause="vanished",
        ) from error
    except PermissionError as error:
        raise UnreadableError(
            f"{name}: no permission to read it; grant read access and run again",
            cause="no_permission",
        ) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableError(f"{name}: cannot be read: {reason}", cause="io_error") from error
    if not raw:
        raise UnreadableError(
            f"{name}: the file is empty (0 bytes); export it again", cause="empty_file"
        )
    compression = compression_of(raw)
    return FileContent(
        path=path,
        data=raw if compression is None else decompress(raw, compression, name),
        sha256=hashlib.sha256(raw).hexdigest(),
        size_bytes=len(raw),
        mtime_ns=status.st_mtime_ns,
        compression=compression,
    )


def beginning(path: Path, size_bytes: int) -> bytes:
    """Return the first bytes of a file, decompressed where it is compressed.

    Raises ``OSError``, and ``UnreadableError`` for a stream that is damaged.
    """
    with path.open("rb") as file:
        compression = compression_of(file.read(max(map(len, _SIGNATURES))))
        file.seek(0)
        if compression is None:
            return file.read(size_bytes)
        try:
            with _openers()[compression](file) as stream:
                return stream.read(size_bytes)
        except _DAMAGED as error:
            raise UnreadableError(
                f"{printable(path.name)}: the {compression} stream is damaged", cause="damaged"
            ) from error


def content_size(path: Path) -> int:
    """Return the bytes of a file's content; a compressed one is decompressed to be counted."""
    with path.open("rb") as file:
        compression = compression_of(file.read(max(map(len, _SIGNATURES))))
        if compression is None:
            return path.stat().st_size
        file.seek(0)
        size = 0
        with suppress(*_DAMAGED), _openers()[compression](file) as stream:
            while block := stream.read(CHUNK_BYTES):
                size += len(block)
        return size


def compression_of(raw: bytes) -> str | None:
    """Name the compression that the first bytes announce."""
    return next((name for magic, name in _SIGNATURES.items() if raw.startswith(magic)), None)


def decompress(raw: bytes, compression: str, name: str) -> bytes:
    """Decompress whole; a stream that ends early or does not fit its checksum is refused."""
    try:
        with _openers()[compression](io.BytesIO(raw)) as stream:
            data = _bounded(stream, name)
    except _DAMAGED as error:
        cut_short = isinstance(error, EOFError) or "runcated" in str(error)
        what = "ends too early" if cut_short else "is damaged"
        raise UnreadableError(
            f"{name}: the {compression} stream {what} ({printable(str(error))}); "
            "copy the file again",
            cause="truncated" if cut_short else "damaged",
        ) from error
    if not data:
        raise UnreadableError(
            f"{name}: the {compression} stream holds no data; export the file again",
            cause="empty_file",
        )
    return data


def opened(file: Any, compression: str, stack: ExitStack) -> BinaryIO:
    """Open a compressed stream, closed with the stack, over anything that is read like a file."""
    return stack.enter_context(_openers()[compression](file))


def _openers() -> dict[str, Callable[[BinaryIO], BinaryIO]]:
    return {
        "gzip": lambda raw: cast("BinaryIO", gzip.GzipFile(fileobj=raw)),
        "bz2": lambda raw: cast("BinaryIO", bz2.BZ2File(raw)),
        "xz": lambda raw: cast("BinaryIO", lzma.LZMAFile(raw)),
        "zstd": lambda raw: cast("BinaryIO", pa.CompressedInputStream(raw, "zstd")),
    }


def _bounded(stream: BinaryIO, name: str) -> bytes:
    parts: list[bytes] = []
    total = 0
    while chunk := stream.read(CHUNK_BYTES):
        total += len(chunk)
        if total > MAX_CONTENT_BYTES:
            raise _too_large(name)
        parts.append(chunk)
    return b"".join(parts)


def _too_large(name: str) -> UnreadableError:
    return UnreadableError(
        f"{name}: more than {MAX_CONTENT_BYTES // 1024**3} GiB of content; split the file",
        cause="too_large",
    )
