"""A percentile of magnitudes that come in blocks, exact to the last digit.

Magnitudes are never negative, so their bit patterns, read as whole numbers, have the same order.
The blocks are counted by the leading bits of their values; the bin that holds the wanted rank
is counted by the next bits, until what is left in it fits in one block. Memory does not depend
on the number of values, and the result is that of ``numpy.percentile``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from bulkload.core.frame import Floats
from bulkload.core.groups import BLOCK_ROWS

#: Bits by which values are counted at a time, and bits of a float.
BITS: Final = 16
ALL_BITS: Final = 64

Blocks = Callable[[], Iterator[Floats]]


def percentile(magnitudes: Blocks, count: int, percent: float) -> float:
    """Return a percentile of ``count`` magnitudes, interpolated; NaN where one is NaN.

    ``magnitudes`` gives the blocks anew at each call.
    """
    if count <= BLOCK_ROWS:
        return float(np.percentile(np.concatenate(list(magnitudes())), percent))
    if any(np.isnan(block).any() for block in magnitudes()):
        return float("nan")
    place = (count - 1) * (percent / 100.0)
    rank = int(place)
    low = _ranked(magnitudes, rank)
    high = low if rank + 1 >= count else _ranked(magnitudes, rank + 1)
    share = place - rank
    with np.errstate(invalid="ignore"):
        # As numpy interpolates, from the nearer end.
        reach = high - low
        return high - reach * (1 - share) if share >= 0.5 else low + reach * share


def _ranked(magnitudes: Blocks, rank: int) -> float:
    """Return the value of a rank, counted from 0."""
    prefix, shift = np.uint64(0), ALL_BITS
    while True:
        shift -= BITS
        counts = np.zeros(2**BITS, dtype=np.int64)
        for block in magnitudes():
            bits = _within(block, prefix, shift + BITS)
            found = (bits >> np.uint64(shift)) & np.uint64(2**BITS - 1)
            counts += np.bincount(found.astype(np.intp), minlength=2**BITS)
        bin_ = int(np.searchsorted(np.cumsum(counts), rank, side="right"))
        rank -= int(counts[:bin_].sum())
        prefix = (prefix << np.uint64(BITS)) | np.uint64(bin_)
        if shift == 0:
            return float(np.array([prefix]).view(np.float64)[0])
        if counts[bin_] <= BLOCK_ROWS:
            left = np.concatenate([_within(block, prefix, shift) for block in magnitudes()])
            return float(np.partition(left, rank)[rank : rank + 1].view(np.float64)[0])


def _within(
    block: Floats, prefix: np.uint64, shift: int
) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Return the bit patterns that begin with a prefix."""
    # Minus zero has the sign's bit, and is no magnitude.
    bits = np.ascontiguousarray(block + 0.0).view(np.uint64)
    return bits if shift == ALL_BITS else bits[bits >> np.uint64(shift) == prefix]
