"""What people know of and accept: marks on entries that did not arrive, with who, when and why.

A mark holds while the entry has the cause, and its source the content, that was accepted. It
changes no outcome: the entry stays rejected or failed. A mark that is taken back stays on record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from bulkload.journal.store import Store


class Acceptance(NamedTuple):
    """Why an entry that did not arrive is accepted, by whom, and when in seconds since 1970."""

    reason: str
    accepted_by: str
    accepted_at: float


class LostEntry(NamedTuple):
    """An entry of a plan that did not arrive."""

    #: 0 for an entry that has no job.
    job: int
    location: str
    cause: str
    message: str
    #: The source as it was looked at last.
    source_bytes: int | None
    source_mtime_ns: int | None
    source_sha256: str | None
    spec: str
    cell: str
    measurement: str
    #: Of the mark that holds, or None.
    reason: str | None
    accepted_by: str | None
    accepted_at: float | None

    @property
    def is_accepted(self) -> bool:
        """Whether a mark holds."""
        return self.accepted_at is not None


class AcceptanceRow(NamedTuple):
    """A mark on record."""

    location: str
    spec: str | None
    cell: str | None
    measurement: str | None
    cause: str
    message: str
    source_sha256: str | None
    reason: str
    accepted_by: str
    accepted_at: float
    ended_by: str | None
    ended_at: float | None
    #: Whether the entry is still as it was accepted.
    holds: int


def lost_entries(store: Store, run: int) -> Iterator[LostEntry]:
    """Yield the entries of a run's plan that are rejected or failed."""
    return map(LostEntry._make, store.rows("not_arrived", run))


def accepted_causes(store: Store, run: int) -> Counter[str]:
    """Return how many entries of a run's plan are accepted, by cause."""
    found: Counter[str] = Counter()
    for row in store.rows("tally_accepted", run):
        found[row["cause"]] += row["entries"]
    return found


def acceptance_of(store: Store, job: int) -> Acceptance | None:
    """Return the mark that holds for a job."""
    row = store.row("acceptance_of_job", job)
    return None if row is None else Acceptance._make(row)


def acceptances(store: Store) -> Iterator[AcceptanceRow]:
    """Yield every mark that was ever made, oldest first."""
    return map(AcceptanceRow._make, store.rows("acceptances"))


def accept(store: Store, entry: LostEntry, mark: Acceptance) -> None:
    """Mark an entry as accepted, as it is now."""
    store.write("acceptance_put", *entry[:4], *entry[4:7], *mark)


def take_back(store: Store, entry: LostEntry, by: str, at: float) -> None:
    """End the marks of an entry and its cause; they stay on record."""
    store.write("acceptance_end", by, at, entry.job, entry.location, entry.cause)


def is_entry_accepted(store: Store, location: str, message: str) -> bool:
    """Return whether an entry without a job is accepted with this message."""
    return store.row("is_entry_accepted", location, message) is not None
