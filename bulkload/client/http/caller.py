"""Calls the API: every call is paced, repeated where that is safe, and never carried out twice."""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable, Mapping
from json import loads as json_of
from typing import Any, Final, TypeVar
from urllib.parse import urljoin

from bulkload.client.http.access import Access
from bulkload.client.http.answers import error_of, is_web_page, read_answer
from bulkload.client.http.api_session import TIMED_OUT
from bulkload.client.http.attempts import Attempts, RetryContext
from bulkload.client.http.circuit_breaker import CircuitBreaker, Passage
from bulkload.client.http.events import Exchanged, Observer, Paused, unobserved
from bulkload.client.http.limiter import CallLimiter
from bulkload.client.http.limits import (
    DEFAULT_CONNECTIONS,
    DEFAULT_OUTAGE_LIMIT_S,
    UNSTATED_PAUSE_S,
)
from bulkload.client.http.wire import Answer, Request, Transport, make_request
from bulkload.clock import Clock, SystemClock
from bulkload.core.flow.outage import OutageMonitor
from bulkload.core.flow.retry import RetryPolicy
from bulkload.core.flow.retry_budget import RetryBudget
from bulkload.errors import (
    AnswerLostError,
    ClientError,
    ConnectionSetupError,
    IonworksError,
    UnavailableError,
    UnreachableError,
)

T = TypeVar("T")


#: Methods that may be repeated whatever became of them.
_REPEATABLE: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
#: Statuses by which a server says that it did nothing.
_NOT_DONE: Final = frozenset({413, 425, 429})
#: Statuses that speak of the server's state, not of this request.
AWAY: Final = frozenset({502, 503, 504, *range(520, 528)})
#: The transient errors of a server.
_MAY_PASS: Final = (UnreachableError, AnswerLostError, UnavailableError)
_WORD: Final = re.compile(r"[a-z]+(?:[_-][a-z]+)*")

#: What ``look`` is: it gives the record that a lost request made, or None.
LookBack = Callable[[], Awaitable[Any | None]]


