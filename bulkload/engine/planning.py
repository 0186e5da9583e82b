"""Plan a run from its sources: what `upload`, `resume`, the demo and the Python job share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bulkload.clock import SystemClock
from bulkload.core.plan_items import PlanItem
from bulkload.engine.plan_writer import PlanAccount, check_same_archive, plan_into
from bulkload.journal import Store
from bulkload.settings import RunSettings


def planner(
    read: Callable[[], Iterable[PlanItem]],
    settings: RunSettings,
    sources: Sequence[str],
    job_dir: Path,
    *,
    goes_on: bool = False,
) -> Callable[[Store, int, Callable[[], None]], PlanAccount]:
    """Return the function that plans a run from its sources."""
    at = SystemClock().now().timestamp()

    def plan(store: Store, run: int, on_entry: Callable[[], None]) -> PlanAccount:
        check_same_archive([(store, read)], job_dir, sources)
        return plan_into(
            store,
            run,
            read(),
            checks=settings.checks,
            prepare_options=settings.prepare_options,
            at=at,
            sources=sources,
            goes_on=goes_on,
            on_entry=on_entry,
        )

    return plan
