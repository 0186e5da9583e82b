"""The search for the rate, change by change: every figure is written out by hand."""

from __future__ import annotations

import pytest

from bulkload.core.flow.pacing import Rate


def limited(limit: float, *, at: float = 0.0) -> Rate:
    """Return a rate of that limit whose first 429 is over: nothing is proved, nothing refused."""
    rate = Rate()
    taken = round(limit / 0.8)
    for n in range(taken):
        rate.served(now=at - 0.5 + n / (2 * taken), began=at - 1.0)
    assert rate.refused(now=at, began=at - 0.5)
    assert rate.limit == pytest.approx(limit)
    return rate


def serve(rate: Rate, begin: float, seconds: float, a_second: float) -> list[float]:
    """Serve calls evenly; return when the rate changed."""
    changed = []
    for n in range(round(seconds * a_second) + 1):
        now = begin + n / a_second
        if rate.served(now, now):
            changed.append(now)
    return changed


def test_only_the_last_second_before_the_first_429_counts() -> None:
    rate = Rate()
    for now in (0.0, 0.1, 0.2, 0.3, 1.1, 1.2):
        assert rate.served(now, now) is False
    # At 1.25 the calls at 0.0, 0.1 and 0.2 are more than a second past; 0.3, 1.1 and 1.2 count.
    rate.refused(now=1.25, began=1.2)
    assert rate.limit == pytest.approx(0.8 * 3)
    assert rate.changes == 1


def test_a_call_of_exactly_a_second_ago_does_not_count() -> None:
    rate = Rate()
    for now in (0.0, 0.5, 0.6):
        rate.served(now, now)
    rate.refused(now=1.0, began=1.0)
    assert rate.limit == pytest.approx(1.6)


def test_no_rate_is_slower_than_one_a_second() -> None:
    rate = Rate()
    rate.refused(now=5.0, began=5.0)
    assert rate.limit == 1.0
    assert rate.reserve(5.0) == 0.0
    assert rate.reserve(5.0) == 1.0


def test_a_second_in_use_proves_a_rate_and_doubles_it() -> None:
    rate = limited(40.0)
    assert serve(rate, 0.1, 1.0, 40.0) == [pytest.approx(1.1)]
    assert rate.limit == 80.0
    assert rate.changes == 2
    # The slots begin anew with the change.
    assert rate.reserve(1.1) == 0.0


def test_less_than_a_second_proves_nothing() -> None:
    rate = limited(40.0)
    assert serve(rate, 0.1, 0.975, 40.0) == []
    assert rate.limit == 40.0


def test_an_idle_client_proves_nothing() -> None:
    """Four fifths of the rate must be in use: 32 of 40 a second."""
    assert serve(limited(40.0), 0.1, 1.0, 32.0) == [pytest.approx(1.1)]
    assert serve(limited(40.0), 0.1, 1.0, 30.0) == []


def test_a_refusal_before_any_proof_halves() -> None:
    rate = limited(40.0)
    assert rate.refused(now=0.5, began=0.2)
    assert rate.limit == 20.0
    # A refused rate is known now: the proof takes three seconds, and the next is between.
    assert serve(rate, 0.6, 2.9, 20.0) == []
    assert rate.served(3.6, 3.6)
    assert rate.limit == 30.0


def test_what_began_before_a_change_says_nothing() -> None:
    rate = limited(40.0)
    assert rate.served(now=0.2, began=-0.1) is False
    assert rate.refused(now=0.3, began=-0.001) is False
    assert rate.refused(now=0.3, began=0.0) is True


def test_the_search_closes_in_and_settles_at_the_proved_rate() -> None:
    rate = limited(40.0)
    serve(rate, 0.1, 1.0, 40.0)  # 40 is proved; 80 is tried
    assert rate.refused(now=1.3, began=1.2)
    assert rate.limit == 40.0  # back to what was proved
    serve(rate, 1.4, 3.0, 40.0)
    assert rate.limit == 60.0  # between 40 and 80
    assert rate.refused(now=4.6, began=4.5)
    serve(rate, 4.7, 3.0, 40.0)
    assert rate.limit == 50.0
    serve(rate, 7.8, 3.0, 50.0)
    assert rate.limit == 55.0
    assert rate.refused(now=10.9, began=10.85)
    assert rate.limit == 50.0
    serve(rate, 11.0, 3.0, 50.0)
    assert rate.limit == 52.5  # 55 is a tenth above 50: not close yet
    assert rate.refused(now=14.2, began=14.1)
    assert rate.limit == 50.0
    # 52.5 is within 6 % of 50: the search is over, and the rate is held for a minute.
    assert serve(rate, 14.3, 59.8, 50.0) == []
    assert rate.limit == 50.0
    # Then a little more is tried: 6 %.
    assert serve(rate, 74.3, 1.1, 50.0) != []
    assert rate.limit == pytest.approx(53.0)


