"""From rows of the journal to the run's account: counts that must add up, and the exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Final

from bulkload.core.lifecycle import OUTCOMES, JobState
from bulkload.core.outcome import OutcomeKind


class ExitCode(IntEnum):
    """What a scheduler branches on."""

    #: Everything is created or existing, or known and accepted.
    ARRIVED = 0
    #: A defect of bulkload: the counts do not add up, or an unexpected error.
    DEFECT = 1
    #: Command line, settings, plan, or a journal that cannot be used; nothing was sent.
    USAGE = 2
    #: Finished; some measurements are rejected or failed, and not accepted.
    PARTIAL = 3
    #: Stopped: Studio did not accept the credentials.
    AUTH_FAILED = 4
    #: Stopped: Studio unreachable too long, `--until` reached, or the disk is full; run again.
    STOPPED = 5
    #: Interrupted by Ctrl-C; run again.
    INTERRUPTED = 130
    #: Ended by SIGTERM; run again.
    TERMINATED = 143

    @property
    def text(self) -> str:
        """What it means, in a few words."""
        return _TEXTS[self]


_TEXTS: Final = {
    ExitCode.ARRIVED: "all arrived, or known and accepted",
    ExitCode.DEFECT: "a defect of bulkload",
    ExitCode.USAGE: "cannot be run as asked; a person has to act",
    ExitCode.PARTIAL: "finished, something is rejected or failed",
    ExitCode.AUTH_FAILED: "Studio did not accept the credentials; a person has to act",
    ExitCode.STOPPED: "stopped; run again",
    ExitCode.INTERRUPTED: "interrupted; run again",
    ExitCode.TERMINATED: "terminated; run again",
}

#: Cause under which the summary counts confirmed uploads whose processing was not awaited.
NOT_AWAITED = "processing_not_awaited"


class Newly(StrEnum):
    """What may have become of an entry since the last run, beside its source."""

    #: Rejected, and was not with this cause and this content.
    REJECTED = "newly_rejected"
    #: Failed, and did not with this cause.
    FAILED = "newly_failed"
    #: Arrived, and had been rejected or failed.
    RECOVERED = "recovered"
    #: Known and accepted since.
    ACCEPTED = "newly_accepted"


#: What may have become of a source since the last run.
SINCE: Final = ("new", "grown", "changed", "gone", "unchanged")
#: What makes a run worth reading about.
NEWS: Final = (*SINCE[:-1], *Newly)
#: Cause of a job that the run did not come to.
NOT_REACHED = "not_reached"


def outcome_of(
    state: JobState, *, has_given_up: bool, is_waiting: bool
) -> tuple[OutcomeKind | None, str]:
    """Return a job's outcome and, where the state alone decides it, the cause.

    None means that the job is not done: a run that ends so is unfinished. A confirmed upload
    counts as created without its processing only where the user asked not to wait.
    """
    if state in OUTCOMES:
        return OUTCOMES[state], ""
    if state is JobState.CONFIRMED and not is_waiting:
        return OutcomeKind.CREATED, NOT_AWAITED
    return (OutcomeKind.FAILED, "") if has_given_up else (None, NOT_REACHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLedger:
    """Where the rows went that were read: every one of them is in exactly one class."""

    #: Rows that the readers gave, and those that they left out as no samples.
    read: int = 0
    left_out: int = 0
    #: Rows by the outcome of their file; of what was created, those that Studio was given.
    ended: Mapping[OutcomeKind, int] = field(default_factory=dict)
    #: Files by outcome whose rows are unknown: not read, or unreadable.
    unknown: Mapping[OutcomeKind, int] = field(default_factory=dict)

    @classmethod
    def total(cls, ledgers: Iterable[RowLedger]) -> RowLedger:
        """Return the ledger of several groups of files together."""
        ended: Counter[OutcomeKind] = Counter()
        unknown: Counter[OutcomeKind] = Counter()
        read = left_out = 0
        for one in ledgers:
            ended.update(one.ended)
            unknown.update(one.unknown)
            read += one.read
            left_out += one.left_out
        return cls(read=read, left_out=left_out, ended=ended, unknown=unknown)

    @property
    def adds_up(self) -> bool:
        """Whether every row that was read ended in exactly one class."""
        return sum(self.ended.values()) + self.left_out == self.read


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """The account of a run. ``counts`` has one number an outcome."""

    job: str
    planned: int
    counts: Mapping[OutcomeKind, int]
    causes: Mapping[str, int]
    ledger: RowLedger
    bytes_read: int
    bytes_sent: int
    requests: int
    retries: int
    elapsed_s: float
    bottleneck: str
    exit_code: ExitCode
    #: Of the rejected and failed entries, those that people know of and accept, by cause.
    accepted: Mapping[str, int] = field(default_factory=dict)
    #: Sources by what became of them since the last run, as in ``SINCE``.
    this_run: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end."""
        return self.exit_code in (ExitCode.ARRIVED, ExitCode.PARTIAL)

    @property
    def has_news(self) -> bool:
        """Whether the run is worth reading about: something became of an entry, or it stopped."""
        return not self.is_finished or any(self.this_run.get(word) for word in NEWS)

    @property
    def statement(self) -> str:
        """The run in a line, for a subject, a scheduler or a monitor."""
        news = [f"{count:,} {word}" for word in NEWS if (count := self.this_run.get(word))]
        counts = [
            f"{self.counts[kind]:,} {kind.value}" for kind in OutcomeKind if self.counts[kind]
        ]
        known = f"; {sum(self.accepted.values()):,} known and accepted" if self.accepted else ""
        return (
            f"{', '.join(news) or 'no news'}; "
            f"{self.planned:,} planned: {', '.join(counts) or 'none done'}{known}; "
            f"exit code {self.exit_code:d} ({self.exit_code.text})"
        ).replace("_", " ")

    @property
    def rows(self) -> int:
        """Rows of what was created."""
        return self.ledger.ended.get(OutcomeKind.CREATED, 0)

    @property
    def adds_up(self) -> bool:
        """Whether every planned entry, and every row of it, ended in exactly one class."""
        return sum(self.counts.values()) == self.planned and self.ledger.adds_up

    def as_json(self) -> dict[str, Any]:
        """Return the summary as written to disk; the keys are fixed."""
        return {
            "job": self.job,
            "planned": self.planned,
            "counts": {kind.value: self.counts.get(kind, 0) for kind in OutcomeKind},
            "causes": _commonest_first(self.causes),
            "accepted": _commonest_first(self.accepted),
            "rows": self.rows,
            "bytes_read": self.bytes_read,
            "bytes_sent": self.bytes_sent,
            "requests": self.requests,
            "retries": self.retries,
            "elapsed_s": round(self.elapsed_s, 3),
            "bottleneck": self.bottleneck,
            "exit_code": int(self.exit_code),
            "this_run": {word: self.this_run.get(word, 0) for word in (*SINCE, *Newly)},
        }


def _commonest_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def exit_code(
    *,
    planned: int,
    counts: Mapping[OutcomeKind, int],
    accepted: int,
    ledger: RowLedger,
    stopped: ExitCode | None,
) -> ExitCode:
    """Return the exit code of a run.

    ``accepted`` is how many of the rejected and failed entries people know of and accept.
    ``stopped`` is why the run ended early, None where it came to its end. A run that came to
    its end with counts that do not add up has a defect, and must not say that it is done; so
    has one with more accepted entries than there are to accept.
    """
    if stopped is not None:
        return stopped
    if sum(counts.values()) != planned or not ledger.adds_up:
        return ExitCode.DEFECT
    lost = counts.get(OutcomeKind.REJECTED, 0) + counts.get(OutcomeKind.FAILED, 0) - accepted
    if lost < 0:
        return ExitCode.DEFECT
    return ExitCode.PARTIAL if lost else ExitCode.ARRIVED
