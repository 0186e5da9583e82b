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
        (END, replace(START, began=datetime(2024, 1, 2)), "cannot be compared: one has a time"),  # noqa: DTZ001
        (END, replace(START, began=BEGAN + timedelta(seconds=100)), "begins 900 s before 'a' ends"),
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


def test_parts_come_back_as_they_were_written() -> None:
    parts = (
        Part(path="/a é.csv", size_bytes=3, mtime_ns=4, reader="x", start_time="2024-01-01"),
        Part(path="/b.csv", size_bytes=5, mtime_ns=6),
    )
    assert parts_in(parts_text(parts)) == parts
