"""Again, and when: the decision alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.core.flow.retry import (
    RETRY_AFTER_CAP_S,
    Failure,
    GiveUp,
    RetryIn,
    RetryPolicy,
    back_off_bound_s,
    decide,
    parse_http_date,
    parse_retry_after,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICY = RetryPolicy()
CHANCE = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("attempts", "bound_s"), [(1, 0.5), (2, 1), (3, 2), (6, 16), (7, 20), (10_000, 20)]
)
def test_the_bound_doubles_up_to_its_cap(attempts: int, bound_s: float) -> None:
    assert back_off_bound_s(attempts, POLICY) == bound_s


@given(st.integers(1, 19), CHANCE)
def test_the_whole_wait_is_drawn(attempts: int, chance: float) -> None:
    decision = decide(Failure(attempts=attempts), POLICY, chance=chance)
    assert decision == RetryIn(chance * back_off_bound_s(attempts, POLICY))


def test_the_jitter_stays_on_top_of_what_the_server_asks_for() -> None:
    failure = Failure(attempts=1, retry_after_s=30.0)
    assert decide(failure, POLICY, chance=0.5) == RetryIn(30.25)


@given(st.floats(allow_nan=False), CHANCE)
def test_what_the_server_asks_for_is_waited_for_within_bounds(
    asked_s: float, chance: float
) -> None:
    decision = decide(Failure(attempts=1, retry_after_s=asked_s), POLICY, chance=chance)
    assert isinstance(decision, RetryIn)
    least_s = min(max(asked_s, 0.0), RETRY_AFTER_CAP_S)
    assert least_s <= decision.delay_s <= least_s + POLICY.base_s


def test_what_may_be_done_is_looked_for_first_or_left() -> None:
    failure = Failure(attempts=1, is_ambiguous=True)
    assert decide(failure, POLICY, chance=0) == RetryIn(0.0, look_first=True)
    blind = Failure(attempts=1, is_ambiguous=True, may_repeat=False)
    assert decide(blind, POLICY, chance=0) == GiveUp(
        "it may have been done, and there is no way to look"
    )
    harmless = Failure(attempts=1, may_repeat=False)
    assert decide(harmless, POLICY, chance=0) == RetryIn(0.0)


def test_the_same_answer_again_and_again_is_the_answer() -> None:
    below = Failure(attempts=7, same_answers=POLICY.same_answer_limit - 1)
    at = Failure(attempts=8, same_answers=POLICY.same_answer_limit)
    assert isinstance(decide(below, POLICY, chance=0), RetryIn)
    assert isinstance(decide(at, POLICY, chance=0), GiveUp)


def test_attempts_are_bounded_whatever_the_answers() -> None:
    assert isinstance(decide(Failure(attempts=1, mismatches=1), POLICY, chance=0), RetryIn)
    assert decide(Failure(attempts=2, mismatches=2), POLICY, chance=0) == GiveUp(
        "other content was stored 2 times"
    )
    last = Failure(attempts=POLICY.attempt_limit)
    assert isinstance(decide(last, POLICY, chance=0), GiveUp)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("12", 12.0),
        (" 1.5 ", 1.5),
        ("-3", 0.0),
        ("0", 0.0),
        ("1e300", RETRY_AFTER_CAP_S),
        ("inf", RETRY_AFTER_CAP_S),
        (format_datetime(NOW + timedelta(seconds=40), usegmt=True), 40.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=1), usegmt=True), RETRY_AFTER_CAP_S),
        ("Thu, 01 Jan 2026 12:00:10", 10.0),
        ("Thu, 01 Jan 2026 14:00:10 +0200", 10.0),
        ("Thu, 99 Foo 2026", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text, NOW) == seconds


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    seconds = parse_retry_after(text, NOW)
    assert seconds is None or 0 <= seconds <= RETRY_AFTER_CAP_S
    parse_http_date(text)


def test_giving_up_tells_how_often_it_was_tried() -> None:
    same = Failure(attempts=9, same_answers=8)
    assert decide(same, POLICY, chance=0) == GiveUp("the same answer 8 times")
    many = Failure(attempts=20)
    assert decide(many, POLICY, chance=0) == GiveUp("no success in 20 attempts")
