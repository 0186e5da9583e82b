"""Steps as the rules count them: runs of rows that have the same step number.

The boundaries are found once; every rule then works on all steps at a time, so its cost does
not depend on how many steps there are. A step is named by its ordinal, from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bulkload.core.frame import AnyArray, Bools, Frame, Indices

#: Rows worked on at a time. Bounds the extra memory of a rule (512 KiB for each array of
#: float64), whatever the length of the table, and keeps what it works on in the cache.
BLOCK_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows from ``low`` up to ``high``, and the pieces of steps that they are made of."""

    low: int
    high: int
    #: Ordinal of the step of the first piece; those of the others follow.
    first: int
    #: Where each piece starts, counted from ``low``; the first is zero.
    starts: Indices
    #: Whether the first piece goes on with a step that began before.
    is_cut: bool

    @property
    def steps(self) -> slice:
        """The ordinals of the steps."""
        return slice(self.first, self.first + len(self.starts))

    @property
    def sizes(self) -> Indices:
        """The number of rows of each piece."""
        return np.diff(self.starts, append=self.high - self.low)


class Groups:
    """Consecutive groups of rows: where each starts, and how many rows it has."""

    def __init__(self, starts: Indices, rows: int) -> None:
        self.starts = starts
        self.rows = rows

    @classmethod
    def by(cls, labels: AnyArray) -> Groups:
        """Make groups of the runs of equal labels. A NaN equals nothing, itself included."""
        return cls.of(lambda low, high: labels[low:high], len(labels))

    @classmethod
    def of(cls, labels: Callable[[int, int], AnyArray], rows: int) -> Groups:
        """Make groups of the runs of equal labels, given those of any stretch of rows."""
        if not rows:
            return cls(np.empty(0, dtype=np.intp), 0)
        starts = [np.zeros(1, dtype=np.intp)]
        starts += [changes(labels(low, high)) + (low + 1) for low, high in pairs(rows)]
        return cls(np.concatenate(starts), rows)

    @classmethod
    def in_column(cls, frame: Frame, name: str) -> Groups:
        """Make groups of the runs of equal numbers in a column."""
        frame.values_in(name, 0, 0)  # Raises for a column that holds no numbers.
        return cls.of(lambda low, high: frame.values_in(name, low, high), frame.rows)

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def sizes(self) -> Indices:
        """The number of rows of each group."""
        return np.diff(self.starts, append=self.rows)

    def blocks(self, size: int | None = None) -> Iterator[tuple[int, int, Indices]]:
        """Yield blocks of rows that cut no step, unless it is longer than a block.

        Each comes with the rows where the steps in it start, counted from its first row; the
        first is negative where the block goes on with a step that was cut.
        """
        size, low = size or BLOCK_ROWS, 0
        while low < self.rows:
            high = min(low + size, self.rows)
            first, last = np.searchsorted(self.starts, (low, high), side="right") - 1
            if high < self.rows and self.starts[last] > low:
                high, last = int(self.starts[last]), last - 1
            yield low, high, self.starts[first : last + 1] - low
            low = high

    def stretches(self, size: int | None = None) -> Iterator[Stretch]:
        """Yield the blocks with the steps that they belong to."""
        first = 0
        for low, high, starts in self.blocks(size):
            is_cut = bool(starts[0] < 0)
            first -= is_cut
            starts[0] = 0
            yield Stretch(low, high, first, starts, is_cut)
            first += len(starts)

    def ends(self) -> Indices:
        """Return the first and the last row of each step, one after the other, ascending."""
        return np.stack((self.starts, self.starts + self.sizes - 1), axis=-1).ravel()

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


def blocks(rows: int, size: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield the bounds of consecutive blocks of rows."""
    size = size or BLOCK_ROWS
    for low in range(0, rows, size):
        yield low, min(low + size, rows)


def pairs(rows: int, size: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield bounds of blocks that overlap by one row: each neighbouring pair is in one."""
    size = size or BLOCK_ROWS
    for low in range(0, rows - 1, size):
        yield low, min(low + size + 1, rows)


def extremes(frame: Frame, column: str) -> tuple[float, float]:
    """Return the least and the greatest number of a column; NaN for an empty one."""
    least = most = np.nan
    for low, high in blocks(frame.rows):
        numbers = frame.values_in(column, low, high)
        least = float(np.fmin(least, np.fmin.reduce(numbers)))
        most = float(np.fmax(most, np.fmax.reduce(numbers)))
    return least, most
