"""What a plan writes for many entries at once: a statement for each would cost more."""

from __future__ import annotations

from dataclasses import dataclass, field

from bulkload.core.plan_check import differs_by_case, folded_name
from bulkload.core.plan_items import Problem, UploadJob
from bulkload.core.terms import JobKey
from bulkload.journal import Store


@dataclass(slots=True)
class PlanBatch:
    """Collects what is written together, in the transaction of the entries that it is of."""

    store: Store
    run: int
    #: Numbers of known jobs of which nothing changed.
    unchanged: dict[int, None] = field(default_factory=dict)
    #: Names to be compared without their case, with where each stands.
    _spellings: list[tuple[JobKey, str, str]] = field(default_factory=list)

    def add_name(self, job: UploadJob) -> None:
        """Keep a job's name to be compared."""
        folded = folded_name(job.key.measurement)
        self._spellings.append((job.key, folded, job.origin or job.path))

    def flush(self) -> list[Problem]:
        """Write what was collected; return the names that differ from an earlier one in case."""
        if self.unchanged:
            self.store.take_unchanged(self.run, [*self.unchanged])
            self.unchanged.clear()
        names = [(key, folded) for key, folded, _ in self._spellings]
        others = self.store.put_spellings(names) if names else []
        warnings = [
            differs_by_case(where, "measurement", key.measurement)
            for key, _, where in (self._spellings[at] for at in others)
        ]
        self._spellings.clear()
        return warnings
