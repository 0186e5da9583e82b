"""The streams, as arithmetic; ``tests/client/wire/test_streams.py`` has the links."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkload.core.flow.goodput import FIRST_STREAMS, ONE_EVENT_S, Streams


def test_streams_that_are_not_in_use_stay_as_they_are() -> None:
    streams = Streams(largest=64)
    now = 0.0
    for _ in range(1000):
        streams.started(now)
        now += 0.1
        streams.moved(1_000_000, now)
        streams.finished(now)
    assert streams.limit == FIRST_STREAMS


def test_time_outs_at_the_edge_halve_once_an_event() -> None:
    streams = Streams(largest=64, limit=16)
    assert streams.timed_out(100.0)
    assert not streams.timed_out(101.0)
    assert streams.limit == 8
    assert streams.timed_out(100.0 + ONE_EVENT_S)
    assert streams.limit == 4


@given(
    st.integers(1, 64),
    st.lists(
        st.tuples(st.sampled_from("smft"), st.floats(0, 20), st.integers(0, 10**8)), max_size=300
    ),
)
def test_the_streams_stay_within_their_bounds(
    largest: int, acts: list[tuple[str, float, int]]
) -> None:
    streams = Streams(largest=largest)
    now = 0.0
    for act, passed_s, size_bytes in acts:
        now += passed_s
        if act == "s" and streams.in_flight < streams.limit:
            streams.started(now)
        elif act == "f" and streams.in_flight:
            streams.finished(now)
        elif act == "m":
            streams.moved(size_bytes, now)
        elif act == "t":
            streams.timed_out(now)
        assert 1 <= streams.limit <= largest


def test_a_limit_of_an_odd_number_is_halved_to_a_whole_one() -> None:
    streams = Streams(largest=64, limit=5)
    streams.timed_out(100.0)
    assert (streams.limit, type(streams.limit)) == (2, int)
    assert streams.goodput is None
