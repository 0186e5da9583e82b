"""Write the plan into the journal as a stream: new jobs are added, known ones resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from bulkload.core.issues import Severity
from bulkload.core.lifecycle import JobState, Restarted, SourceRejected
from bulkload.core.plan_check import Rule, duplicate_name
from bulkload.core.plan_items import (
    CellMetadata,
    Checks,
    PlanItem,
    Problem,
    Scope,
    Skip,
    Specification,
    UploadJob,
)
from bulkload.core.prepare_result import PrepareOptions
from bulkload.core.ratings import UnknownUnitError, rated_capacity, voltage_window
from bulkload.core.resume import Known, restart_reason
from bulkload.core.version import VERSION
from bulkload.engine.limits import GONE_NAMED, PLAN_BATCH
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.plan_batch import PlanBatch
from bulkload.errors import PlanError, SettingsError
from bulkload.journal import JobRow, Store, events
from bulkload.journal.acceptance import is_entry_accepted
from bulkload.journal.codec import checks_as_json, dump, job_to_text
from bulkload.journal.news import last_reported
from bulkload.journal.treatments import (
    has_treatments,
    treatment_of,
)
from bulkload.sources.stamp import have_same_content, quick_stamp

#: What a plan counts as it goes.
_ENTRIES: Final = (UploadJob, Skip)


def check_same_archive(
    journals: Iterable[tuple[Store, Callable[[], Iterable[PlanItem]]]],
    job_dir: Path,
    sources: Sequence[str],
) -> None:
    """Refuse a job folder whose journal speaks of another archive.

    ``journals`` are the job's, each with what the source holds for it now. Other paths may be
    the same archive, moved or copied: then every measurement that the job had is there under its
    name. Only where the paths differ is the source read for that.

    Raises ``SettingsError`` with the paths.
    """
    known = found = 0
    before: Sequence[str] = ()
    for store, read in journals:
        last = store.last_upload()
        earlier = None if last is None else last.settings.get("sources")
        if last is None or not earlier or list(earlier) == list(sources):
            continue
        before = earlier
        known += store.count_jobs(last.id)
        found += sum(1 for one in read() if isinstance(one, UploadJob) and store.find_job(one.key))
    if found < known:
        raise SettingsError(
            f"{job_dir} is the job of {', '.join(before)}, and of its {known:,} measurements "
            f"{', '.join(sources)} holds {found:,}: give --job another folder"
        )


def nothing_found(known: int, skips: int, sources: Sequence[str]) -> PlanError:
    """Return the refusal of sources without a measurement; ``known`` is how many there were."""
    where = f" in {', '.join(sources)}" if sources else ""
    left_out = f"; {skips:,} entries were left out by a rule" if skips else ""
    if known:
        return PlanError(
            f"no measurement was found{where}{left_out}. This job had {known:,} before: look "
            "whether the source is there and its share is mounted; nothing was changed"
        )
    return PlanError(
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
    goes_on: bool = False,
    on_entry: Callable[[], None] = lambda: None,
) -> PlanAccount:
    """Write a plan into the journal and return the account of it.

    What concerns one entry is that entry's outcome. Where the account has a ``refusal``, nothing
    of the plan may be sent; ``goes_on`` sends what can be sent all the same. ``on_entry`` is
    called for each measurement and each entry that a rule leaves out.

    Raises ``PlanError`` where ``sources`` hold no measurement: nothing found is no success.

    Side effects: rows of ``job``, ``specification``, ``cell``, ``skip`` and ``rejection``; a
    ``Restarted`` event for each known job that has to begin again, and a ``SourceRejected``
    event for each whose name two sources claim.
    """
    account = write_plan(
        store,
        run,
        with_rating_problems(items),
        checks=checks,
        prepare_options=prepare_options,
        at=at,
        goes_on=goes_on,
        on_entry=on_entry,
    )
    if not account.jobs and not account.problem_count:
        raise nothing_found(store.count_jobs(), account.skips, sources)
    return account


def write_plan(
    store: Store,
    run: int,
    items: Iterable[PlanItem],
    *,
    checks: Checks,
    prepare_options: PrepareOptions,
    at: float,
    goes_on: bool = False,
    on_entry: Callable[[], None] = lambda: None,
) -> PlanAccount:
    """Write a plan, or a part's share of one, which may be empty; return the account of it."""
    account = PlanAccount(goes_on=goes_on)
    wide = hashlib.sha256(f"{run_wide(checks, prepare_options)}\0".encode())
    is_first = not store.count_jobs()
    batch = PlanBatch(store, run)
    writer = _Writer(store, run, account, wide, at, has_treatments(store), is_first, batch)
    store.begin_spellings()
    stream = iter(items)
    is_open = True
    while is_open:
        with store.transaction():
            is_open = False
            for item in islice(stream, PLAN_BATCH):
                is_open = True
                writer.put(item)
                if isinstance(item, _ENTRIES):
                    on_entry()
            for warning in batch.flush():
                account.add(warning)
    account.gone = store.gone(run, GONE_NAMED, last_reported(store, run))
    account.this_run["gone"] = account.gone.newly
    return account


