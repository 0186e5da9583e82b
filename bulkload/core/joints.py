"""Whether one file goes on where another ends: the joint of a test that lies in several files.

What is measured at both sides of a joint is compared. A joint that does not fit is refused with a
sentence; what is shifted so that numbers go on is reported with its figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bulkload.core.terms import (
    CYCLE_COUNT,
    CYCLE_FROM_CYCLER,
    STEP_COUNT,
    STEP_FROM_CYCLER,
    TIME,
    VOLTAGE,
)

#: Seconds by which a part may begin before the one before it ends: clocks are read in seconds.
OVERLAP_S: Final = 1.0
#: Largest jump of the voltage at a joint, in V: a cell that rests or is clamped on again moves by
#: tenths, another cell or another state of charge by more.
VOLTAGE_JUMP_V: Final = 0.5
#: Counters that go on through a test, and what a message calls them.
COUNTERS: Final[Mapping[str, str]] = {
    STEP_COUNT: "step counts",
    CYCLE_COUNT: "cycle numbers",
    CYCLE_FROM_CYCLER: "cycle numbers of the cycler",
}
#: Of these a jump means that a part is missing. Step counts may skip what was never entered.
_WITHOUT_GAPS: Final = frozenset({CYCLE_COUNT, CYCLE_FROM_CYCLER})
#: The number of a step within the cycler's program says nothing of a joint.
NOT_COMPARED: Final = frozenset({STEP_FROM_CYCLER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a test, as the plan saw it."""

    path: str
    size_bytes: int
    mtime_ns: int
    reader: str | None = None
    #: What the plan states of its beginning; else its own header counts.
    start_time: str | None = None


def parts_text(parts: Sequence[Part]) -> str:
    """Return the content of a file that names the parts of a test."""
    fields = [{name: getattr(part, name) for name in Part.__slots__} for part in parts]
    return json.dumps({"parts": fields}, indent=1, ensure_ascii=False) + "\n"


def parts_in(text: str) -> tuple[Part, ...]:
    """Return the parts that ``parts_text`` wrote."""
    return tuple(Part(**one) for one in json.loads(text)["parts"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a joint: the last row of a part, or the first of the next one."""

    #: The file, as a message names it.
    name: str
    columns: frozenset[str]
    #: Values of time, voltage and counters in that row; without those that it does not have.
    values: Mapping[str, float]
    #: When the test began that the time is counted from, where that is known.
    began: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """A joint that fits: what is added to the columns of the later part, and what was seen."""

    shifts: Mapping[str, float] = field(default_factory=dict)
    #: What settled the time: ``running time`` or ``start times``.
    evidence: str
    sentence: str


class JointError(ValueError):
    """Two files are not one test as they lie; the message is a sentence."""


def joint(end: Side, start: Side) -> Joint:
    """Return how the later part goes on; raises ``JointError`` where it does not fit."""
    missing, added = end.columns - start.columns, start.columns - end.columns
    if missing or added:
        what = f"has no {min(missing)!r}" if missing else f"has also {min(added)!r}"
        raise JointError(f"{start.name} {what}, unlike {end.name}; export both alike")
    shift_s, evidence = _time_shift(end, start)
    gap_s = start.values[TIME] + shift_s - end.values[TIME]
    if gap_s < -OVERLAP_S:
        raise JointError(
            f"{start.name} begins {-gap_s:,.0f} s before {end.name} ends: they overlap, or stand "
            "in the wrong order"
        )
    # Clocks in whole seconds: the later part begins where the earlier one ends.
    shift_s -= min(0.0, gap_s)
    jump = _voltage_jump(end, start)
    shifts = {TIME: shift_s} if shift_s else {}
    seen = [f"{start.name} begins {max(0.0, gap_s):,.0f} s after {end.name} ends"]
    for column, name in COUNTERS.items():
        if column in end.values and column in start.values:
            shift = _counter_shift(column, name, end, start)
            shifts |= {column: shift} if shift else {}
            seen.append(f"{name} shifted by {shift:g}" if shift else f"{name} run on")
    if jump is not None:
        seen.append(f"voltage from {end.values[VOLTAGE]:.3f} to {start.values[VOLTAGE]:.3f} V")
    return Joint(shifts=shifts, evidence=evidence, sentence="; ".join(seen))


def _time_shift(end: Side, start: Side) -> tuple[float, str]:
    """Return what is added to the later part's time, and what settles it."""
    if start.values[TIME] >= end.values[TIME]:
        return 0.0, "running time"
    if end.began is None or start.began is None:
        nameless = end.name if end.began is None else start.name
        raise JointError(
            f"the time of {start.name} restarts, and nothing says when {nameless} began; state "
            "start_time in its row"
        )
    if (end.began.tzinfo is None) != (start.began.tzinfo is None):
        raise JointError(
            f"the start times of {end.name} and {start.name} cannot be compared: one has a time "
            "zone and the other none; state start_time in both rows"
        )
    return (start.began - end.began).total_seconds(), "start times"


def _voltage_jump(end: Side, start: Side) -> float | None:
    if VOLTAGE not in end.values or VOLTAGE not in start.values:
        return None
    jump = abs(start.values[VOLTAGE] - end.values[VOLTAGE])
    if jump > VOLTAGE_JUMP_V:
        raise JointError(
            f"the voltage jumps from {end.values[VOLTAGE]:.3f} V at the end of {end.name} to "
            f"{start.values[VOLTAGE]:.3f} V at the start of {start.name}, more than "
            f"{VOLTAGE_JUMP_V:g} V: are they tests of one cell, with no part missing between?"
        )
    return jump


def _counter_shift(column: str, name: str, end: Side, start: Side) -> float:
    last, first = end.values[column], start.values[column]
    if first == last or first == last + 1:
        return 0.0
    if first > last:
        if column in _WITHOUT_GAPS:
            raise JointError(
                f"the {name} jump from {last:g} at the end of {end.name} to {first:g} at the start "
                f"of {start.name}: a part is missing between"
            )
        return 0.0
    # They begin anew: the next one follows the last.
    return last + 1 - first
