"""The plan as the run reads it from the journal: cells in order, payloads, checks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import groupby
from typing import Any, Final, TypeVar

from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.ratings import rated_capacity, voltage_window
from bulkload.core.rules.cross_file import CampaignFinding, check_campaign
from bulkload.core.rules.file_summary import summary_from_text
from bulkload.journal import store

#: Specifications kept decoded: there are few of them, and each is used for every job.
REMEMBERED_SPECIFICATIONS: Final = 256

T = TypeVar("T")


class PlanReader:
    """Reads a run's plan."""

    def __init__(self, reader: sqlite3.Connection, run: int) -> None:
        self._reader = reader
        self._run = run
        self.specification = lru_cache(REMEMBERED_SPECIFICATIONS)(self._read_specification)

    def cells(self) -> Iterator[tuple[str, str]]:
        """Yield the cells with work to do, as ``(specification, cell)``."""
        return store.cells(self._reader, self._run)

    def open_jobs(self, spec: str, cell: str) -> list[sqlite3.Row]:
        """Return the rows of a cell's jobs that are not final."""
        return store.open_jobs(self._reader, self._run, spec, cell)

    def _read_specification(self, name: str) -> Mapping[str, Any]:
        row = self._reader.execute(
            "SELECT payload FROM specification WHERE name=?", (name,)
        ).fetchone()
        return {"name": name} if row is None else json.loads(row["payload"])

    def cell(self, spec: str, cell: str) -> Mapping[str, Any]:
        """Return what the plan says of a cell, without its name."""
        row = self._reader.execute(
            "SELECT payload FROM cell WHERE spec=? AND cell=?", (spec, cell)
        ).fetchone()
        return {} if row is None else json.loads(row["payload"])

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


def findings(reader: sqlite3.Connection, run: int) -> Iterator[tuple[str, CampaignFinding]]:
    """Yield what the files of each cell of a plan show together, with the cell's names."""
    rows = reader.execute(
        "SELECT spec, cell, summary FROM job WHERE plan_run=? AND summary IS NOT NULL "
        "ORDER BY spec, cell, id",
        (run,),
    )
    for (spec, cell), files in groupby(rows, key=lambda row: (row["spec"], row["cell"])):
        for finding in check_campaign([summary_from_text(row["summary"]) for row in files]):
            yield f"{spec} / {cell}", finding
