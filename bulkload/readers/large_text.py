"""A native text that is larger than the memory: looked at, scanned once, then cut into rows."""

from __future__ import annotations

import codecs
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.csv as pa_csv

from bulkload.core.text import printable
from bulkload.readers.content import CHUNK_BYTES, FileContent, beginning, compression_of, opened
from bulkload.readers.delimited import (
    TextLayout,
    ValueRefusedError,
    csv_options,
    explained,
    no_number,
    refuse_duplicates,
)
from bulkload.readers.native import native_layout
from bulkload.readers.reading import NotInChunksError
from bulkload.readers.text import MAX_LINE_BYTES, decode

#: Bytes that the parser takes at once: smaller than in one piece, since what it works on stays
#: allocated (90 MiB less than with 4 MiB, for the same time).
BLOCK_BYTES: Final = 1024 * 1024

_UTF8: Final = frozenset({"ascii", "utf-8", "utf-8-sig"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadText:
    """The beginning of a text, whole lines of it, and where its rows begin in the file."""

    content: FileContent
    layout: TextLayout
    #: Bytes of the file before its first row.
    body: int
    encoding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A file's stamp and hash, and what its text is made of."""

    size_bytes: int
    mtime_ns: int
    sha256: str
    compression: str | None = None
    encoding: str = ""
    has_quotes: bool = False
    #: Bytes of the text, decompressed.
    text_bytes: int = 0


def head_text(path: Path) -> HeadText:
    """Look at the beginning of a text; raises ``NotInChunksError`` for one that needs more."""
    name = printable(path.name)
    data = beginning(path, MAX_LINE_BYTES + 1)
    end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    status = path.stat()
    with path.open("rb") as file:
        compression = compression_of(file.read(CHUNK_BYTES))
    content = FileContent(
        path=path,
        data=data[:end] if end else data,
        sha256="",
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        compression=compression,
    )
    text = decode(content)
    if text.encoding not in _UTF8:
        raise NotInChunksError(f"its encoding, {text.encoding}, is settled only by all bytes")
    layout = native_layout(text)
    if text.is_unwrapped or layout is None:
        raise NotInChunksError("its reader weighs the evidence of all rows")
    refuse_duplicates(layout.names, name)
    mark = len(codecs.BOM_UTF8) if text.encoding == "utf-8-sig" else 0
    return HeadText(content=content, layout=layout, body=layout.body + mark, encoding=text.encoding)


def scan(path: Path, head: HeadText | None) -> Scan:
    """Read a file once: its hash, and of a text the encoding and whether it has quotes."""
    with ExitStack() as stack:
        file = _Hashed(stack.enter_context(path.open("rb")))
        status = os.fstat(file.file.fileno())
        compression = None if head is None else head.content.compression
        stream = file if compression is None else opened(file, compression, stack)
        is_ascii, has_quotes, size = True, False, 0
        decoder = codecs.getincrementaldecoder("utf-8")()
        while block := stream.read(CHUNK_BYTES):
            if head is not None:
                has_quotes |= b'"' in block[max(head.body - size, 0) :]
                is_ascii &= block.isascii()
                if not is_ascii:
                    _decode(decoder, block)
            size += len(block)
        file.finish()
    encoding = "" if head is None else head.encoding
    return Scan(
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        sha256=file.digest.hexdigest(),
        compression=compression,
        encoding=encoding if is_ascii or encoding != "ascii" else "utf-8",
        has_quotes=has_quotes,
        text_bytes=size,
    )


def _decode(decoder: codecs.IncrementalDecoder, block: bytes) -> None:
    try:
        decoder.decode(block)
    except UnicodeDecodeError:
        raise NotInChunksError(
            "it is not UTF-8, and its encoding is settled only by all bytes"
        ) from None


class RowStream:
    """The rows of a native text, cut by the parser block by block."""

    def __init__(self, path: Path, head: HeadText, seen: Scan) -> None:
        self._path, self._head, self._scan = path, head, seen
        self._sha256 = ""

    def sha256(self) -> str:
        """Return the hash of what was read, once all was."""
        return self._sha256

    def tables(self, numbers: Sequence[str]) -> Iterator[pa.Table]:
        """Yield the rows; ``numbers`` are float64, all other columns text."""
        layout, name = self._head.layout, printable(self._path.name)
        with ExitStack() as stack:
            file = _Hashed(stack.enter_context(self._path.open("rb")))
            compression = self._scan.compression
            stream = file if compression is None else opened(file, compression, stack)
            stream.read(self._head.body)
            options = csv_options(
                layout,
                dict.fromkeys(numbers, pa.float64()),
                layout.names,
                ".",
                has_quotes=self._scan.has_quotes,
                block_bytes=BLOCK_BYTES,
            )
            try:
                with pa_csv.open_csv(pa.PythonFile(stream, "r"), **options) as reader:
                    for batch in reader:
                        yield pa.Table.from_batches([batch])
            except pa.ArrowInvalid as error:
                raise self._refusal(explained(error, name, layout)) from error
            file.finish()
            self._sha256 = file.digest.hexdigest()

    def _refusal(self, found: Exception) -> Exception:
        """Return what a value that is not a number means: bad, or a mark that all values prove."""
        if not isinstance(found, ValueRefusedError):
            return found
        if "," not in found.value and found.value.strip("- "):
            name = printable(self._path.name)
            return no_number(name, self._head.layout, found.column, found.value, found.row)
        return NotInChunksError(
            f"{printable(found.value)[:40]!r} in {found.column!r} is a number only by its decimal "
            "mark, which all values prove"
        )


class _Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest = file, hashlib.sha256()
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        block = self.file.read(size)
        self.digest.update(block)
        return block

    def finish(self) -> None:
        """Read what a decompressor has left."""
        while self.read(CHUNK_BYTES):
            pass

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def seekable(self) -> bool:
        """Return False: it is read once, from its beginning."""
        return False

    def close(self) -> None:
        """Do nothing: who opened the file closes it."""
