"""Write a prepared table into the spool, and take the hashes of what was written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from bulkload.sources.stamp import HASH_BLOCK_BYTES
from bulkload.tables.parquet import encode
from bulkload.worker.limits import ENCODED_IN_MEMORY_BYTES


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """A file as it was written; hashes in hexadecimal digits."""

    size_bytes: int
    sha256: str
    md5: str


def write_spool(table: pa.Table, path: Path) -> SpoolFile:
    """Write a table as Parquet. What fits is made in memory: hashed there, and written once."""
    if table.nbytes > ENCODED_IN_MEMORY_BYTES:
        encode(table, path)
        return hashed(path)
    sink = pa.BufferOutputStream()
    encode(table, sink)
    data: Any = sink.getvalue()
    with path.open("wb") as file:
        file.write(data)
    return SpoolFile(
        size_bytes=data.size,
        sha256=hashlib.sha256(data).hexdigest(),
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
    )


def hashed(path: Path) -> SpoolFile:
    """Return a file that lies in the spool, with its hashes."""
    sha256, md5, size_bytes = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            sha256.update(block)
            md5.update(block)
            size_bytes += len(block)
    return SpoolFile(size_bytes, sha256.hexdigest(), md5.hexdigest())
