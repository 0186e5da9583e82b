"""What a run found that the one before it had not: since the last run that gave an account."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field

from bulkload.core.lifecycle import JobState
from bulkload.core.tally import Newly
from bulkload.journal.limits import NEWS_NAMED
from bulkload.journal.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What became of entries, counted, and the first of those that are lost now."""

    counts: Counter[str] = field(default_factory=Counter)
    #: Messages of newly rejected and failed measurements, at most ``NEWS_NAMED``.
    lost: tuple[str, ...] = ()


def last_reported(store: Store, run: int) -> int:
    """Return the last run before this one that gave an account, 0 for none.

    One that was killed, or whose plan could not be run, reported nothing.
    """
    row = store.row("run_reported", run)
    return 0 if row is None or row[0] is None else int(row[0])


def news(store: Store, run: int) -> News:
    """Return what is new in a run's account beside its sources."""
    since = last_reported(store, run)
    counts: Counter[str] = Counter()
    lost: list[str] = []
    for row in store.rows("newly_lost", run, since):
        is_rejected = row["state"] == JobState.REJECTED
        counts[Newly.REJECTED if is_rejected else Newly.FAILED] += 1
        if len(lost) < NEWS_NAMED:
            lost.append(f"{row['cause']}: {row['message'] or row['path']}")
    if since:
        counts[Newly.RECOVERED] = _count(store.row("newly_recovered", since))
    counts[Newly.ACCEPTED] = _count(store.row("newly_accepted", run, since))
    return News(counts=counts, lost=tuple(lost))


def _count(row: sqlite3.Row | None) -> int:
    return 0 if row is None else int(row[0])
