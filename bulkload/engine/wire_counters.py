"""Counters of delivery: requests, bytes, retries, and what waits for a server."""

from __future__ import annotations

from collections import defaultdict

from bulkload.client.http.events import (
    BUDGET_EMPTY,
    Exchanged,
    LevelChanged,
    OutOfReach,
    Paused,
    Recovered,
    Retrying,
    WireEvent,
)
from bulkload.clock import Clock
from bulkload.core.snapshot import SERVER, Pause


class WireCounters:
    """What the events of the wire add up to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.bytes_sent = 0
        self.requests = 0
        self.retries = 0
        #: Why nothing is delivered, while a service is unreachable.
        self.out_of_reach: str | None = None
        #: Seconds of exchanges, by service.
        self.busy_s: defaultdict[str, float] = defaultdict(float)
        #: Calls a second that the API allows, None where it never refused one.
        self.api_rate: float | None = None
        #: Transfers that may be in flight, None while that never changed.
        self.streams: int | None = None
        #: When a retry last had to wait for the budget (monotonic), None where none had.
        self.budget_lacked_at: float | None = None
        #: Endpoints that are left alone because the server asked for it.
        self._pauses: dict[str, Pause] = {}

    def on_wire(self, event: WireEvent) -> None:
        """Count an event of delivery."""
        match event:
            case Exchanged():
                self.requests += 1
                self.bytes_sent += event.bytes_sent
                self.busy_s[event.service] += event.seconds
            case Retrying():
                self.retries += 1
            case OutOfReach():
                self.out_of_reach = event.reason
            case Recovered():
                self.out_of_reach = None
            case Paused(reason=reason) if reason == BUDGET_EMPTY:
                self.budget_lacked_at = self._clock.monotonic()
            case Paused():
                until = self._clock.now().timestamp() + event.seconds
                pause = Pause(what=event.endpoint, why=event.reason, until=until)
                self._pauses[event.endpoint] = pause
            case LevelChanged(level="rate"):
                self.api_rate = event.value
            case LevelChanged(level="streams"):
                self.streams = max(1, int(event.value))
            case _:
                pass

    def pauses(self) -> tuple[Pause, ...]:
        """Return what waits for a server now."""
        now = self._clock.now().timestamp()
        for endpoint, pause in list(self._pauses.items()):
            if pause.until is not None and pause.until <= now:
                # The thread that shows the run may have been quicker.
                self._pauses.pop(endpoint, None)
        found = tuple(self._pauses.values())
        if self.out_of_reach is not None:
            found += (Pause(what=SERVER, why=self.out_of_reach),)
        return found
