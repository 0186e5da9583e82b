"""How many uploads may run side by side. Pure: looks for the plateau of the goodput.

Latency is no guide for uploads: more streams always make each one slower, long before the link
is full. What counts is bytes a second over all of them. So: measure, take a step up, measure
again, and keep the step only if it paid; else step back, hold, and try again much later. A time-out
at the storage's edge (524, 504) means too many slow streams: halve.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

#: Streams at the start: the edge of the vendor's storage punishes many slow ones.
FIRST_STREAMS: Final = 4
#: A step up is kept if it pays at least this part more; below it is noise.
GAIN: Final = 0.07
#: A sample ends when it has seen two rounds of uploads, or after this many seconds.
SHORTEST_SAMPLE_S: Final = 0.25
LONGEST_SAMPLE_S: Final = 4.0
#: Part of a sample during which all streams must be in use: otherwise it measures the supply.
IN_USE: Final = 0.7
#: Seconds at a plateau before more is tried; doubled each time that more did not pay.
FIRST_HOLD_S: Final = 15.0
LONGEST_HOLD_S: Final = 240.0
#: Time-outs within this many seconds are one event.
ONE_EVENT_S: Final = 10.0


@dataclass(slots=True)
class _Sample:
    """What was seen since a moment."""

    since: float
    size_bytes: int = 0
    finished: int = 0
    in_use_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Streams:
    """The number of uploads in flight; ``now`` is monotonic, in seconds."""

    largest: int
    limit: int = FIRST_STREAMS
    #: Uploads in flight.
    in_flight: int = 0
    #: Goodput at the limit that was last found good, in bytes a second; None while unknown.
    goodput: float | None = None
    _good_limit: int = FIRST_STREAMS
    _is_starting: bool = True
    #: Streams beyond the good limit are on trial until a sample says whether they pay.
    _is_settling: bool = True
    _hold_until: float = 0.0
    _hold_s: float = FIRST_HOLD_S
    _last_failure: float | None = None
    _last_seen: float = 0.0
    _sample: _Sample = field(default_factory=lambda: _Sample(0.0))

    def __post_init__(self) -> None:
        self.limit = self._good_limit = max(1, min(self.limit, self.largest))

    def started(self, now: float) -> None:
        """Count an upload that begins."""
        self._pass_time(now)
        self.in_flight += 1

    def moved(self, size_bytes: int, now: float) -> None:
        """Count bytes that went out."""
        self._pass_time(now)
        self._sample.size_bytes += size_bytes
        self._judge(now)

    def finished(self, now: float) -> None:
        """Count an upload that ended, well or badly."""
        self._pass_time(now)
        self.in_flight -= 1
        self._sample.finished += 1
        self._judge(now)

    def timed_out(self, now: float) -> bool:
        """Count a time-out at the edge; True where the limit was halved."""
        if self._last_failure is not None and now - self._last_failure < ONE_EVENT_S:
            return False
        self._last_failure = now
        self._settle(max(1, min(self.limit, self._good_limit) // 2), now)
        self.goodput = None
        self._hold(now)
        return True

    def _pass_time(self, now: float) -> None:
        if self.in_flight >= self.limit:
            self._sample.in_use_s += now - self._last_seen
        self._last_seen = now

    def _judge(self, now: float) -> None:
        """End the sample where it is long enough, and act on it."""
        age = now - self._sample.since
        rounds = 1 if self._is_settling else 2
        is_whole = age >= SHORTEST_SAMPLE_S and self._sample.finished >= rounds * self.limit
        if not (is_whole or age >= LONGEST_SAMPLE_S):
            return
        sample, self._sample = self._sample, _Sample(now)
        if sample.in_use_s < IN_USE * age or sample.size_bytes == 0:
            return  # the supply was the limit, not the streams
        if self._is_settling:
            self._is_settling = False  # the first sample after a change still holds the past
            return
        self._decide(sample.size_bytes / age, now)

    def _decide(self, goodput: float, now: float) -> None:
        if self.limit > self._good_limit:
            if goodput < (self.goodput or 0.0) * (1.0 + GAIN):
                self._settle(self._good_limit, now)
                self._hold(now)
                return
            self._good_limit = self.limit
            self._hold_s = FIRST_HOLD_S
        self.goodput = goodput
        if now >= self._hold_until and self.limit < self.largest:
            step = self.limit if self._is_starting else max(1, self.limit // 4)
            self.limit = min(self.largest, self.limit + step)
            self._begin(now)

    def _hold(self, now: float) -> None:
        self._is_starting = False
        self._hold_until = now + self._hold_s
        self._hold_s = min(self._hold_s * 2, LONGEST_HOLD_S)

    def _settle(self, limit: int, now: float) -> None:
        self.limit = self._good_limit = limit
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._is_settling = True
        self._sample = _Sample(now)
