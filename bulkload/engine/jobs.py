"""A job while it is in memory, and the one place where an event changes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bulkload.core.existing import Existing, FoundRecord, JobFacts, StoredSource
from bulkload.core.lifecycle import (
    Act,
    Confirmed,
    Event,
    Extended,
    GaveUp,
    Initiated,
    JobState,
    ParentsKnown,
    RawAttached,
    SourcePrepared,
    SourceRejected,
)
from bulkload.core.plan_items import UploadJob
from bulkload.core.prepare_result import Prepared, Rejected, SourceCopy
from bulkload.core.terms import MeasurementType
from bulkload.engine.limits import MAX_KEPT_FINDINGS
from bulkload.journal import JobRow, Parent, Store
from bulkload.journal.codec import dump
from bulkload.journal.journal import Journal
from bulkload.sources.stamp import quick_stamp


@dataclass(slots=True, kw_only=True)
class JobContext:
    """A job and what the run knows of it; kept only while the job is in the pipeline."""

    id: int
    job: UploadJob
    state: JobState
    #: Every id that Studio gave to this job: a record with one of them is our own.
    known_ids: frozenset[str]
    stored: StoredSource | None
    instance_id: str | None
    measurement_id: str | None
    #: SHA-256 of the source as it was last prepared.
    source_sha256: str | None
    raw_data_id: str | None
    #: Whether an earlier run may have extended the record without hearing of it.
    has_attempted_extension: bool
    prepared: Prepared | None = None
    spool: Path | None = None
    #: Its source on this machine, where it is a remote one.
    copy: SourceCopy | None = None
    #: The record of its name that Studio was found to hold.
    found: FoundRecord | None = None
    #: How that record differs from the source: None until compared, empty where equal.
    difference: str | None = None
    has_met_conflict: bool = False
    has_given_up: bool = False
    #: Events whose loss with the run does no harm: they are committed with the next one.
    pending_events: list[Event] = field(default_factory=list)

    @classmethod
    def load(cls, row: JobRow, store: Store) -> JobContext:
        """Return the job of a row of the journal."""
        return cls(
            id=row.id,
            job=row.job,
            state=row.state,
            known_ids=store.known_ids(row.id),
            stored=row.stored,
            instance_id=row.instance_id,
            measurement_id=row.measurement_id,
            source_sha256=row.source_sha256,
            raw_data_id=row.raw_data_id,
            has_attempted_extension=store.has_attempted(row.id, Act.EXTEND),
        )

    @property
    def name(self) -> str:
        """The measurement's name."""
        return self.job.key.measurement

    def facts(self, *, existing: Existing, attaches_raw: bool) -> JobFacts:
        """Return what decides the next step. Looks at the source's time stamp where it matters."""
        is_series = self.job.type is MeasurementType.TIME_SERIES
        is_stamped = self.found is not None and self.stored is not None and self.prepared is None
        return JobFacts(
            state=self.state,
            has_given_up=self.has_given_up,
            type=self.job.type,
            member=self.job.member,
            existing=existing,
            found=self.found,
            known_ids=self.known_ids,
            stored=self.stored,
            stamp=quick_stamp(Path(self.job.path)) if is_stamped else None,
            prepared=self.prepared,
            difference=self.difference,
            expects_new=self.job.expects_new,
            is_to_attach=attaches_raw and is_series and self.raw_data_id is None,
        )


class Watcher(Protocol):
    """Is called with each event after it is on disk."""

    def on_event(self, context: JobContext, event: Event) -> None:
        """Take an event; must not raise and must not wait."""


class Recorder:
    """Writes an event to the journal, then lets it take effect."""

    def __init__(self, journal: Journal, watcher: Watcher) -> None:
        self._journal = journal
        self._watcher = watcher

    async def record(self, context: JobContext, *events: Event) -> None:
        """Make the pending events and these durable, all or none, then apply each to the job."""
        happened = (*context.pending_events, *events)
        context.pending_events.clear()

        def take_effect(state: JobState) -> None:
            context.state = state
            for event in happened:
                _change(context, event)
                self._watcher.on_event(context, event)

        await self._journal.append(context.id, *happened, then=take_effect)

    async def keep_parent(self, parent: Parent) -> None:
        """Record that this run made a parent."""
        await self._journal.keep_parent(parent)


def _change(context: JobContext, event: Event) -> None:
    match event:
        case ParentsKnown():
            context.instance_id = event.instance_id
        case Initiated() | Confirmed() | Extended():
            context.measurement_id = event.measurement_id
            context.known_ids |= {event.measurement_id}
        case SourcePrepared():
            context.source_sha256 = event.source_sha256
        case RawAttached():
            context.raw_data_id = event.raw_data_id
        case GaveUp():
            context.has_given_up = True
        case _:
            pass


def prepared_event(prepared: Prepared) -> SourcePrepared:
    """Return what the journal keeps of a prepared source."""
    return SourcePrepared(
        rows=prepared.rows,
        size_bytes=prepared.size_bytes,
        sha256=prepared.sha256,
        content_digest=prepared.content_digest,
        source_bytes=prepared.source.size_bytes,
        source_mtime_ns=prepared.source.mtime_ns,
        source_sha256=prepared.source.sha256,
        rows_left_out=prepared.rows_left_out,
        columns=prepared.columns,
        warnings=tuple((str(issue.code), issue.message) for issue in prepared.warnings),
        changes=prepared.changes,
        summary=prepared.summary,
        provenance=dump(dict(prepared.provenance)),
    )


def rejected_event(path: Path, rejected: Rejected) -> SourceRejected:
    """Return the event of a source that must not be sent."""
    source = rejected.source
    # A worker that died says nothing of the file: then its stamp is what it is now.
    seen = (source.size_bytes, source.mtime_ns) if source else quick_stamp(path)
    size_bytes, mtime_ns = seen or (0, 0)
    return SourceRejected(
        cause=rejected.cause,
        message=rejected.message,
        source_bytes=size_bytes,
        source_mtime_ns=mtime_ns,
        source_sha256=source.sha256 if source else "",
        rows=rejected.rows,
        rows_left_out=rejected.rows_left_out,
        excerpt=rejected.excerpt,
        findings=tuple((str(one.code), one.message) for one in rejected.issues[:MAX_KEPT_FINDINGS]),
        remedy="" if rejected.remedy is None else str(rejected.remedy),
        tries=rejected.tries,
        provenance=dump(dict(rejected.provenance)) if rejected.provenance else "",
    )
