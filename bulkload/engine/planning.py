"""Plan a run from its sources: what `upload`, `resume`, the demo and the Python job share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bulkload.clock import SystemClock
from bulkload.core.plan_items import PlanItem
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.plan_unchanged import asked_of, keep_listings, plan_unchanged
from bulkload.engine.plan_writer import check_same_archive, plan_into
from bulkload.journal import Store
from bulkload.settings import RunSettings
from bulkload.sources.listings import Listings


def planner(
    read: Callable[[], Iterable[PlanItem]],
    settings: RunSettings,
    sources: Sequence[str],
    job_dir: Path,
    *,
    goes_on: bool = False,
    listings: Listings | None = None,
) -> Callable[[Store, int, Callable[[], None]], PlanAccount]:
    """Return the function that plans a run from its sources.

    ``listings`` is where ``read`` notes what folders hold, None where that does not decide what
    is read. Where they hold what they held, the plan that the journal has is taken again.
    """
    at = SystemClock().now().timestamp()
    checks, prepare_options = settings.checks, settings.prepare_options

    def plan(store: Store, run: int, on_entry: Callable[[], None]) -> PlanAccount:
        asked = {} if listings is None else asked_of(listings, sources, checks, prepare_options)
        if listings is not None:
            account = plan_unchanged(
                store,
                run,
                listings,
                asked,
                checks=checks,
                prepare_options=prepare_options,
                at=at,
                goes_on=goes_on,
                on_entry=on_entry,
            )
            if account is not None:
                keep_listings(store, run, account, listings, asked)
                return account
        check_same_archive([(store, read)], job_dir, sources)
        account = plan_into(
            store,
            run,
            read(),
            checks=checks,
            prepare_options=prepare_options,
            at=at,
            sources=sources,
            goes_on=goes_on,
            on_entry=on_entry,
        )
        if listings is not None:
            keep_listings(store, run, account, listings, asked)
        return account

    return plan
