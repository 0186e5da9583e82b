"""Limits calls in flight and calls a second, by the controllers of ``core/flow/pacing``."""

from __future__ import annotations

from typing import Literal

import anyio

from bulkload.client.http.events import LevelChanged, Observer
from bulkload.clock import Clock
from bulkload.core.flow.pacing import Rate, Window


class Slot:
    """One slot of a limiter, held for the length of a block.

    Held by itself: a task may wait for a slot while another of its own calls holds one.
    """

    __slots__ = ("_slots",)

    def __init__(self, slots: anyio.CapacityLimiter) -> None:
        self._slots = slots

    async def __aenter__(self) -> None:
        # Others run first only where none is free.
        try:
            self._slots.acquire_on_behalf_of_nowait(self)
        except anyio.WouldBlock:
            await self._slots.acquire_on_behalf_of(self)

    async def __aexit__(self, *_: object) -> None:
        self._slots.release_on_behalf_of(self)


class CallLimiter:
    """Bounds the calls in flight and, once the server asked for it, the calls a second."""

    def __init__(self, connections: int, *, clock: Clock, observer: Observer) -> None:
        self._clock = clock
        self._observer = observer
        self._window = Window(largest=connections)
        self._rate = Rate()
        self._slots = anyio.CapacityLimiter(int(self._window.limit))

    def allow(self, connections: int) -> None:
        """Let the window grow up to more calls in flight than before."""
        self._window.largest = connections

    def slot(self) -> Slot:
        """Hold one place in the window for the length of the block."""
        return Slot(self._slots)

    async def wait_for_turn(self) -> bool:
        """Wait for the time of one call in the rate; its slot is held.

        False where the rate changed meanwhile: come again, the time was another rate's.
        """
        changes = self._rate.changes
        wait_s = self._rate.reserve(self._clock.monotonic())
        if wait_s > 0:
            await self._clock.sleep(wait_s)
        return changes == self._rate.changes

    def served(self, began: float) -> None:
        """Record a call that was served; its slot is still held."""
        if self._rate.served(self._clock.monotonic(), began):
            self._tell_rate("it was not refused")
        self._window.succeeded(self._slots.borrowed_tokens)
        self._resize()

    def refused(self, began: float) -> None:
        """Record a 429."""
        if self._rate.refused(self._clock.monotonic(), began):
            self._tell_rate("too many requests")
        self.overloaded("too many requests", began)

    def overloaded(self, reason: str, began: float) -> None:
        """Record a 503 or a time-out."""
        if self._window.dropped(self._clock.monotonic(), began):
            self._tell("window", self._window.limit, reason)
        self._resize()

    def restart(self) -> None:
        """Begin small again after an outage."""
        self._window.restart()
        self._tell("window", self._window.limit, "the server is back")
        self._resize()

    def _resize(self) -> None:
        size = int(self._window.limit)
        if size != self._slots.total_tokens:
            self._slots.total_tokens = size

    def _tell_rate(self, reason: str) -> None:
        if self._rate.limit is not None:
            self._tell("rate", self._rate.limit, reason)

    def _tell(self, level: Literal["window", "rate"], value: float, reason: str) -> None:
        self._observer(
            LevelChanged(service="api", level=level, value=round(value, 2), reason=reason)
        )
