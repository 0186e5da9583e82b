"""Points for a plot: whatever is drawn reaches as far as the data, and gaps stay gaps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bulkload.core.downsample import Signal, min_max

NUMBERS = st.floats(-1e6, 1e6, width=32) | st.just(float("nan"))


def signals(rows: int) -> st.SearchStrategy[np.ndarray]:
    return arrays.arrays(np.float64, rows, elements=NUMBERS)


def taken(signal: np.ndarray) -> Signal:
    return lambda low, high: signal[low:high]


@given(st.data(), st.integers(0, 400), st.integers(1, 20), st.integers(1, 3))
def test_no_spike_is_lost(data: st.DataObject, rows: int, bins: int, count: int) -> None:
    given_signals = [data.draw(signals(rows)) for _ in range(count)]
    kept = min_max([taken(one) for one in given_signals], rows, bins)
    assert np.array_equal(kept, np.unique(kept))
    assert len(kept) <= 3 * bins * count + 2
    if rows:
        assert kept[0] == 0
        assert kept[-1] == rows - 1
    edges = np.linspace(0, rows, bins + 1).astype(int)
    for signal in given_signals:
        for low, high in pairwise(edges):
            inside = signal[kept[(kept >= low) & (kept < high)]]
            whole = signal[low:high]
            assert np.isnan(whole).any() == np.isnan(inside).any()
            if not np.isnan(whole).all():
                assert np.nanmin(inside) == np.nanmin(whole)
                assert np.nanmax(inside) == np.nanmax(whole)


def test_one_outlier_in_a_million_rows_is_plotted() -> None:
    signal = np.zeros(1_000_000)
    signal[654_321] = 9.9
    assert 654_321 in min_max([taken(signal)], len(signal), 100)


def test_a_short_signal_is_kept_whole() -> None:
    assert min_max([taken(np.arange(5.0))], 5, 100).tolist() == [0, 1, 2, 3, 4]
    assert min_max([], 0, 100).tolist() == []
