"""Detect outages. Pure: counts failures in a row and decides when to probe.

While a service is down only one probe at a time is sent; any success ends the outage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Failures in a row, with no success anywhere between them, that make an outage. Single
#: failures are the retry policy's; at a fault rate of one in ten, five in a row are chance
#: once in a hundred thousand requests, and cost a pause of a second.
FAILURES_TO_OUTAGE: Final = 5
#: Seconds between probes at the beginning of an outage: never more than one a second.
FIRST_PROBE_AFTER_S: Final = 1.0
#: Seconds between probes once an outage is long: the run loses at most that much after it.
SLOWEST_PROBE_EVERY_S: Final = 15.0
#: Growth of the time between probes.
PROBE_BACK_OFF: Final = 1.5
#: Seconds between two notices of one outage.
NOTICE_EVERY_S: Final = 60.0


@dataclass(slots=True, kw_only=True)
class OutageMonitor:
    """What is known of one service's reachability; ``now`` is monotonic, in seconds."""

    #: Seconds of outage after which waiting is given up.
    limit_s: float
    failures_to_outage: int = FAILURES_TO_OUTAGE
    reason: str = ""
    _failures: int = 0
    _first_failure: float = 0.0
    _down_since: float | None = None
    _next_probe: float = 0.0
    _interval_s: float = FIRST_PROBE_AFTER_S
    _next_notice: float = 0.0

    @property
    def is_down(self) -> bool:
        """True during an outage."""
        return self._down_since is not None

    def down_for_s(self, now: float) -> float:
        """Return the seconds since the outage began, 0 without one."""
        return 0.0 if self._down_since is None else now - self._down_since

    def has_expired(self, now: float) -> bool:
        """Return whether the outage has lasted longer than the limit."""
        return self.is_down and self.down_for_s(now) >= self.limit_s

    def until_limit_s(self, now: float) -> float:
        """Return the seconds until waiting is given up."""
        return max(0.0, self.limit_s - self.down_for_s(now))

    def probe_in_s(self, now: float) -> float:
        """Return the seconds until the next probe may be sent."""
        return max(0.0, self._next_probe - now)

    def succeeded(self, began: float) -> None:
        """Record an answer to a request that began then: the service is there."""
        if self._down_since is not None and began < self._down_since:
            return  # served before the outage, reported after its beginning
        self._failures = 0
        self._down_since = None
        self._interval_s = FIRST_PROBE_AFTER_S

    def failed(self, now: float, reason: str) -> None:
        """Record a request that the service did not serve at all."""
        if self.is_down:
            # Requests from before the outage may still be failing: only probes are counted.
            return
        if self._failures == 0:
            self._first_failure = now
        self._failures += 1
        self.reason = reason
        if self._failures >= self.failures_to_outage:
            self._down_since = self._first_failure
            self._next_probe = now + self._interval_s
            self._next_notice = now

    def probe_failed(self, now: float, reason: str) -> None:
        """Record a probe that failed; the next one waits longer."""
        if not self.is_down:
            return
        self.reason = reason
        self._interval_s = min(self._interval_s * PROBE_BACK_OFF, SLOWEST_PROBE_EVERY_S)
        self._next_probe = now + self._interval_s

    def notice_due(self, now: float) -> bool:
        """Return whether a notice of the outage is due: at once, then once a minute."""
        if not self.is_down or now < self._next_notice:
            return False
        self._next_notice = now + NOTICE_EVERY_S
        return True
