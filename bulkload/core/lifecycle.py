"""The states of a measurement's upload and the events that change them, as a table.

Everything that changes a job's state is an event in this file, and ``advance`` is the only
place where a state changes. The journal stores the events; replaying them gives the state.
There is no clock here, no network and no log: ``next_step.py`` decides, the engine acts, and
what happened comes back as an event.

Attempts are inside an act (the client repeats them); this table sees only the final result.
A stop is not a state: the job keeps the one it has. ``Attempting`` is written before an act
whose answer may be lost, so that the journal shows what was under way when a run died.

CONFIRMED is not success yet: Studio derives steps afterwards and may fail the measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bulkload.core.outcome import OutcomeKind


class JobState(StrEnum):
    """Where a job stands."""

    PLANNED = "planned"
    PREPARED = "prepared"
    RESOLVED = "resolved"
    INITIATED = "initiated"
    STORED = "stored"
    CONFIRMED = "confirmed"
    READY = "ready"
    EXISTING = "existing"
    REJECTED = "rejected"
    FAILED = "failed"


class Act(StrEnum):
    """What is about to be done, when its answer may be lost."""

    INITIATE = "initiate"
    PUT = "put"
    CONFIRM = "confirm"
    CREATE = "create"
    EXTEND = "extend"
    ATTACH = "attach"
    WITHDRAW = "withdraw"


class Step(StrEnum):
    """What the engine does next for a job; ``next_step.py`` decides."""

    #: Read, validate and encode the source: the next stage.
    PREPARE = "prepare"
    #: Create the parents and the measurement, and store its bytes.
    UPLOAD = "upload"
    #: Append the rows that are new in the source to our own record.
    EXTEND = "extend"
    #: Read the record back and compare it with the source.
    COMPARE = "compare"
    #: Take our own record, which holds the source, as confirmed.
    ADOPT = "adopt"
    #: Take the record that existed before the job as its result.
    REUSE = "reuse"
    #: Delete our own record, whose processing failed.
    WITHDRAW = "withdraw"
    #: Store the original file in Studio and link it to the measurement.
    ATTACH = "attach"
    #: End the job as rejected, with a cause and a message: nothing of it was asked for.
    REJECT = "reject"
    #: End the job as failed, with a cause and a message.
    FAIL = "fail"
    #: Wait until Studio has processed the record: the last stage.
    WAIT = "wait"
    #: Nothing is left to do in this run.
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempting(Event):
    """An act is about to be sent."""

    act: Act


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePrepared(Event):
    """A worker read, validated and encoded the source."""

    rows: int
    size_bytes: int
    sha256: str
    content_digest: str
    source_bytes: int
    source_mtime_ns: int
    source_sha256: str
    #: Rows of the file that its reader left out because they are not samples.
    rows_left_out: int = 0
    columns: tuple[str, ...] = ()
    #: Code and message of each warning.
    warnings: tuple[tuple[str, str], ...] = ()
    #: Transforms that changed something.
    changes: tuple[str, ...] = ()
    #: What the campaign checks need, as JSON.
    summary: str | None = None
    #: Where every value comes from, as JSON: file, reader, version, dialect, transforms.
    provenance: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentsKnown(Event):
    """The cell instance exists and its id is known."""

    instance_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiated(Event):
    """The server gave a measurement id and upload targets. No record exists yet."""

    measurement_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlExpired(Event):
    """Storage rejected the signed URL as too old: a new initiate is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(Event):
    """Storage holds all the bytes, and what it reported of them agrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended(Event):
    """Studio's record of this job took up the rows that are new in the source."""

    measurement_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAttached(Event):
    """The original file is stored in Studio and linked to the measurement."""

    raw_data_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed(Event):
    """The record exists. Also: our own record, found after its answer was lost."""

    measurement_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingReady(Event):
    """Studio finished processing."""

    #: When Studio last changed the record: a later change is another user's.
    ready_updated_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingFailed(Event):
    """Studio could not process what it stored."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Event):
    """A record of that name existed before this job made one."""

    measurement_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRejected(Event):
    """The source is unreadable or breaks a rule: never sent."""

    cause: str
    message: str
    source_bytes: int = 0
    source_mtime_ns: int = 0
    #: Empty where the source could not be hashed.
    source_sha256: str = ""
    #: Rows that would have been sent, None where the source could not be read.
    rows: int | None = None
    rows_left_out: int = 0
    #: Voltage and current around the flagged row, as JSON; empty where there is nothing to plot.
    excerpt: str = ""
    #: Code and message of each finding.
    findings: tuple[tuple[str, str], ...] = ()
    #: The options of a retry with which it would pass, as tried; and how many were tried.
    remedy: str = ""
    tries: int = 0
    #: What was decided while it was read, as ``SourcePrepared`` has it; empty where it was not.
    provenance: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    """A terminal failure: the same act would fail again."""

    cause: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUp(Event):
    """A transient failure outlasted its retries: the next run goes on from this state."""

    cause: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack(Event):
    """The record that this job made was deleted on request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted(Event):
    """A later run begins the job again; the ids that Studio gave it stay known."""

    reason: str


