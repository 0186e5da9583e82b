"""A small model of a lithium-ion cell: open-circuit voltage, one resistance, one RC pair.

Enough for curves that look and integrate like real ones, so that every check applies. Positive
current is discharge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bulkload.core import terms

Floats = NDArray[np.float64]
Table = dict[str, NDArray[Any]]

#: State of charge and open-circuit voltage [V] of each chemistry, from empty to full.
_SOC: Final = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.97, 1.0])
OPEN_CIRCUIT: Final = {
    "NMC": np.array([2.7, 3.0, 3.2, 3.38, 3.5, 3.58, 3.67, 3.86, 4.05, 4.13, 4.2]),
    "LFP": np.array([2.3, 2.8, 3.05, 3.18, 3.23, 3.27, 3.29, 3.31, 3.33, 3.37, 3.5]),
    "LTO": np.array([1.6, 1.9, 2.05, 2.15, 2.22, 2.27, 2.33, 2.42, 2.55, 2.63, 2.7]),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellModel:
    """One cell. Capacity in A.h, resistances in Ohm."""

    chemistry: str
    capacity: float
    resistance: float
    #: Of the RC pair, with its time constant in s.
    slow_resistance: float
    time_constant: float = 60.0


@dataclass(frozen=True, slots=True)
class CellStep:
    """A part of a test: constant current in multiples of the capacity, for a time in s."""

    rate: float
    seconds: float
    #: Time between samples in s.
    every: float = 10.0


def run_test(
    cell: CellModel, steps: list[CellStep], *, soc: float, steps_per_cycle: int, noise: Floats
) -> Table:
    """Return the time series of a test in Ionworks columns.

    ``noise`` holds standard normal deviates, the sensors' noise. A step ends early if the
    cell would leave its state of charge of 0.01 to 0.99.
    """
    parts: list[Table] = []
    start_s, slow_voltage = 0.0, 0.0
    for number, step in enumerate(steps):
        part, soc, slow_voltage = _run_step(cell, step, soc, slow_voltage)
        part[terms.TIME] = part[terms.TIME] + start_s
        start_s = float(part[terms.TIME][-1]) + step.every
        rows = len(part[terms.TIME])
        part[terms.STEP_COUNT] = np.full(rows, number, dtype=np.int64)
        part[terms.CYCLE_COUNT] = np.full(rows, number // steps_per_cycle, dtype=np.int64)
        parts.append(part)
    table: Table = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows = len(table[terms.TIME])
    spread = np.resize(noise, rows)
    table[terms.VOLTAGE] = np.round(table[terms.VOLTAGE] + 2e-4 * spread, 5)
    table[terms.TEMPERATURE] = np.round(25.0 + 0.1 * np.roll(spread, 7), 2)
    return table


def _run_step(
    cell: CellModel, step: CellStep, soc: float, slow_voltage: float
) -> tuple[Table, float, float]:
    current = step.rate * cell.capacity
    seconds = min(step.seconds, _seconds_left(cell, current, soc))
    time = np.arange(0.0, max(seconds, 3 * step.every) + step.every / 2, step.every)
    charge = np.abs(current) * time / 3600.0
    socs = np.clip(soc - np.sign(current) * charge / cell.capacity, 0.0, 1.0)
    target = current * cell.slow_resistance
    slow = target + (slow_voltage - target) * np.exp(-time / cell.time_constant)
    voltage = np.interp(socs, _SOC, OPEN_CIRCUIT[cell.chemistry]) - current * cell.resistance - slow
    is_discharge = current > 0
    table: Table = {
        terms.TIME: time,
        terms.VOLTAGE: voltage,
        terms.CURRENT: np.full(len(time), current),
        terms.DISCHARGE_CAPACITY: np.round(charge if is_discharge else 0 * charge, 6),
        terms.CHARGE_CAPACITY: np.round(0 * charge if is_discharge else charge, 6),
    }
    return table, float(socs[-1]), float(slow[-1])


def _seconds_left(cell: CellModel, current: float, soc: float) -> float:
    """Return how long a current can flow until the cell is nearly empty or full."""
    if current == 0:
        return float("inf")
    room = soc - 0.01 if current > 0 else 0.99 - soc
    return max(0.0, room) * cell.capacity * 3600.0 / abs(current)
