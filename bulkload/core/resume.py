"""Decide whether a job that an earlier run knows has to begin again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bulkload.core.lifecycle import FINAL, JobState

#: Causes of a rejection that are worth another try: the machine or the time was the reason, not
#: the source's bytes. What costs much to find out again (the limits of time and memory) is left
#: to ``bulkload retry``.
RETRYABLE_REJECTIONS: Final = frozenset(
    {
        "database_lost",
        "database_refused",
        "io_error",
        "missing_extra",
        "missing_program",
        "no_permission",
        "query_failed",
        "reader_died",
        "remote_forbidden",
        "remote_unreachable",
        "source_changing",
        "unreadable_file",
        "vanished",
    }
)


#: Causes of a failure that the same bytes would meet again.
FINAL_FAILURES: Final = frozenset({"processing_failed", "source_changed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the journal knows of a job."""

    state: JobState
    cause: str
    options_digest: str
    #: Size in bytes and modification time in ns of the source as it was last prepared or rejected.
    stamp: tuple[int, int] | None
    #: The same of the source whose bytes Studio holds.
    stored_stamp: tuple[int, int] | None


def restart_reason(
    known: Known, *, options_digest: str, stamp: tuple[int, int] | None
) -> str | None:
    """Return why the job must begin again, None where what is known still holds.

    ``stamp`` is the source as it is now, None where it cannot be seen.
    """
    if known.state is JobState.PLANNED or known.state is JobState.CONFIRMED:
        return None
    if known.state not in FINAL:
        return "interrupted"
    if known.state is JobState.EXISTING:
        return None
    if known.state is JobState.READY:
        has_changed = known.stored_stamp is not None and stamp not in (None, known.stored_stamp)
        return "source_changed" if has_changed else None
    if stamp != known.stamp:
        return "source_changed"
    if options_digest != known.options_digest:
        return "settings_changed"
    return "failed_before" if _may_pass_unchanged(known) else None


def _may_pass_unchanged(known: Known) -> bool:
    """Return whether the same bytes may pass next time: not where they are the reason."""
    if known.state is JobState.REJECTED:
        return known.cause in RETRYABLE_REJECTIONS
    return known.state is JobState.FAILED and known.cause not in FINAL_FAILURES