def with_rating_problems(items: Iterable[PlanItem]) -> Iterator[PlanItem]:
    """Yield a plan with a problem after each specification whose ratings cannot be used.

    Before a file is checked against them.
    """
    for item in items:
        yield item
        if isinstance(item, Specification):
            try:
                rated_capacity(item.payload.get("ratings"))
                voltage_window(item.payload.get("ratings"))
            except UnknownUnitError as error:
                yield Problem(
                    where=item.origin, rule="unknown_unit", message=str(error), scope=Scope.PLAN
                )


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the entries of one run's plan into the journal, and counts them."""

    store: Store
    run: int
    account: PlanAccount
    #: Digest, not ended, of what decides for every job alike what preparing gives.
    run_wide: hashlib._Hash
    at: float
    #: Whether a retry ever chose something for single jobs.
    has_treatments: bool
    #: Whether the journal has no job of an earlier plan.
    is_first: bool
    batch: PlanBatch

    def put(self, item: PlanItem) -> None:
        match item:
            case UploadJob():
                self._put_job(item)
            case Skip():
                # An entry that two sources of the plan hold counts once.
                self.account.skips += self.store.put_skip(self.run, item)
            case Specification():
                self.store.put_specification(item)
            case CellMetadata():
                self.store.put_cell(item)
            case Problem():
                self._put_problem(item)

    def _put_problem(self, problem: Problem) -> None:
        self.account.add(problem)
        if problem.severity is Severity.WARNING:
            return
        was_known = self.store.is_rejection_known(problem.where, problem.rule)
        is_new = self.store.put_rejection(self.run, problem.where, problem.rule, problem.message)
        if is_new and not was_known:
            self.account.add_newly_rejected(problem)
        self.account.rejected += is_new
        # A file of metadata is not one of the entries: those that need it count themselves.
        if is_new and problem.scope is Scope.ENTRY:
            is_known = is_entry_accepted(self.store, problem.where, problem.message)
            self.account.in_the_way += not is_known

    def _put_job(self, job: UploadJob) -> None:
        """Add a job or take a known one up, unless this plan has its name already."""
        store, run = self.store, self.run
        payload = job_to_text(job)
        if self.is_first and store.add_job(run, job, payload, self._digest(payload, "")):
            self._count(job, "new")
            return
        row = store.find_job(job.key)
        chosen = ""
        if self.has_treatments and row is not None:
            chosen = str(treatment_of(store, row.id))
        options_digest = self._digest(payload, chosen)
        if row is not None and (row.plan_run == run or row.id in self.batch.unchanged):
            self._put_claimed(job, row)
            return
        if row is None:
            store.add_job(run, job, payload, options_digest)
            self._count(job, "new")
            return
        stamp, known = quick_stamp(job.path), row.known
        reason = restart_reason(known, options_digest=options_digest, stamp=stamp)
        stated = (job.path, payload, options_digest)
        if reason is None and stated == (row.path, row.payload, row.recipe):
            self.batch.unchanged[row.id] = None
        else:
            store.replan_job(
                run, row.id, path=job.path, payload=payload, options_digest=options_digest
            )
        if reason is not None:
            events.append(store, run, row.id, self.at, Restarted(reason=reason))
        self._count(job, _since(known, stamp, reason))

    def _digest(self, payload: str, chosen: str) -> str:
        """Return the digest of all that decides what preparing a job gives."""
        digest = self.run_wide.copy()
        digest.update(f"{payload}\0{chosen}".encode())
        return digest.hexdigest()[:32]

    def _count(self, job: UploadJob, since: str) -> None:
        self.account.this_run[since] += 1
        self.account.jobs += 1
        self.batch.add_name(job)

    def _put_claimed(self, job: UploadJob, first: JobRow) -> None:
        """Decide on an entry whose name an earlier one of this plan has.

        Where both are the same, one is sent. Otherwise neither is: which of them is meant is
        not guessed. What Studio has of the first since an earlier run stays as it is.
        """
        where = job.origin or job.path
        if first.state is not JobState.REJECTED and _is_same(job, first.job):
            skip = Skip(where=where, rule=Rule.SAME_CONTENT)
            self.account.skips += self.store.put_skip(self.run, skip)
            return
        self._put_problem(duplicate_name(job.key, where, first.path))
        if first.state is JobState.PLANNED:
            problem = duplicate_name(job.key, first.path, job.path)
            rejected = SourceRejected(cause=problem.rule, message=problem.message)
            events.append(self.store, self.run, first.id, self.at, rejected)
            self.account.add(problem)
            self.account.contested += 1
            self.account.in_the_way += 1


def _since(known: Known, stamp: tuple[int, int] | None, reason: str | None) -> str:
    """Return what became of a known source since the last run."""
    # One whose name another source claims is not looked at: nothing is known of it.
    if reason != "source_changed" or known.stamp == (0, 0):
        return "unchanged"
    before = known.stored_stamp or known.stamp
    return "grown" if stamp and before and stamp[0] > before[0] else "changed"


def _is_same(job: UploadJob, first: UploadJob) -> bool:
    """Return whether two jobs of one name would send the same, whichever is taken."""
    if job_to_text(replace(job, path=first.path)) != job_to_text(first):
        return False
    return job.path == first.path or have_same_content(Path(job.path), Path(first.path))


def run_wide(checks: Checks, prepare_options: PrepareOptions) -> str:
    """Return all that decides, for every job alike, what preparing the same bytes gives."""
    dialects = (
        None
        if prepare_options.dialects is None
        else Path(prepare_options.dialects).read_text("utf-8")
    )
    return dump([VERSION, checks_as_json(checks), asdict(prepare_options), dialects])
