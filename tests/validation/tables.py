"""Small tables that pass every rule, to be spoiled in one point by a test."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bulkload.core.frame import Column, Frame
from bulkload.core.terms import (
    CHARGE_CAPACITY,
    CURRENT,
    CYCLE_COUNT,
    DISCHARGE_CAPACITY,
    STEP_COUNT,
    STEP_FROM_CYCLER,
    TIME,
    VOLTAGE,
)
from tests.validation.mutator import running

Array = NDArray[Any]
ROWS = 20


def good() -> dict[str, Array]:
    """A discharge, a rest, a charge, a rest: twenty rows each, ten seconds apart."""
    k = np.arange(ROWS)
    current = np.concatenate([np.full(ROWS, level) for level in (1.0, 0.0, -1.0, 0.0)])
    voltage = np.concatenate([4.0 - 0.02 * k, np.full(ROWS, 3.6), 3.6 + 0.02 * k, np.full(ROWS, 4)])
    steps = np.repeat(np.arange(4), ROWS)
    time = 10.0 * np.arange(4 * ROWS)
    starts = np.arange(4) * ROWS
    return {
        TIME: time,
        VOLTAGE: voltage,
        CURRENT: current,
        STEP_COUNT: steps,
        CYCLE_COUNT: np.zeros(4 * ROWS, dtype=np.int64),
        STEP_FROM_CYCLER: steps + 7,
        DISCHARGE_CAPACITY: running(np.maximum(current, 0), time, starts),
        CHARGE_CAPACITY: running(np.maximum(-current, 0), time, starts),
    }


def changed(name: str, row: int | slice, value: float) -> Frame:
    """Return the good table with one value (or a range of rows) put in."""
    table = good()
    values = table[name].astype(np.float64)
    values[row] = value
    return Frame.of({**table, name: values})


def with_columns(**columns: Array) -> Frame:
    """Return the good table with whole columns put in; ``_`` in a name stands for its word."""
    names = {"time": TIME, "voltage": VOLTAGE, "current": CURRENT, "step": STEP_COUNT}
    return Frame.of({**good(), **{names[key]: values for key, values in columns.items()}})


def summary(**columns: Any) -> Frame:
    """Return a step summary of one discharging step, or of as many as a column has rows."""
    rows = max((len(np.atleast_1d(values)) for values in columns.values()), default=1)
    base: dict[str, Any] = {
        "Step type": "Constant current discharge",
        "Mean current [A]": 1.0,
        "Min current [A]": 1.0,
        "Max current [A]": 1.0,
        "Std current [A]": 0.0,
        "Duration [s]": 3600.0,
        DISCHARGE_CAPACITY: 1.0,
        CHARGE_CAPACITY: 0.0,
    }
    words = {
        "kind": "Step type",
        "mean": "Mean current [A]",
        "least": "Min current [A]",
        "most": "Max current [A]",
        "spread": "Std current [A]",
        "duration": "Duration [s]",
        "discharge": DISCHARGE_CAPACITY,
        "charge": CHARGE_CAPACITY,
    }
    base |= {words[key]: values for key, values in columns.items()}
    table: dict[str, Array | Column] = {"Step count": np.arange(rows)}
    for name, values in base.items():
        is_text = name == "Step type"
        filled = np.full(rows, None if is_text else np.nan, dtype=object if is_text else float)
        filled[:] = values
        table[name] = filled
    return Frame.of(table)