def settled(at: float = 0.0) -> Rate:
    """Return a rate that was proved at 40 and refused at 41.25, just now: it is held."""
    rate = limited(40.0, at=at)
    serve(rate, at + 0.1, 1.0, 40.0)
    for refused in (80.0, 60.0, 50.0, 45.0, 42.5, 41.25):
        assert rate.limit == pytest.approx(refused)
        at += 10.0
        assert rate.refused(now=at, began=at)
        assert rate.limit == 40.0
        if refused > 42.0:
            serve(rate, at + 0.1, 3.0, 40.0)
    return rate


def test_a_stray_429_after_long_good_service_changes_nothing() -> None:
    rate = settled()
    serve(rate, 61.0, 16.0, 40.0)  # 641 calls: 20 s at four fifths of 40 are 640
    assert rate.refused(now=77.1, began=77.05) is False
    assert rate.limit == 40.0
    # The next one at once is none: nothing was served between.
    assert rate.refused(now=77.2, began=77.15) is True
    assert rate.limit == 36.0


def test_a_429_soon_after_is_no_stray() -> None:
    rate = settled()
    serve(rate, 61.0, 15.9, 40.0)  # 637 calls
    assert rate.refused(now=77.1, began=77.05) is True
    assert rate.limit == 36.0


def test_a_limit_that_fell_is_searched_anew() -> None:
    rate = settled()
    rate.refused(now=65.0, began=65.0)
    assert rate.limit == 36.0
    # The old proof counts no more: another refusal halves.
    rate.refused(now=66.0, began=66.0)
    assert rate.limit == 18.0


def test_more_is_tried_more_seldom_each_time_that_it_was_refused() -> None:
    rate = settled()  # settled at 60 s: held until 120
    held_until, hold_s = 120.0, 60.0
    for _ in range(5):
        assert serve(rate, held_until - 2.0, 1.97, 40.0) == []
        assert len(serve(rate, held_until, 0.9, 40.0)) == 1
        assert rate.limit == pytest.approx(42.4)
        at = held_until + 5.0
        assert rate.refused(now=at, began=at)
        assert rate.limit == 40.0
        hold_s = min(2 * hold_s, 480.0)
        held_until = at + hold_s
    assert hold_s == 480.0


def test_steps_that_go_well_grow() -> None:
    rate = settled()
    now, tried = 120.0, []
    for _ in range(6):
        assert rate.limit is not None
        serve(rate, now, 1.3, rate.limit)
        tried.append(rate.limit)
        now += 2.0
    # 6, 12, 24, 48, 96 and then 100 % more than the one before.
    growth = [1.06, 1.12, 1.24, 1.48, 1.96, 2.0]
    expected, limit = [], 40.0
    for factor in growth:
        limit *= factor
        expected.append(limit)
    assert tried == pytest.approx(expected)


def test_the_instant_of_a_change_belongs_to_the_new_rate() -> None:
    rate = limited(40.0)
    serve(rate, 0.0, 0.975, 40.0)  # 40 calls, the first of them began with the change
    assert rate.served(1.0, 1.0) is True


def test_exactly_four_fifths_of_the_rate_are_in_use() -> None:
    rate = limited(40.0)
    assert serve(rate, 0.0, 0.75, 40.0) == []  # 31 calls
    assert rate.served(1.0, 1.0) is True


def test_what_is_in_use_is_counted_over_the_whole_proof() -> None:
    rate = limited(40.0)
    assert rate.refused(now=0.5, began=0.2)  # 20 a second are tried, for three seconds
    assert serve(rate, 0.6, 3.0, 10.0) == []  # 31 calls of 48
    assert rate.limit == 20.0


def test_a_proof_close_to_what_was_refused_ends_the_search_there() -> None:
    rate = limited(40.0)
    assert serve(rate, 0.1, 1.0, 40.0) != []  # 40 is proved, 80 is tried
    now = 2.0
    for tried in (80.0, 60.0, 50.0, 45.0):
        assert rate.limit == tried
        assert rate.refused(now=now, began=now)
        serve(rate, now + 0.5, 3.0, 40.0)
        now += 4.0
    assert rate.limit == 42.5  # between 40 and 45
    assert serve(rate, now, 3.0, 42.5) == []  # proved, and 45 is less than 6 % above it
    assert rate.limit == 42.5


def stray_after(rate: Rate, calls: int, begin: float) -> bool:
    """Serve that many calls within 16 s, then answer 429 once: is it a stray?"""
    for n in range(calls):
        rate.served(begin + n / 40.0, begin + n / 40.0)
    return not rate.refused(now=begin + 16.5, began=begin + 16.5)


def test_a_stray_429_needs_twenty_seconds_at_four_fifths() -> None:
    rate = settled()  # changed last at 60 s
    assert stray_after(rate, 640, begin=61.0)
    # The count begins anew with each 429.
    assert not stray_after(rate, 639, begin=80.0)
    assert not stray_after(settled(), 639, begin=61.0)
