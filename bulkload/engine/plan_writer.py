"""The plan goes into the journal as a stream: new jobs are added, known ones resumed."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from bulkload.core.issues import Severity
from bulkload.core.lifecycle import JobState, Restarted
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import (
    CellMetadata,
    Checks,
    PlanItem,
    Problem,
    Skip,
    Specification,
    UploadJob,
)
from bulkload.core.prepare_result import PrepareOptions
from bulkload.core.ratings import UnknownUnitError, rated_capacity, voltage_window
from bulkload.core.resume import Known, restart_reason
from bulkload.core.version import VERSION
from bulkload.journal import events, store
from bulkload.journal.codec import checks_as_json, dump, job_to_text
from bulkload.sources.stamp import quick_stamp

#: Entries a transaction: a commit costs a flush, a transaction's pages stay in memory.
BATCH: Final = 1000

#: Problems kept to be shown; a plan with more has one cause, not thousands.
MAX_PROBLEMS: Final = 1000


@dataclass(slots=True)
class PlanAccount:
    """What a plan holds, counted as the entries went by."""

    jobs: int = 0
    skips: int = 0
    #: All problems counted, the first ones kept.
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    @property
    def planned(self) -> int:
        """Every entry that must end in exactly one class."""
        return self.jobs + self.skips

    def count(self, item: PlanItem) -> None:
        """Count an entry as it goes by."""
        match item:
            case UploadJob():
                self.jobs += 1
            case Skip():
                self.skips += 1
            case Specification():
                self._check_ratings(item)
            case Problem():
                self._add_problem(item)
            case _:
                pass

    def _add_problem(self, problem: Problem) -> None:
        is_warning = problem.severity is Severity.WARNING
        self.problem_count += not is_warning
        kept = self.warnings if is_warning else self.problems
        if len(kept) < MAX_PROBLEMS:
            kept.append(problem)

    def _check_ratings(self, item: Specification) -> None:
        """Name a rating that the checks could not use before a file is held against it."""
        try:
            rated_capacity(item.payload.get("ratings"))
            voltage_window(item.payload.get("ratings"))
        except UnknownUnitError as error:
            self._add_problem(Problem(where=item.origin, rule="unknown_unit", message=str(error)))


def plan_into(
    connection: sqlite3.Connection,
    run: int,
    items: Iterable[PlanItem],
    *,
    checks: Checks,
    prepare_options: PrepareOptions,
    at: float,
) -> PlanAccount:
    """Write a plan into the journal and return the account of it.

    Side effects: rows of ``job``, ``specification``, ``cell`` and ``skip``; a ``Restarted``
    event for each known job that has to begin again.
    """
    account = PlanAccount()
    run_wide = _run_wide(checks, prepare_options)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for count, item in enumerate(items, start=1):
            account.count(item)
            _put(connection, run, item, account, run_wide=run_wide, at=at)
            if count % BATCH == 0:
                connection.execute("COMMIT")
                connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return account


def _put(
    connection: sqlite3.Connection,
    run: int,
    item: PlanItem,
    account: PlanAccount,
    *,
    run_wide: str,
    at: float,
) -> None:
    match item:
        case UploadJob() if not _put_job(connection, run, item, run_wide=run_wide, at=at):
            account.count(_claimed_twice(item))
        case Specification():
            store.put_specification(connection, item)
        case CellMetadata():
            store.put_cell(connection, item)
        case Skip() if not store.put_skip(connection, run, item):
            # A folder of specifications within a source: the entry was told of already.
            account.skips -= 1
        case _:
            pass


def _put_job(
    connection: sqlite3.Connection, run: int, job: UploadJob, *, run_wide: str, at: float
) -> bool:
    """Add a job or take a known one up; False where this very plan holds its name already."""
    payload = job_to_text(job)
    options_digest = _digest(run_wide, payload)
    row = store.find_job(connection, job.key)
    if row is None:
        store.add_job(connection, run, job, payload, options_digest)
        return True
    if row["plan_run"] == run:
        return False
    reason = restart_reason(
        _known(row), options_digest=options_digest, stamp=quick_stamp(Path(job.path))
    )
    store.replan_job(
        connection, run, row["id"], path=job.path, payload=payload, options_digest=options_digest
    )
    if reason is not None:
        events.append(connection, run, row["id"], at, Restarted(reason=reason))
    return True


def _claimed_twice(job: UploadJob) -> Problem:
    return Problem(
        where=job.path,
        rule=Rule.DUPLICATE_NAME,
        message=f"{job.path}: another source claims the name {job.key} too; rename one of them",
    )


def _run_wide(checks: Checks, prepare_options: PrepareOptions) -> str:
    """Return all that decides, for every job alike, what preparing the same bytes gives."""
    dialects = (
        None
        if prepare_options.dialects is None
        else Path(prepare_options.dialects).read_text("utf-8")
    )
    return dump([VERSION, checks_as_json(checks), asdict(prepare_options), dialects])


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _known(row: sqlite3.Row) -> Known:
    return Known(
        state=JobState(row["state"]),
        cause=row["cause"],
        options_digest=row["recipe"],
        stamp=_pair(row["source_bytes"], row["source_mtime_ns"]),
        stored_stamp=_pair(row["stored_source_bytes"], row["stored_source_mtime_ns"]),
    )


def _pair(size: int | None, mtime_ns: int | None) -> tuple[int, int] | None:
    return None if size is None or mtime_ns is None else (size, mtime_ns)


def retry_into(
    connection: sqlite3.Connection, run: int, *, cause: str | None, at: float
) -> PlanAccount:
    """Take up the last run's plan again and have what did not arrive begin anew.

    ``cause`` limits that to the jobs that it kept back; the others stay as they are.

    Side effects: the plan's rows belong to ``run``; a ``Restarted`` event for each such job.
    """
    connection.execute("BEGIN IMMEDIATE")
    jobs, skips = store.take_over_plan(connection, run)
    for job in store.not_arrived(connection, run, cause):
        events.append(connection, run, job, at, Restarted(reason="retry"))
    connection.execute("COMMIT")
    return PlanAccount(jobs=jobs, skips=skips)
