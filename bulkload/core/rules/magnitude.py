"""The usual size of a signal, judged by a sample of its rows."""

from __future__ import annotations

from typing import Final

import numpy as np

from bulkload.core.frame import Floats

#: Rows that are looked at: enough for an order of magnitude, whatever the length.
SAMPLE_ROWS: Final = 4_096
#: The usual size is that which this share of the values does not exceed.
SHARE: Final = 0.95


def usual_size(values: Floats) -> float:
    """Return the 95th percentile of the magnitudes that are not zero; 0 where all are."""
    sample = np.abs(values[:: max(1, len(values) // SAMPLE_ROWS)])
    sample = sample[np.isfinite(sample) & (sample > 0)]
    if not len(sample):
        return 0.0
    # The nearest of the sample: a judgement of magnitude needs no value between two.
    rank = round(SHARE * (len(sample) - 1))
    return float(np.partition(sample, rank)[rank])