class Caller:
    """Calls the API through a ``Transport``; safe to share between any number of tasks."""

    def __init__(
        self,
        transport: Transport,
        access: Access,
        *,
        clock: Clock | None = None,
        observer: Observer = unobserved,
        chance: Callable[[], float] = random.random,
        policy: RetryPolicy | None = None,
        budget: RetryBudget | None = None,
        connections: int = DEFAULT_CONNECTIONS,
        outage_limit_s: float = DEFAULT_OUTAGE_LIMIT_S,
        ends_on_wrong_setup: bool = False,
    ) -> None:
        self._transport = transport
        self._access = access
        self._clock: Clock = clock or SystemClock()
        self._observer = observer
        self._shared = RetryContext(
            clock=self._clock,
            observer=observer,
            chance=chance,
            policy=policy or RetryPolicy(),
            budget=budget or RetryBudget(),
        )
        self._limiter = CallLimiter(connections, clock=self._clock, observer=observer)
        self._breaker = CircuitBreaker(
            "api",
            OutageMonitor(limit_s=outage_limit_s),
            clock=self._clock,
            observer=observer,
            on_recovery=self._limiter.restart,
        )
        #: Until Studio itself has answered, what time does not cure ends the work at once.
        self._ends_on_wrong_setup = ends_on_wrong_setup
        #: Endpoint -> the moment until which it is left alone.
        self._paused: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"Caller({self._access.base_url!r})"

    def allow(self, connections: int) -> None:
        """Let more calls be in flight than before, as far as the server allows them."""
        self._limiter.allow(connections)

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        look: LookBack | None = None,
    ) -> Any:
        """Make one call and return its JSON, None for an empty answer.

        GET and DELETE are repeated on every failure that may pass. POST and PATCH are repeated
        at once only where the server did nothing; where it may have done it, ``look`` is asked
        first, and without ``look`` the failure is raised.
        """
        may_be_done = False

        def is_ambiguous(error: IonworksError) -> bool:
            nonlocal may_be_done
            may_be_done = may_be_done or _may_be_done(error)
            return method not in _REPEATABLE and _may_be_done(error)

        def read(answer: Answer) -> Any:
            is_gone = answer.status == 404 and not is_web_page(answer)
            if method == "DELETE" and is_gone and may_be_done:
                return None  # gone, by our own earlier attempt
            return read_answer(answer, method=method, now=self._clock.now(), mask=self._access.mask)

        request = make_request(method, path, params, json)
        return await self._persist(request, read, is_ambiguous, look)

    async def locate(self, path: str, *, params: Mapping[str, Any] | None = None) -> str:
        """Return the absolute URL to which a download is redirected; it is not followed."""

        def read(answer: Answer) -> str:
            location = answer.headers.get("location")
            if 300 <= answer.status < 400 and location:
                return urljoin(f"{self._access.base_url}{path}", location)
            if answer.status < 400:
                # A web page is from something on the way, which answered in Studio's place.
                kind = AnswerLostError if is_web_page(answer) else ClientError
                raise kind("no redirect where one was expected", answer.status)
            raise error_of(answer, now=self._clock.now(), mask=self._access.mask)

        request = make_request("GET", path, params)
        return await self._persist(request, read, lambda _: False, None)

    async def reach(self, path: str) -> Any:
        """Read an answer whose form is not documented: its JSON, or else its text."""

        def read(answer: Answer) -> Any:
            if 200 <= answer.status < 300 and not is_web_page(answer):
                text = answer.body.decode("utf-8", errors="replace")
                try:
                    return json_of(text)
                except ValueError:
                    return text
            return read_answer(answer, method="GET", now=self._clock.now(), mask=self._access.mask)

        return await self._persist(make_request("GET", path, None), read, lambda _: False, None)

    async def _persist(
        self,
        request: Request,
        read: Callable[[Answer], T],
        is_ambiguous: Callable[[IonworksError], bool],
        look: Callable[[], Awaitable[T | None]] | None,
    ) -> T:
        endpoint = endpoint_of(request)
        return await Attempts(
            self._shared,
            lambda: self._attempt(request, endpoint, read),
            service="api",
            endpoint=endpoint,
            is_ambiguous=is_ambiguous,
            is_excused=lambda: self._breaker.is_down,
            look=look,
        ).run()

    async def _attempt(self, request: Request, endpoint: str, read: Callable[[Answer], T]) -> T:
        """Wait for the turn of one attempt, and make it."""
        while True:
            if self._paused:
                await self._wait_for(endpoint)
            async with self._limiter.slot():
                if not await self._limiter.wait_for_turn():
                    continue
                async with self._breaker.passage() as passage:
                    # While it waited, the endpoint may have been paused; and after an outage
                    # the window is small again, so that not all come back at once.
                    is_late = passage.has_waited or self._pause_s(endpoint) > 0
                    if passage.is_probe or not is_late:
                        return await self._send(request, endpoint, read, passage)

    async def _send(
        self, request: Request, endpoint: str, read: Callable[[Answer], T], passage: Passage
    ) -> T:
        began = self._clock.monotonic()
        answer: Answer | None = None
        error: IonworksError | None = None
        try:
            answer = await self._transport.send(request)
            return read(answer)
        except IonworksError as failure:
            error = failure
            if failure.remedy is not None and self._ends_on_wrong_setup:
                raise ConnectionSetupError(f"{failure}; {failure.remedy}") from failure
            raise
        finally:
            # A cancelled attempt says nothing of the server.
            if answer is not None or error is not None:
                self._learn(endpoint, error, began, passage)
                self._observer(
                    Exchanged(
                        service="api",
                        method=request.method,
                        endpoint=endpoint,
                        status=None if answer is None else answer.status,
                        cause=None if error is None else error.cause,
                        seconds=self._clock.monotonic() - began,
                        bytes_sent=len(request.content or b""),
                        bytes_received=0 if answer is None else len(answer.body),
                    )
                )

    def _learn(
        self, endpoint: str, error: IonworksError | None, began: float, passage: Passage
    ) -> None:
        """Record in breaker, window and rate how an attempt ended."""
        if error is None or not isinstance(error, _MAY_PASS):
            self._ends_on_wrong_setup = False
            self._breaker.succeeded(began)
            self._limiter.served(began)
            return
        asked_s = error.retry_after_s if isinstance(error, UnavailableError) else None
        if error.status_code == 429:
            self._breaker.succeeded(began)
            self._limiter.refused(began)
            asked_s = UNSTATED_PAUSE_S if asked_s is None else asked_s
        if asked_s:
            self._pause(endpoint, asked_s)
        if error.status_code == 503 or error.cause == TIMED_OUT:
            self._limiter.overloaded(error.message, began)
        if says_away(error):
            self._breaker.failed(str(error), passage)

    async def _wait_for(self, endpoint: str) -> None:
        while (seconds := self._pause_s(endpoint)) > 0:
            await self._clock.sleep(seconds)
        self._paused.pop(endpoint, None)

    def _pause(self, endpoint: str, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        if until > self._paused.get(endpoint, 0.0):
            self._paused[endpoint] = until
            self._observer(
                Paused(service="api", endpoint=endpoint, seconds=seconds, reason="the server asked")
            )

    def _pause_s(self, endpoint: str) -> float:
        return max(0.0, self._paused.get(endpoint, 0.0) - self._clock.monotonic())


def says_away(error: IonworksError) -> bool:
    """Return whether a failure says that the service as a whole is not there."""
    return isinstance(error, UnreachableError | AnswerLostError) or error.status_code in AWAY


def _may_be_done(error: IonworksError) -> bool:
    if isinstance(error, UnreachableError) or error.status_code in _NOT_DONE:
        return False
    if isinstance(error, UnavailableError):
        return not (error.status_code == 503 and error.retry_after_s is not None)
    return isinstance(error, AnswerLostError)


def endpoint_of(request: Request) -> str:
    """Return the endpoint of a request: its method and path, with each id left out."""
    parts = (part if _WORD.fullmatch(part) else "{}" for part in request.path.split("/")[1:])
    return f"{request.method} /{'/'.join(parts)}"
