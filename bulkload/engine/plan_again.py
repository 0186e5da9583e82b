"""Take up the plan of an earlier run again: all that is open, or what did not arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from bulkload.core.lifecycle import Restarted
from bulkload.core.roots import ROOT_MARK
from bulkload.core.treatment import Treatment
from bulkload.engine.plan_account import PlanAccount
from bulkload.journal import Store, events
from bulkload.journal.treatments import jobs_of_root, put_treatment, treatment_of


def retry_into(
    store: Store,
    run: int,
    _on_entry: Callable[[], None],
    *,
    cause: str | None,
    at: float,
    treatment: Treatment = Treatment(),  # noqa: B008 - frozen
    is_as_planned: bool = False,
) -> PlanAccount:
    """Take up the last run's plan again and have what did not arrive begin anew.

    ``cause`` limits that to the jobs that have it, or the root of that name; the others stay as
    they are. Each job that begins anew is given the treatment beside what earlier retries chose
    for it; with ``is_as_planned`` it loses that first.

    Side effects: the plan's rows belong to ``run``; a ``Restarted`` event for each such job.
    """
    with store.transaction():
        jobs, skips, rejected = store.take_over_plan(run, store.plan_before(run))
        for job in _to_retry(store, run, cause):
            kept = Treatment() if is_as_planned else treatment_of(store, job)
            put_treatment(store, run, job, kept.then(treatment))
            events.append(store, run, job, at, Restarted(reason="retry"))
    return PlanAccount(jobs=jobs, skips=skips, rejected=rejected, this_run=Counter(unchanged=jobs))


def take_up(store: Store, run: int, _on_entry: Callable[[], None], *, at: float) -> PlanAccount:
    """Go on with the last run's plan as it stands; what was given up for a time is tried again.

    What was open when that run was interrupted begins anew.

    Side effects: the plan's rows belong to ``run``; a ``Restarted`` event for each such job.
    """
    with store.transaction():
        jobs, skips, rejected = store.take_over_plan(run, store.plan_before(run))
        for job in store.interrupted(run):
            events.append(store, run, job, at, Restarted(reason="interrupted"))
        store.try_again(run)
    return PlanAccount(jobs=jobs, skips=skips, rejected=rejected, this_run=Counter(unchanged=jobs))


def _to_retry(store: Store, run: int, cause: str | None) -> list[int]:
    """Return the jobs of a plan that did not arrive: all, those of a cause, or of a root."""
    if cause is not None and ROOT_MARK in cause:
        return jobs_of_root(store, run, cause)
    return store.not_arrived(run, cause)
