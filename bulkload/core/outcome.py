"""How a job ends: exactly one outcome each, with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bulkload.core.terms import JobKey


class OutcomeKind(StrEnum):
    """The five classes that every planned entry falls into."""

    #: This job dir made it, and Studio finished processing it.
    CREATED = "created"
    #: Resolved to a record that was there already.
    EXISTING = "existing"
    #: Unreadable or invalid; never sent.
    REJECTED = "rejected"
    #: Delivery, or processing on the server, failed.
    FAILED = "failed"
    #: Left out by a rule.
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one job, in this run or an earlier one of the same job folder."""

    key: JobKey
    kind: OutcomeKind
    path: str
    measurement_id: str | None = None
    #: Stable word that groups failures; empty for a success.
    cause: str = ""
    #: A sentence that names the file, the rule and the way out; empty for a success.
    message: str = ""
    #: Whether the same command will go on with it.
    is_resumable: bool = False
