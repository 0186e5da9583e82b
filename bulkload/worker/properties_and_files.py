"""Prepare properties and files: nothing in them is validated as a time series."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bulkload.core.digest import files_digest, properties_digest, properties_text
from bulkload.core.prepare_result import (
    Prepared,
    PrepareTask,
    Rejected,
    SourceStamp,
)
from bulkload.sources.stamp import attachments, stamp


def prepare_properties(task: PrepareTask) -> Prepared | Rejected:
    """Read and encode a document of properties; raises ``UnreadableError`` and ``OSError``."""
    # Only this type needs the YAML library: workers start faster without it.
    from bulkload.sources.json_yaml_toml import load

    path = Path(task.file)
    before = stamp(path)
    properties = load(path).data
    if not isinstance(properties, Mapping) or not properties:
        return Rejected(
            cause="empty_properties",
            message=f"{task.job.place}: a properties measurement needs at least one property",
            source=before,
        )
    text = properties_text(properties)
    digest = properties_digest(properties)
    if task.spool_path is not None:
        Path(task.spool_path).write_bytes(text)
    return Prepared(
        rows=0,
        columns=tuple(sorted(properties)),
        size_bytes=len(text),
        sha256=digest,
        content_digest=digest,
        source=before,
    )


def prepare_file(task: PrepareTask) -> Prepared | Rejected:
    """Hash the files of a file measurement; raises ``OSError``."""
    paths = attachments(Path(task.file))
    if not paths:
        return Rejected(
            cause="empty_folder", message=f"{task.job.place}: the folder holds no file to attach"
        )
    stamps = [stamp(path) for path in paths]
    if empty := [path for path, one in zip(paths, stamps, strict=True) if not one.size_bytes]:
        return Rejected(cause="empty_file", message=f"{empty[0]}: the file is empty")
    names = [path.name for path in paths]
    together = files_digest((name, one.sha256) for name, one in zip(names, stamps, strict=True))
    whole = SourceStamp(
        size_bytes=sum(one.size_bytes for one in stamps),
        mtime_ns=max(one.mtime_ns for one in stamps),
        sha256=together,
    )
    return Prepared(
        rows=0,
        columns=tuple(names),
        size_bytes=whole.size_bytes,
        sha256=together,
        content_digest=together,
        source=whole,
    )
