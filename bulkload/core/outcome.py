"""How a job ends: exactly one outcome each, with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bulkload.core.terms import JobKey


class OutcomeKind(StrEnum):
    """The five classes that every planned entry falls into."""

    #: This job folder made it, in this run or an earlier one, and Studio finished processing it.
    CREATED = "created"
    #: Studio held a processed measurement of that name; its content is compared only on request.
    EXISTING = "existing"
    #: The file is unreadable or invalid; it was not sent.
    REJECTED = "rejected"
    #: Delivery failed, or Studio could not process what it stored.
    FAILED = "failed"
    #: A rule left the entry out of the plan.
    SKIPPED = "skipped"


#: Outcomes of what did not arrive: these may be accepted.
LOST: Final = frozenset({OutcomeKind.REJECTED, OutcomeKind.FAILED})


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
