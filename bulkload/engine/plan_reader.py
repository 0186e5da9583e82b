"""Read the plan from the journal: cells in order, payloads, checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.ratings import rated_capacity, voltage_window
from bulkload.core.treatment import Treatment
from bulkload.engine.limits import REMEMBERED_SPECIFICATIONS
from bulkload.journal import JobRow, Store
from bulkload.journal.treatments import treatment_of

T = TypeVar("T")


class PlanReader:
    """Reads a run's plan."""

    def __init__(self, store: Store, run: int) -> None:
        self._store = store
        self._run = run
        self.specification = lru_cache(REMEMBERED_SPECIFICATIONS)(self._read_specification)

    def cells(self) -> Iterator[tuple[str, str]]:
        """Yield the cells that have open jobs, as ``(specification, cell)``."""
        return self._store.cells_with_work(self._run)

    def open_jobs(self, spec: str, cell: str) -> list[JobRow]:
        """Return the rows of a cell's jobs that are not final."""
        return self._store.open_jobs(self._run, spec, cell)

    def _read_specification(self, name: str) -> Mapping[str, Any]:
        return self._store.specification(name) or {"name": name}

    def cell(self, spec: str, cell: str) -> Mapping[str, Any]:
        """Return the metadata that the plan states of a cell, without its name."""
        return self._store.cell(spec, cell) or {}

    def treatment(self, job: int) -> Treatment:
        """Return what a retry chose for a job, beside what the plan and the run state."""
        return treatment_of(self._store, job)

    def checks_for(self, job: UploadJob, defaults: Checks) -> Checks:
        """Return a job's checks: what it states, then the run's, then the ratings."""
        stated = job.checks
        ratings = self.specification(job.key.spec).get("ratings")
        return Checks(
            strict=defaults.strict if stated.strict is None else stated.strict,
            skip_checks=stated.skip_checks | defaults.skip_checks,
            rated_capacity=_first(
                stated.rated_capacity, defaults.rated_capacity, rated_capacity(ratings)
            ),
            voltage_window=_first(
                stated.voltage_window, defaults.voltage_window, voltage_window(ratings)
            ),
        )


def _first(*values: T | None) -> T | None:
    return next((value for value in values if value is not None), None)
