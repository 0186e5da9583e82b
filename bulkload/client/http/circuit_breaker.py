"""The circuit breaker: during an outage all requests wait, and one at a time probes the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Final

import anyio

from bulkload.client.http.events import Observer, OutOfReach, Recovered, Service
from bulkload.clock import Clock
from bulkload.core.flow.outage import OutageMonitor
from bulkload.errors import OutageError


@dataclass(frozen=True, slots=True)
class Passage:
    """Permission to send one request."""

    #: Whether it probes a service that is unreachable.
    is_probe: bool
    #: Whether an outage ended while it waited: what was decided before it may no longer hold.
    has_waited: bool


#: The passage of a service that answers.
_FREE: Final = nullcontext(Passage(is_probe=False, has_waited=False))


class CircuitBreaker:
    """Lets requests to one service through while it answers."""

    def __init__(
        self,
        service: Service,
        monitor: OutageMonitor,
        *,
        clock: Clock,
        observer: Observer,
        on_recovery: Callable[[], None] | None = None,
    ) -> None:
        self._service: Service = service
        self._monitor = monitor
        self._clock = clock
        self._observer = observer
        self._on_recovery = on_recovery
        #: Held by the task that probes. First come, first served: a call that is itself at
        #: fault cannot keep the breaker open, the next probe is another call's.
        self._turn = anyio.Lock()

    @property
    def is_down(self) -> bool:
        """True during an outage."""
        return self._monitor.is_down

    def passage(self) -> AbstractAsyncContextManager[Passage]:
        """Wait until a request may be sent, and hold the turn of a probe while it is.

        Raises ``OutageError`` once the outage has lasted longer than its limit.
        """
        return self._waiting() if self.is_down else _FREE

    @asynccontextmanager
    async def _waiting(self) -> AsyncIterator[Passage]:
        async with self._turn:
            if await self._wait_for_probe():
                yield Passage(is_probe=True, has_waited=False)
                return
        yield Passage(is_probe=False, has_waited=True)

    def succeeded(self, began: float) -> None:
        """Record that the service answered a request that began then."""
        down_for_s = self._monitor.down_for_s(self._clock.monotonic())
        was_down = self.is_down
        self._monitor.succeeded(began)
        if was_down and not self.is_down:
            if self._on_recovery is not None:
                self._on_recovery()
            self._observer(Recovered(service=self._service, seconds=down_for_s))

    def failed(self, reason: str, passage: Passage) -> None:
        """Record that the service did not serve a request at all."""
        now = self._clock.monotonic()
        if passage.is_probe:
            self._monitor.probe_failed(now, reason)
        else:
            self._monitor.failed(now, reason)
        self._notify(now)

    async def _wait_for_probe(self) -> bool:
        """Wait until a probe may be sent; False where the outage ends before."""
        while self._monitor.is_down:
            now = self._clock.monotonic()
            self._notify(now)
            wait_s = self._monitor.probe_in_s(now)
            if wait_s <= 0:
                return True
            if self._monitor.has_expired(now):
                raise OutageError(
                    f"the {self._service} service was unreachable for"
                    f" {self._monitor.down_for_s(now):.0f} s: {self._monitor.reason}"
                )
            await self._clock.sleep(min(wait_s, self._monitor.until_limit_s(now)))
        return False

    def _notify(self, now: float) -> None:
        if self._monitor.notice_due(now):
            self._observer(
                OutOfReach(
                    service=self._service,
                    seconds=self._monitor.down_for_s(now),
                    reason=self._monitor.reason,
                )
            )
