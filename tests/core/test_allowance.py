"""What a server says that it will still take, and when that is waited for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.core.flow.allowance import Advice, Allowance, parse_allowance

NOW = datetime(2026, 11, 23, tzinfo=UTC)
EPOCH_S = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"ratelimit": '"default";r=50;t=30'}, (50, 30.0)),
        ({"ratelimit": '"burst"; r=3; t=1, "daily";r=1000;t=50000'}, (3, 1.0)),
        ({"ratelimit": '"day";r=0;t=90, "second";r=0;t=1'}, (0, 90.0)),
        ({"ratelimit": "limit=100, remaining=50, reset=5"}, (50, 5.0)),
        ({"ratelimit-limit": "9", "ratelimit-remaining": "7", "ratelimit-reset": "2"}, (7, 2.0)),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str(EPOCH_S + 20)}, (7, 20.0)),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "4.25"}, (0, 4.0)),
        # A reset in the past is now; an absurd one is not believed.
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str(EPOCH_S - 9)}, (7, 0.0)),
        ({"ratelimit": '"x";r=1;t=9999999'}, (1, 300.0)),
        # What is not clear says nothing.
        ({"ratelimit": '"default";r=50'}, None),
        ({"ratelimit-policy": '"default";q=100;w=60'}, None),
        ({"x-ratelimit-remaining": "-1", "x-ratelimit-reset": "1"}, None),
        ({"x-ratelimit-remaining": "7"}, None),
        ({}, None),
    ],
)
def test_what_is_said(headers: dict[str, str], said: tuple[int, float] | None) -> None:
    found = parse_allowance(headers, NOW)
    assert (None if found is None else (found.remaining, found.reset_s)) == said


@given(st.text(), st.text(), st.text())
def test_no_text_breaks_the_parser(one: str, two: str, three: str) -> None:
    headers = {"ratelimit": one, "x-ratelimit-remaining": two, "x-ratelimit-reset": three}
    found = parse_allowance(headers, NOW)
    assert found is None or (found.remaining >= 0 and 0 <= found.reset_s <= 300)


def test_what_is_left_for_more_than_is_on_its_way_stops_nobody() -> None:
    assert Advice().pause_s(Allowance(9, 60.0), 0.0, 0.0, in_flight=8) == 0.0


def test_what_is_spoken_for_is_waited_for() -> None:
    advice = Advice()
    assert advice.pause_s(Allowance(8, 60.0), 1.0, 0.0, in_flight=8) == 60.0
    # What was on its way says the same; the first one after it says that there is more.
    assert advice.pause_s(Allowance(3, 59.0), 2.0, 0.5, in_flight=8) == 59.0
    assert advice.pause_s(Allowance(99, 60.0), 62.0, 61.5, in_flight=8) == 0.0
    assert advice.pause_s(Allowance(2, 30.0), 92.0, 91.0, in_flight=8) == 30.0


def test_a_limit_by_the_second_is_not_waited_for() -> None:
    assert Advice().pause_s(Allowance(0, 1.0), 0.0, 0.0, in_flight=8) == 0.0


@pytest.mark.parametrize("left", [0, 5])
def test_a_server_that_always_says_the_same_is_not_believed_for_long(left: int) -> None:
    advice, now = Advice(), 0.0
    for _ in range(50):
        now += advice.pause_s(Allowance(left, 60.0), now, now, in_flight=8)
    assert now == 60.0
