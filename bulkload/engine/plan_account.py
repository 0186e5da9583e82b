"""What a plan counts: its entries, what is in the way of it, and since when."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from bulkload.core.issues import Severity
from bulkload.core.plan_items import Problem, Scope
from bulkload.core.tally import Newly
from bulkload.engine.limits import GONE_NAMED, MAX_PROBLEMS
from bulkload.journal import Gone
from bulkload.journal.limits import NEWS_NAMED


@dataclass(slots=True)
class PlanAccount:
    """Counts of a plan, and its problems."""

    jobs: int = 0
    skips: int = 0
    #: Entries that are not sent, and have no names under which a job could stand.
    rejected: int = 0
    #: Of the jobs, those whose name another source claims too.
    contested: int = 0
    #: Entries that a problem of their own keeps from being sent, contested jobs included.
    in_the_way: int = 0
    #: Problems that concern the plan as a whole.
    blocking: int = 0
    #: All problems counted, the first ones kept.
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    #: What earlier plans of the job held and this one does not.
    gone: Gone = field(default_factory=Gone)
    #: What became of the sources since the last run: new, grown, changed, gone, unchanged.
    this_run: Counter[str] = field(default_factory=Counter)
    #: Messages of entries that earlier plans did not reject for this cause, the first ones.
    newly_rejected: list[str] = field(default_factory=list)
    #: Whether the user asked to send what can be sent, whatever is in the way.
    goes_on: bool = False

    @property
    def planned(self) -> int:
        """Every entry that must end in exactly one class."""
        return self.jobs + self.skips + self.rejected

    @property
    def refusal(self) -> str:
        """Why nothing of the plan may be sent, empty where the rest of it may."""
        fit = self.jobs - self.contested
        if not fit:
            return "no entry fits"
        if self.goes_on:
            return ""
        if self.blocking:
            return f"{self.blocking:,} of the problems concern the plan as a whole"
        if self.in_the_way > fit:
            return (
                f"{self.in_the_way:,} of {self.in_the_way + fit:,} entries are in the way, more "
                "than half, so the layout or the plan is probably wrong"
            )
        return ""

    def add_part(self, part: PlanAccount) -> None:
        """Count what another account counts: that of a part of the same plan."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(part, name))
        self.problems += part.problems[: MAX_PROBLEMS - len(self.problems)]
        self.warnings += part.warnings[: MAX_PROBLEMS - len(self.warnings)]
        names = (*self.gone.names, *part.gone.names)[:GONE_NAMED]
        newly = self.gone.newly + part.gone.newly
        self.gone = Gone(self.gone.total + part.gone.total, names, newly)
        room = NEWS_NAMED - len(self.newly_rejected)
        self.newly_rejected += part.newly_rejected[:room]
        self.this_run.update(part.this_run)

    def add_newly_rejected(self, problem: Problem) -> None:
        """Count an entry that earlier plans did not reject for this reason."""
        self.this_run[Newly.REJECTED] += 1
        if len(self.newly_rejected) < NEWS_NAMED:
            self.newly_rejected.append(f"{problem.rule}: {problem.where}: {problem.message}")

    def add(self, problem: Problem) -> None:
        """Count a problem."""
        is_warning = problem.severity is Severity.WARNING
        if not is_warning:
            self.problem_count += 1
            self.blocking += problem.scope is Scope.PLAN
        kept = self.warnings if is_warning else self.problems
        if len(kept) < MAX_PROBLEMS:
            kept.append(problem)


#: The numbers of an account.
_COUNTS: Final = (
    "jobs", "skips", "rejected", "contested", "in_the_way", "blocking", "problem_count",
)  # fmt: skip
