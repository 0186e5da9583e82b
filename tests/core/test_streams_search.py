"""The search for the number of streams, sample by sample: every figure is written out by hand."""

from __future__ import annotations

import pytest

from bulkload.core.flow.goodput import Streams

MB = 1_000_000


class Link:
    """Uploads that keep all streams in use: each takes a second, whatever their number."""

    def __init__(self, streams: Streams, now: float = 0.0) -> None:
        self.streams = streams
        self.now = now

    def round(self, size_bytes: int = MB) -> int:
        """Let every stream carry one upload of this size; return the limit after it."""
        number = self.streams.limit
        for _ in range(number):
            self.streams.started(self.now)
        self.now += 1.0
        for _ in range(number):
            self.streams.moved(size_bytes, self.now)
        for _ in range(number):
            self.streams.finished(self.now)
        assert self.streams.in_flight == 0
        return self.streams.limit

    def rounds(self, number: int, size_bytes: int = MB) -> list[int]:
        return [self.round(size_bytes) for _ in range(number)]


def test_while_more_pays_the_streams_double() -> None:
    """A round settles, two are measured: then the step is kept, and the next one taken."""
    link = Link(Streams(largest=64))
    assert link.rounds(3) == [4, 4, 8]
    assert link.streams.goodput == 4 * MB
    assert link.rounds(3) == [8, 8, 16]
    assert link.streams.goodput == 8 * MB
    assert link.rounds(6) == [16, 16, 32, 32, 32, 64]
    # At the largest number nothing more is tried, and the goodput is kept up to date.
    assert link.rounds(6) == [64] * 6
    assert link.streams.goodput == 64 * MB


def test_a_step_that_does_not_pay_is_taken_back_and_held() -> None:
    link = Link(Streams(largest=64))
    assert link.rounds(3) == [4, 4, 8]
    # Eight streams carry 4.2 MB a second: a twentieth more is noise.
    assert link.rounds(3, 525_000) == [8, 8, 4]
    assert link.now == 6.0
    # Held for 15 s; then a quarter more is tried, no more a doubling.
    assert link.rounds(14) == [4] * 14
    assert link.now == 20.0
    assert link.rounds(1) == [5]
    assert link.streams.goodput == 4 * MB


def test_after_the_start_a_quarter_more_is_tried() -> None:
    link = Link(Streams(largest=64, limit=24))
    link.streams.timed_out(0.0)
    assert link.streams.limit == 12
    limits = link.rounds(60)
    assert limits[:1] == [12]
    assert next(limit for limit in limits if limit != 12) == 15


@pytest.mark.parametrize(("size_bytes", "kept"), [(535_001, 16), (534_999, 4)])
def test_a_step_pays_from_seven_in_a_hundred_on(size_bytes: int, kept: int) -> None:
    link = Link(Streams(largest=64))
    link.rounds(3)
    assert link.rounds(3, size_bytes)[-1] == kept


def test_each_time_that_more_did_not_pay_the_hold_doubles() -> None:
    link = Link(Streams(largest=64))
    link.rounds(3)
    tried = []
    for _ in range(5):
        # All that is beyond four streams brings nothing.
        while link.streams.limit > 4:
            link.round(4 * MB // link.streams.limit)
        settled = link.now
        while link.streams.limit == 4:
            link.round()
        tried.append(link.now - settled)
    assert tried == pytest.approx([15, 31, 61, 121, 241], abs=1.0)
    while link.streams.limit > 4:
        link.round(4 * MB // link.streams.limit)
    settled = link.now
    while link.streams.limit == 4:
        link.round()
    # Four minutes is the longest.
    assert link.now - settled == pytest.approx(241, abs=1.0)


def test_a_step_that_pays_makes_the_next_hold_short_again() -> None:
    link = Link(Streams(largest=64))
    link.rounds(3)
    for _ in range(3):
        while link.streams.limit > 4:
            link.round(4 * MB // link.streams.limit)
        while link.streams.limit == 4:
            link.round()
    # The link grew: five streams carry a quarter more. Six do not.
    while link.streams.limit == 5:
        link.round()
    assert link.streams.limit == 6
    while link.streams.limit == 6:
        link.round(5 * MB // 6)
    assert link.streams.limit == 5
    settled = link.now
    while link.streams.limit == 5:
        link.round()
    assert link.now - settled == pytest.approx(15, abs=1.0)


def test_a_sample_without_bytes_decides_nothing() -> None:
    link = Link(Streams(largest=64))
    assert link.rounds(9, 0) == [4] * 9
    assert link.streams.goodput is None


@pytest.mark.parametrize(("busy_s", "limit"), [(0.71, 8), (0.69, 4)])
def test_streams_must_be_in_use_for_seven_tenths(busy_s: float, limit: int) -> None:
    streams = Streams(largest=64)
    now = 0.0
    for _ in range(3):
        for _ in range(4):
            streams.started(now)
        for _ in range(4):
            streams.moved(MB, now + busy_s)
        for _ in range(3):
            streams.finished(now + busy_s)
        now += 1.0
        streams.finished(now)
    assert streams.limit == limit


def test_a_quick_round_is_no_sample_before_a_quarter_of_a_second() -> None:
    streams = Streams(largest=64)

    def round_of(seconds: float, now: float) -> float:
        for _ in range(4):
            streams.started(now)
        for _ in range(4):
            streams.moved(MB, now + seconds)
            streams.finished(now + seconds)
        return now + seconds

    now = 0.0
    for _ in range(2):
        now = round_of(0.125, now)  # the round that settles ends at 0.25 s
    for _ in range(2):
        now = round_of(0.1, now)
    assert streams.limit == 4
    round_of(0.1, now)
    assert streams.limit == 8


def test_a_slow_link_is_judged_after_four_seconds() -> None:
    streams = Streams(largest=64)
    for _ in range(4):
        streams.started(0.0)
    streams.moved(MB, 3.9)
    streams.moved(MB, 4.0)  # settled
    streams.moved(MB, 7.9)
    assert streams.limit == 4
    streams.moved(MB, 8.0)
    assert streams.limit == 8
    assert streams.goodput == 2 * MB / 4.0


def test_a_time_out_at_the_edge_goes_below_what_is_on_trial() -> None:
    link = Link(Streams(largest=64), now=100.0)
    link.rounds(3)
    assert link.streams.limit == 8  # on trial; four were good
    assert link.streams.timed_out(link.now)
    assert link.streams.limit == 2
    # Held for 15 s, and one more at a time from there.
    assert link.rounds(14) == [2] * 14
    assert link.rounds(2)[-1] == 3


def test_a_time_out_begins_a_new_sample() -> None:
    streams = Streams(largest=64, limit=1)
    streams.started(0.0)
    streams.moved(MB, 3.0)
    streams.timed_out(3.0)
    assert streams.limit == 1
    # Settles from 3 to 7, is measured from 7 to 11: what went before does not count.
    streams.moved(MB, 7.0)
    streams.moved(MB, 10.9)
    assert streams.goodput is None
    streams.moved(MB, 11.0)
    assert streams.goodput == 2 * MB / 4.0
