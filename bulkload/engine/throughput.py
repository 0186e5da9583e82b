"""What a run did lately: totals kept once a second, and the differences between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from bulkload.core.limiting import LimitName
from bulkload.core.snapshot import StageName
from bulkload.engine.limits import SAMPLE_EVERY_S, SAMPLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counters of a run at a moment (monotonic, in seconds). They only grow."""

    at: float
    ended: int = 0
    bytes_read: int = 0
    bytes_sent: int = 0
    done: Mapping[StageName, int] = field(default_factory=dict)
    busy_s: Mapping[StageName, float] = field(default_factory=dict)
    #: Seconds of the workers' work, by the part of it.
    work_s: Mapping[LimitName, float] = field(default_factory=dict)


class Throughput:
    """The totals of the last minutes."""

    def __init__(self) -> None:
        self._samples: deque[Totals] = deque(maxlen=SAMPLES)
        self._begin: Totals | None = None
        self._first_end: Totals | None = None

    def add(self, now: Totals) -> None:
        """Keep totals, unless the last ones are younger than ``SAMPLE_EVERY_S``."""
        if not self._samples or now.at - self._samples[-1].at >= SAMPLE_EVERY_S * 0.9:
            self._samples.append(now)
        self._begin = self._begin or now

    def first_end(self, now: Totals) -> Totals:
        """Return the oldest totals that are kept of those since something ended."""
        if self._begin is None:
            return now
        if self._first_end is None or self._first_end.at < self._samples[0].at:
            ended = (one for one in self._samples if one.ended > self._begin.ended)
            self._first_end = next(ended, None)
        return self._first_end or now

    def before(self, now: Totals, seconds: float) -> Totals:
        """Return the totals of that many seconds ago, or the oldest that are kept."""
        for sample in reversed(self._samples):
            if now.at - sample.at >= seconds:
                return sample
        return self._samples[0] if self._samples else now
