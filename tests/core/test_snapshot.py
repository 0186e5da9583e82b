"""The state of a run: its JSON, several parts as one, and whether its process is at work."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bulkload.core.limiting import NO_LIMIT, Limit, LimitName
from bulkload.core.outcome import OutcomeKind
from bulkload.core.snapshot import (
    STALE_AFTER_S,
    Eta,
    FileInHand,
    Liveness,
    Pause,
    RunSnapshot,
    RunState,
    StageName,
    StageState,
    from_json,
    liveness,
    merged,
)

WHOLE = RunSnapshot(
    at=1000.0,
    started_at=900.0,
    pid=4711,
    host="lab-7",
    run=3,
    command="bulkload upload archive",
    state=RunState.RUNNING,
    planned=100,
    counts={OutcomeKind.CREATED: 40, OutcomeKind.REJECTED: 2},
    causes={"time_limit": 2},
    examples={"time_limit": "a.csv: reading took longer than 600 s"},
    stages=(
        StageState(name=StageName.PREPARE, queued=50, in_flight=2, done=44, capacity=2, rate=1.5),
        StageState(name=StageName.PROCESSING, in_flight=6, done=40, rate=1.0),
    ),
    rows=1000,
    bytes_read=2000,
    bytes_sent=1500,
    bytes_read_rate=20.0,
    bytes_sent_rate=15.0,
    requests=120,
    retries=1,
    files=(FileInHand(path="a.csv", key="S/c/a", stage=StageName.PREPARE, age_s=12.0),),
    files_in_hand=8,
    pauses=(Pause(what="POST /x", why="the server asked", until=1010.0),),
    limit=Limit(name=LimitName.PARSING, detail="2 of 2 workers busy"),
    eta=Eta(left=58, rate=0.5, over_s=60.0),
)


def test_a_snapshot_comes_back_from_its_json() -> None:
    text = json.dumps(WHOLE.as_json())
    assert from_json(json.loads(text)) == WHOLE


def test_what_a_later_version_adds_is_left_out() -> None:
    value = json.loads(json.dumps(WHOLE.as_json())) | {"news": 1}
    assert from_json(value) == WHOLE


@pytest.mark.parametrize("name", ["state", "counts", "stages", "limit", "pid"])
def test_a_snapshot_that_is_not_whole_is_none(name: str) -> None:
    value = WHOLE.as_json()
    del value[name]
    with pytest.raises(KeyError):
        from_json(value)


def test_json_says_what_follows_from_the_values() -> None:
    value = WHOLE.as_json()
    assert value["eta"]["seconds"] == 116.0
    assert value["eta"]["basis"] == "58 left at 30.0 a minute, the pace of the last 60 s"
    assert value["limit"]["change"] == "more cores, or more --workers where cores are idle"


def test_parts_add_up() -> None:
    other = replace(
        WHOLE,
        at=1001.0,
        started_at=890.0,
        counts={OutcomeKind.CREATED: 10},
        causes={"time_limit": 1, "server": 4},
        stages=(StageState(name=StageName.PREPARE, queued=1, in_flight=1, capacity=3, rate=0.5),),
        files=(FileInHand(path="b.csv", key="S/c/b", stage=StageName.STORAGE, age_s=99.0),),
        eta=Eta(left=90, rate=1.5, over_s=30.0),
    )
    both = merged([WHOLE, other])
    assert (both.at, both.started_at, both.parts, both.planned) == (1001.0, 890.0, 2, 200)
    assert both.counts == {OutcomeKind.CREATED: 50, OutcomeKind.REJECTED: 2}
    assert both.causes == {"time_limit": 3, "server": 4}
    assert both.stage(StageName.PREPARE) == StageState(
        name=StageName.PREPARE, queued=51, in_flight=3, done=44, capacity=5, rate=2.0
    )
    # What one part does not bound, the whole does not.
    processing = both.stage(StageName.PROCESSING)
    assert processing is not None
    assert processing.capacity is None
    assert [file.path for file in both.files] == ["b.csv", "a.csv"]
    assert both.files_in_hand == 16
    # The same endpoint of the same server is one pause.
    assert both.pauses == WHOLE.pauses
    assert both.eta == Eta(left=148, rate=2.0, over_s=60.0)


def test_parts_that_have_ended_leave_the_state_to_the_others() -> None:
    ended = replace(WHOLE, state=RunState.ENDED, exit_code=3)
    waiting = replace(WHOLE, state=RunState.WAITING)
    assert merged([ended, waiting]).state is RunState.WAITING
    assert merged([ended, waiting]).exit_code is None
    assert merged([ended, replace(ended, exit_code=0)]).exit_code == 3


def test_what_limits_most_parts_limits_the_whole() -> None:
    def limited(name: LimitName, detail: str = "", **more: object) -> RunSnapshot:
        return replace(WHOLE, limit=Limit(name=name, detail=detail), **more)  # type: ignore[arg-type]

    parts = [
        limited(LimitName.STORAGE, "4 of 4 transfers busy"),
        # Their figures differ, as those of two processes always do.
        limited(LimitName.PARSING, "80% of their time"),
        limited(LimitName.PARSING, "83% of their time"),
        limited(LimitName.API, state=RunState.ENDED),
    ]
    detail = "80% of their time; 2 of 3 parts under way"
    assert merged(parts).limit == Limit(name=LimitName.PARSING, detail=detail)
    assert merged([*parts[:1], parts[3]]).limit == parts[0].limit
    assert merged([parts[3], parts[3]]).limit == NO_LIMIT
    idle = [limited(LimitName.NONE)] * 2
    assert merged(idle).limit == NO_LIMIT


def test_one_part_is_itself_and_none_is_an_error() -> None:
    assert merged([WHOLE]) is WHOLE
    with pytest.raises(ValueError, match="no snapshot"):
        merged([])


@pytest.mark.parametrize(
    ("state", "age_s", "is_there", "is_suspended", "expected"),
    [
        (RunState.RUNNING, 1.0, True, False, Liveness.ALIVE),
        (RunState.WAITING, 1.0, True, False, Liveness.PAUSED),
        (RunState.RUNNING, 1.0, True, True, Liveness.PAUSED),
        (RunState.RUNNING, STALE_AFTER_S + 1, True, False, Liveness.PAUSED),
        (RunState.RUNNING, 1.0, False, False, Liveness.DEAD),
        (RunState.RUNNING, 1.0, None, False, Liveness.ALIVE),
        (RunState.RUNNING, STALE_AFTER_S + 1, None, False, Liveness.DEAD),
        (RunState.ENDED, 1e6, False, False, Liveness.ENDED),
    ],
)
def test_liveness(
    state: RunState,
    age_s: float,
    is_there: bool | None,  # noqa: FBT001
    is_suspended: bool,  # noqa: FBT001
    expected: Liveness,
) -> None:
    snapshot = replace(WHOLE, state=state)
    now = WHOLE.at + age_s
    assert liveness(snapshot, now, is_there=is_there, is_suspended=is_suspended) is expected
