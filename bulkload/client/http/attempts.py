"""The one place where anything is sent again: tenacity drives, ``core.flow.retry`` decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio
import tenacity

from bulkload.client.http.events import (
    BUDGET_EMPTY,
    Observer,
    Paused,
    RetriesExhausted,
    Retrying,
    Service,
)
from bulkload.clock import Clock
from bulkload.core.flow.retry import Failure, GiveUp, RetryDecision, RetryPolicy, decide
from bulkload.core.flow.retry_budget import RetryBudget
from bulkload.errors import IntegrityError, IonworksError, TransientError

T = TypeVar("T")

Look = Callable[[], Awaitable[T | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryContext:
    """What all calls of a run share: policy, budget, clock and random numbers."""

    clock: Clock
    observer: Observer
    #: Returns a random number of [0, 1).
    chance: Callable[[], float]
    policy: RetryPolicy
    budget: RetryBudget


class Attempts(Generic[T]):
    """All attempts at one call.

    ``act`` makes one attempt. ``is_ambiguous`` returns whether the server may have carried out
    a failed one all the same; then ``look`` is asked before the next attempt, and the record
    that it returns is the result. ``is_excused`` is true while failures are those of an outage
    and do not count.
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
        self._service: Service = service
        self._endpoint = endpoint
        self._is_ambiguous = is_ambiguous
        self._is_excused = is_excused
        self._look = look
        self._excused = 0
        self._same_answers = 0
        self._mismatches = 0
        self._last_answer: tuple[str, int | None, str | None] | None = None
        self._decision: RetryDecision | None = None
        #: How the first attempt failed, until tenacity has heard of it.
        self._first_error: IonworksError | None = None
        #: Set by an ambiguous failure, and cleared only by a look that found nothing.
        self._must_look = False

    async def run(self) -> T:
        """Make attempts until one succeeds; raise the error of the last one otherwise."""
        self._shared.budget.earn()
        # Nearly every call ends here: what drives repetition is made where it is needed.
        try:
            return await self._act()
        except IonworksError as error:
            if not _may_pass(error):
                raise
            self._first_error = error
        drive = tenacity.AsyncRetrying(
            # Named types only: a predicate that accepts all would repeat a cancellation.
            retry=tenacity.retry_if_exception(_may_pass),
            wait=self._wait_s,
            stop=self._is_over,
            before_sleep=self._note_retry,
            sleep=self._shared.clock.sleep,
            reraise=True,
        )
        return await drive(self._attempt)

    async def _attempt(self) -> T:
        if (error := self._first_error) is not None:
            self._first_error = None
            raise error
        if self._decision is not None and not self._is_excused():
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
                    reason=BUDGET_EMPTY,
                )
            )

    def _wait_s(self, state: tenacity.RetryCallState) -> float:
        """Decide on the failure of an attempt; tenacity asks this before it asks to stop."""
        error = _error_of(state)
        self._count(error)
        is_ambiguous = self._is_ambiguous(error)
        self._must_look = self._must_look or is_ambiguous
        self._decision = decide(
            Failure(
                attempts=max(1, state.attempt_number - self._excused),
                same_answers=self._same_answers,
                mismatches=self._mismatches,
                retry_after_s=getattr(error, "retry_after_s", None),
                is_ambiguous=is_ambiguous,
                may_repeat=self._look is not None,
            ),
            self._shared.policy,
            chance=self._shared.chance(),
        )
        return 0.0 if isinstance(self._decision, GiveUp) else self._decision.delay_s

    def _count(self, error: IonworksError) -> None:
        self._mismatches += isinstance(error, IntegrityError)
        if self._is_excused():
            self._excused += 1
            return
        answer = (error.cause, error.status_code, error.error_code)
        # No answer at all is the link's fault as often as the request's: only answers are compared.
        is_same = error.status_code is not None and answer == self._last_answer
        self._same_answers = self._same_answers + 1 if is_same else 1
        self._last_answer = answer

    def _is_over(self, state: tenacity.RetryCallState) -> bool:
        if not isinstance(self._decision, GiveUp):
            return False
        self._shared.observer(
            RetriesExhausted(
                service=self._service,
                endpoint=self._endpoint,
                cause=_error_of(state).cause,
                attempts=state.attempt_number,
                reason=self._decision.reason,
            )
        )
        return True

    def _note_retry(self, state: tenacity.RetryCallState) -> None:
        self._shared.observer(
            Retrying(
                service=self._service,
                endpoint=self._endpoint,
                cause=_error_of(state).cause,
                attempts=state.attempt_number,
                delay_s=state.upcoming_sleep,
            )
        )


async def repeat(
    act: Callable[[], Awaitable[T]],
    *,
    may_repeat: Callable[[BaseException], bool],
    attempts: int,
    first_wait_s: float = 0.0,
    before_again: Callable[[], Awaitable[object]] | None = None,
) -> T:
    """Make an act of several calls again where its error says that a new beginning helps.

    Waits ``first_wait_s`` seconds before the second attempt, and twice as long before each
    further one; ``before_again`` is awaited first. Raises the error of the last attempt.
    """
    try:
        return await act()
    except Exception as error:
        if attempts == 1 or not may_repeat(error):
            raise
        first_error: Exception | None = error

    async def attempt() -> T:
        # tenacity awaits only what it knows for a coroutine function: a lambda is none.
        nonlocal first_error
        if (error := first_error) is not None:
            first_error = None
            raise error
        return await act()

    async def before_sleep(_: tenacity.RetryCallState) -> None:
        if before_again is not None:
            await before_again()

    drive = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(may_repeat),
        wait=tenacity.wait_exponential(multiplier=first_wait_s),
        stop=tenacity.stop_after_attempt(attempts),
        before_sleep=before_sleep,
        sleep=anyio.sleep,
        reraise=True,
    )
    return await drive(attempt)


async def ask_until_found(
    ask: Callable[[], Awaitable[T | None]], *, attempts: int, first_wait_s: float
) -> T | None:
    """Ask again while the answer is None, with doubled waits; return None where it stays so."""

    async def attempt() -> T | None:
        return await ask()

    drive = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_result(_is_none),
        wait=tenacity.wait_exponential(multiplier=first_wait_s),
        stop=tenacity.stop_after_attempt(attempts),
        sleep=anyio.sleep,
        retry_error_callback=_nothing,
    )
    return await drive(attempt)


def _is_none(found: object) -> bool:
    return found is None


def _nothing(_: tenacity.RetryCallState) -> None:
    """Return None in place of tenacity's own error."""


def _may_pass(error: BaseException) -> bool:
    """Return whether an error may pass: a transient one, or a store that reports other bytes."""
    is_mismatch = isinstance(error, IntegrityError) and error.status_code is not None
    return isinstance(error, IonworksError) and (is_mismatch or isinstance(error, TransientError))


def _error_of(state: tenacity.RetryCallState) -> IonworksError:
    error = None if state.outcome is None else state.outcome.exception()
    assert isinstance(error, IonworksError)
    return error
