"""Impedance spectra and step summaries that know the edges of the rules on them."""

from __future__ import annotations

import numpy as np

from bulkload.core.terms import (
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    FREQUENCY,
    TIME,
    Z_IM,
    Z_RE,
)
from tests.validation.mutator import RATED, Table


def spectrum(rng: np.random.Generator) -> Table:
    """Return an impedance spectrum, often with the sign or the size at an edge."""
    points = int(rng.choice([0, 1, 2, 3, 4, 20]))
    frequency = np.logspace(4, -1, points)
    tau = rng.uniform(1e-3, 1)
    real = 0.05 / RATED * float(rng.choice([1.0, 1.3, 100.0, 100.1, 0.01, 0.00999, -1, 0]))
    z = real + abs(real) / (1 + 2j * np.pi * frequency * tau) + 1e-8j * frequency
    table = {FREQUENCY: frequency, Z_RE: z.real, Z_IM: z.imag * rng.choice([1, -1])}
    if points and rng.integers(0, 3) == 0:
        name = str(rng.choice(list(table)))
        table[name] = table[name].copy()
        table[name][rng.integers(0, points)] = rng.choice([np.nan, np.inf])
    if rng.integers(0, 5) == 0:
        table.pop(str(rng.choice(list(table))))
    if rng.integers(0, 3) == 0:
        table[TIME] = np.arange(points, dtype=float) * 10
    return table


def step_table(rng: np.random.Generator) -> Table:
    """Return a step summary with capacities at and beside 2 and 5 times the rated one."""
    steps = int(rng.integers(0, 9))
    sign = rng.choice([-1, 1, 0], steps)
    mean = sign * rng.choice([1e-3, 0.000999, 0.5, 2.0], steps)
    words = ["Constant current", "Constant voltage", "Constant power"]
    kinds = [
        "Rest" if s == 0 else f"{rng.choice(words)} {'discharge' if s > 0 else 'charge'}"
        for s in sign
    ]
    amount = RATED * rng.choice([0.0, 1.0, 2.0, 2.000001, 3.0, 5.0, 5.000001, np.nan], steps)
    leak = rng.choice([0.0, 0.25, 0.2501, 1.0], steps) * amount
    swap = rng.random(steps) < float(rng.choice([0.0, 0.5, 0.75, 1.0]))
    is_out = (sign > 0) ^ swap
    table: Table = {
        "Step type": np.array(kinds, dtype=object),
        "Mean current [A]": mean,
        "Min current [A]": mean - rng.choice([0, 0.002, 5], steps),
        "Max current [A]": mean + rng.choice([0, 0.002, 5], steps),
        "Std current [A]": np.abs(mean) * rng.choice([0, 0.5, 0.51, np.nan], steps),
        "Duration [s]": rng.choice([60.0, 59.99, 3600.0, np.nan], steps),
        "Step count": np.arange(steps),
        DISCHARGE_CAPACITY: np.where(is_out, amount, leak),
        CHARGE_CAPACITY: np.where(is_out, leak, amount),
        DISCHARGE_ENERGY: 3.7 * np.where(is_out, amount, leak),
        CHARGE_ENERGY: 3.7 * np.where(is_out, leak, amount),
    }
    for _ in range(int(rng.integers(0, 3))):
        table.pop(str(rng.choice(list(table))))
    return table
