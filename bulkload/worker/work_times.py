"""What a worker's time goes to: waiting for the disk, parsing, validating, encoding.

A worker is one process with one file at a time, so there is one clock (``WORK``). The parts
follow one another; each ends where the next one begins.
"""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

from bulkload.core.limiting import LimitName

#: How long this process stood in line for a core, where the system says that (Linux).
_SCHEDULER = Path("/proc/self/schedstat")


class WorkTimes:
    """Seconds of the work on one file, by its part."""

    def __init__(self) -> None:
        self._spent: defaultdict[LimitName, float] = defaultdict(float)
        self.begin()

    def begin(self) -> None:
        """Take up a file."""
        self._spent.clear()
        self._part = LimitName.PARSING
        self._mark()

    def enter(self, part: LimitName) -> None:
        """End the part before, and begin another."""
        self._count()
        self._part = part

    def taken(self) -> dict[LimitName, float]:
        """Return the seconds of each part so far."""
        self._count()
        return dict(self._spent)

    def _count(self) -> None:
        wall_s, cpu_s, queued_s = self._wall, self._cpu, self._queued
        self._mark()
        spent_s = self._wall - wall_s
        # Neither computing nor in line for a core: it waited for what it read, or wrote.
        waited_s = spent_s - (self._cpu - cpu_s) - (self._queued - queued_s)
        waited_s = min(max(waited_s, 0.0), spent_s)
        self._spent[LimitName.DISK] += waited_s
        self._spent[self._part] += spent_s - waited_s

    def _mark(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        self._queued = _queued_s()


def _queued_s() -> float:
    try:
        return int(_SCHEDULER.read_text("ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


WORK = WorkTimes()
