"""What a measurement of the job's name, already in Studio, means for the job.

Studio compares names and nothing else, so the journal decides: an id that Studio gave to this
job is our own record, whatever answer was lost; any other record existed before the job.

==================  ============================================  ==============================
the record          and                                           step
==================  ============================================  ==============================
has another type                                                  FAIL ``name_taken``
ours, failed                                                      WITHDRAW, then upload again
ours                holds the source as it is now                 ADOPT
ours                the source changed, is not read yet           PREPARE
ours                the source grew, and the test is open         EXTEND
ours                the source changed otherwise                  FAIL ``source_changed``
ours                nothing says what it holds                    COMPARE, then ADOPT or FAIL
another's           the plan found the name free                  REJECT ``name_taken_since``
another's, failed                                                 FAIL ``existing_failed``
another's           ``--existing fail``                           FAIL ``name_taken``
another's           ``--existing reuse``                          REUSE; WAIT while in processing
another's           ``--existing verify``, and its provenance
                    - names the source with its content           REUSE; WAIT while in processing
                    - names another source                        FAIL ``existing_differs``
                    - is not there                                COMPARE, then REUSE or FAIL
                                                                  ``existing_differs``
==================  ============================================  ==============================
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bulkload.core.lifecycle import JobState, Step
from bulkload.core.prepare_result import Prepared
from bulkload.core.provenance import RecordedSource
from bulkload.core.terms import MeasurementType

#: Hexadecimal digits of a hash that a message shows: enough to distinguish two files.
SHOWN_DIGITS: Final = 12


class Existing(StrEnum):
    """What a measurement of that name, already in Studio, means."""

    REUSE = "reuse"
    VERIFY = "verify"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSource:
    """What Studio's storage was given for a job, in this run or an earlier one."""

    measurement_id: str
    rows: int
    content_digest: str
    #: Size in bytes and modification time in ns of the source it came from.
    stamp: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRecord:
    """A measurement that Studio lists under the job's cell and name."""

    id: str
    type: MeasurementType = MeasurementType.TIME_SERIES
    is_processing: bool = False
    processing_error: str | None = None
    has_failed: bool = False
    #: Whether its test is still running, as far as Studio knows: only then can it be extended.
    is_open: bool = False
    #: The source that it says it came from; None where it does not say.
    source: RecordedSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What is known of a job at the moment its next step is decided."""

    state: JobState
    #: Whether this run left the job to a later one.
    has_given_up: bool = False
    type: MeasurementType = MeasurementType.TIME_SERIES
    #: The test within the source, None where it holds one.
    member: str | None = None
    existing: Existing = Existing.REUSE
    found: FoundRecord | None = None
    #: Every id that Studio gave to this job.
    known_ids: frozenset[str] = frozenset()
    stored: StoredSource | None = None
    #: Size in bytes and modification time in ns of the source as it is now.
    stamp: tuple[int, int] | None = None
    #: None until the source has been read.
    prepared: Prepared | None = None
    #: How the found record differs from the source: None until compared, empty where equal.
    difference: str | None = None
    #: Whether the plan that was written found the name free in Studio.
    expects_new: bool = False
    #: Whether the original file is still to be attached once the record exists.
    is_to_attach: bool = False


@dataclass(frozen=True, slots=True)
class ExistingDecision:
    """The next step of a job; the cause and the message are those of its end."""

    step: Step
    cause: str = ""
    message: str = ""


def decide_about(found: FoundRecord, facts: JobFacts) -> ExistingDecision:
    """Return what a record of the job's name means for the job."""
    if found.type is not facts.type:
        return ExistingDecision(
            Step.FAIL,
            "name_taken",
            f"Studio has a {found.type.value} measurement of this name ({found.id}), and this "
            f"one is {facts.type.value}; use another name",
        )
    if found.id in facts.known_ids:
        return _about_ours(found, facts)
    return _about_anothers(found, facts)


def _about_ours(found: FoundRecord, facts: JobFacts) -> ExistingDecision:
    if found.has_failed:
        return ExistingDecision(Step.WITHDRAW)
    if _holds_current_source(found, facts):
        return ExistingDecision(Step.ADOPT)
    if facts.prepared is None:
        return ExistingDecision(Step.PREPARE)
    if facts.stored is None or facts.stored.measurement_id != found.id:
        return _compared(found, facts, ExistingDecision(Step.ADOPT))
    if facts.prepared.is_longer and found.is_open:
        return ExistingDecision(Step.EXTEND)
    return _differs(found, facts, f"Studio still holds the earlier {facts.stored.rows} rows")


def _about_anothers(found: FoundRecord, facts: JobFacts) -> ExistingDecision:
    if facts.expects_new:
        return ExistingDecision(
            Step.REJECT,
            "name_taken_since",
            f"when the plan was written, Studio had no measurement of this name, and now it has "
            f"{found.id}; plan again, or take it as it is with --accept-drift",
        )
    if found.has_failed:
        reason = found.processing_error or "without a reason"
        return ExistingDecision(
            Step.FAIL,
            "existing_failed",
            f"Studio has a measurement of this name ({found.id}) that it could not process: "
            f"{reason}; delete it there, or use another name",
        )
    if facts.existing is Existing.FAIL:
        return ExistingDecision(
            Step.FAIL,
            "name_taken",
            f"Studio has a measurement of this name ({found.id}), and --existing fail asks for "
            "new ones only",
        )
    reuse = ExistingDecision(Step.WAIT if found.is_processing else Step.REUSE)
    if facts.existing is Existing.REUSE:
        return reuse
    if facts.prepared is None:
        return ExistingDecision(Step.PREPARE)
    if found.source is not None and found.source.sha256 != facts.prepared.source.sha256:
        return _differs(
            found,
            facts,
            f"it came from a file with SHA-256 {found.source.sha256[:SHOWN_DIGITS]}…, and this one "
            f"has {facts.prepared.source.sha256[:SHOWN_DIGITS]}…",
        )
    return _compared(found, facts, reuse)


def _compared(found: FoundRecord, facts: JobFacts, if_equal: ExistingDecision) -> ExistingDecision:
    if _says_the_same(found, facts):
        return if_equal
    if facts.difference is None:
        return ExistingDecision(Step.COMPARE)
    return _differs(found, facts, facts.difference) if facts.difference else if_equal


def _says_the_same(found: FoundRecord, facts: JobFacts) -> bool:
    """Return whether the record's provenance names this source and this content of it.

    The same bytes do not suffice: other transforms, or another reader, make other data of them.
    """
    assert facts.prepared is not None
    return found.source == RecordedSource(
        sha256=facts.prepared.source.sha256,
        content_digest=facts.prepared.content_digest,
        member=facts.member,
    )


def _differs(found: FoundRecord, facts: JobFacts, how: str) -> ExistingDecision:
    if found.id in facts.known_ids:
        return ExistingDecision(
            Step.FAIL,
            "source_changed",
            f"the source changed since it was uploaded as {found.id}, and {how}; Studio keeps a "
            "measurement as it is: upload it under another name, or delete the old one",
        )
    return ExistingDecision(
        Step.FAIL,
        "existing_differs",
        f"Studio has a measurement of this name ({found.id}) that differs: {how}; use another "
        "name, or delete the one in Studio",
    )


def _holds_current_source(found: FoundRecord, facts: JobFacts) -> bool:
    """Return whether the journal says that the record came from the source as it is now."""
    stored = facts.stored
    if stored is None or stored.measurement_id != found.id:
        return False
    if facts.prepared is not None:
        return facts.prepared.content_digest == stored.content_digest
    return facts.stamp == stored.stamp
