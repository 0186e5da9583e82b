"""Copies of sources that are no files of their own, beside the spool file until they are sent."""

from __future__ import annotations

from pathlib import Path

from bulkload.archives.access import copy
from bulkload.core.prepare_result import SourceCopy, SourceStamp
from bulkload.worker.spool import copy_path


def copied(source: str, spool: Path) -> SourceCopy:
    """Copy a source beside a spool file, where ``Spool.remove`` finds it.

    Raises ``UnreadableError`` and ``OSError``.
    """
    path = copy_path(spool, source)
    path.parent.mkdir(exist_ok=True)
    with path.open("w+b") as file:
        return copy_at(path, copy(source, file))


def copy_at(path: Path, stamp: SourceStamp) -> SourceCopy:
    """Return what is known of a copy."""
    return SourceCopy(path=str(path), size_bytes=stamp.size_bytes, stamp_ns=stamp.mtime_ns)
