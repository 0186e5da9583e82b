"""What a report and the live page ask of a journal: cells, causes and the course of time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from bulkload.core.lifecycle import JobState
from bulkload.core.tally import outcome_of
from bulkload.journal.rows import RunRow
from bulkload.journal.store import Store

#: What stands for an outcome that there is not yet.
NOT_DONE = "not done"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One measurement of a plan."""

    job: int
    spec: str
    cell: str
    measurement: str
    path: str
    #: The outcome, or ``NOT_DONE``.
    outcome: str
    cause: str
    message: str
    rows: int | None
    #: When the test began, where its file says so, and what its time covers, in seconds.
    start: datetime | None
    span_s: float
    #: The most that one step moved, in A.h.
    capacity: float | None

    @property
    def end(self) -> datetime | None:
        """When the test ended."""
        return None if self.start is None else self.start + timedelta(seconds=self.span_s)


class CellCount(NamedTuple):
    """Measurements of a cell that have one outcome."""

    spec: str
    cell: str
    outcome: str
    jobs: int


class Brief(NamedTuple):
    """A measurement in a list."""

    job: int
    measurement: str
    outcome: str
    cause: str
    rows: int | None


class EventCount(NamedTuple):
    """Events of one name in a part of a span of time."""

    bin: int
    name: str
    events: int
    bytes: int


class LastEvent(NamedTuple):
    """An event, for people."""

    id: int
    #: Seconds since 1970, UTC.
    at: float
    name: str
    job: int
    spec: str
    cell: str
    measurement: str
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One invocation, with the summary that it ended with."""

    id: int
    command: str
    settings: dict[str, Any]
    #: Seconds since 1970, UTC.
    started_at: float
    ended_at: float | None
    summary: dict[str, Any]


def entries(store: Store, run: int, *, is_waiting: bool) -> Iterator[JournalEntry]:
    """Yield the measurements of a plan, cell after cell."""
    for row in store.rows("overview", run):
        kind, why = outcome_of(
            JobState(row["state"]), has_given_up=bool(row["has_given_up"]), is_waiting=is_waiting
        )
        yield JournalEntry(
            job=row["id"],
            spec=row["spec"],
            cell=row["cell"],
            measurement=row["measurement"],
            path=row["path"],
            outcome=NOT_DONE if kind is None else kind.value,
            cause=row["cause"] or why,
            message=row["message"],
            rows=row["rows"],
            start=None if row["start"] is None else datetime.fromisoformat(row["start"]),
            span_s=row["span_s"] or 0.0,
            capacity=row["capacity"],
        )


def count_by_cell(store: Store, run: int, *, is_waiting: bool) -> list[CellCount]:
    """Return how many measurements of each cell have which outcome, cell after cell."""
    found = []
    for row in store.rows("count_by_cell", run):
        kind, _ = outcome_of(
            JobState(row["state"]), has_given_up=bool(row["has_given_up"]), is_waiting=is_waiting
        )
        outcome = NOT_DONE if kind is None else kind.value
        found.append(CellCount(row["spec"], row["cell"], outcome, row["jobs"]))
    return found


def events_over_time(
    store: Store, begin: float, end: float, width_s: float
) -> Iterator[EventCount]:
    """Yield the events between two moments (seconds since 1970), in bins of ``width_s``."""
    return map(EventCount._make, store.rows("events_over_time", begin, end, width_s))


def events_since(
    store: Store, after: int, begin: float, width_s: float
) -> list[tuple[int, str, int, int, int]]:
    """Return the events with a number above ``after`` that happened from ``begin`` on.

    In bins of ``width_s`` seconds since 1970: bin, name, events, bytes stored, highest number.
    """
    return [tuple(row) for row in store.rows("events_since", after, begin, width_s)]


def measurements_of(store: Store, run: RunRow, cell: tuple[str, str], limit: int) -> list[Brief]:
    """Return the first measurements of a cell of a plan."""
    is_waiting = bool(run.settings.get("is_waiting", True))
    found = []
    for row in store.rows("overview_of_cell", run.id, *cell, limit):
        kind, why = outcome_of(
            JobState(row["state"]), has_given_up=bool(row["has_given_up"]), is_waiting=is_waiting
        )
        outcome = NOT_DONE if kind is None else kind.value
        brief = Brief(row["id"], row["measurement"], outcome, row["cause"] or why, row["rows"])
        found.append(brief)
    return found


def last_events(store: Store, after: int, limit: int) -> list[LastEvent]:
    """Return the newest events with a number above ``after``, newest first."""
    return [LastEvent._make(row) for row in store.rows("events_last", after, limit)]


def newest_event(store: Store) -> tuple[int, float] | None:
    """Return number and time of the newest event, or None."""
    row = store.row("event_newest")
    return None if row is None or row["id"] is None else (row["id"], row["at"])


def excerpt_text(store: Store, job: int) -> str:
    """Return what there is to plot of a rejected job, as JSON; empty where there is nothing."""
    row = store.row("excerpt", job)
    return "" if row is None else row[0] or ""


def reader_counts(store: Store) -> list[tuple[str, str, int]]:
    """Return name, version and number of files of each reader."""
    return [
        (row["reader"], row["version"] or "", row["files"])
        for row in store.rows("readers")
        if row["reader"]
    ]


def run_summaries(store: Store) -> list[RunSummary]:
    """Return all runs, oldest first."""
    return [
        RunSummary(
            id=row["id"],
            command=row["command"],
            settings=json.loads(row["settings"]),
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            summary=json.loads(row["summary"] or "{}"),
        )
        for row in store.rows("run_summaries")
    ]
