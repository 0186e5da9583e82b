"""What each feedback loop of delivery is worth: one simulated server each, with and without it.

Every scenario is a fixed amount of work in virtual time on a server for which the loop is
meant. A loop is switched off by putting a class that never reacts in its place.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final
from unittest.mock import patch

import anyio

from bulkload.client.http.caller import Caller
from bulkload.client.http.wire import Answer, Request
from bulkload.client.storage.body import Body, MemoryBody, Sending
from bulkload.client.storage.storage import Storage
from bulkload.client.storage.store_http import StorageHttp
from bulkload.core.flow.backlog import BacklogCap
from bulkload.core.flow.goodput import Streams
from bulkload.core.flow.outage import OutageMonitor
from bulkload.core.flow.pacing import Rate, Window
from bulkload.core.flow.retry_budget import RetryBudget
from bulkload.errors import BulkloadError
from tests.simulation.engine import threads_in_line
from tests.simulation.figures import PLAIN, archive, fault_free
from tests.simulation.memory_studio import StudioRules
from tests.simulation.simulated_server import ACCESS, Admit, SimulatedServer, per_second_window
from tests.simulation.simulation import run as simulate
from tests.simulation.virtual_clock import VirtualClock, virtual_run

#: Calls of a scenario, and tasks that make them.
CALLS: Final = 6000
TASKS: Final = 96
#: Calls in flight that a run allows (`bulkload.settings`).
CONNECTIONS: Final = 32


@dataclass(frozen=True, slots=True)
class Figures:
    """How a fixed amount of work fared."""

    failed: int
    requests: int
    virtual_s: float


class FixedWindow(Window):
    """As many calls as there are connections, whatever the server answers."""

    def __post_init__(self) -> None:
        self.limit = float(self.largest)

    def dropped(self, now: float, began: float) -> bool:  # noqa: ARG002
        return False

    def restart(self) -> None:
        pass


class NoRate(Rate):
    """No bound on the calls a second."""

    def refused(self, now: float, began: float) -> bool:  # noqa: ARG002
        return False

    def served(self, now: float, began: float) -> bool:  # noqa: ARG002
        return False


class NoBudget(RetryBudget):
    """A retry whenever a call wants one."""

    def take(self, now: float) -> float:  # noqa: ARG002
        return 0.0


class NoOutage(OutageMonitor):
    """Nobody concludes from failures that a service is away."""

    def failed(self, now: float, reason: str) -> None:
        pass


class FixedStreams(Streams):
    """As many uploads as are allowed, whatever they reach."""

    def __post_init__(self) -> None:
        self.limit = self.largest

    def moved(self, size_bytes: int, now: float) -> None:
        pass

    def finished(self, now: float) -> None:  # noqa: ARG002
        self.in_flight -= 1

    def timed_out(self, now: float) -> bool:  # noqa: ARG002
        return False


class NoCap(BacklogCap):
    """Everything that is uploaded may wait for its processing."""

    @property
    def has_room(self) -> bool:
        return True


@dataclass
class CrowdedServer:
    """Serves a few calls at a time, queues as many again, and answers 503 to the rest."""

    at_a_time: int = 8
    service_s: float = 0.05
    log: list[float] = field(default_factory=list)
    _in_flight: int = 0
    _dice: random.Random = field(default_factory=lambda: random.Random(7))

    async def aclose(self) -> None:
        """Close nothing."""

    async def send(self, _request: Request) -> Answer:
        """Serve, or turn away."""
        await asyncio.sleep(0.01)
        self.log.append(asyncio.get_running_loop().time())
        if self._in_flight >= 2 * self.at_a_time:
            return Answer(status=503, headers={}, body=b"{}")
        self._in_flight += 1
        crowd = max(1.0, self._in_flight / self.at_a_time)
        await asyncio.sleep(self.service_s * crowd * self._dice.uniform(0.8, 1.2))
        self._in_flight -= 1
        return Answer(status=200, headers={}, body=b"{}")


@dataclass
class FailingServer(SimulatedServer):
    """Answers 500 to nine calls in ten until a moment: it is there, and in trouble."""

    until_s: float = 120.0

    async def send(self, request: Request) -> Answer:
        """Serve or fail."""
        answer = await super().send(request)
        now = asyncio.get_running_loop().time()
        if now < self.until_s and self.dice.random() < 0.9:
            return Answer(status=500, headers={}, body=b"{}")
        return answer


def _calls(server: SimulatedServer | CrowdedServer, calls: int = CALLS) -> Figures:
    """Make that many calls as fast as the client lets."""
    failed = 0

    async def run() -> float:
        caller = Caller(
            server,
            ACCESS,
            clock=VirtualClock(),
            chance=random.Random(3).random,
            connections=CONNECTIONS,
            outage_limit_s=3600.0,
        )
        waiting = iter(range(calls))

        async def work() -> None:
            nonlocal failed
            for _ in waiting:
                try:
                    await caller.call("GET", "/cell_measurements/m1")
                except BulkloadError:
                    failed += 1

        async with anyio.create_task_group() as group:
            for _ in range(TASKS):
                group.start_soon(work)
        return VirtualClock().monotonic()

    ended_s = virtual_run(run, socket_grace_s=0)
    return Figures(failed, len(server.log), ended_s)


def quota(limit: int, window_s: float) -> tuple[Admit, Callable[[float], dict[str, str]]]:
    """Take ``limit`` calls in each window; say when the next one begins where none is left."""
    taken: dict[int, int] = {}

    def admit(now: float) -> bool:
        window = int(now / window_s)
        taken[window] = taken.get(window, 0) + 1
        return taken[window] <= limit

    def retry_after(now: float) -> dict[str, str]:
        if taken.get(int(now / window_s), 0) < limit:
            return {}
        return {"retry-after": str(math.ceil(window_s - now % window_s))}

    return admit, retry_after


def crowded() -> Figures:
    """Call a server that takes 16 at a time."""
    return _calls(CrowdedServer())


def limited() -> Figures:
    """Call a server that takes 50 a second and says ``Retry-After: 1``."""
    return _calls(SimulatedServer(per_second_window(50), retry_after="1"))


def limited_without_retry_after() -> Figures:
    """Call a server that takes 50 a second and does not say when to come back."""
    return _calls(SimulatedServer(per_second_window(50)))


def by_quota() -> Figures:
    """Call a server that takes 1500 in each half minute and says when to come back."""
    admit, retry_after = quota(1500, 30.0)
    return _calls(SimulatedServer(admit, headers=retry_after))


def failing() -> Figures:
    """Call a server that answers 500 to nine calls in ten for two minutes."""
    return _calls(FailingServer())


def away() -> Figures:
    """Call a server that is away for half an hour."""
    return _calls(SimulatedServer(away=(10.0, 1810.0)), calls=12_000)


class Link(StorageHttp):
    """A link of so many bytes a second, shared evenly, to a store whose edge ends slow PUTs."""

    def __init__(self, link: float, stream: float, edge_s: float = math.inf) -> None:
        super().__init__(connections=64)
        self.log: list[float] = []
        self._link, self._stream, self._edge_s = link, stream, edge_s
        self._active = 0
        self._dice = random.Random(5)

    async def _put(
        self,
        url: str,  # noqa: ARG002
        body: Body,
        content_type: str,  # noqa: ARG002
        sending: Sending,
        patience: anyio.CancelScope,  # noqa: ARG002
    ) -> Answer:
        began = asyncio.get_running_loop().time()
        self.log.append(began)
        await asyncio.sleep(0.05 * self._dice.uniform(0.5, 1.5))
        self._active += 1
        try:
            left = float(body.size_bytes)
            async for block in sending.blocks(lambda: None):
                step = left if len(block) > left else float(len(block))
                await asyncio.sleep(step / min(self._stream, self._link / self._active))
                left -= step
                if asyncio.get_running_loop().time() - began > self._edge_s:
                    return Answer(status=524, headers={}, body=b"")
        finally:
            self._active -= 1
        return Answer(status=200, headers={}, body=b"")


MIB: Final = 1024**2


def _uploads(link: Link, *, count: int, size_bytes: int) -> Figures:
    """Store that many bodies as fast as the client lets."""
    failed = 0
    body = MemoryBody(bytes(size_bytes))

    async def run() -> float:
        nonlocal failed
        storage = Storage(
            clock=VirtualClock(), chance=random.Random(3).random, http=link, outage_limit_s=3600.0
        )
        waiting = iter(range(count))

        async def work() -> None:
            nonlocal failed
            for _ in waiting:
                try:
                    await storage.put("http://store.invalid/a", body)
                except BulkloadError:
                    failed += 1

        async with anyio.create_task_group() as group:
            for _ in range(CONNECTIONS):
                group.start_soon(work)
        return VirtualClock().monotonic()

    with threads_in_line():
        ended_s = virtual_run(run, socket_grace_s=0)
    return Figures(failed, len(link.log), ended_s)


def thin_link() -> Figures:
    """Store 10 MiB each over 1.5 MiB/s; the edge ends what takes longer than 60 s."""
    return _uploads(Link(1.5 * MIB, 9 * MIB, 60.0), count=60, size_bytes=10 * MIB)


def wide_link() -> Figures:
    """Store 8 MiB each over 100 MiB/s, 9 MiB/s a stream."""
    return _uploads(Link(100 * MIB, 9 * MIB), count=300, size_bytes=8 * MIB)


def slow_processing() -> Figures:
    """Upload 300 measurements to a Studio that processes one at a time, 15 s each."""
    return _processing(replace(PLAIN, processing_s=15.0, processing_slots=1), 300)


def long_processing() -> Figures:
    """Upload 600 measurements to a Studio that processes all at once, 30 s each."""
    return _processing(replace(PLAIN, processing_s=30.0), 600)


def _processing(rules: StudioRules, count: int) -> Figures:
    result = simulate(replace(fault_free(archive(count)), rules=rules, connections=CONNECTIONS))
    return Figures(count - result.counts["created"], result.requests, result.ended_s)


@dataclass(frozen=True, slots=True)
class Loop:
    """A feedback loop, where it is switched off, and a server for which it is meant."""

    name: str
    #: The class or method that is replaced, and by what.
    place: str
    replacement: object
    scenario: Callable[[], Figures]

    def measure(self) -> tuple[Figures, Figures]:
        """Return the figures with the loop and without it."""
        with_it = self.scenario()
        with patch(self.place, self.replacement):
            return with_it, self.scenario()


_HTTP: Final = "bulkload.client.http"
_WINDOW: Final = (f"{_HTTP}.limiter.Window", FixedWindow)
_RATE: Final = (f"{_HTTP}.limiter.Rate", NoRate)
_PAUSE: Final = (f"{_HTTP}.caller.Caller._pause", lambda *_: None)
_BUDGET: Final = (f"{_HTTP}.caller.RetryBudget", NoBudget)
_OUTAGE: Final = (f"{_HTTP}.caller.OutageMonitor", NoOutage)
_STREAMS: Final = ("bulkload.client.storage.streams.Streams", FixedStreams)
_BACKLOG: Final = ("bulkload.engine.run.BacklogCap", NoCap)

LOOPS: Final = (
    Loop("window of calls (AIMD)", *_WINDOW, crowded),
    Loop("rate of calls", *_RATE, limited),
    Loop("rate of calls", *_RATE, limited_without_retry_after),
    Loop("pause by Retry-After", *_PAUSE, by_quota),
    Loop("retry budget", *_BUDGET, failing),
    Loop("outage breaker", *_OUTAGE, away),
    Loop("streams by goodput", *_STREAMS, thin_link),
    Loop("streams by goodput", *_STREAMS, wide_link),
    Loop("cap on the processing backlog", *_BACKLOG, slow_processing),
    Loop("cap on the processing backlog", *_BACKLOG, long_processing),
)
