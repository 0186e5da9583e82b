"""Events over time, counted as they come: each is read from the journal once."""

from __future__ import annotations

from collections import defaultdict
from math import ceil
from pathlib import Path

from bulkload.core.timeline import Course, WorkSpan, course_of, stretches
from bulkload.journal.overview import events_since, newest_event, run_summaries
from bulkload.journal.whole import WholeJob
from bulkload.report.limits import COUNT_WIDTH_S, COURSE_BINS


class EventCounter:
    """Counts the events of the newest stretch of work of a job."""

    def __init__(self) -> None:
        self._begin = 0.0
        #: Number of the newest event that is counted, by folder.
        self._seen: dict[Path, int] = {}
        #: Bin and name -> events and bytes.
        self._counts: defaultdict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])

    def course(self, whole: WholeJob, now: float) -> Course | None:
        """Return the course of the newest stretch, up to ``now`` where a run is open."""
        stretch = _newest(whole, now)
        if stretch is None:
            return None
        if stretch.begin != self._begin:
            self._begin = stretch.begin
            self._seen.clear()
            self._counts.clear()
        self._read(whole)
        bins = max(1, min(COURSE_BINS, ceil((stretch.end - stretch.begin) / COUNT_WIDTH_S)))
        width_s = stretch.bin_width_s(bins)
        return course_of(
            stretch,
            bins,
            (
                (int((at * COUNT_WIDTH_S - stretch.begin) / width_s), name, events, stored)
                for (at, name), (events, stored) in self._counts.items()
            ),
        )

    def _read(self, whole: WholeJob) -> None:
        for folder, store in zip(whole.folders, whole.stores(), strict=True):
            after = self._seen.get(folder, 0)
            for at, name, events, stored, last in events_since(
                store, after, self._begin, COUNT_WIDTH_S
            ):
                count = self._counts[at, name]
                count[0] += events
                count[1] += stored
                self._seen[folder] = max(self._seen.get(folder, 0), last)


def _newest(whole: WholeJob, now: float) -> WorkSpan | None:
    spans = []
    for store in whole.stores():
        newest = newest_event(store)
        runs = run_summaries(store)
        for run in runs:
            is_last = run is runs[-1]
            open_end = now if is_last else (newest[1] if newest else run.started_at)
            spans.append((run.started_at, run.ended_at or open_end))
    found = stretches(spans)
    return found[-1] if found else None
