"""During an outage everybody waits here, and one at a time goes out to see whether it is over."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from bulkload.client.http.events import Observer, OutOfReach, Recovered, Service
from bulkload.clock import Clock
from bulkload.core.flow.outage import OutageMonitor
from bulkload.errors import OutageError


class CircuitBreaker:
    """One service's gate; open while the service answers."""

    def __init__(
        self,
        service: Service,
        monitor: OutageMonitor,
        *,
        clock: Clock,
        observer: Observer,
        on_recovery: Callable[[], None],
    ) -> None:
        self._service = service
        self._monitor = monitor
        self._clock = clock
        self._observer = observer
        self._on_recovery = on_recovery
        #: Held by the task that probes. First come, first served: a call that is itself at
        #: fault cannot keep the gate shut, the next probe is another one's.
        self._turn = anyio.Lock()

    @property
    def is_down(self) -> bool:
        """True during an outage."""
        return self._monitor.is_down

    async def enter(self) -> bool:
        """Wait until a request may go; True where it is a probe, which must call ``leave``.

        Raises ``OutageError`` once the outage has lasted too long.
        """
        if not self._monitor.is_down:
            return False
        await self._turn.acquire()
        try:
            await self._until_probe()
        except BaseException:
            self._turn.release()
            raise
        if self.is_down:
            return True
        self._turn.release()
        return False

    def leave(self) -> None:
        """End a probe; its result was told before."""
        self._turn.release()

    def succeeded(self, began: float) -> None:
        """Take note that the service answered a request that began then."""
        down_for_s = self._monitor.down_for_s(self._clock.monotonic())
        was_down = self._monitor.is_down
        self._monitor.succeeded(began)
        if was_down and not self.is_down:
            self._on_recovery()
            self._observer(Recovered(service=self._service, seconds=down_for_s))

    def failed(self, reason: str, *, was_probe: bool) -> None:
        """Take note that the service did not serve a request at all."""
        now = self._clock.monotonic()
        if was_probe:
            self._monitor.probe_failed(now, reason)
        else:
            self._monitor.failed(now, reason)
        self._notice(now)

    async def _until_probe(self) -> None:
        while self._monitor.is_down:
            now = self._clock.monotonic()
            self._notice(now)
            wait_s = self._monitor.probe_in_s(now)
            if wait_s <= 0:
                return
            if self._monitor.has_expired(now):
                raise OutageError(
                    f"the {self._service} service was out of reach for"
                    f" {self._monitor.down_for_s(now):.0f} s: {self._monitor.reason}"
                )
            await self._clock.sleep(min(wait_s, self._monitor.until_limit_s(now)))

    def _notice(self, now: float) -> None:
        if self._monitor.notice_due(now):
            self._observer(
                OutOfReach(
                    service=self._service,
                    seconds=self._monitor.down_for_s(now),
                    reason=self._monitor.reason,
                )
            )
