"""When to ask what became of the measurements that wait for their processing. Pure.

One answer tells of all measurements of a cell, so the question is put when the youngest of them
should be done, not when the oldest may be. How long processing takes is learned from the
answers: it takes as long for the next measurement as it did for the last ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

#: Shortest time from a confirmation to the first question, in seconds.
FIRST_POLL_S: Final = 0.5
#: How much longer a cell's first measurement waits for more of them, in seconds.
GATHER_S: Final = 1.0
#: Longest time from a confirmation to the first question, and between two questions, in seconds.
LONGEST_POLL_S: Final = 15.0
#: How the time grows from one question to the next where something takes longer than usual, and
#: with which part of the usual time it begins.
POLL_GROWTH: Final = 1.5
POLL_PART: Final = 0.25
#: Factors for first questions that come too early, and for such as come in time: one in six may
#: be too early, so that few come late.
LATER: Final = 1.25
EARLIER: Final = 0.95


@dataclass(slots=True)
class FirstPoll:
    """How long after its confirmation a measurement is asked for first, in seconds."""

    after_s: float = FIRST_POLL_S

    def answered(self, processed: Iterable[float], unfinished: Iterable[float]) -> None:
        """Learn from an answer, given the ages (s since confirmation) of what it tells of."""
        if max(unfinished, default=0.0) >= self.after_s:
            self.after_s = min(LONGEST_POLL_S, self.after_s * LATER)
        # Of an older measurement nobody knows since when it was done.
        elif min(processed, default=math.inf) <= self.after_s * (2.0 - EARLIER):
            self.after_s = max(FIRST_POLL_S, self.after_s * EARLIER)


@dataclass(slots=True)
class CellPoll:
    """When a cell is asked next, on a clock in seconds."""

    due_at: float = math.inf
    _latest_at: float = math.inf
    _interval_s: float | None = None

    def confirmed(self, now: float, first: FirstPoll) -> None:
        """Count in a measurement that was just confirmed."""
        self._interval_s = None
        self._latest_at = min(self._latest_at, now + first.after_s + GATHER_S)
        self.due_at = min(self._latest_at, now + first.after_s)

    def asked(self, now: float, waiting: Iterable[float], first: FirstPoll) -> None:
        """Plan the next question; ``waiting`` are the moments when what is left was confirmed."""
        due = [since + first.after_s for since in waiting]
        young = [moment for moment in due if moment > now]
        self._latest_at = min(young, default=math.inf) + GATHER_S
        if len(young) < len(due):
            # Something takes longer than usual.
            if self._interval_s is None:
                self._interval_s = max(FIRST_POLL_S, first.after_s * POLL_PART)
            self._latest_at = min(self._latest_at, now + self._interval_s)
            self._interval_s = min(LONGEST_POLL_S, self._interval_s * POLL_GROWTH)
        self.due_at = min(self._latest_at, max(young, default=math.inf))
