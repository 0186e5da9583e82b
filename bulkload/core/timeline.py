"""The course of a job over time: stretches of work, and what happened in equal parts of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

#: Pause between two runs, in seconds, from which they are two stretches of work.
PAUSE_S: Final = 600.0
#: Events that end a measurement in a run, by the outcome that they lead to.
ENDINGS: Final = {
    "ProcessingReady": "created",
    "Found": "existing",
    "SourceRejected": "rejected",
    "Failed": "failed",
    "ProcessingFailed": "failed",
    "GaveUp": "failed",
}
#: Events with which a prepared measurement leaves the hands of a run.
_DELIVERED: Final = frozenset({"Confirmed", "Extended", "Found", "Failed", "GaveUp"})


@dataclass(frozen=True, slots=True)
class WorkSpan:
    """A span of time in which runs were at work, in seconds since 1970."""

    begin: float
    end: float

    def bin_width_s(self, bins: int) -> float:
        """Return the width of each of ``bins`` equal parts; at least a millisecond."""
        return max((self.end - self.begin) / bins, 1e-3)


@dataclass(slots=True)
class Course:
    """What happened in each part of a stretch: lists of equal length."""

    stretch: WorkSpan
    width_s: float
    #: Measurements that ended, by outcome.
    ended: dict[str, list[int]]
    bytes_stored: list[int]
    #: Measurements that are prepared and not delivered, at the end of each part.
    in_hand: list[int]
    retries: list[int]
    #: Seconds that requests were asked to wait.
    waits_s: list[float]
    #: Spans in which a service was unreachable, in seconds since 1970, with the reason.
    outages: list[tuple[float, float, str]] = field(default_factory=list)
    #: Highest level of each control (``api window``, ``storage streams``), None before it is known.
    levels: dict[str, list[float | None]] = field(default_factory=dict)
    #: Why attempts were repeated, with their numbers.
    retry_causes: dict[str, int] = field(default_factory=dict)


def stretches(runs: Iterable[tuple[float, float]], pause_s: float = PAUSE_S) -> list[WorkSpan]:
    """Return the spans covered by runs, given as begin and end; short pauses are bridged."""
    found: list[WorkSpan] = []
    for begin, end in sorted(runs):
        if found and begin - found[-1].end <= pause_s:
            found[-1] = WorkSpan(found[-1].begin, max(found[-1].end, end))
        else:
            found.append(WorkSpan(begin, end))
    return found


def course_of(stretch: WorkSpan, bins: int, counts: Iterable[tuple[int, str, int, int]]) -> Course:
    """Return the course of a stretch from counts: bin, event name, events, bytes stored."""
    course = Course(
        stretch=stretch,
        width_s=stretch.bin_width_s(bins),
        ended={},
        bytes_stored=[0] * bins,
        in_hand=[0] * bins,
        retries=[0] * bins,
        waits_s=[0.0] * bins,
    )
    change = [0] * bins
    for at, name, events, stored in counts:
        place = min(max(at, 0), bins - 1)
        course.bytes_stored[place] += stored
        if (outcome := ENDINGS.get(name)) is not None:
            course.ended.setdefault(outcome, [0] * bins)[place] += events
        if name == "SourcePrepared":
            change[place] += events
        elif name in _DELIVERED:
            change[place] -= events
    level = 0
    for place, by in enumerate(change):
        # What an earlier stretch had prepared leaves without having come.
        level = max(level + by, 0)
        course.in_hand[place] = level
    return course


def place_of(course: Course, at: float) -> int | None:
    """Return the part of a course that a moment lies in, None for one outside."""
    if not course.stretch.begin <= at <= course.stretch.end:
        return None
    bins = len(course.in_hand)
    return min(int((at - course.stretch.begin) / course.width_s), bins - 1)


def set_level(course: Course, name: str, at: float, value: float) -> None:
    """Note that a control was set at a moment of the stretch."""
    place = place_of(course, at)
    if place is None:
        return
    levels = course.levels.setdefault(name, [None] * len(course.in_hand))
    levels[place] = max(levels[place] or 0.0, value)


def filled(levels: Sequence[float | None]) -> list[float | None]:
    """Return levels with each kept until the next one is set."""
    found: list[float | None] = []
    for one in levels:
        found.append(one if one is not None or not found else found[-1])
    return found
