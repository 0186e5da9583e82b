"""Decide whether a failed call is sent again, and when. Pure: clock and chance are parameters.

Failures are of three kinds:

- nothing was sent, or the server stated that it did nothing: send it again;
- the server may have done it: look first, then send it again;
- the answer is final: do not send it again.

Failures of the last kind never come here: their errors are terminal by type.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

#: Longest wait that is accepted of a ``Retry-After``, in seconds. A server that asks for a day is
#: asked again every five minutes: one request, and the run goes on when it can.
RETRY_AFTER_CAP_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Limits of one call's attempts. Waits are drawn between zero and ``min(cap, base * 2^n)``."""

    #: Bound of the first wait, in seconds.
    base_s: float = 0.5
    #: Bound of every wait, in seconds: long enough for a server to recover, short enough for
    #: a run to notice that it has.
    cap_s: float = 20.0
    #: The same answer that often in a row is the answer: the request itself is at fault.
    same_answer_limit: int = 8
    #: Attempts at one call, whatever the answers: a server that alternates between two
    #: failures must not be asked for ever.
    attempt_limit: int = 20
    #: How often a store must report other content than was sent before that is the answer.
    mismatch_limit: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What is known of a call that failed in a way that may pass."""

    #: Attempts made so far, the failed one included.
    attempts: int
    #: How often in a row this very answer has come, this time included.
    same_answers: int = 1
    #: How often a store has reported other content than was sent.
    mismatches: int = 0
    #: The server's ``Retry-After``, in seconds.
    retry_after_s: float | None = None
    #: True where the request may have been done although it failed.
    is_ambiguous: bool = False
    #: True where doing it twice is harmless, or the caller can check whether it was done.
    may_repeat: bool = True


@dataclass(frozen=True, slots=True)
class RetryIn:
    """Send it again after ``delay_s``; look first where ``look_first``."""

    delay_s: float
    look_first: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not send it again, for this reason."""

    reason: str


RetryDecision = RetryIn | GiveUp


def decide(failure: Failure, policy: RetryPolicy, *, chance: float) -> RetryDecision:
    """Decide whether a failed call is sent again, and when.

    ``chance`` is a random number of [0, 1): the whole wait is drawn (full jitter), so that many
    tasks that fail together do not come back together.
    """
    if failure.is_ambiguous and not failure.may_repeat:
        return GiveUp("it may have been done, and there is no way to look")
    if failure.mismatches >= policy.mismatch_limit:
        return GiveUp(f"other content was stored {failure.mismatches} times")
    if failure.same_answers >= policy.same_answer_limit:
        return GiveUp(f"the same answer {failure.same_answers} times")
    if failure.attempts >= policy.attempt_limit:
        return GiveUp(f"no success in {failure.attempts} attempts")
    delay_s = chance * back_off_bound_s(failure.attempts, policy)
    if failure.retry_after_s is not None:
        # The jitter stays on top: all callers were given the same moment.
        delay_s += min(max(failure.retry_after_s, 0.0), RETRY_AFTER_CAP_S)
    return RetryIn(delay_s, look_first=failure.is_ambiguous)


def back_off_bound_s(attempts: int, policy: RetryPolicy) -> float:
    """Return the longest wait after that many attempts, in seconds."""
    # The exponent is bounded so that a patient policy cannot overflow a float.
    return min(policy.cap_s, policy.base_s * 2.0 ** min(attempts - 1, 60))


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """Parse a ``Retry-After``: seconds or an HTTP date, clamped; None for anything else.

    ``now`` should be the server's own time (its ``Date`` header) where it gave one: the two
    clocks may differ by more than the wait.
    """
    if text is None:
        return None
    seconds = _seconds(text.strip(), now)
    if seconds is None or math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_CAP_S)


def parse_http_date(text: str | None) -> datetime | None:
    """Parse an HTTP date; None for anything else."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _seconds(text: str, now: datetime) -> float | None:
    try:
        return float(text)
    except ValueError:
        moment = parse_http_date(text)
        return None if moment is None else (moment - now).total_seconds()
