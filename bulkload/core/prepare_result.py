"""What crosses between the run and its workers: a path and a small record, never a table.

The records that cross for every measurement have no slots: a frozen record that has them is
pickled by code in Python, field by field, the others by C.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from bulkload.core.issues import ValidationIssue
from bulkload.core.limiting import LimitName
from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.treatment import Treatment, once


class ExtraChecks(StrEnum):
    """What is made of the checks that the vendor's client does not have."""

    OFF = "off"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """How the run prepares every measurement, beside what each one states."""

    #: Reader for files that name none; None for detection by content.
    reader: str | None = None
    #: A TOML file of formats of the user's own.
    dialects: str | None = None
    #: Transforms of every measurement that states none, in their order.
    transforms: tuple[str, ...] = ()
    extra_checks: ExtraChecks = ExtraChecks.WARN
    #: Header fields that are personal or local, and are sent all the same.
    header_fields: tuple[str, ...] = ()
    #: Whether the step summary is stored beside the time series.
    stores_steps: bool = False
    #: The day, or the month, comes first in dates such as 05/06/2024; None: by evidence alone.
    day_first: bool | None = None
    #: ``ewe`` or ``ewe-ece``, for files with three electrodes; None: the voltage of the cell.
    voltage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBefore:
    """What an earlier run stored of a source that may have grown since."""

    rows: int
    content_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCopy:
    """Where a copy of a source lies, and the stamp of the source that it was made of."""

    path: str
    size_bytes: int
    stamp_ns: int


@dataclass(frozen=True, kw_only=True)
class PrepareTask:
    """What a worker needs to prepare one measurement."""

    job: UploadJob
    #: Checks with the run's defaults and the specification's ratings filled in.
    checks: Checks
    prepare_options: PrepareOptions = PrepareOptions()
    #: Where to write the Parquet; None validates and writes nothing (``check``). The steps go
    #: beside it as ``.steps.parquet``, rows that are new since ``stored`` as ``.extend.parquet``.
    spool_path: str | None
    stored: StoredBefore | None = None
    #: Memory that the worker may use, in bytes; None sets no limit. Its pool fills it in.
    memory_bytes: int | None = None
    #: A copy on disk of a source that is not a file of its own: a member, or a remote file.
    copy: SourceCopy | None = None
    #: Whether the answer has an outline of the whole table to plot, fit to be sent or not.
    plots_whole: bool = False

    @property
    def file(self) -> str:
        """Path of the file that is read: the source, or its copy."""
        return self.job.path if self.copy is None else self.copy.path

    def treated(self, treatment: Treatment) -> PrepareTask:
        """Return the task with a treatment added to what plan and run state."""
        if not treatment:
            return self
        stated = self.job.transforms or self.prepare_options.transforms
        job = replace(
            self.job,
            transforms=once((*stated, *treatment.transforms)),
            reader=treatment.reader or self.job.reader,
        )
        skipped = self.checks.skip_checks | frozenset(treatment.skip_checks)
        dialects = treatment.dialects or self.prepare_options.dialects
        return replace(
            self,
            job=job,
            checks=replace(self.checks, skip_checks=skipped),
            prepare_options=replace(self.prepare_options, dialects=dialects),
        )


@dataclass(frozen=True, kw_only=True)
class SourceStamp:
    """What a source file was when it was read."""

    size_bytes: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StillReading:
    """The worker's sign that it is reading a large measurement: an answer follows."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The worker's answer for a measurement that can be sent."""

    rows: int
    #: Rows of the file that its reader left out because they are not samples.
    rows_left_out: int = 0
    columns: tuple[str, ...]
    #: Length and hash of the spool file; zero and empty where none was written.
    size_bytes: int
    sha256: str
    #: MD5 of the spool file, which stores report; empty where the file is sent in place.
    md5: str = ""
    #: Digest of the normalised table: the same for the same data, whatever file it came in.
    content_digest: str
    source: SourceStamp
    #: Whether the source begins with what was stored before and has more rows, which are spooled.
    is_longer: bool = False
    warnings: tuple[ValidationIssue, ...] = ()
    #: Transforms that changed something.
    changes: tuple[str, ...] = ()
    #: What the campaign checks need, as JSON; None for other types than a time series.
    summary: str | None = None
    #: What the file's own header says: fills metadata that was not stated.
    header: Mapping[str, Any] = field(default_factory=dict)
    #: What to plot of it, as JSON (``core.excerpt``), where the task asked for it.
    excerpt: str = ""
    #: Reader, its version, dialect, options and decisions (``core.decisions`` as JSON has them).
    provenance: Mapping[str, Any] = field(default_factory=dict)
    #: Seconds of the worker's time, by the part of its work.
    work_s: Mapping[LimitName, float] = field(default_factory=dict)


#: Cause of a rejection that is the machine's fault, not the source's: its disk is full.
DISK_FULL: Final = "disk_full"
#: Cause of a source whose reading needs more memory than it was granted.
MEMORY_LIMIT: Final = "memory_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The worker's answer for a measurement that must not be sent."""

    #: Stable word for the report: an issue code, or a reading failure.
    cause: str
    message: str
    issues: tuple[ValidationIssue, ...] = ()
    source: SourceStamp | None = None
    #: Rows as they would have been sent, None where the source could not be read; and those of
    #: the file that its reader left out.
    rows: int | None = None
    rows_left_out: int = 0
    #: What was tried and lets it pass, None where nothing does; and how much was tried.
    remedy: Treatment | None = None
    tries: int = 0
    #: As of ``Prepared``: what was decided while it was read; empty where it could not be read.
    provenance: Mapping[str, Any] = field(default_factory=dict)
    #: What a report plots of it, as JSON (``core.excerpt``); empty where there is nothing to plot.
    excerpt: str = ""
    #: As of ``Prepared``.
    work_s: Mapping[LimitName, float] = field(default_factory=dict)
