"""Counters of what a run is doing: fed by events, read by the terminal and the summary."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from bulkload.client.http.events import Exchanged, OutOfReach, Recovered, Retrying, WireEvent
from bulkload.clock import Clock
from bulkload.core.lifecycle import (
    Confirmed,
    Event,
    Failed,
    Found,
    GaveUp,
    ProcessingFailed,
    ProcessingReady,
    SourcePrepared,
    SourceRejected,
)
from bulkload.core.outcome import OutcomeKind
from bulkload.engine.jobs import JobContext

#: What ends a job in a run, and how.
ENDINGS = {
    ProcessingReady: OutcomeKind.CREATED,
    Found: OutcomeKind.EXISTING,
    SourceRejected: OutcomeKind.REJECTED,
    Failed: OutcomeKind.FAILED,
    ProcessingFailed: OutcomeKind.FAILED,
    GaveUp: OutcomeKind.FAILED,
}


class Progress:
    """Counters of this run, for people: the outcomes are counted from the journal."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.started_at = clock.monotonic()
        #: Entries of the plan, and those that earlier runs or rules have ended.
        self.planned = 0
        self.counts: Counter[OutcomeKind] = Counter()
        self.causes: Counter[str] = Counter()
        self.prepared = 0
        self.confirmed = 0
        self.rows = 0
        self.bytes_read = 0
        self.bytes_sent = 0
        self.requests = 0
        self.retries = 0
        #: Why nothing is delivered, while a service is out of reach.
        self.out_of_reach: str | None = None
        #: From prepared to ended, the longest so far, in seconds.
        self.longest_delivery_s = 0.0
        #: When each job under way was prepared: as many entries as jobs in the pipeline.
        self._prepared_at: dict[int, float] = {}
        self._busy_s: defaultdict[str, float] = defaultdict(float)

    @property
    def done(self) -> int:
        """How many entries have ended."""
        return sum(self.counts.values())

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self._clock.monotonic() - self.started_at

    @contextmanager
    def busy(self, stage: str) -> Iterator[None]:
        """Count the time in the block as a stage's work."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self._busy_s[stage] += self._clock.monotonic() - began

    def share(self, stage: str, capacity: float) -> float:
        """Return how full a stage of that capacity was, 0 to 1, over the run."""
        return self._busy_s[stage] / (capacity * max(self.elapsed_s, 1e-9))

    def taken_up(self, context: JobContext) -> None:
        """Count the time of a job's delivery from here on, its wait for a free upload included."""
        self._prepared_at[context.id] = self._clock.monotonic()

    def on_event(self, context: JobContext, event: Event) -> None:
        """Count an event of a job."""
        if isinstance(event, SourcePrepared):
            self.prepared += 1
            self.rows += event.rows
            self.bytes_read += event.source_bytes
        elif isinstance(event, Confirmed):
            self.confirmed += 1
        elif (kind := ENDINGS.get(type(event))) is not None:
            self.counts[kind] += 1
            if (began := self._prepared_at.pop(context.id, None)) is not None:
                took_s = self._clock.monotonic() - began
                self.longest_delivery_s = max(self.longest_delivery_s, took_s)
        if isinstance(event, SourceRejected | Failed | GaveUp):
            self.causes[event.cause] += 1
        elif isinstance(event, ProcessingFailed):
            self.causes["processing_failed"] += 1

    def on_wire(self, event: WireEvent) -> None:
        """Count an event of delivery."""
        match event:
            case Exchanged():
                self.requests += 1
                self.bytes_sent += event.bytes_sent
                self._busy_s[event.service] += event.seconds
            case Retrying():
                self.retries += 1
            case OutOfReach():
                self.out_of_reach = event.reason
            case Recovered():
                self.out_of_reach = None
            case _:
                pass
