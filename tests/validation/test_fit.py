"""The closed form of the sign fit, for all steps at a time, against the fit over the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ionworks import validators as official
from numpy.typing import NDArray

from bulkload.core.groups import Groups
from bulkload.core.rules import step_sums
from bulkload.core.rules.row_fit import fit_rows
from bulkload.core.rules.step_sums import StepSums
from bulkload.core.rules.step_sums import sum_up as sum_up_signals
from bulkload.core.rules.votes import cast, is_flat, judge_rows

Array = NDArray[Any]
STEPS = 500


def sum_up(time: Array, current: Array, voltage: Array, groups: Groups) -> StepSums:
    """Sum up arrays at hand."""
    return sum_up_signals(
        lambda low, high: (time[low:high], current[low:high], voltage[low:high]), groups
    )


def _signals(seed: int, ampere: float = 1.0) -> tuple[Array, Array, Array, Groups]:
    """Steps of every kind, at currents up to so many ampere."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(4, 40, STEPS)
    time, current, voltage = [], [], []
    for size in sizes:
        k = np.arange(size)
        scale = ampere * 10.0 ** rng.integers(-2, 1) * rng.choice([-1, 1])
        flow = [
            np.exp(-k / 5) * (1 + rng.normal(0, 10.0 ** rng.integers(-6, -1), size)),
            1 + rng.normal(0, 10.0 ** rng.integers(-9, 0), size),
            rng.normal(0.5, 1, size),
            np.ones(size),
            1 + rng.uniform(-1, 1) * (k / size) ** rng.integers(1, 4),
        ][rng.integers(0, 5)]
        noise = rng.normal(0, 10.0 ** rng.integers(-6, -1), size)
        slope = rng.choice([-1, 1]) * rng.uniform(0, 0.3)
        current.append(scale * flow)
        voltage.append(3.7 + slope * k / size + noise + rng.normal(0, 0.1) * flow)
        time.append(np.cumsum(rng.uniform(0.5, 1.5, size)))
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    groups = Groups(starts, int(sizes.sum()))
    return np.concatenate(time), np.concatenate(current), np.concatenate(voltage), groups


@pytest.mark.parametrize("ampere", [1e-5, 1e-2, 1.0, 100.0])
def test_votes_are_those_of_the_rows(ampere: float) -> None:
    time, current, voltage, groups = _signals(0, ampere)
    sums = sum_up(time, current, voltage, groups)
    votes = cast(sums, sums.most_charge - sums.least_charge)
    assert not is_flat(sums).any()
    open_votes = 0
    for step in range(STEPS):
        if votes.most_weight[step] > 0:
            open_votes += 1
            continue
        first = groups.starts[step]
        rows = slice(first, first + groups.sizes[step])
        is_charge, doubt = judge_rows(time[rows], current[rows], voltage[rows])
        assert min(votes.doubt[step], 1.0) == pytest.approx(doubt, abs=1e-3), step
        if doubt < 0.999:
            assert votes.is_charge[step] == is_charge, step
    # Few steps have to be asked row by row.
    assert open_votes < 0.2 * STEPS


@pytest.mark.parametrize("ampere", [1e-5, 1.0, 100.0])
def test_the_fit_over_the_rows_is_the_vendors_to_the_last_digit(ampere: float) -> None:
    time, current, voltage, groups = _signals(1, ampere)
    for step in range(STEPS):
        first = groups.starts[step]
        rows = slice(first, first + groups.sizes[step])
        for sign in (1.0, -1.0):
            flow = sign * current[rows]
            theirs = official._fit_ecm_convention(time[rows], flow, voltage[rows])
            halves = np.diff(time[rows]) * (-flow[1:] + -flow[:-1]) / 2.0
            ours = fit_rows(np.concatenate(([0.0], np.cumsum(halves))), flow, voltage[rows])
            assert theirs is not None
            assert ours == (theirs[0], theirs[1])


def _assert_close(one: StepSums, other: StepSums) -> None:
    np.testing.assert_array_equal(one.rows, other.rows)
    # Charge is counted from anywhere: only differences count.
    span, other_span = (s.most_charge - s.least_charge for s in (one, other))
    np.testing.assert_allclose(span, other_span, rtol=1e-8)
    np.testing.assert_allclose(one.moved, other.moved, rtol=1e-12)
    np.testing.assert_array_equal(one.least_voltage, other.least_voltage)
    np.testing.assert_array_equal(one.most_voltage, other.most_voltage)
    np.testing.assert_allclose(one.means[1:], other.means[1:], rtol=1e-12)
    # Products relative to what their factors allow; a spread below 1e-8 counts as none.
    floors = other.rows * (1e-8 * np.stack((other_span, *np.abs(other.means[1:])))) ** 2
    squares = [
        np.maximum(other.products[n], floor) for n, floor in zip((0, 2, 5), floors, strict=True)
    ]
    sizes = np.stack([np.sqrt(squares[a] * squares[b]) for a, b in _PARTS])
    assert np.all(np.abs(one.products - other.products) <= 1e-6 * sizes)


_PARTS = ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2))


def test_three_ways_to_sum_up_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row by row within the steps, step by step, and step by step in pieces."""
    time, current, voltage, groups = _signals(2)
    by_rows = sum_up(time, current, voltage, groups)
    monkeypatch.setattr(step_sums, "SHORT_ROWS", 0)
    by_steps = sum_up(time, current, voltage, groups)
    _assert_close(by_rows, by_steps)
    monkeypatch.setattr(step_sums, "BLOCK_ROWS", 7)
    in_pieces = sum_up(time, current, voltage, groups)
    _assert_close(in_pieces, by_steps)


def test_a_value_that_is_not_finite_spoils_its_own_step_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    time, current, voltage, groups = _signals(3)
    whole = sum_up(time, current, voltage, groups)
    spoiled, untouched = groups.starts[[3, 9]] + 1, np.ones(STEPS, dtype=bool)
    untouched[[3, 9]] = False
    current = current.copy()
    current[spoiled] = [np.nan, np.inf]
    for short_rows in (32, 0):
        monkeypatch.setattr(step_sums, "SHORT_ROWS", short_rows)
        with np.errstate(invalid="ignore"):
            sums = sum_up(time, current, voltage, groups)
        assert not np.isfinite(sums.moved[[3, 9]]).any()
        steps = np.flatnonzero(untouched)
        _assert_close(sums.take(steps), whole.take(steps))
