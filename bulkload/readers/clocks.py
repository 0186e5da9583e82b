"""Which clock gives the instants: a file may state its time twice, or three times.

The running time of the test, the dates of the rows, and the time within the step are weighed:
which runs on, which is finer, where they agree. The finer gives the instants. The dates give
what a running time lacks: pauses, where the manufacturer's own export counts them. The time
within a step is never the time of the test; it only distinguishes what a coarse clock repeats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

#: Daylight saving, in seconds; how far from it a jump may be: the time between two rows.
HOUR_S: Final = 3600.0
SLACK_S: Final = 600.0

#: Resolution of dates written to the second, both ends: steps back within it are jitter.
CLOCK_STEP_S: Final = 2.0

#: Share of the largest time below which a running time that steps back starts anew.
RESTART_SHARE: Final = 0.01

#: Rows in which a clock may stand still within a step: records that the cycler wrote twice. The
#: share is that of real exports with whole seconds (0.8 %), the number that of short files.
MAX_REPEATS: Final = 3
MAX_REPEAT_SHARE: Final = 0.01

#: Share of the rows before which the time may go back: a clock that was put, a stale record. Rows
#: that stand in no order have it before half of them.
MAX_BACK_SHARE: Final = 0.2

#: Rows after a jump of the dates in which its opposite makes it a slip of one date.
SLIP_ROWS: Final = 3


@dataclass(frozen=True, slots=True)
class Jumps:
    """Where the dates run otherwise than the running time, as rows and seconds."""

    pauses: dict[int, float]
    #: An hour forward or back: the clock was put.
    hours: dict[int, float]


def is_whole(seconds: Floats) -> bool:
    """Return whether a clock only shows whole seconds."""
    known = seconds[np.isfinite(seconds)]
    return bool(np.all(known == np.round(known)))


def repeats(seconds: Floats, same_step: Flags) -> int:
    """Count the rows that show the time of the row before, within a step.

    Two records of one instant on both sides of a change of step are as they should be.
    ``same_step`` tells for each row but the first whether it goes on with the step, ``(n - 1,)``.
    """
    return int(np.count_nonzero((np.diff(seconds) == 0.0) & same_step))


def is_too_coarse(repeated: int, rows: int) -> bool:
    """Return whether so many repeated times mean that the clock is coarser than the sampling."""
    return repeated > max(MAX_REPEATS, MAX_REPEAT_SHARE * rows)


def restarts(running: Floats) -> int:
    """Count the places where a running time falls to nothing; 0 where it rather slips back.

    It is a step's or a cycle's own time, or that of several tests one after the other.
    """
    back = np.diff(running) < 0.0
    if not back.any():
        return 0
    lowest = float(np.nanmin(running))
    near = max(RESTART_SHARE * (float(np.nanmax(running)) - lowest), CLOCK_STEP_S)
    falls = int(np.count_nonzero(back & (running[1:] - lowest <= near)))
    return falls if falls > 0.5 * np.count_nonzero(back) else 0


def jumps(running: Floats, dates: Floats) -> Jumps:
    """Hold the dates against the running time, row by row."""
    ahead = np.diff(dates) - np.diff(running)
    found = Jumps({}, {})
    for place in np.flatnonzero(np.abs(ahead) > CLOCK_STEP_S):
        size = float(ahead[place])
        after = np.cumsum(ahead[place : place + 1 + SLIP_ROWS])[1:]
        before = np.cumsum(ahead[max(0, place - SLIP_ROWS) : place + 1][::-1])[1:]
        if _is_slip(after) or _is_slip(before):
            continue
        if abs(abs(size) - HOUR_S) <= CLOCK_STEP_S:
            found.hours[int(place) + 1] = size
        elif size > 0.0:
            found.pauses[int(place) + 1] = size
    return found


def _is_slip(sums: Floats) -> bool:
    return bool((np.abs(sums) <= CLOCK_STEP_S).any())


def with_pauses(running: Floats, pauses: dict[int, float]) -> Floats:
    """Let the running time stand still no more: add the pauses before their rows."""
    added = np.zeros_like(running)
    for row, seconds in pauses.items():
        added[row] = seconds
    return running + np.cumsum(added)


def without_slips(dates: Floats) -> tuple[Floats, int]:
    """Hold a clock that steps back a second or two, and count the rows: jitter, not disorder."""
    back = np.diff(dates)
    if not ((back < 0.0) & (back >= -CLOCK_STEP_S)).any():
        return dates, 0
    highest = np.fmax.accumulate(dates)
    slipped = (dates < highest) & (dates >= highest - CLOCK_STEP_S)
    return np.where(slipped, highest, dates), int(np.count_nonzero(slipped))


def within_steps(coarse: Floats, step_time: Floats, begins: Flags) -> Floats | None:
    """Place rows by the time within their step, and steps by a clock of whole seconds.

    A step begins where the one before ends as far as the coarse clock allows it; ``begins`` tells
    the first rows of steps, ``(n,)``. None where the step time does not fit the coarse clock.
    """
    first = np.flatnonzero(begins | np.concatenate(([True], np.diff(step_time) < 0.0)))
    ends = np.append(first[1:], len(coarse))
    time = np.empty_like(coarse)
    end = coarse[0] + step_time[0]
    for begin, stop in zip(first, ends, strict=True):
        own = step_time[begin:stop]
        lowest = float(np.max(coarse[begin:stop] - own))
        highest = float(np.min(coarse[begin:stop] - own)) + CLOCK_STEP_S
        if lowest > highest:
            return None
        start = min(max(end, lowest - CLOCK_STEP_S / 2), highest)
        time[begin:stop] = start + own
        end = float(time[stop - 1])
    return time
