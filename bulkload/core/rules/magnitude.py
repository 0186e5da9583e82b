"""The usual size of a signal, judged by a sample of its rows."""

from __future__ import annotations

from typing import Final

import numpy as np

from bulkload.core.frame import Frame

#: Rows that are looked at: enough for an order of magnitude, whatever the length.
SAMPLE_ROWS: Final = 4_096
#: The usual size is that which this share of the values does not exceed.
SHARE: Final = 0.95


def usual_size(frame: Frame, column: str) -> float:
    """Return the 95th percentile of the magnitudes that are not zero; 0 where all are."""
    rows = np.arange(0, frame.rows, max(1, frame.rows // SAMPLE_ROWS))
    sample = np.abs(frame.numbers_at(column, rows))
    sample = sample[np.isfinite(sample) & (sample > 0)]
    if not len(sample):
        return 0.0
    # The nearest of the sample: a judgement of magnitude needs no value between two.
    rank = round(SHARE * (len(sample) - 1))
    return float(np.partition(sample, rank)[rank])
