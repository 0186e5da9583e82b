"""Bound how much of what is uploaded Studio may still have to process."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from bulkload.clock import Clock
from bulkload.core.flow.backlog import BacklogCap


class Backlog:
    """Holds uploads back while Studio's processing does not keep up."""

    def __init__(
        self, cap: BacklogCap, clock: Clock, on_change: Callable[[int], None] = lambda _: None
    ) -> None:
        self._cap = cap
        self._clock = clock
        self._on_change = on_change
        self._room = anyio.Event()

    async def enter(self) -> None:
        """Take a place for a measurement that is about to be sent, once there is one."""
        while not self._cap.has_room:
            await self._room.wait()
        self._cap.confirmed()

    def join(self) -> None:
        """Count a measurement that was confirmed without being held back: an earlier run's."""
        self._cap.confirmed()

    def leave(self) -> None:
        """Give a place back: nothing was confirmed, or its processing is not awaited."""
        self._cap.dropped()
        self._wake()

    def processed(self, processing_s: float) -> None:
        """Give a place back after its measurement was processed in that many seconds."""
        if self._cap.settled(processing_s, self._clock.monotonic()):
            self._on_change(self._cap.limit)
        self._wake()

    def _wake(self) -> None:
        self._room.set()
        self._room = anyio.Event()
