"""The one place where anything is sent again: tenacity drives, ``core.retry`` decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import tenacity

from bulkload.client.http.events import Observer, Paused, RetriesExhausted, Retrying, Service
from bulkload.clock import Clock
from bulkload.core.flow.retry import Failure, GiveUp, RetryIn, RetryPolicy, decide
from bulkload.core.flow.retry_budget import RetryBudget
from bulkload.errors import IonworksError, TransientError

T = TypeVar("T")

Look = Callable[[], Awaitable[T | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryContext:
    """What all calls of a run share: patience, the budget, the clock and the dice."""

    clock: Clock
    observer: Observer
    #: Gives a random number of [0, 1).
    chance: Callable[[], float]
    policy: RetryPolicy
    budget: RetryBudget


class Attempts(Generic[T]):
    """All attempts at one call.

    ``act`` makes one attempt. ``is_ambiguous`` tells of a failure whether the server may have
    done it all the same; then ``look`` is asked before the next attempt, and what it finds is
    the result. ``is_excused`` is true while a failure says nothing of this call (an outage).
    """

    def __init__(
        self,
        shared: RetryContext,
        act: Callable[[], Awaitable[T]],
        *,
        service: Service,
        endpoint: str,
        is_ambiguous: Callable[[IonworksError], bool],
        is_excused: Callable[[], bool],
        look: Look[T] | None = None,
    ) -> None:
        self._shared = shared
        self._act = act
        self._service = service
        self._endpoint = endpoint
        self._is_ambiguous = is_ambiguous
        self._is_excused = is_excused
        self._look = look
        self._attempts = 0
        self._same_answers = 0
        self._last_answer: tuple[str, int | None, str | None] | None = None
        self._next: RetryIn | None = None
        self._first: TransientError | None = None
        #: Set by an ambiguous failure, and cleared only by a look that found nothing.
        self._must_look = False

    async def run(self) -> T:
        """Make attempts until one succeeds; raise the error of the last one otherwise."""
        self._shared.budget.earn()
        try:
            # Most calls succeed at once, and need no driver: setting it up costs more than they do.
            return await self._attempt()
        except TransientError as error:
            self._first = error
        drive = tenacity.AsyncRetrying(
            retry=self._again,
            wait=self._wait,
            sleep=self._shared.clock.sleep,
            stop=tenacity.stop_never,
            reraise=True,
        )
        return await drive(self._attempt)

    async def _attempt(self) -> T:
        if self._first is not None:
            # The driver begins with the attempt that was made before it.
            first, self._first = self._first, None
            raise first
        if self._next is not None and not self._is_excused():
            await self._wait_for_budget()
        if self._must_look and self._look is not None:
            found = await self._look()
            if found is not None:
                return found
            self._must_look = False
        return await self._act()

    async def _wait_for_budget(self) -> None:
        """Wait until the shared budget allows another retry."""
        clock = self._shared.clock
        began = clock.monotonic()
        while (wait_s := self._shared.budget.take(clock.monotonic())) > 0:
            await clock.sleep(wait_s)
        if (waited_s := clock.monotonic() - began) > 0:
            self._shared.observer(
                Paused(
                    service=self._service,
                    endpoint=self._endpoint,
                    seconds=waited_s,
                    reason="the retry budget was empty",
                )
            )

    def _again(self, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome is not None else None
        # Named types only: a predicate that says yes to all would retry a cancellation.
        if not (isinstance(error, TransientError) and isinstance(error, IonworksError)):
            return False
        self._count(error)
        is_ambiguous = self._is_ambiguous(error)
        self._must_look = self._must_look or is_ambiguous
        decision = decide(
            Failure(
                attempts=self._attempts,
                same_answers=self._same_answers,
                retry_after_s=getattr(error, "retry_after_s", None),
                is_ambiguous=is_ambiguous,
                may_repeat=self._look is not None,
            ),
            self._shared.policy,
            chance=self._shared.chance(),
        )
        if isinstance(decision, GiveUp):
            self._tell_give_up(error, decision.reason)
            return False
        self._next = decision
        self._tell_retry(error, decision.delay_s)
        return True

    def _count(self, error: IonworksError) -> None:
        answer = (error.cause, error.status_code, error.error_code)
        if self._is_excused():
            self._attempts = max(self._attempts, 1)
            return
        self._attempts += 1
        # No answer at all is the link's fault as often as the request's: only answers are compared.
        is_same = error.status_code is not None and answer == self._last_answer
        self._same_answers = self._same_answers + 1 if is_same else 1
        self._last_answer = answer

    def _wait(self, _state: tenacity.RetryCallState) -> float:
        return 0.0 if self._next is None else self._next.delay_s

    def _tell_retry(self, error: IonworksError, delay_s: float) -> None:
        self._shared.observer(
            Retrying(
                service=self._service,
                endpoint=self._endpoint,
                cause=error.cause,
                attempts=self._attempts,
                delay_s=delay_s,
            )
        )

    def _tell_give_up(self, error: IonworksError, reason: str) -> None:
        self._shared.observer(
            RetriesExhausted(
                service=self._service,
                endpoint=self._endpoint,
                cause=error.cause,
                attempts=self._attempts,
                reason=reason,
            )
        )