EVENTS: Final[dict[str, type[Event]]] = {
    kind.__name__: kind
    for kind in (
        Attempting,
        SourcePrepared,
        ParentsKnown,
        Initiated,
        UrlExpired,
        Stored,
        Extended,
        RawAttached,
        Confirmed,
        ProcessingReady,
        ProcessingFailed,
        Found,
        SourceRejected,
        Failed,
        GaveUp,
        RolledBack,
        Restarted,
    )
}

#: States in which a run has nothing more to do.
FINAL: Final = frozenset({JobState.READY, JobState.EXISTING, JobState.REJECTED, JobState.FAILED})
_OPEN: Final = tuple(state for state in JobState if state not in FINAL)
_BEFORE_RECORD: Final = tuple(state for state in _OPEN if state is not JobState.CONFIRMED)

TRANSITIONS: Final[dict[tuple[JobState, type[Event]], JobState]] = {
    (JobState.PLANNED, SourcePrepared): JobState.PREPARED,
    (JobState.PLANNED, SourceRejected): JobState.REJECTED,
    (JobState.PREPARED, ParentsKnown): JobState.RESOLVED,
    (JobState.RESOLVED, Initiated): JobState.INITIATED,
    (JobState.INITIATED, UrlExpired): JobState.RESOLVED,
    (JobState.INITIATED, Stored): JobState.STORED,
    (JobState.PREPARED, Extended): JobState.CONFIRMED,
    (JobState.CONFIRMED, RawAttached): JobState.CONFIRMED,
    (JobState.CONFIRMED, ProcessingReady): JobState.READY,
    (JobState.CONFIRMED, ProcessingFailed): JobState.FAILED,
    (JobState.READY, RolledBack): JobState.PLANNED,
    # A properties measurement is made by one request, from RESOLVED; any earlier state may
    # learn that its record exists, because a lost answer is looked for before it is resent.
    **{(state, Confirmed): JobState.CONFIRMED for state in _BEFORE_RECORD},
    **{(state, Found): JobState.EXISTING for state in _BEFORE_RECORD},
    **{(state, Attempting): state for state in _OPEN},
    **{(state, GaveUp): state for state in _OPEN},
    **{(state, Failed): JobState.FAILED for state in _OPEN},
    **{(state, Restarted): JobState.PLANNED for state in JobState},
}

OUTCOMES: Final[dict[JobState, OutcomeKind]] = {
    JobState.READY: OutcomeKind.CREATED,
    JobState.EXISTING: OutcomeKind.EXISTING,
    JobState.REJECTED: OutcomeKind.REJECTED,
    JobState.FAILED: OutcomeKind.FAILED,
}


class IllegalEventError(Exception):
    """An event that cannot happen in this state: a defect of ours, and nothing was changed."""


def advance(state: JobState, event: Event) -> JobState:
    """Return the state after ``event``; one that the table lacks raises ``IllegalEventError``."""
    try:
        return TRANSITIONS[state, type(event)]
    except KeyError:
        raise IllegalEventError(f"{type(event).__name__} cannot happen to a {state} job") from None
