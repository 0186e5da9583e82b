"""How many measurements may be confirmed and not yet processed. Pure: watches how long they take.

Confirming is cheap and processing is not: a fast client piles up work on the server, for itself
and for everybody else who uses it. While processing keeps up, a measurement is done about as soon
as the quickest one was; where it takes several times as long, it stands in a queue, and a longer
queue brings nothing forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Measurements that may wait at the start (about one listing), and at least: enough to keep a
#: small server busy.
FIRST_LIMIT: Final = 128
SMALLEST_LIMIT: Final = 8
#: Measurements that may wait at most: what one listing and a crash can cope with.
LARGEST_LIMIT: Final = 4096
#: Up to so many times the quickest is "keeps up"; from so many times on it is a queue.
KEEPS_UP: Final = 2.0
IS_QUEUE: Final = 4.0
#: Part that is left of the limit when there is a queue.
CUT: Final = 0.75
#: Part by which the quickest is forgotten with each measurement: servers and files change.
FORGET: Final = 0.0001


@dataclass(slots=True, kw_only=True)
class BacklogCap:
    """The cap on confirmed measurements that the server has not processed yet."""

    #: Seconds between two looks: processing seems to take up to that much longer than it does.
    poll_s: float
    largest: int = LARGEST_LIMIT
    waiting: int = 0
    _limit: float = FIRST_LIMIT
    _quickest_s: float | None = None
    _cut_at: float | None = None

    def __post_init__(self) -> None:
        self._limit = min(self._limit, float(self.largest))

    @property
    def limit(self) -> int:
        """Return the number of measurements that may wait."""
        return int(self._limit)

    @property
    def has_room(self) -> bool:
        """Return whether another one may be confirmed."""
        return self.waiting < self.limit

    def confirmed(self) -> None:
        """Count a measurement that was confirmed."""
        self.waiting += 1

    def dropped(self) -> None:
        """Count one that will not be waited for: it was not confirmed after all."""
        self.waiting = max(0, self.waiting - 1)

    def settled(self, processing_s: float, now: float) -> bool:
        """Count one that is ready or failed, that long after it was confirmed.

        True where the limit moved to another whole number.
        """
        before = self.limit
        was_full = self.waiting * 2 >= self.limit
        self.waiting = max(0, self.waiting - 1)
        quickest_s = processing_s if self._quickest_s is None else self._quickest_s
        self._quickest_s = min(processing_s, quickest_s * (1.0 + FORGET))
        if processing_s <= KEEPS_UP * self._quickest_s + self.poll_s:
            if was_full:
                self._limit = min(float(self.largest), self._limit + 1.0)
        elif processing_s > IS_QUEUE * self._quickest_s + 2 * self.poll_s:
            self._cut(processing_s, now)
        return self.limit != before

    def _cut(self, processing_s: float, now: float) -> None:
        # What is settled now was confirmed before the last cut could show: one cut a queue.
        if self._cut_at is None or now - self._cut_at >= processing_s:
            self._cut_at = now
            smallest = min(SMALLEST_LIMIT, self.largest)
            self._limit = max(float(smallest), self._limit * CUT)
