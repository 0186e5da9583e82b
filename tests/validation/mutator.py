"""Frames that know the edges of the rules: a plausible test of a cell, then mutations of it.

All is numpy, from one seed: a frame costs well under a millisecond, so that tens of thousands
fit into a test run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bulkload.core.terms import (
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    CURRENT,
    CYCLE_COUNT,
    CYCLE_FROM_CYCLER,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    FREQUENCY,
    POWER,
    STEP_COUNT,
    TIME,
    VOLTAGE,
)

Array = NDArray[Any]
Table = dict[str, Array]
Mutation = Callable[[Table, np.random.Generator], None]

WINDOW = (2.5, 4.2)
RATED = 1.0


def running(flow: Array, time: Array, starts: Array) -> Array:
    """Return the integral of a flow in hours, set back at the rows where steps start."""
    total = np.zeros(len(flow))
    total[1:] = np.cumsum(np.diff(time) * (flow[1:] + flow[:-1]) / 2) / 3600
    sizes = np.diff(np.append(starts, len(flow)))
    return total - np.repeat(total[starts], sizes)


def cell_test(rng: np.random.Generator) -> Table:
    """Return a test of a cell: charges, discharges, rests, holds; an equivalent circuit."""
    steps = int(rng.integers(1, 9))
    sizes = rng.choice([2, 3, 4, 5, 8, 15, 30], steps)
    scale = float(rng.choice([1e-5, 3e-4, 1e-3, 0.05, 0.5, 2.0, 60.0]))
    current, time, now = [], [], 0.0
    for size in sizes:
        pace = float(rng.choice([0.5, 1.0, 10.0, 60.0]))
        kind = rng.integers(0, 6)
        level = scale * float(rng.choice([1.0, 0.5, 0.1, 0.02, 0.001])) * rng.choice([-1, 1])
        k = np.arange(size)
        flow = np.full(size, level)
        if kind == 0:
            flow = np.zeros(size)
        elif kind == 1:  # a hold at constant voltage: the current dies away
            flow = level * np.exp(-k / rng.uniform(1, 8))
        elif kind == 2:  # noise on a constant current
            flow = level * (1 + rng.normal(0, 10.0 ** rng.integers(-9, -1), size))
        elif kind == 3:  # a drive cycle
            flow = level * rng.normal(0.5, 1, size)
        current.append(flow)
        time.append(now + pace * (k + (rng.uniform(0, 0.4, size) if kind == 2 else 0)))
        now = float(time[-1][-1]) + pace
    return _as_table(np.concatenate(current), np.concatenate(time), sizes, rng)


def _as_table(current: Array, time: Array, sizes: Array, rng: np.random.Generator) -> Table:
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    time = time - time[0]
    capacity = np.abs(current).max() * max(float(time[-1]), 1.0) / 3600 + 1e-9
    passed = np.zeros(len(current))
    passed[1:] = np.cumsum(np.diff(time) * (current[1:] + current[:-1]) / 2) / 3600
    soc = 0.6 - 0.4 * passed / capacity
    drop = rng.uniform(0, 0.2) / (np.abs(current).max() + 1e-12)
    noise = float(rng.choice([0.0, 1e-6, 1e-4, 2e-3]))
    voltage = 3.0 + 1.1 * soc - drop * current + rng.normal(0, 1, len(current)) * noise
    steps = np.repeat(np.arange(len(sizes)), sizes)
    table: Table = {
        TIME: time,
        VOLTAGE: voltage,
        CURRENT: current,
        STEP_COUNT: steps.astype(np.int64),
    }
    extra = rng.integers(0, 32)
    if extra & 1:
        table[DISCHARGE_CAPACITY] = running(np.maximum(current, 0), time, starts)
        table[CHARGE_CAPACITY] = running(np.maximum(-current, 0), time, starts)
    if extra & 2:
        table[DISCHARGE_ENERGY] = running(np.maximum(voltage * current, 0), time, starts)
        table[CHARGE_ENERGY] = running(np.maximum(-voltage * current, 0), time, starts)
    if extra & 4:
        table[str(rng.choice([CYCLE_COUNT, CYCLE_FROM_CYCLER, "Cycle number"]))] = steps // 3
    if extra & 8:
        table[POWER] = voltage * current
    if extra & 16:
        frequency = np.full(len(time), np.nan)
        frequency[: int(rng.integers(0, 4))] = 1000.0
        table[FREQUENCY] = frequency
    return table


def _row(table: Table, rng: np.random.Generator) -> int:
    return int(rng.integers(0, max(len(table[TIME]), 1)))


def _column(table: Table, rng: np.random.Generator, among: tuple[str, ...] = ()) -> str:
    names = [name for name in table if not among or name in among]
    return str(rng.choice(names or [TIME]))


CUMULATIVE = (DISCHARGE_CAPACITY, CHARGE_CAPACITY, DISCHARGE_ENERGY, CHARGE_ENERGY)


def flip_all(table: Table, rng: np.random.Generator) -> None:
    table[CURRENT] = -table[CURRENT]


def flip_some_steps(table: Table, rng: np.random.Generator) -> None:
    chosen = rng.integers(0, 2, 64)[np.clip(np.nan_to_num(table[STEP_COUNT]), 0, 63).astype(int)]
    table[CURRENT] = np.where(chosen, -table[CURRENT], table[CURRENT])


def drop_sign(table: Table, rng: np.random.Generator) -> None:
    table[CURRENT] = np.abs(table[CURRENT])


def null_somewhere(table: Table, rng: np.random.Generator) -> None:
    name, row = _column(table, rng), _row(table, rng)
    if len(table[name]) and table[name].dtype.kind in "fi":
        values = table[name].astype(float)
        values[row : row + int(rng.choice([1, 1, 3]))] = np.nan
        table[name] = values


def null_whole_column(table: Table, rng: np.random.Generator) -> None:
    name = _column(table, rng)
    table[name] = np.full(len(table[name]), np.nan)


def sweep_rows(table: Table, rng: np.random.Generator) -> None:
    """An impedance sweep between the rows: no time, a frequency, sometimes not on all."""
    low = _row(table, rng)
    rows = slice(low, low + int(rng.integers(1, 5)))
    frequency = table.get(FREQUENCY, np.full(len(table[TIME]), np.nan)).copy()
    frequency[rows] = 10.0
    if rng.integers(0, 3) == 0 and len(frequency[rows]):
        frequency[low] = np.nan
    time = table[TIME].astype(float)
    time[rows] = np.nan
    table[FREQUENCY], table[TIME] = frequency, time


def shift_start(table: Table, rng: np.random.Generator) -> None:
    edge = 1e-6
    shift = rng.choice([edge, np.nextafter(edge, 1), -edge, -1.1e-6, 5.0, 9e-7])
    table[TIME] = table[TIME] + shift


def step_back(table: Table, rng: np.random.Generator) -> None:
    row = _row(table, rng)
    if row:
        time = table[TIME].astype(float)
        time[row] = time[row - 1] - rng.choice([1e-12, 2e-12, 0.0, 1.0, 100.0])
        table[TIME] = time


def gap(table: Table, rng: np.random.Generator) -> None:
    row = _row(table, rng)
    time = table[TIME].astype(float)
    if row:
        wanted = float(rng.choice([18000.0, np.nextafter(18000.0, 1e9), 18000.1, 17999.9, 1e6]))
        time[row:] += wanted - (time[row] - time[row - 1])
        table[TIME] = time


def shuffle_rows(table: Table, rng: np.random.Generator) -> None:
    order = rng.permutation(len(table[TIME]))
    for name in table:
        table[name] = table[name][order]


def shuffle_steps(table: Table, rng: np.random.Generator) -> None:
    order = rng.permutation(64)
    table[STEP_COUNT] = order[np.clip(np.nan_to_num(table[STEP_COUNT]), 0, 63).astype(int)]


def renumber_steps(table: Table, rng: np.random.Generator) -> None:
    steps = np.nan_to_num(table[STEP_COUNT]).astype(np.int64)
    choice = rng.integers(0, 7)
    table[STEP_COUNT] = (
        steps + 1,
        steps * 2,
        steps.astype(float),
        steps * 0.5,
        steps.astype(np.int32),
        np.clip(steps, 0, 250).astype(np.uint8),
        steps % 2,
    )[choice]


def short_steps(table: Table, rng: np.random.Generator) -> None:
    rows = len(table[TIME])
    table[STEP_COUNT] = np.arange(rows) // int(rng.integers(1, 6))


def one_step(table: Table, rng: np.random.Generator) -> None:
    table[STEP_COUNT] = np.zeros(len(table[TIME]), dtype=np.int64)


def flat_voltage(table: Table, rng: np.random.Generator) -> None:
    rows = len(table[TIME])
    noise = float(rng.choice([0.0, 1e-7, 1e-6, 4e-6, 1e-5]))
    table[VOLTAGE] = 3.7 + noise * rng.uniform(-1, 1, rows)


def jumping_voltage(table: Table, rng: np.random.Generator) -> None:
    """Some of the neighbouring rows jump by most of the window, at and beside the edge."""
    rows = len(table[TIME])
    jumps = np.zeros(rows)
    share = float(rng.choice([0.05, 0.051, 0.0499, 0.2]))
    chosen = rng.permutation(max(rows - 1, 0))[: int(np.ceil(share * (rows - 1) - 1e-9))] + 1
    size = 0.8 * (WINDOW[1] - WINDOW[0])
    jumps[chosen] = size * float(rng.choice([1.0, 1.0000001, 0.9999999, 1.2]))
    signs = np.where(np.cumsum(jumps > 0) % 2, 1, -1)
    table[VOLTAGE] = 3.0 + np.cumsum(jumps * signs)


def unreset(table: Table, rng: np.random.Generator) -> None:
    name = _column(table, rng, CUMULATIVE)
    offset = float(rng.choice([1e-6, np.nextafter(1e-6, 1), 2e-6, -1e-6, 0.5]))
    table[name] = table[name] + offset


def drop_within_step(table: Table, rng: np.random.Generator) -> None:
    name, row = _column(table, rng, CUMULATIVE), _row(table, rng)
    if row:
        values = table[name].astype(float)
        values[row] = values[row - 1] - float(rng.choice([1e-6, 1.1e-6, 9e-7, 0.1]))
        table[name] = values


def scale_cumulative(table: Table, rng: np.random.Generator) -> None:
    name = _column(table, rng, CUMULATIVE)
    if name in CUMULATIVE:
        factor = float(rng.choice([1 / 0.9, 0.9, 0.8999, 1.1, 1.1112, 1000.0, 0.0]))
        table[name] = table[name] * factor


def swap_pair(table: Table, rng: np.random.Generator) -> None:
    if table.keys() >= {DISCHARGE_CAPACITY, CHARGE_CAPACITY}:
        table[DISCHARGE_CAPACITY], table[CHARGE_CAPACITY] = (
            table[CHARGE_CAPACITY],
            table[DISCHARGE_CAPACITY],
        )


def running_total(table: Table, rng: np.random.Generator) -> None:
    if DISCHARGE_CAPACITY in table and len(table[TIME]):
        flow = np.maximum(table[CURRENT], 0)
        table[DISCHARGE_CAPACITY] = running(flow, table[TIME], np.zeros(1, dtype=int))


def cycle_within_step(table: Table, rng: np.random.Generator) -> None:
    name = str(rng.choice([CYCLE_COUNT, CYCLE_FROM_CYCLER]))
    rows = len(table[TIME])
    table[name] = np.arange(rows) // int(rng.integers(1, 12))


def lose_column(table: Table, rng: np.random.Generator) -> None:
    if len(table) > 1:
        table.pop(_column(table, rng))
        table.setdefault(TIME, np.arange(len(next(iter(table.values()))), dtype=float))


def lose_essential(table: Table, rng: np.random.Generator) -> None:
    table.pop(str(rng.choice([VOLTAGE, CURRENT, STEP_COUNT])), None)


def whole_numbers(table: Table, rng: np.random.Generator) -> None:
    name = _column(table, rng, (TIME, CURRENT, VOLTAGE))
    table[name] = np.nan_to_num(np.round(table[name])).astype(np.int64)


def single_precision(table: Table, rng: np.random.Generator) -> None:
    name = _column(table, rng, (TIME, CURRENT, VOLTAGE, *CUMULATIVE))
    table[name] = table[name].astype(np.float32)


def cut(table: Table, rng: np.random.Generator) -> None:
    rows = int(rng.choice([0, 1, 2, 3, 4, 5]))
    for name in table:
        table[name] = table[name][:rows]


def infinity(table: Table, rng: np.random.Generator) -> None:
    name, row = _column(table, rng, (VOLTAGE, POWER, DISCHARGE_CAPACITY)), _row(table, rng)
    if row < len(table[name]):
        values = table[name].astype(float)
        values[row] = rng.choice([np.inf, -np.inf])
        table[name] = values


def repeat_time(table: Table, rng: np.random.Generator) -> None:
    row = _row(table, rng)
    time = table[TIME].astype(float)
    time[row : row + 5] = time[row] if len(time) else 0
    table[TIME] = time


MUTATIONS: tuple[Mutation, ...] = (
    flip_all,
    flip_some_steps,
    drop_sign,
    null_somewhere,
    null_whole_column,
    sweep_rows,
    shift_start,
    step_back,
    gap,
    shuffle_rows,
    shuffle_steps,
    renumber_steps,
    short_steps,
    one_step,
    flat_voltage,
    jumping_voltage,
    unreset,
    drop_within_step,
    scale_cumulative,
    swap_pair,
    running_total,
    cycle_within_step,
    lose_column,
    lose_essential,
    whole_numbers,
    single_precision,
    cut,
    infinity,
    repeat_time,
)


def mutated(seed: int, mutations: list[int]) -> Table:
    """Return a frame made from a seed, changed by the mutations of these positions."""
    rng = np.random.default_rng(seed)
    table = cell_test(rng)
    for position in mutations:
        if table.keys() >= {TIME, VOLTAGE, CURRENT, STEP_COUNT}:
            MUTATIONS[position](table, rng)
    return table
