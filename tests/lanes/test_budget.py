"""What lanes may take together is what a run may take."""

from __future__ import annotations

import pytest

from bulkload.errors import SettingsError
from bulkload.lanes.budget import check_counts, default_lanes, default_parts, divide
from bulkload.settings import RunLimits


@pytest.mark.parametrize(
    ("cores", "lanes"), [(1, 1), (2, 1), (4, 1), (5, 2), (8, 2), (16, 4), (64, 16), (1000, 64)]
)
def test_one_lane_for_each_four_cores(cores: int, lanes: int) -> None:
    assert default_lanes(cores) == lanes


def test_one_lane_needs_one_part_and_several_need_more_than_one_each() -> None:
    assert [default_parts(lanes) for lanes in (1, 2, 4)] == [1, 8, 16]


def test_the_shares_add_up_to_what_the_run_may_take() -> None:
    limits = RunLimits(workers=7, connections=32, memory_bytes=900, spool_limit_bytes=90)
    shares = divide(limits, 3)
    assert [one.workers for one in shares] == [3, 2, 2]
    assert [one.connections for one in shares] == [11, 11, 10]
    assert [one.memory_bytes for one in shares] == [300, 300, 300]
    assert [one.spool_limit_bytes for one in shares] == [30, 30, 30]
    assert divide(limits, 1) == [limits]


def test_each_lane_has_a_worker_and_a_connection_and_room_for_a_file() -> None:
    limits = RunLimits(workers=1, connections=2, memory_bytes=900, spool_limit_bytes=1)
    shares = divide(limits, 4)
    assert {(one.workers, one.connections) for one in shares} == {(1, 1)}
    assert {one.spool_limit_bytes for one in shares} == {1}, "a lane of no bytes would never begin"


@pytest.mark.parametrize(("lanes", "parts"), [(0, None), (65, None), (None, 0), (None, 4097)])
def test_a_number_that_no_run_has_is_refused(lanes: int | None, parts: int | None) -> None:
    with pytest.raises(SettingsError, match="must be from 1 to"):
        check_counts(lanes=lanes, parts=parts)
