"""Bound how much of what is uploaded Studio may still have to process."""

from __future__ import annotations

from collections import deque
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
        #: Those that wait for a place, in their order: a place wakes one, not all of them.
        self._queue: deque[anyio.Event] = deque()

    async def enter(self) -> None:
        """Take a place for a measurement that is about to be sent, once there is one."""
        if not self._cap.has_room:
            turn = anyio.Event()
            self._queue.append(turn)
            try:
                await turn.wait()
            except BaseException:
                self._abandon(turn)
                raise
            return
        self._cap.confirmed()

    def _abandon(self, turn: anyio.Event) -> None:
        """Give a place up that was waited for, or already given."""
        if turn.is_set():
            self.leave()
        else:
            self._queue.remove(turn)

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
        """Give the free places to those that wait."""
        while self._queue and self._cap.has_room:
            self._cap.confirmed()
            self._queue.popleft().set()
