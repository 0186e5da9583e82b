"""Plan again where nothing that the plan is made of has changed: the journal's plan holds.

Every entry would be stated as it was, so that the rows of the last plan are taken over together.
Jobs that may have to begin again are looked at one by one, as any plan does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from bulkload.core.issues import Severity
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Checks, Problem, Scope, UploadJob
from bulkload.core.prepare_result import PrepareOptions
from bulkload.core.resume import RETRYABLE_REJECTIONS
from bulkload.engine.limits import GONE_NAMED, MAX_PROBLEMS
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.plan_writer import run_wide, write_plan
from bulkload.journal import Store
from bulkload.journal.acceptance import is_entry_accepted
from bulkload.journal.news import last_reported
from bulkload.sources.listings import Listings

#: Problems that follow from names alone: with the same names they are the same.
_OF_NAMES: Final = frozenset(
    {
        Rule.NO_LAYOUT,
        Rule.EMPTY_NAME,
        Rule.NAME_TOO_LONG,
        Rule.CONTROL_CHARACTER,
        Rule.UNDECODABLE_NAME,
    }
)


def asked_of(
    listings: Listings, sources: Sequence[str], checks: Checks, prepare_options: PrepareOptions
) -> dict[str, Any]:
    """Return all that a plan is made of beside what its folders hold."""
    return {
        "sources": list(sources),
        "read_with": listings.identity,
        "prepared_with": run_wide(checks, prepare_options),
    }


def keep_listings(
    store: Store, run: int, account: PlanAccount, listings: Listings, asked: Mapping[str, Any]
) -> None:
    """Keep what the folders of a plan held, if the plan follows from that alone."""
    if (
        account.refusal
        or account.contested
        or account.problem_count != len(account.problems)
        or len(account.warnings) == MAX_PROBLEMS
        or any(problem.rule not in _OF_NAMES for problem in account.problems)
        # Which of two sources of one content is sent depends on what became of the first.
        or store.has_skip(run, Rule.SAME_CONTENT)
    ):
        return
    problems = [asdict(one) for one in (*account.problems, *account.warnings)]
    listings.keep({**asked, "run": run, "problems": problems})


def plan_unchanged(
    store: Store,
    run: int,
    listings: Listings,
    asked: Mapping[str, Any],
    *,
    checks: Checks,
    prepare_options: PrepareOptions,
    at: float,
    goes_on: bool,
    on_entry: Callable[[], None],
) -> PlanAccount | None:
    """Make the last plan this run's; None where a plan made anew may be another.

    Side effects: the plan's rows belong to ``run``; a ``Restarted`` event for each job that has to
    begin again.
    """
    before = store.plan_before(run)
    kept = listings.unchanged({**asked, "run": before})
    # What could not be read for a while may hold other tests than it seemed to.
    if before is None or kept is None or store.rejection_causes(before) & RETRYABLE_REJECTIONS:
        return None
    account = write_plan(
        store,
        run,
        _to_look_at(store, before),
        checks=checks,
        prepare_options=prepare_options,
        at=at,
        goes_on=goes_on,
    )
    with store.transaction():
        jobs, skips, rejected = store.take_over_plan(run, before)
        store.try_again(run)
    account.jobs += jobs
    account.skips += skips
    account.rejected += rejected
    account.this_run["unchanged"] += jobs
    account.gone = store.gone(run, GONE_NAMED, last_reported(store, run))
    account.this_run["gone"] = account.gone.newly
    account.warnings.clear()
    _add_problems(store, account, kept["problems"])
    for _ in range(account.jobs + account.skips):
        on_entry()
    return account


def _to_look_at(store: Store, before: int) -> Iterator[UploadJob]:
    """Yield the jobs of a plan that may have to begin again."""
    return (store.get_job(job).job for job in store.unsettled(before))


def _add_problems(store: Store, account: PlanAccount, kept: Sequence[Mapping[str, Any]]) -> None:
    """Count the problems that the plan had: they concern what is as it was."""
    in_the_way: set[str] = set()
    for one in kept:
        problem = Problem(
            **{**one, "severity": Severity(one["severity"]), "scope": Scope(one["scope"])}
        )
        account.add(problem)
        if problem.severity is Severity.ERROR and problem.where not in in_the_way:
            in_the_way.add(problem.where)
            account.in_the_way += not is_entry_accepted(store, problem.where, problem.message)
