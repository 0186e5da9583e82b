"""Which measurement is in which stage, since when, and how many went through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import islice
from typing import NamedTuple

from bulkload.core.snapshot import FileInHand, StageName


class _Place(NamedTuple):
    path: str
    #: What names the measurement once it is asked for.
    key: object
    since: float
    is_waiting: bool


class Stages:
    """The stages of one command. ``now`` is monotonic, in seconds.

    A change costs the same however many measurements are under way.
    """

    def __init__(self, names: Sequence[StageName], now: float) -> None:
        self.names = tuple(names)
        self.done: Counter[StageName] = Counter()
        #: How many can be in flight in each stage, as far as anything bounds it.
        self.capacity: dict[StageName, int] = {}
        #: In the order of their arrival in each stage: the oldest first.
        self._places: dict[StageName, dict[Hashable, _Place]] = {name: {} for name in names}
        self._stage_of: dict[Hashable, StageName] = {}
        self._waiting: Counter[StageName] = Counter()
        #: Seconds that measurements were in flight in each stage, added up until ``_counted_at``.
        self._busy_s: dict[StageName, float] = dict.fromkeys(names, 0.0)
        self._counted_at: dict[StageName, float] = dict.fromkeys(names, now)

    def has(self, job: Hashable, stage: StageName, *, is_waiting: bool = False) -> bool:
        """Return whether a measurement is in a stage, or waits for it."""
        place = self._places[stage].get(job)
        return place is not None and place.is_waiting is is_waiting

    @property
    def in_hand(self) -> int:
        """How many are under way."""
        return len(self._stage_of)

    def put(
        self, job: Hashable, stage: StageName, now: float, *, path: str, key: object = "",
        is_waiting: bool = False,
    ) -> None:  # fmt: skip
        """Have a measurement enter a stage, or wait for it."""
        if self.has(job, stage, is_waiting=is_waiting):
            return
        self.take(job, now)
        self._count(stage, now)
        self._places[stage][job] = _Place(path, key, now, is_waiting)
        self._stage_of[job] = stage
        self._waiting[stage] += is_waiting

    def take(self, job: Hashable, now: float) -> None:
        """Have a measurement leave; nothing where it is in no stage."""
        if (stage := self._stage_of.pop(job, None)) is not None:
            self._count(stage, now)
            self._waiting[stage] -= self._places[stage].pop(job).is_waiting

    def waiting(self, stage: StageName) -> int:
        """Return how many wait for a stage."""
        return self._waiting[stage]

    def in_flight(self, stage: StageName) -> int:
        """Return how many are in a stage."""
        return len(self._places[stage]) - self._waiting[stage]

    def busy_s(self, stage: StageName, now: float) -> float:
        """Return the seconds that measurements were in a stage, all of them added up."""
        since_s = now - self._counted_at[stage]
        return self._busy_s[stage] + self.in_flight(stage) * since_s

    def oldest(self, most: int, now: float) -> tuple[FileInHand, ...]:
        """Return the measurements that have been longest in their stage, at most so many."""
        found = [
            (place, stage)
            for stage, places in self._places.items()
            # A copy in one step: another thread may look on.
            for place in tuple(islice(places.values(), most))
        ]
        found.sort(key=lambda one: one[0].since)
        return tuple(
            FileInHand(path=place.path, key=str(place.key), stage=stage, age_s=now - place.since)
            for place, stage in found[:most]
        )

    def _count(self, stage: StageName, now: float) -> None:
        self._busy_s[stage] += self.in_flight(stage) * (now - self._counted_at[stage])
        self._counted_at[stage] = now
