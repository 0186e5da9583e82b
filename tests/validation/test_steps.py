"""Step and cycle summaries are those of the vendor's package."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from bulkload.core.frame import Frame
from bulkload.core.steps import NotSummarisableError, summarise_cycles, summarise_steps
from bulkload.tables.frames import to_frame, to_table

iwdata = pytest.importorskip("ionworksdata")


def _series(seed: int, **extra: Any) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    sizes = rng.choice([1, 2, 3, 4, 25], 40)
    steps = np.repeat(np.arange(len(sizes)), sizes)
    rows = len(steps)
    level = rng.choice([0.0, 1.0, -1.0, 0.5], len(sizes))[steps]
    current = level + rng.normal(0, 10.0 ** -rng.integers(2, 6), rows)
    voltage = 3.7 + rng.normal(0, rng.choice([0.001, 0.02, 0.2]), rows)
    return pl.DataFrame(
        {
            "Time [s]": np.arange(rows) * 10.0,
            "Voltage [V]": voltage,
            "Current [A]": current,
            "Step count": steps,
            "Cycle from cycler": steps // 5 + 1,
            "Step from cycler": steps % 5,
            **{name: made(current, rows) for name, made in extra.items()},
        }
    ).fill_nan(None)


EXTRA: dict[str, dict[str, Any]] = {
    "bare": {},
    "single capacity": {"Capacity [A.h]": lambda i, _: np.cumsum(np.abs(i)) / 360},
    "capacities": {
        "Discharge capacity [A.h]": lambda i, _: np.cumsum(np.maximum(i, 0)) / 360,
        "Charge capacity [A.h]": lambda i, _: np.cumsum(np.maximum(-i, 0)) / 360,
    },
    "all": {
        "Capacity [A.h]": lambda i, _: np.cumsum(np.abs(i)) / 360,
        "Discharge capacity [A.h]": lambda i, _: np.cumsum(np.maximum(i, 0)) / 360,
        "Charge capacity [A.h]": lambda i, _: np.cumsum(np.maximum(-i, 0)) / 360,
        "Discharge energy [W.h]": lambda i, _: np.cumsum(np.maximum(i, 0)) / 97,
        "Charge energy [W.h]": lambda i, _: np.cumsum(np.maximum(-i, 0)) / 97,
        "Frequency [Hz]": lambda _, rows: np.where(np.arange(rows) < 6, 1e3, np.nan),
    },
}


def _assert_same(ours: Frame, theirs: pl.DataFrame) -> None:
    table = to_table(ours).to_pydict()
    assert set(table) >= set(theirs.columns)
    for name in theirs.columns:
        expected = theirs.get_column(name).to_list()
        assert len(table[name]) == len(expected)
        for mine, other in zip(table[name], expected, strict=True):
            if isinstance(other, float) and not math.isnan(other):
                assert mine == pytest.approx(other, rel=1e-6, abs=1e-9), name
            elif other is None or isinstance(other, float):
                assert mine is None, name
            else:
                assert mine == other, name


@pytest.mark.parametrize("kind", EXTRA)
@pytest.mark.parametrize("capacity", [None, 0.002, 1.0, 5.0])
def test_steps_are_the_vendors(kind: str, capacity: float | None) -> None:
    for seed in range(3):
        table = _series(seed, **EXTRA[kind])
        rated = {"ratings": {"capacity": {"value": capacity, "unit": "A.h"}}}
        theirs = iwdata.steps.summarize(table, cell_spec=None if capacity is None else rated)
        ours = summarise_steps(to_frame(table), capacity)
        _assert_same(ours, theirs)
        if kind != "bare":
            _assert_same(summarise_cycles(ours), iwdata.cycle_metrics.get_cycle_metrics(theirs))


@pytest.mark.parametrize("dropped", [[], ["Current [A]"], ["Time [s]", "Current [A]"]])
def test_steps_with_nulls_and_without_columns(dropped: list[str]) -> None:
    table = _series(7).with_columns(
        pl.when(pl.int_range(pl.len()) % 7 == 0)
        .then(None)
        .otherwise(pl.col("Current [A]"))
        .alias("Current [A]"),
        pl.when(pl.int_range(pl.len()) < 40)
        .then(None)
        .otherwise(pl.col("Voltage [V]"))
        .alias("Voltage [V]"),
        pl.lit(0.5).alias("SOC"),
    )
    table = table.drop(dropped)
    _assert_same(summarise_steps(to_frame(table)), iwdata.steps.summarize(table))


def test_types_at_their_edges() -> None:
    """Rest below 1 mA, constant current below 10 mA of spread; both scaled by the capacity."""
    rows = 10
    wobble = np.where(np.arange(rows) % 2, 1.0, -1.0)

    def kind(current: Any, voltage: Any = 3.7, capacity: float | None = 10.0) -> str:
        table = {
            "Time [s]": np.arange(rows) * 1.0,
            "Voltage [V]": np.zeros(rows) + voltage,
            "Current [A]": np.zeros(rows) + current,
            "Step count": np.zeros(rows, dtype=int),
        }
        return str(summarise_steps(to_frame(table), capacity).column("Step type").values[0])

    assert kind(0.00099) == "Rest"
    assert kind(0.001) == "Constant current discharge"
    assert kind(-0.001) == "Constant current charge"
    assert kind(0.00099, capacity=0.5) == "Constant current discharge"
    # The spread counts one less than the eight rows between the first and the last.
    spread = math.sqrt(8 / 7)
    assert kind(1 + 0.0099 / spread * wobble, 3.7 + wobble) == "Constant current discharge"
    assert kind(1 + 0.0101 / spread * wobble, 3.7) == "Constant voltage discharge"
    assert kind(-1 + 0.1 * wobble, 3.7) == "Constant voltage charge"
    assert kind(1 + 0.1 * wobble, 3.7 / (1 + 0.1 * wobble)) == "Constant power discharge"
    assert kind(1 + 0.1 * wobble, 3.7 + wobble) == "Unknown step type"


def test_what_has_no_steps() -> None:
    time, volts = np.arange(3.0), np.ones(3)
    with pytest.raises(NotSummarisableError, match="Step count"):
        summarise_steps(Frame.of({"Time [s]": time, "Voltage [V]": volts}))
    with pytest.raises(NotSummarisableError, match="Voltage"):
        summarise_steps(Frame.of({"Step count": time, "Time [s]": time}))
    with pytest.raises(NotSummarisableError, match="one of"):
        summarise_steps(Frame.of({"Step count": time, "Voltage [V]": volts}))
    nothing = {"Step count": time[:0], "Time [s]": time[:0], "Voltage [V]": volts[:0]}
    empty = summarise_steps(Frame.of(nothing))
    assert empty.rows == 0
    assert summarise_cycles(empty).rows == 0


def test_the_summary_feeds_the_rules() -> None:
    from bulkload.core.rules import check

    table = _series(1, **EXTRA["capacities"])
    frame = to_frame(table)
    steps = summarise_steps(frame, 1.0)
    issues = check(frame, strict=True, steps=steps, rated_capacity=1e-6)
    assert "step_capacity_exceeds_rated" in {issue.code for issue in issues}
