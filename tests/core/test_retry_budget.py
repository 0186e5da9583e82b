"""The shared budget: a tenth of the requests, and never a stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.core.flow.retry_budget import CAPACITY, EARNED_PER_REQUEST, RetryBudget


def test_a_full_budget_lets_a_burst_through_and_then_trickles() -> None:
    budget = RetryBudget()
    assert [budget.take(0.0) for _ in range(int(CAPACITY))] == [0.0] * int(CAPACITY)
    assert budget.take(0.0) == 0.0  # the first drop of the trickle
    assert budget.take(0.25) == 0.75
    assert budget.take(1.0) == 0.0


def test_requests_earn_retries_up_to_the_capacity() -> None:
    budget = RetryBudget(capacity=2.0)
    for _ in range(3):
        budget.take(0.0)
    assert budget.tokens == 0.0
    for _ in range(1000):
        budget.earn()
    assert budget.tokens == 2.0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 2)), max_size=400))
def test_retries_stay_below_their_share_of_the_requests(acts: list[tuple[bool, float]]) -> None:
    budget = RetryBudget()
    requests = retries = 0
    now = 0.0
    for is_request, passed_s in acts:
        now += passed_s
        if is_request:
            requests += 1
            budget.earn()
        elif budget.take(now) == 0.0:
            retries += 1
    assert retries <= CAPACITY + EARNED_PER_REQUEST * requests + budget.trickle_per_s * now + 2


@given(st.floats(0.01, 100), st.integers(0, 200), st.floats(0, 1e9))
def test_whoever_waits_as_told_gets_through(trickle_per_s: float, before: int, now: float) -> None:
    budget = RetryBudget(trickle_per_s=trickle_per_s)
    for _ in range(before):
        budget.take(now)
    for _ in range(5):
        wait_s = budget.take(now)
        if wait_s == 0.0:
            return
        now += wait_s
    pytest.fail("the budget starves a call")


def test_a_budget_without_a_trickle_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a budget without a trickle could fail a job$"):
        RetryBudget(trickle_per_s=0)


def test_the_trickle_lets_one_through_in_each_of_its_intervals() -> None:
    budget = RetryBudget(capacity=0.0, trickle_per_s=0.5)
    assert budget.take(10.0) == 0.0
    assert budget.take(10.0) == 2.0
    assert budget.take(11.5) == 0.5
    assert budget.take(12.0) == 0.0
    assert budget.take(12.0) == 2.0
