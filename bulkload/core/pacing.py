"""How many calls may be in flight, and how many a second. Pure: finds both by trying.

Two controllers work together. The **window** bounds the calls in flight: it grows by one a
round while it is in use and halves on a drop (429, 503, time-out). It alone cannot hold a rate
limit: at 50 ms a call, two in flight make 40 calls a second and three make 60. So the first 429
also starts the **rate**, which learns what the server takes, stays just below it, and asks for
more from time to time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

#: Calls in flight at the start: polite to a small server, doubled every round until the first drop.
FIRST_WINDOW: Final = 4
#: Drops within this time are one event: they were on their way together.
ONE_EVENT_S: Final = 1.0

#: The part of the measured ceiling that is used: the rest is for its jitter.
HEADROOM: Final = 0.97
#: Seconds to come back from half the ceiling to just below it.
RECOVERY_S: Final = 2.0
#: Seconds at the ceiling before more is tried; doubled each time that more was too much.
FIRST_HOLD_S: Final = 10.0
LONGEST_HOLD_S: Final = 480.0
#: Growth a second while more is tried.
PROBE_GROWTH_PER_S: Final = 0.05
#: Growth beyond a ceiling that nothing was sent to prove.
LARGEST_GROWTH: Final = 2.0
#: Answers that are looked at to tell what the server takes, in seconds.
MEASURE_S: Final = 5.0
#: Lowest rate, in calls a second. A server that takes even less is served by the pauses that its
#: 429s ask for; and a stray 429 at the start, when nothing was measured, must not stop a run.
LOWEST_RATE: Final = 5.0


@dataclass(slots=True, kw_only=True)
class Window:
    """Calls that may be in flight: additive increase, multiplicative decrease."""

    largest: int
    limit: float = FIRST_WINDOW
    smallest: int = 1
    #: Until the first drop the window doubles each round instead of growing by one.
    _is_starting: bool = True
    _last_drop: float | None = None

    def __post_init__(self) -> None:
        self.limit = float(min(self.limit, self.largest))

    def succeeded(self, in_flight: int) -> None:
        """Count a call that was served; ``in_flight`` includes it."""
        if in_flight * 2 < int(self.limit):
            return  # not in use: a larger window would prove nothing
        growth = 1.0 if self._is_starting else 1.0 / self.limit
        self.limit = min(float(self.largest), self.limit + growth)

    def dropped(self, now: float, *, to: float = 0.5) -> bool:
        """Count a call that was refused for load or timed out; True where the window shrank."""
        if self._last_drop is not None and now - self._last_drop < ONE_EVENT_S:
            return False
        self._last_drop = now
        self._is_starting = False
        self.limit = max(float(self.smallest), self.limit * to)
        return True

    def restart(self) -> None:
        """Begin small again: the server was away, and everybody comes back to it."""
        self.limit = float(max(self.smallest, min(FIRST_WINDOW, self.largest)))
        self._is_starting = True


@dataclass(slots=True)
class Rate:
    """Calls a second: unbounded until the first 429, then held just below what is taken."""

    #: Calls a second that the server took when it last refused one; None before that.
    ceiling: float | None = None
    _cut_at: float = 0.0
    _hold_s: float = FIRST_HOLD_S
    _next_slot: float = 0.0
    _served: deque[float] = field(default_factory=deque)

    def current(self, now: float) -> float | None:
        """Give the calls a second that are allowed now, None for as many as the window lets."""
        if self.ceiling is None:
            return None
        age = now - self._cut_at
        if age < RECOVERY_S:
            # Concave: most of the way back is made at once, the last part with care.
            missing = (1.0 - age / RECOVERY_S) ** 3 / 2
            return max(LOWEST_RATE, self.ceiling * HEADROOM * (1.0 - missing))
        beyond = max(0.0, age - RECOVERY_S - self._hold_s)
        growth = min(1.0 + PROBE_GROWTH_PER_S * beyond, LARGEST_GROWTH)
        return max(LOWEST_RATE, self.ceiling * HEADROOM * growth)

    def reserve(self, now: float) -> float:
        """Take the next slot; give the seconds to wait for it."""
        rate = self.current(now)
        if rate is None:
            return 0.0
        slot = max(now, self._next_slot)
        self._next_slot = slot + 1.0 / rate
        return slot - now

    def served(self, now: float) -> None:
        """Count a call that was served."""
        self._served.append(now)
        self._forget(now)
        rate = self.current(now)
        if self.ceiling is None or rate is None or rate < self.ceiling * LARGEST_GROWTH * HEADROOM:
            return
        if self._measured(now) >= rate * HEADROOM:
            # The server takes twice what it did: that is its new ceiling, and more is tried.
            self.ceiling = rate
            self._cut_at = now - RECOVERY_S - self._hold_s

    def refused(self, now: float) -> bool:
        """Count a 429; True where the rate changed."""
        if self.ceiling is not None and now - self._cut_at < ONE_EVENT_S:
            return False
        tried = self.current(now)
        taken = self._measured(now)
        if tried is None:
            self.ceiling = taken
        else:
            was_probing = now - self._cut_at > RECOVERY_S + self._hold_s
            self._hold_s = min(self._hold_s * 2, LONGEST_HOLD_S) if was_probing else FIRST_HOLD_S
            # Refused below the ceiling: the server takes less than it did.
            self.ceiling = min(max(taken, tried / 2), tried)
        self.ceiling = max(self.ceiling, LOWEST_RATE)
        self._cut_at = now
        self._next_slot = now
        return True

    def _measured(self, now: float) -> float:
        self._forget(now)
        if not self._served:
            return LOWEST_RATE
        return len(self._served) / max(now - self._served[0], 1.0)

    def _forget(self, now: float) -> None:
        while self._served and self._served[0] < now - MEASURE_S:
            self._served.popleft()
