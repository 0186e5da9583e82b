"""The world of a simulation: its time, its chance, its Studio, and the moment of the crash."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Final

from tests.simulation.memory_studio import MemoryStudio, StudioRules

#: Wall-clock time at which a simulation starts.
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
#: Seconds in which a request that was under way in a crash may still arrive.
LATEST_ARRIVAL_S: Final = 5.0
#: Seconds that every sleep takes at least.
SHORTEST_SLEEP_S: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which nothing answers, in seconds of the world."""

    begins_s: float
    ends_s: float


@dataclass(slots=True)
class Arrival:
    """A request that is on its way to the Studio."""

    act: Callable[[], object]
    #: The world of the engine or lane that sent it.
    sender: World


@dataclass(kw_only=True)
class World:
    """Outlives the engine: what a crash cannot take away."""

    seed: int
    rules: StudioRules = field(default_factory=StudioRules)
    outages: tuple[Outage, ...] = ()
    #: Part of all requests that meet faults.
    fault_rate: float = 0.0
    #: Mean of a request's time on the way, in seconds.
    latency_s: float = 0.02
    #: Requests a second that the Studio takes, None for any number.
    requests_per_s: float | None = None
    #: Time of the world when the present run of the engine began.
    base_s: float = 0.0
    #: By how much the engine's wall clock is ahead of the Studio's, in seconds.
    clock_ahead_s: float = 0.0
    #: Service -> the fault of its name, and until when.
    misdirected: dict[str, tuple[str, float]] = field(default_factory=dict)
    #: Steps that the engine has taken in this run, and after how many it dies.
    steps: int = 0
    dies_at: int | None = None
    is_dead: bool = False
    #: Whether all faults are over, whatever the injector chooses.
    faults_are_over: bool = False
    #: Most files that were in the spool when another one was to be written.
    most_spooled: int = 0
    #: Most files that one engine prepared at once.
    most_preparing: int = 0
    #: When each request left: (seconds, service).
    sent: list[tuple[float, str]] = field(default_factory=list)
    #: Violations found while the engine ran.
    violations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Chance that can be replayed is the point.
        self.chance = Random(self.seed)
        self.studio = MemoryStudio(self.rules, self.now)
        self._under_way: dict[int, Arrival] = {}
        self._late: list[Arrival] = []
        self._arrivals = count(1)
        self._kill: Callable[[], object] | None = None
        #: The world of all lanes, where this is that of one.
        self._whole: World | None = None

    def now(self) -> float:
        """Return the seconds since the world began."""
        try:
            return self.base_s + asyncio.get_running_loop().time()
        except RuntimeError:
            return self.base_s

    def is_out(self) -> bool:
        """Return whether nothing answers now."""
        return not self.faults_are_over and any(
            outage.begins_s <= self.now() < outage.ends_s for outage in self.outages
        )

    def begin_run(self, kill: Callable[[], object], dies_at: int | None) -> None:
        """Take note of a new engine; what the last one had under way may still arrive."""
        self._kill = kill
        self.steps, self.dies_at, self.is_dead = 0, dies_at, False
        loop = asyncio.get_running_loop()
        for arrival in self._late:
            loop.call_later(self.chance.uniform(0.0, LATEST_ARRIVAL_S), arrival.act)
        self._late.clear()

    def begin_lane(self, kill: Callable[[], object], dies_at: int | None) -> World:
        """Return the world of a new lane: it dies alone, or with all others."""
        lane = copy(self)
        lane._whole = self
        lane.begin_run(kill, dies_at)
        return lane

    def end_run(self) -> None:
        """Take note that the engine is gone; some time passes until the next one."""
        self.base_s = self.now() + self.chance.uniform(0.0, 60.0)

    def tick(self) -> bool:
        """Count a step of the engine; True where it is dead now."""
        if self._whole is not None and self._whole.tick():
            return True
        self.steps += 1
        if not self.is_dead and self.steps == self.dies_at:
            self.is_dead = True
            self._lose_under_way()
            assert self._kill is not None
            self._kill()
        return self.is_dead

    def _lose_under_way(self) -> None:
        """Let half of what the dead sent arrive later, and the other half never."""
        for number, one in tuple(self._under_way.items()):
            if self is one.sender or self is one.sender._whole:
                del self._under_way[number]
                if self.chance.random() < 0.5:
                    self._late.append(one)

    async def step(self) -> None:
        """Count a step; a dead engine never comes back from it."""
        if self.tick():
            await asyncio.sleep(math.inf)

    async def travel(self) -> None:
        """Let a message be on its way: mostly quick, now and then slow."""
        mean_s = self.latency_s * (20.0 if self.chance.random() < 0.02 else 1.0)
        await asyncio.sleep(self.chance.expovariate(1.0 / mean_s))

    def sets_out(self, act: Callable[[], object]) -> int:
        """Note a request that is on its way; return its number."""
        number = next(self._arrivals)
        self._under_way[number] = Arrival(act, self)
        return number

    def has_arrived(self, number: int) -> None:
        """Note that a request is no longer on its way: done, or lost."""
        self._under_way.pop(number, None)

    def prepares(self, files: int) -> None:
        """Note how many files an engine prepares at once."""
        whole = self._whole or self
        whole.most_preparing = max(whole.most_preparing, files)

    def spooled(self, files: int) -> None:
        """Note how many files are in a spool when another one is to be written."""
        whole = self._whole or self
        whole.most_spooled = max(whole.most_spooled, files)

    def report_violation(self, violation: str) -> None:
        """Note something that must never be."""
        self.violations.append(f"at {self.now():.3f} s: {violation}")


class WorldClock:
    """The ``Clock`` of an engine in a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        """Return the world's wall-clock time."""
        return EPOCH + timedelta(seconds=self._world.now() + self._world.clock_ahead_s)

    def monotonic(self) -> float:
        """Return the world's seconds."""
        return self._world.now()

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        # Time never stands still: a wait too short to move a float's last digit would never end.
        await asyncio.sleep(max(seconds, SHORTEST_SLEEP_S))
