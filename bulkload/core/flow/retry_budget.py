"""A shared budget of retries: a server in trouble must not get more requests, but fewer.

Every request earns a part of a retry, every retry costs a whole one. An empty budget lets
retries through at a trickle: it slows the run down and never fails anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Retries earned by a request: at most 10 % of what is sent is sent again.
EARNED_PER_REQUEST: Final = 0.1
#: Retries that can be saved up: enough for a hiccup that hits every open connection once.
CAPACITY: Final = 64.0
#: Retries a second that an empty budget lets through: with nothing else going on, this alone
#: brings the run forward, at the pace of a probe.
TRICKLE_PER_S: Final = 1.0


@dataclass(slots=True)
class RetryBudget:
    """A token bucket in retries; ``now`` is in seconds of any monotonic clock."""

    earned_per_request: float = EARNED_PER_REQUEST
    capacity: float = CAPACITY
    trickle_per_s: float = TRICKLE_PER_S
    _tokens: float = CAPACITY
    #: When the trickle lets the next one through. A moment, not a span: a caller that waits as
    #: long as it was given must find that it has come, whatever the rounding.
    _next_trickle: float = float("-inf")

    def __post_init__(self) -> None:
        if self.trickle_per_s <= 0:
            raise ValueError("a budget without a trickle could fail a job")
        self._tokens = self.capacity

    @property
    def tokens(self) -> float:
        """Retries that may be made at once."""
        return self._tokens

    def earn(self) -> None:
        """Count a first attempt."""
        self._tokens = min(self.capacity, self._tokens + self.earned_per_request)

    def take(self, now: float) -> float:
        """Take a retry: 0.0 where it may go now, else the seconds after which to ask again."""
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        if now >= self._next_trickle:
            self._next_trickle = now + 1.0 / self.trickle_per_s
            return 0.0
        return self._next_trickle - now
