"""The controllers of ``core.pacing`` at work: who wants to call waits here for a slot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import anyio

from bulkload.client.events import LevelChanged, Observer
from bulkload.clock import Clock
from bulkload.core.pacing import Rate, Window


class CallLimiter:
    """Bounds the calls in flight and, once the server asked for it, the calls a second."""

    def __init__(self, connections: int, *, clock: Clock, observer: Observer) -> None:
        self._clock = clock
        self._observer = observer
        self._window = Window(largest=connections)
        self._rate = Rate()
        self._slots = anyio.CapacityLimiter(int(self._window.limit))

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one place in the window, at its time in the rate."""
        # A task may wait for a slot while another of its own calls holds one.
        holder = object()
        await self._slots.acquire_on_behalf_of(holder)
        try:
            wait_s = self._rate.reserve(self._clock.monotonic())
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            yield
        finally:
            self._slots.release_on_behalf_of(holder)

    def served(self) -> None:
        """Take note of a call that was served; its slot is still held."""
        now = self._clock.monotonic()
        self._rate.served(now)
        self._window.succeeded(self._slots.borrowed_tokens)
        self._resize()

    def refused(self) -> None:
        """Take note of a 429."""
        now = self._clock.monotonic()
        if self._rate.refused(now) and self._rate.ceiling is not None:
            self._tell("rate", self._rate.ceiling, "too many requests")
        self._drop("too many requests")

    def overloaded(self, reason: str) -> None:
        """Take note of a 503 or a time-out."""
        self._drop(reason)

    def restart(self) -> None:
        """Begin small again after an outage."""
        self._window.restart()
        self._tell("window", self._window.limit, "the server is back")
        self._resize()

    def _drop(self, reason: str) -> None:
        if self._window.dropped(self._clock.monotonic()):
            self._tell("window", self._window.limit, reason)
        self._resize()

    def _resize(self) -> None:
        size = int(self._window.limit)
        if size != self._slots.total_tokens:
            self._slots.total_tokens = size

    def _tell(self, level: Literal["window", "rate"], value: float, reason: str) -> None:
        self._observer(
            LevelChanged(service="api", level=level, value=round(value, 2), reason=reason)
        )
