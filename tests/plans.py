"""Plans written into a temporary journal, as every command does it."""

from __future__ import annotations

from collections.abc import Iterable

from bulkload.core.plan_items import Checks, PlanItem
from bulkload.core.prepare_result import PrepareOptions
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.plan_writer import plan_into
from bulkload.journal import Store


def account_of(items: Iterable[PlanItem]) -> PlanAccount:
    """Return the account of a plan."""
    with Store(None) as store:
        run = store.begin_run("plan", {}, 0.0)
        return plan_into(
            store, run, items, checks=Checks(), prepare_options=PrepareOptions(), at=0.0
        )
