"""What all traffic with a store shares: its streams, its breaker, its patience."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from bulkload.client.http.api_session import TIMED_OUT
from bulkload.client.http.attempts import Attempts, RetryContext
from bulkload.client.http.circuit_breaker import CircuitBreaker, Passage
from bulkload.client.http.events import Exchanged
from bulkload.client.storage.signed_urls import host_of
from bulkload.client.storage.streams import StreamLimiter
from bulkload.core.flow.outage import OutageMonitor
from bulkload.errors import (
    AnswerLostError,
    ConnectionSetupError,
    IntegrityError,
    IonworksError,
    UnreachableError,
)

T = TypeVar("T")

#: Statuses by which the storage's edge gives up on a slow upload.
EDGE_TIMEOUTS: Final = frozenset({504, 524})
#: Statuses that speak of the store's state, not of this request.
_AWAY: Final = frozenset({502, 503, *range(520, 524)})


@dataclass(frozen=True, slots=True)
class _Attempt:
    store: str
    method: str
    sent_bytes: Callable[[], int]
    received_bytes: Callable[[], int]


class StorageSession:
    """Repeats acts on a store, and bounds how many are made at a time."""

    def __init__(
        self,
        shared: RetryContext,
        *,
        streams: int,
        outage_limit_s: float,
        ends_on_wrong_setup: bool = False,
    ) -> None:
        self.shared = shared
        self.streams = StreamLimiter(streams, clock=shared.clock, observer=shared.observer)
        self._outage_limit_s = outage_limit_s
        #: False once a store has answered: what its way is wrong for later, may pass.
        self._ends_on_wrong_setup = ends_on_wrong_setup
        #: One breaker a store; there are as many as the API hands out hosts: one or two.
        self._breakers: dict[str, CircuitBreaker] = {}

    async def persist(self, url: str, act: Callable[[], Awaitable[T]]) -> T:
        """Repeat ``act`` until it succeeds or must be given up: storing twice is storing once."""
        store = host_of(url)
        breaker = self._breaker(store)
        return await Attempts(
            self.shared,
            act,
            service="storage",
            endpoint=store,
            is_ambiguous=lambda _: False,
            is_excused=lambda: breaker.is_down,
        ).run()

    async def attempt(
        self,
        url: str,
        method: str,
        send: Callable[[], Awaitable[T]],
        *,
        sent_bytes: Callable[[], int] = int,
        received_bytes: Callable[[], int] = int,
    ) -> T:
        """Make one attempt with a stream of its own, and learn from how it ends.

        ``sent_bytes`` and ``received_bytes`` tell afterwards how far it got.
        """
        store = host_of(url)
        attempt = _Attempt(store, method, sent_bytes, received_bytes)
        breaker = self._breaker(store)
        while True:
            async with self.streams.slot(), breaker.passage() as passage:
                if not passage.has_waited:
                    return await self._send(attempt, send, passage)

    async def _send(
        self, attempt: _Attempt, send: Callable[[], Awaitable[T]], passage: Passage
    ) -> T:
        # A cancelled attempt says nothing of the store.
        began = self.shared.clock.monotonic()
        try:
            result = await send()
        except IonworksError as error:
            self._learn(self._breaker(attempt.store), error, began, passage)
            self._tell(attempt, began, error)
            if error.remedy is not None and self._ends_on_wrong_setup:
                raise ConnectionSetupError(f"{error}; {error.remedy}") from error
            raise
        self._learn(self._breaker(attempt.store), None, began, passage)
        self._tell(attempt, began, None)
        return result

    def _tell(self, attempt: _Attempt, began: float, error: IonworksError | None) -> None:
        self.shared.observer(
            Exchanged(
                service="storage",
                method=attempt.method,
                endpoint=attempt.store,
                status=200 if error is None else error.status_code,
                cause=None if error is None else error.cause,
                seconds=self.shared.clock.monotonic() - began,
                bytes_sent=attempt.sent_bytes(),
                bytes_received=attempt.received_bytes(),
            )
        )

    def _learn(
        self, breaker: CircuitBreaker, error: IonworksError | None, began: float, passage: Passage
    ) -> None:
        if error is None:
            self._ends_on_wrong_setup = False
            breaker.succeeded(began)
        elif error.cause == TIMED_OUT or error.status_code in EDGE_TIMEOUTS:
            self.streams.timed_out(error.message)
        elif isinstance(error, UnreachableError | AnswerLostError) or error.status_code in _AWAY:
            breaker.failed(str(error), passage)
        elif not isinstance(error, IntegrityError):
            self._ends_on_wrong_setup = False
            breaker.succeeded(began)

    def _breaker(self, store: str) -> CircuitBreaker:
        breaker = self._breakers.get(store)
        if breaker is None:
            breaker = self._breakers[store] = CircuitBreaker(
                "storage",
                OutageMonitor(limit_s=self._outage_limit_s),
                clock=self.shared.clock,
                observer=self.shared.observer,
            )
        return breaker
