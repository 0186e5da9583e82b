"""What crosses between the parent and a child process: a path and a small record, never a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bulkload.core.issues import ValidationIssue
from bulkload.core.job import Checks, UploadJob


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareTask:
    """What a child needs to prepare one measurement."""

    job: UploadJob
    #: Checks with the run's defaults and the specification's ratings filled in.
    checks: Checks
    #: Where to write the Parquet; None validates and writes nothing (``check``).
    spool_path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStamp:
    """What a source file was when it was read."""

    size_bytes: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The child's answer for a measurement that is fit to be sent."""

    rows: int
    columns: tuple[str, ...]
    #: Length and hash of the spool file; zero and empty where none was written.
    size_bytes: int
    sha256: str
    #: Digest of the normalised table: the same for the same data, whatever file it came in.
    content_digest: str
    source: SourceStamp
    warnings: tuple[ValidationIssue, ...] = ()
    #: What the file's own header says: fills metadata that nobody stated.
    header: Mapping[str, Any] = field(default_factory=dict)
    #: Reader, its version, dialect, options and remarks.
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The child's answer for a measurement that must not be sent."""

    #: Stable word for the report: an issue code, or a reading failure.
    cause: str
    message: str
    issues: tuple[ValidationIssue, ...] = ()
    source: SourceStamp | None = None
