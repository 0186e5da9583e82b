"""How many calls may be in flight, and how many a second. Pure: finds both by trying.

Two controllers work together. The **window** bounds the calls in flight: it grows by one a
round while it is in use and halves on a drop (429, 503, time-out). It alone cannot hold a rate
limit: at 50 ms a call, two in flight make 40 calls a second and three make 60. So the first 429
also starts the **rate**, which looks for the highest one that is not refused: it keeps the
highest that went well and the lowest that was refused, tries between them, and once they are
close stays at the lower one and asks for more only now and then.

A call tells when it began: what was on its way before a change says nothing about the change.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

#: Calls in flight at the start: polite to a small server, doubled every round until a drop.
FIRST_WINDOW: Final = 4

#: Lowest rate, in calls a second: slow, and still moving.
LOWEST_RATE: Final = 1.0
#: A first guess below what was taken in the second before the first 429: part of that was saved
#: up by the server.
FIRST_GUESS: Final = 0.8
#: Seconds without a 429 that prove a rate: while little is known, and when it counts.
QUICK_PROOF_S: Final = 1.0
SURE_PROOF_S: Final = 3.0
#: Part of the rate that must be in use for the proof: an idle client proves nothing.
IN_USE: Final = 0.8
#: A refused rate that is no more than this much above a proved one ends the search.
CLOSE: Final = 1.06
#: Growth while no limit was met, and the first step beyond a limit that was met before.
FIRST_GROWTH: Final = 1.0
LATER_GROWTH: Final = CLOSE - 1.0
#: Cut where a rate that was proved is refused all the same: the limit has fallen a little, or
#: the server saves up calls.
FALLEN: Final = 0.9
#: Seconds at a proved rate after which a single 429 is a stray: the rate stays.
STRAY_AFTER_S: Final = 20.0
#: Seconds at the limit before more is tried; doubled each time that more was refused.
FIRST_HOLD_S: Final = 60.0
LONGEST_HOLD_S: Final = 480.0


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

    def dropped(self, now: float, began: float) -> bool:
        """Count a call that was refused for load or timed out; True where the window shrank."""
        if self._last_drop is not None and began < self._last_drop:
            return False
        self._last_drop = now
        self._is_starting = False
        self.limit = max(float(self.smallest), self.limit / 2)
        return True

    def restart(self) -> None:
        """Begin small again: the server was away, and everybody comes back to it."""
        self.limit = float(max(self.smallest, min(FIRST_WINDOW, self.largest)))
        self._is_starting = True


@dataclass(slots=True)
class Rate:
    """Calls a second: unbounded until the first 429, then as many as are not refused."""

    #: Calls a second that are allowed; None for as many as the window lets.
    limit: float | None = None
    #: How often it changed: a slot taken before a change is void.
    changes: int = 0
    #: Highest rate that was proved, and lowest that was refused, as far as known.
    _proved: float | None = None
    _refused: float | None = None
    _growth: float = FIRST_GROWTH
    _hold_until: float = 0.0
    _hold_s: float = FIRST_HOLD_S
    _changed_at: float = 0.0
    #: The proof under way: since when, and how many were served.
    _since: float | None = None
    _served: int = 0
    #: Calls served since the last 429 or change.
    _in_a_row: int = 0
    _next_slot: float = 0.0
    #: Calls served in the last second, before there is a limit.
    _recent: deque[float] = field(default_factory=deque)

    def reserve(self, now: float) -> float:
        """Reserve the next slot; return the seconds to wait for it."""
        if self.limit is None:
            return 0.0
        slot = max(now, self._next_slot)
        self._next_slot = slot + 1.0 / self.limit
        return slot - now

    def served(self, now: float, began: float) -> bool:
        """Count a call that was served; True where the rate changed."""
        if self.limit is None:
            self._recent.append(now)
            while self._recent[0] <= now - 1.0:
                self._recent.popleft()
            return False
        if began < self._changed_at:
            return False
        if self._since is None:
            self._since, self._served = now, 0
        self._served += 1
        self._in_a_row += 1
        elapsed_s = now - self._since
        if elapsed_s < (QUICK_PROOF_S if self._refused is None else SURE_PROOF_S):
            return False
        was_in_use = self._served >= IN_USE * self.limit * elapsed_s
        self._since = None
        return was_in_use and self._prove(self.limit, now)

    def refused(self, now: float, began: float) -> bool:
        """Count a 429; True where the rate changed."""
        if self.limit is None:
            taken = sum(moment > now - 1.0 for moment in self._recent)
            self._recent.clear()
            self._change(FIRST_GUESS * taken, now)
            return True
        if began < self._changed_at:
            return False
        in_a_row, self._in_a_row = self._in_a_row, 0
        is_proved = self._proved is not None and self.limit <= self._proved
        if is_proved and in_a_row >= IN_USE * self.limit * STRAY_AFTER_S:
            return False
        self._refused = self.limit
        if self._proved is None:
            self._change(self.limit / 2, now)
        elif is_proved:
            self._proved = None
            self._change(self.limit * FALLEN, now)
        else:
            self._change(self._proved, now)
            self._settle_if_close(now)
        return True

    def _prove(self, limit: float, now: float) -> bool:
        self._proved = limit
        if self._refused is not None:
            if self._settle_if_close(now):
                return False
            self._change((limit + self._refused) / 2, now)
            return True
        if now < self._hold_until:
            return False
        self._change(limit * (1.0 + self._growth), now)
        # Each step that goes well makes the next one larger: the limit may be gone.
        self._growth = min(2 * self._growth, FIRST_GROWTH)
        return True

    def _settle_if_close(self, now: float) -> bool:
        if self._proved is None or self._refused is None or self._refused > CLOSE * self._proved:
            return False
        self._refused = None
        self._growth = LATER_GROWTH
        self._hold_until = now + self._hold_s
        self._hold_s = min(2 * self._hold_s, LONGEST_HOLD_S)
        return True

    def _change(self, limit: float, now: float) -> None:
        self.limit = max(limit, LOWEST_RATE)
        self.changes += 1
        self._changed_at = self._next_slot = now
        self._since = None
        self._in_a_row = 0
