"""The cap on what Studio has still to process, against simulated servers."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.core.flow.backlog import FIRST_LIMIT, KEEPS_UP, SMALLEST_LIMIT, BacklogCap

POLL_S = 2.0


def simulate(workers: int, takes_s: float, count: int) -> tuple[BacklogCap, float, int]:
    """Send ``count`` as fast as the cap lets; give the cap, the time it took, the longest queue."""
    cap = BacklogCap(poll_s=POLL_S)
    free = [0.0] * workers
    waiting: list[tuple[float, float]] = []  # (seen ready at, confirmed at)
    now, sent, longest = 0.0, 0, 0
    while sent < count or waiting:
        while sent < count and cap.has_room:
            cap.confirmed()
            began = max(now, heapq.heappop(free))
            heapq.heappush(free, began + takes_s)
            # It is seen at the next look after it is ready.
            ready = (began + takes_s) // POLL_S * POLL_S + POLL_S
            heapq.heappush(waiting, (ready, now))
            sent += 1
            longest = max(longest, cap.waiting)
        now, confirmed = heapq.heappop(waiting)
        cap.settled(now - confirmed, now)
    return cap, now, longest


@pytest.mark.parametrize(("workers", "takes_s"), [(1, 1.0), (4, 1.0), (50, 0.5), (200, 3.0)])
def test_the_server_is_kept_busy_and_not_flooded(workers: int, takes_s: float) -> None:
    count = 5000
    cap, took_s, longest = simulate(workers, takes_s, count)
    best_s = count * takes_s / workers
    assert took_s <= 1.25 * best_s + 60
    # What waits is what a few looks' time processes, not the whole archive.
    keeps_up_s = KEEPS_UP * (takes_s + POLL_S) + POLL_S
    assert longest <= max(1.25 * FIRST_LIMIT, 2 * keeps_up_s * workers / takes_s)
    assert cap.waiting == 0


def test_a_server_that_slows_down_is_given_less() -> None:
    cap = BacklogCap(poll_s=POLL_S)
    now = 0.0
    for _ in range(500):
        cap.confirmed()
        now += 1.0
        cap.settled(2.0, now)
    before = cap.limit
    for _ in range(50):
        for _ in range(10):
            cap.confirmed()
        now += 100.0
        cap.settled(60.0, now)
    assert cap.limit < before
    assert cap.limit >= SMALLEST_LIMIT


@given(
    st.integers(1, 5000),
    st.lists(st.tuples(st.booleans(), st.floats(0, 1e4), st.floats(0, 1e4)), max_size=200),
)
def test_the_cap_stays_within_its_bounds(
    largest: int, acts: list[tuple[bool, float, float]]
) -> None:
    cap = BacklogCap(poll_s=POLL_S, largest=largest)
    now = 0.0
    for is_confirmed, took_s, passed_s in acts:
        now += passed_s
        if is_confirmed:
            cap.confirmed()
        else:
            cap.settled(took_s, now)
        assert min(SMALLEST_LIMIT, largest) <= cap.limit <= largest
        assert cap.waiting >= 0


def filled(waiting: int, **changes: float) -> BacklogCap:
    cap = BacklogCap(poll_s=POLL_S, **changes)  # type: ignore[arg-type]
    for _ in range(waiting):
        cap.confirmed()
    return cap


def test_one_that_was_not_confirmed_after_all_makes_room() -> None:
    cap = filled(FIRST_LIMIT)
    had_room = cap.has_room
    cap.dropped()
    assert cap.waiting == FIRST_LIMIT - 1
    assert (had_room, cap.has_room) == (False, True)
    empty = filled(0)
    empty.dropped()
    assert empty.waiting == 0


def test_the_cap_grows_by_one_while_it_is_in_use_and_processing_keeps_up() -> None:
    cap = filled(64)
    assert cap.settled(1.0, 10.0) is True
    assert (cap.limit, cap.waiting) == (129, 63)
    # 63 of 129 are less than half: not in use.
    assert cap.settled(1.0, 10.0) is False
    assert cap.limit == 129


def test_up_to_twice_the_quickest_and_a_look_is_keeping_up() -> None:
    cap = filled(128)
    cap.settled(1.0, 10.0)
    # Twice 1 s, forgetting a ten-thousandth, and 2 s between looks.
    assert cap.settled(4.0, 11.0) is True
    assert cap.limit == 130
    assert cap.settled(4.01, 12.0) is False
    assert cap.limit == 130


def test_beyond_four_times_and_two_looks_it_is_a_queue_and_cut_once() -> None:
    cap = filled(128)
    cap.settled(1.0, 10.0)
    assert cap.settled(8.0, 20.0) is False  # four times 1 s and two looks: not yet
    assert cap.settled(8.01, 100.0) is True
    assert cap.limit == 96  # three quarters of 129, cut to a whole one
    # What is settled now was confirmed before the cut could show.
    assert cap.settled(9.0, 108.9) is False
    assert cap.limit == 96
    assert cap.settled(9.0, 109.0) is True
    assert cap.limit == 72


def test_the_cap_is_never_cut_below_what_keeps_a_small_server_busy() -> None:
    cap = filled(128, largest=10)
    cap.settled(1.0, 10.0)
    for now in range(100, 1100, 100):
        cap.settled(60.0, float(now))
    assert cap.limit == SMALLEST_LIMIT
    tiny = filled(128, largest=3)
    tiny.settled(1.0, 10.0)
    tiny.settled(60.0, 100.0)
    assert tiny.limit == 3
