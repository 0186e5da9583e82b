"""Limits transfers in flight, by the controller of ``core/flow/goodput``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from bulkload.client.http.events import LevelChanged, Observer
from bulkload.client.http.limiter import Slot
from bulkload.clock import Clock
from bulkload.core.flow.goodput import Streams


class StreamLimiter:
    """Bounds the uploads in flight."""

    def __init__(self, largest: int, *, clock: Clock, observer: Observer) -> None:
        self._clock = clock
        self._observer = observer
        self._streams = Streams(largest=largest)
        self._slots = anyio.CapacityLimiter(self._streams.limit)

    @property
    def limit(self) -> int:
        """Return the number of streams that are allowed now."""
        return self._streams.limit

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one stream."""
        async with Slot(self._slots):
            self._streams.started(self._clock.monotonic())
            try:
                yield
            finally:
                self._streams.finished(self._clock.monotonic())
                self._resize("goodput")

    def moved(self, size_bytes: int) -> None:
        """Record bytes that went out."""
        self._streams.moved(size_bytes, self._clock.monotonic())
        self._resize("goodput")

    def timed_out(self, reason: str) -> None:
        """Record a time-out at the storage's edge."""
        self._streams.timed_out(self._clock.monotonic())
        self._resize(reason)

    def _resize(self, reason: str) -> None:
        limit = self._streams.limit
        if limit == self._slots.total_tokens:
            return
        self._slots.total_tokens = limit
        self._observer(LevelChanged(service="storage", level="streams", value=limit, reason=reason))
