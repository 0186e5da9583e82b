"""Servers that exist only in virtual time, and write down what they take."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bulkload.client.http.access import Access
from bulkload.client.http.wire import Answer, Request
from bulkload.errors import UnreachableError

ACCESS = Access(base_url="http://127.0.0.1", api_key="k")
Admit = Callable[[float], bool]


def per_second_window(limit: int) -> Admit:
    """Take ``limit`` in each second of the clock."""
    taken: dict[int, int] = {}

    def admit(now: float) -> bool:
        taken[int(now)] = taken.get(int(now), 0) + 1
        return taken[int(now)] <= limit

    return admit


def sliding_second(limit: int) -> Admit:
    """Take ``limit`` in any second."""
    recent: deque[float] = deque()

    def admit(now: float) -> bool:
        while recent and recent[0] <= now - 1.0:
            recent.popleft()
        if len(recent) >= limit:
            return False
        recent.append(now)
        return True

    return admit


def token_bucket(limit: int, saved_up: int) -> Admit:
    """Take ``limit`` a second on average, and up to ``saved_up`` at once."""
    tokens, last = float(saved_up), 0.0

    def admit(now: float) -> bool:
        nonlocal tokens, last
        tokens, last = min(saved_up, tokens + (now - last) * limit), now
        if tokens < 1.0:
            return False
        tokens -= 1.0
        return True

    return admit


@dataclass
class SimulatedServer:
    """A ``Transport`` with a server at its other end."""

    admit: Admit = lambda _: True
    latency_s: float = 0.05
    retry_after: str | None = None
    #: Gives further headers of an answer, at a moment.
    headers: Callable[[float], dict[str, str]] = lambda _: {}
    #: From when to when it is gone.
    away: tuple[float, float] = (0.0, 0.0)
    #: What a request meets while it is gone: refused at once, or an answer of this status.
    away_status: int | None = None
    #: When each request came, and whether it was served.
    log: list[tuple[float, bool]] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(7))

    async def aclose(self) -> None:
        """Close nothing."""

    async def send(self, _request: Request) -> Answer:
        """Serve, refuse, or be away."""
        await self._travel()
        now = asyncio.get_running_loop().time()
        is_away = self.away[0] <= now < self.away[1]
        is_served = not is_away and self.admit(now)
        self.log.append((now, is_served))
        extra = self.headers(now)
        if is_away and self.away_status is None:
            raise UnreachableError("cannot connect: refused")
        await self._travel()
        if is_away:
            return Answer(status=self.away_status or 0, headers={}, body=b"")
        if is_served:
            return Answer(status=200, headers=extra, body=b"{}")
        headers = {} if self.retry_after is None else {"retry-after": self.retry_after}
        return Answer(status=429, headers=headers | extra, body=b"{}")

    async def _travel(self) -> None:
        await asyncio.sleep(self.latency_s / 2 * self.dice.uniform(0.8, 1.2))

    def between(self, start: float, stop: float) -> tuple[int, int]:
        """Return the numbers of requests that were served, and refused, in a span of time."""
        served = [is_served for now, is_served in self.log if start <= now < stop]
        return sum(served), len(served) - sum(served)
