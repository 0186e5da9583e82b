"""What it means that a measurement of the job's name is in Studio already.

Names are all that Studio compares, so the answer must come from what the journal knows: an id
that this job was given is our own work, anything else was there before us.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bulkload.core.terms import MeasurementType


class Existing(StrEnum):
    """What a measurement of that name, already in Studio, means."""

    REUSE = "reuse"
    VERIFY = "verify"
    FAIL = "fail"


class Verdict(StrEnum):
    """What to do about a record of the job's name."""

    #: It is our own and holds what we mean: wait for its processing.
    ADOPT = "adopt"
    #: It was there before us and is good: nothing to do.
    REUSE = "reuse"
    #: It was there before us and Studio is still processing it: wait, then reuse.
    AWAIT = "await"
    #: It is our own, from a source that has changed since: read the source and compare.
    COMPARE = "compare"
    #: It was there before us; the settings ask to compare it with the source.
    VERIFY = "verify"
    #: It is our own and its processing failed: remove it, then upload again.
    WITHDRAW = "withdraw"
    #: It was there before us and Studio could not process it: not a success.
    FOUND_FAILED = "found_failed"
    #: It was there before us, and the settings forbid that.
    NAME_TAKEN = "name_taken"
    #: It is of another type than what is meant: a name in common, nothing else.
    OTHER_TYPE = "other_type"


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
    #: Whether its test runs on, as far as Studio knows: only then can rows be appended.
    is_open: bool = False


def reconcile(
    found: FoundRecord,
    *,
    wanted: MeasurementType,
    is_ours: bool,
    holds_current_source: bool,
    existing: Existing,
) -> Verdict:
    """Return what a found record means for a job of the type ``wanted``.

    ``is_ours``: its id was given to this job. ``holds_current_source``: the journal says that
    what was stored under that id came from the source as it is now.
    """
    if found.type is not wanted:
        return Verdict.OTHER_TYPE
    if is_ours:
        if found.has_failed:
            return Verdict.WITHDRAW
        return Verdict.ADOPT if holds_current_source else Verdict.COMPARE
    if found.has_failed:
        return Verdict.FOUND_FAILED
    if existing is Existing.FAIL:
        return Verdict.NAME_TAKEN
    if existing is Existing.VERIFY:
        return Verdict.VERIFY
    return Verdict.AWAIT if found.is_processing else Verdict.REUSE
