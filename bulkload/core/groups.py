"""Steps as the rules count them: runs of rows that have the same step number.

The boundaries are found once; every rule then works on all steps at a time, so its cost does
not depend on how many steps there are. A step is named by its ordinal, from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from bulkload.core.frame import AnyArray, Bools, Indices

#: Rows worked on at a time. Bounds the extra memory of a rule (512 KiB for each array of
#: float64), whatever the length of the table, and keeps what it works on in the cache.
BLOCK_ROWS = 65_536


class Groups:
    """Consecutive groups of rows: where each starts, and how many rows it has."""

    def __init__(self, starts: Indices, rows: int) -> None:
        self.starts = starts
        self.rows = rows

    @classmethod
    def by(cls, labels: AnyArray) -> Groups:
        """Make groups of the runs of equal labels. A NaN equals nothing, itself included."""
        if not len(labels):
            return cls(np.empty(0, dtype=np.intp), 0)
        return cls(np.concatenate(([0], changes(labels) + 1)), len(labels))

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def sizes(self) -> Indices:
        """The number of rows of each group."""
        return np.diff(self.starts, append=self.rows)

    def blocks(self, size: int = BLOCK_ROWS) -> Iterator[tuple[int, int, Indices]]:
        """Yield blocks of rows that cut no step, unless it is longer than a block.

        Each comes with the rows where the steps in it start, counted from its first row; the
        first is negative where the block goes on with a step that was cut.
        """
        low = 0
        while low < self.rows:
            high = min(low + size, self.rows)
            first, last = np.searchsorted(self.starts, (low, high), side="right") - 1
            if high < self.rows and self.starts[last] > low:
                high, last = int(self.starts[last]), last - 1
            yield low, high, self.starts[first : last + 1] - low
            low = high

    def is_first(self, rows: Indices) -> Bools:
        """Return for each of these rows whether it is the first of its group."""
        found: Bools = self.starts[self.of_rows(rows)] == rows
        return found

    def of_rows(self, rows: Indices) -> Indices:
        """Return the ordinal of the group of each of these rows."""
        return np.searchsorted(self.starts, rows, side="right") - 1


def changes(labels: AnyArray) -> Indices:
    """Return the rows whose next row has another label."""
    if labels.dtype.kind == "f":
        # The difference, not a comparison: two infinities in a row count as a change, as
        # they do for the vendor's client.
        with np.errstate(invalid="ignore"):
            return np.flatnonzero(np.diff(labels))
    return np.flatnonzero(labels[1:] != labels[:-1])


def blocks(rows: int, size: int = BLOCK_ROWS) -> Iterator[tuple[int, int]]:
    """Yield the bounds of consecutive blocks of rows."""
    for low in range(0, rows, size):
        yield low, min(low + size, rows)


def pairs(rows: int, size: int = BLOCK_ROWS) -> Iterator[tuple[int, int]]:
    """Yield bounds of blocks that overlap by one row: each neighbouring pair is in one."""
    for low in range(0, rows - 1, size):
        yield low, min(low + size + 1, rows)
