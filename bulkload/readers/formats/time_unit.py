"""The unit of a test time that states none, proved by the dates of the rows."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.errors import UnreadableError
from bulkload.readers import timestamps as clock
from bulkload.readers.dialect import TIMESTAMP, Kind
from bulkload.readers.raw_columns import Raw

#: Seconds that one unit of an unlabelled test time may be.
_TIME_UNITS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}

#: Pairs of rows whose timestamps are held against the test time.
PAIRS_SAMPLED: Final = 100

#: How near to one of them the timestamps must come: they are whole seconds over hours.
_UNIT_TOLERANCE: Final = 0.05


def settle_time_unit(raw: Raw) -> None:
    """Settle the unit of a test time that states none, where dates stand beside it."""
    column = raw.match.of(terms.TIME)
    if column is None or column.unit is not None or terms.TIME not in raw.columns:
        return
    if raw.kinds[terms.TIME] is Kind.NUMBER and TIMESTAMP in raw.texts:
        _settle_unit(raw)


def _settle_unit(raw: Raw) -> None:
    """Hold the unlabelled test time against the timestamps beside it."""
    time = np.asarray(raw.columns[terms.TIME], dtype=np.float64)
    if raw.rows < 2:
        return
    rows = np.linspace(0, raw.rows - 2, min(raw.rows - 1, PAIRS_SAMPLED)).astype(np.int64)
    stamps = raw.texts[TIMESTAMP].take(pa.array(np.stack((rows, rows + 1), axis=1).ravel()))
    try:
        seconds = clock.timestamps(stamps)
    except clock.ClockError:
        return
    ticks, elapsed = time[rows + 1] - time[rows], seconds[1::2] - seconds[::2]
    running = (ticks > 0) & (elapsed > 0)
    # Day and month may be swapped, which only spoils the steps over midnight: take the middle.
    ratio = float(np.median(elapsed[running] / ticks[running])) if running.any() else np.nan
    for unit, scale in _TIME_UNITS.items():
        if abs(ratio / scale - 1.0) < _UNIT_TOLERANCE:
            raw.columns[terms.TIME] = time * scale
            raw.proved.add(terms.TIME)
            raw.decide(
                DecisionCode.UNIT_PROVED,
                f"the test time states no unit: {unit}, proved by the timestamps beside it",
                evidence="timestamps of the rows",
            )
            return
    raise UnreadableError(
        f"{raw.name}: the test time states no unit, and one of it is {ratio:.3g} s by the "
        "timestamps beside it; state the unit in a dialect file",
        cause="unknown_unit",
    )
