"""The joint of a test that lies in several files: what fits, what is shifted, what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bulkload.core.joints import JointError, Part, Side, joint, parts_in, parts_text
from bulkload.core.terms import CYCLE_COUNT, STEP_COUNT, TIME, VOLTAGE

BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
COLUMNS = frozenset({TIME, VOLTAGE, STEP_COUNT, CYCLE_COUNT})
END = Side(
    name="'a'",
    columns=COLUMNS,
    values={TIME: 1000.0, VOLTAGE: 3.9, STEP_COUNT: 12, CYCLE_COUNT: 4},
    began=BEGAN,
)
START = Side(
    name="'b'",
    columns=COLUMNS,
    values={TIME: 0.0, VOLTAGE: 3.88, STEP_COUNT: 1, CYCLE_COUNT: 1},
    began=BEGAN + timedelta(seconds=1600),
)


def at(side: Side, **changes: float) -> Side:
    names = {"time": TIME, "voltage": VOLTAGE, "step": STEP_COUNT, "cycle": CYCLE_COUNT}
    return replace(side, values={**side.values, **{names[k]: v for k, v in changes.items()}})


def test_what_begins_anew_is_shifted_and_said() -> None:
    found = joint(END, START)
    assert found.shifts == {TIME: 1600.0, STEP_COUNT: 12.0, CYCLE_COUNT: 4.0}
    assert found.evidence == "start times"
    assert found.sentence == (
        "'b' begins 600 s after 'a' ends; step counts shifted by 12; cycle numbers shifted by 4; "
        "voltage from 3.900 to 3.880 V"
    )


@pytest.mark.parametrize("cycle", [4, 5])
@pytest.mark.parametrize("step", [12, 13, 20])
def test_what_runs_on_stays_as_it_is(cycle: float, step: float) -> None:
    found = joint(END, at(START, time=1010.0, step=step, cycle=cycle))
    assert (found.shifts, found.evidence) == ({}, "running time")


def test_a_clock_in_whole_seconds_does_not_run_back() -> None:
    found = joint(END, replace(START, began=BEGAN + timedelta(seconds=999.5)))
    assert found.shifts[TIME] == 1000.0


@pytest.mark.parametrize(
    ("end", "start", "words"),
    [
        (END, replace(START, began=None), "nothing says when 'b' began; state start_time"),
        (replace(END, began=None), START, "nothing says when 'a' began"),
        (
            END,
            replace(START, began=datetime(2024, 1, 2)),  # noqa: DTZ001
            (
                "the start times of 'a' and 'b' cannot be compared: one has a time zone and the "
                "other none; state start_time in both rows"
            ),
        ),
        (
            END,
            replace(START, began=BEGAN + timedelta(seconds=100)),
            "'b' begins 900 s before 'a' ends: they overlap, or stand in the wrong order",
        ),
        (END, at(START, voltage=3.2), "voltage jumps from 3.900 V at the end of 'a' to 3.200 V"),
        (END, at(START, cycle=9), "cycle numbers jump from 4 at the end of 'a' to 9"),
        (END, replace(START, columns=COLUMNS - {VOLTAGE}), "'b' has no 'Voltage"),
        (END, replace(START, columns=COLUMNS | {"Power [W]"}), "'b' has also 'Power"),
    ],
)
def test_a_joint_that_does_not_fit_says_why(end: Side, start: Side, words: str) -> None:
    with pytest.raises(JointError) as raised:
        joint(end, start)
    assert words in str(raised.value)


def test_a_clock_in_whole_seconds_is_off_by_one_at_most() -> None:
    assert joint(END, replace(START, began=BEGAN + timedelta(seconds=999))).shifts[TIME] == 1000.0
    with pytest.raises(JointError, match="begins 1 s before"):
        joint(END, replace(START, began=BEGAN + timedelta(seconds=998.9)))


def test_the_time_that_is_said_is_that_between_them() -> None:
    found = joint(END, at(START, time=1000.0, step=13, cycle=4))
    assert found.evidence == "running time"
    assert found.sentence == (
        "'b' begins 0 s after 'a' ends; step counts run on; cycle numbers run on; "
        "voltage from 3.900 to 3.880 V"
    )


@pytest.mark.parametrize("side", ["end", "start", "both"])
def test_what_one_side_does_not_have_is_not_compared(side: str) -> None:
    bare = {TIME: 1000.0}
    end = END if side == "start" else replace(END, values=bare)
    start = START if side == "end" else replace(START, values={TIME: 0.0})
    found = joint(end, start)
    assert found.shifts == {TIME: 1600.0}
    assert found.sentence == "'b' begins 600 s after 'a' ends"


def test_a_voltage_may_jump_by_half_a_volt() -> None:
    assert joint(at(END, voltage=4.0), at(START, voltage=3.5)).shifts[TIME] == 1600.0
    with pytest.raises(JointError, match=r"more than 0\.5 V"):
        joint(at(END, voltage=4.0), at(START, voltage=3.49))


def test_parts_come_back_as_they_were_written() -> None:
    parts = (
        Part(path="/a é.csv", size_bytes=3, mtime_ns=4, reader="x", start_time="2024-01-01"),
        Part(path="/b.csv", size_bytes=5, mtime_ns=6),
    )
    assert parts_in(parts_text(parts)) == parts
    # A person may look into it.
    assert parts_text(parts[1:]) == (
        '{\n "parts": [\n  {\n   "path": "/b.csv",\n   "size_bytes": 5,\n   "mtime_ns": 6,\n'
        '   "reader": null,\n   "start_time": null\n  }\n ]\n}\n'
    )
    assert "/a é.csv" in parts_text(parts)
