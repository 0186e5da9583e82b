"""The window and the rate, as arithmetic; ``tests/client/wire/test_pacing.py`` has the servers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkload.core.flow.pacing import FIRST_WINDOW, LOWEST_RATE, Rate, Window


def test_the_window_doubles_each_round_until_the_first_drop() -> None:
    window = Window(largest=64)
    for expected in (8, 16, 32, 64, 64):
        for _ in range(int(window.limit)):
            window.succeeded(in_flight=int(window.limit))
        assert int(window.limit) == expected


def test_after_a_drop_it_halves_and_grows_by_one_a_round() -> None:
    window = Window(largest=64, limit=32)
    assert window.dropped(now=10.0, began=9.0)
    assert window.limit == 16
    for _ in range(17):
        window.succeeded(in_flight=16)
    assert int(window.limit) == 17


def test_drops_that_were_on_their_way_together_are_one() -> None:
    window = Window(largest=64, limit=32)
    assert window.dropped(now=10.0, began=9.5)
    assert not window.dropped(now=10.4, began=9.9)
    assert window.dropped(now=10.6, began=10.2)
    assert window.limit == 8


def test_a_window_that_may_be_larger_grows_on() -> None:
    window = Window(largest=4)
    window.succeeded(in_flight=4)
    assert window.limit == 4
    window.largest = 6
    for _ in range(3):
        window.succeeded(in_flight=4)
    assert window.limit == 6


def test_a_window_that_is_not_in_use_does_not_grow() -> None:
    window = Window(largest=64, limit=32)
    for _ in range(1000):
        window.succeeded(in_flight=15)
    assert window.limit == 32
    window.succeeded(in_flight=16)
    assert window.limit == 33


def test_a_drop_that_began_with_the_last_one_is_another() -> None:
    window = Window(largest=64, limit=32)
    assert window.dropped(now=10.0, began=9.5)
    assert window.dropped(now=11.0, began=10.0)
    assert window.limit == 8


def test_after_an_outage_it_doubles_each_round_again() -> None:
    window = Window(largest=64, limit=32)
    window.dropped(now=10.0, began=9.5)
    window.restart()
    assert window.limit == 4
    for _ in range(4):
        window.succeeded(in_flight=4)
    assert window.limit == 8


def test_after_an_outage_it_begins_small() -> None:
    window = Window(largest=64, limit=64)
    window.restart()
    assert window.limit == FIRST_WINDOW


@given(
    st.integers(1, 128),
    st.lists(st.tuples(st.sampled_from("sdr"), st.floats(0, 10), st.integers(0, 200))),
)
def test_the_window_stays_within_its_bounds(
    largest: int, acts: list[tuple[str, float, int]]
) -> None:
    window = Window(largest=largest)
    now = 0.0
    for act, passed_s, in_flight in acts:
        now += passed_s
        if act == "s":
            window.succeeded(in_flight)
        elif act == "d":
            window.dropped(now, now - 0.1)
        else:
            window.restart()
        assert 1 <= window.limit <= largest


def test_there_is_no_rate_before_the_first_429() -> None:
    rate = Rate()
    assert [rate.reserve(0.0) for _ in range(100)] == [0.0] * 100
    assert rate.limit is None


def test_the_first_429_sets_a_rate_below_what_was_taken() -> None:
    rate = Rate()
    for n in range(100):
        rate.served(now=n / 50, began=n / 50 - 0.05)
    assert rate.refused(now=2.0, began=1.95)
    assert rate.limit is not None
    assert 35 <= rate.limit <= 50


def test_slots_are_spaced_by_the_rate() -> None:
    rate = Rate(limit=10.0)
    assert [round(rate.reserve(100.0), 6) for _ in range(4)] == [0.0, 0.1, 0.2, 0.3]
    assert rate.reserve(200.0) == 0.0


def test_what_was_on_its_way_says_nothing_about_a_change() -> None:
    rate = Rate()
    rate.refused(now=1.0, began=0.9)
    assert not rate.refused(now=1.2, began=0.95)
    assert rate.changes == 1


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5)), max_size=300))
def test_whatever_happens_there_is_a_rate_that_moves(acts: list[tuple[bool, float]]) -> None:
    rate = Rate()
    now = 0.0
    for is_served, passed_s in acts:
        now += passed_s
        if is_served:
            rate.served(now, now)
        else:
            rate.refused(now, now)
        assert rate.limit is None or rate.limit >= LOWEST_RATE
        assert rate.reserve(now) < 1000 / LOWEST_RATE
