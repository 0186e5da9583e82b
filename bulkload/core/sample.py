"""The usual size of a signal, judged by a sample of its rows."""

from __future__ import annotations

from typing import Final

import numpy as np

from bulkload.core.frame import Floats

#: Rows that are looked at: enough for an order of magnitude, whatever the length.
SAMPLE_ROWS: Final = 4_096
#: The usual size is that which this share of the values (in percent) does not exceed.
PERCENTILE: Final = 95.0


def usual_size(values: Floats) -> float:
    """Return the 95th percentile of the magnitudes that are not zero; 0 where all are."""
    sample = np.abs(values[:: max(1, len(values) // SAMPLE_ROWS)])
    sample = sample[np.isfinite(sample) & (sample > 0)]
    return float(np.percentile(sample, PERCENTILE)) if len(sample) else 0.0
