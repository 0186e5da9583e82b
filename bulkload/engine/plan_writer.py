"""Write the plan into the journal as a stream: new jobs are added, known ones resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

from bulkload.core.issues import Severity
from bulkload.core.lifecycle import Restarted
from bulkload.core.plan_check import differs_by_case, duplicate_name, folded_name
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
from bulkload.core.resume import restart_reason
from bulkload.core.version import VERSION
from bulkload.engine.limits import GONE_NAMED, MAX_PROBLEMS, PLAN_BATCH
from bulkload.errors import PlanError, SettingsError
from bulkload.journal import Gone, Store, events
from bulkload.journal.codec import checks_as_json, dump, job_to_text
from bulkload.sources.stamp import quick_stamp


@dataclass(slots=True)
class PlanAccount:
    """Counts of a plan, and its problems."""

    jobs: int = 0
    skips: int = 0
    #: All problems counted, the first ones kept.
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    #: What earlier plans of the job held and this one does not.
    gone: Gone = field(default_factory=Gone)

    @property
    def planned(self) -> int:
        """Every entry that must end in exactly one class."""
        return self.jobs + self.skips

    def count(self, item: PlanItem) -> None:
        """Count an entry."""
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
        """Report a rating that the checks could not use before a file is checked against it."""
        try:
            rated_capacity(item.payload.get("ratings"))
            voltage_window(item.payload.get("ratings"))
        except UnknownUnitError as error:
            self._add_problem(Problem(where=item.origin, rule="unknown_unit", message=str(error)))


def check_same_archive(
    store: Store, job_dir: Path, sources: Sequence[str], read: Callable[[], Iterable[PlanItem]]
) -> None:
    """Refuse a job folder whose journal speaks of another archive.

    Other paths may be the same archive, moved or copied: then every measurement that the job
    had is there under its name. Only where the paths differ is the source read for that.

    Raises ``SettingsError`` with the paths.
    """
    last = store.last_upload()
    earlier = None if last is None else last.settings.get("sources")
    if last is None or not earlier or list(earlier) == list(sources):
        return
    known = store.count_jobs(last.id)
    found = sum(1 for item in read() if isinstance(item, UploadJob) and store.find_job(item.key))
    if found < known:
        raise SettingsError(
            f"{job_dir} is the job of {', '.join(earlier)}, and of its {known:,} measurements "
            f"{', '.join(sources)} holds {found:,}: give --job another folder"
        )


def _nothing_found(store: Store, account: PlanAccount, sources: Sequence[str]) -> str:
    where = f" in {', '.join(sources)}" if sources else ""
    left_out = f"; {account.skips:,} entries were left out by a rule" if account.skips else ""
    if known := store.count_jobs():
        return (
            f"no measurement was found{where}{left_out}. This job had {known:,} before: look "
            "whether the source is there and its share is mounted; nothing was changed"
        )
    return (
        f"no measurement was found{where}{left_out}: name a folder with data files, or a manifest "
        "with rows"
    )


def plan_into(
    store: Store,
    run: int,
    items: Iterable[PlanItem],
    *,
    checks: Checks,
    prepare_options: PrepareOptions,
    at: float,
    sources: Sequence[str] = (),
) -> PlanAccount:
    """Write a plan into the journal and return the account of it.

    Raises ``PlanError`` where ``sources`` hold no measurement: nothing found is no success.

    Side effects: rows of ``job``, ``specification``, ``cell`` and ``skip``; a ``Restarted``
    event for each known job that has to begin again.
    """
    account = PlanAccount()
    run_wide = _run_wide(checks, prepare_options)
    store.begin_spellings()
    stream = iter(items)
    is_open = True
    while is_open:
        with store.transaction():
            is_open = False
            for item in islice(stream, PLAN_BATCH):
                is_open = True
                for counted in _put(store, run, item, run_wide=run_wide, at=at):
                    account.count(counted)
    if not account.jobs and not account.problem_count:
        raise PlanError(_nothing_found(store, account, sources))
    account.gone = store.gone(run, GONE_NAMED)
    return account


def _put(store: Store, run: int, item: PlanItem, *, run_wide: str, at: float) -> Iterator[PlanItem]:
    """Write an entry into the journal and yield what the account counts."""
    match item:
        case UploadJob():
            yield from _put_job(store, run, item, run_wide=run_wide, at=at)
        case Skip():
            # An entry that two sources of the plan hold counts once.
            if store.put_skip(run, item):
                yield item
        case Specification():
            store.put_specification(item)
            yield item
        case CellMetadata():
            store.put_cell(item)
        case Problem():
            yield item


def _put_job(
    store: Store, run: int, job: UploadJob, *, run_wide: str, at: float
) -> Iterator[PlanItem]:
    """Add a job or take a known one up; a name that this plan has already is a problem."""
    payload = job_to_text(job)
    options_digest = _digest(run_wide, payload)
    row = store.find_job(job.key)
    if row is not None and row.plan_run == run:
        yield duplicate_name(job, row.path)
        return
    if row is None:
        store.add_job(run, job, payload, options_digest)
    else:
        reason = restart_reason(
            row.known, options_digest=options_digest, stamp=quick_stamp(Path(job.path))
        )
        store.replan_job(run, row.id, path=job.path, payload=payload, options_digest=options_digest)
        if reason is not None:
            events.append(store, run, row.id, at, Restarted(reason=reason))
    if not store.put_spelling(job.key, folded_name(job.key.measurement)):
        yield differs_by_case(job.origin or job.path, "measurement", job.key.measurement)
    yield job


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


def retry_into(store: Store, run: int, *, cause: str | None, at: float) -> PlanAccount:
    """Take up the last run's plan again and have what did not arrive begin anew.

    ``cause`` limits that to the jobs that have it; the others stay as they are.

    Side effects: the plan's rows belong to ``run``; a ``Restarted`` event for each such job.
    """
    with store.transaction():
        jobs, skips = store.take_over_plan(run)
        for job in store.not_arrived(run, cause):
            events.append(store, run, job, at, Restarted(reason="retry"))
    return PlanAccount(jobs=jobs, skips=skips)
