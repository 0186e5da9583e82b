"""Capacity and energy by direction: magnitudes that restart at each step.

Taken from what the table has, in this order: the two columns of the pair, set back at each
step; one running column, split by the sign of the current (or power); else the integral of
the current (or power) over time.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bulkload.core.frame import Column, Floats, Frame, Indices
from bulkload.core.groups import Groups, blocks
from bulkload.core.terms import (
    CAPACITY,
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    CURRENT,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    POWER,
    STEP_COUNT,
    TIME,
    VOLTAGE,
)

#: A running energy that does not distinguish directions.
ENERGY: Final = "Energy [W.h]"
SECONDS_PER_HOUR: Final = 3600.0


def capacities(frame: Frame) -> dict[str, Column]:
    """Return discharge and charge capacity; needs the current (and the time, to integrate)."""
    pair = (DISCHARGE_CAPACITY, CHARGE_CAPACITY)
    return _by_direction(frame, pair, CAPACITY, frame.numbers(CURRENT))


def energies(frame: Frame) -> dict[str, Column]:
    """Return discharge and charge energy; needs the power, or current and voltage."""
    if POWER in frame:
        power = frame.numbers(POWER)
    else:
        power = frame.numbers(CURRENT) * frame.numbers(VOLTAGE)
    return _by_direction(frame, (DISCHARGE_ENERGY, CHARGE_ENERGY), ENERGY, power)


def capacity_gains(frame: Frame, groups: Groups) -> dict[str, Floats]:
    """Return what discharge and charge capacity gain from the first to the last row of each step.

    As the columns of ``capacities`` do, of a frame that has the pair or the running capacity.
    """
    pair = (DISCHARGE_CAPACITY, CHARGE_CAPACITY)
    if all(name in frame for name in pair):
        ends = [frame.numbers_at(name, groups.ends()) for name in pair]
    else:
        ends = list(_running_at(frame, groups.ends()))
    return {
        name: np.abs(found[1::2] - found[::2]) - np.abs(found[::2] - found[::2])
        for name, found in zip(pair, ends, strict=True)
    }


def _running_at(frame: Frame, rows: Indices) -> tuple[Floats, Floats]:
    """Return at these rows the running capacity that was discharged, and that was charged."""
    found = (np.empty(len(rows)), np.empty(len(rows)))
    running, last = [0.0, 0.0], 0.0
    for low, high in blocks(frame.rows):
        total, flow = (frame.numbers_in(name, low, high) for name in (CAPACITY, CURRENT))
        size = np.abs(np.diff(total, prepend=last))
        last = float(total[-1])
        inside = slice(*np.searchsorted(rows, (low, high)))
        for place, part in enumerate((flow > 0, flow < 0)):
            added = np.where(part, size, 0.0)
            added[0] += running[place]
            reached = np.cumsum(added, out=added)
            running[place] = float(reached[-1])
            found[place][inside] = reached[rows[inside] - low]
    return found


def integrals(time: Floats, flow: Floats, groups: Groups) -> tuple[Floats, Floats]:
    """Return the integrals of the positive and the negative part, restarting at each step."""
    found = []
    for half in (np.maximum(flow, 0.0), np.maximum(-flow, 0.0)):
        running = np.zeros(len(half))
        np.cumsum(np.diff(time) * (half[1:] + half[:-1]) / 2, out=running[1:])
        found.append(restarted(running / SECONDS_PER_HOUR, groups))
    return found[0], found[1]


def restarted(values: Floats, groups: Groups) -> Floats:
    """Return values less what they were at the start of their step."""
    return values - np.repeat(values[groups.starts], groups.sizes)


def _by_direction(
    frame: Frame, pair: tuple[str, str], single: str, flow: Floats
) -> dict[str, Column]:
    groups = _steps(frame)
    discharge, charge = pair
    if discharge in frame and charge in frame:
        found = tuple(np.abs(restarted(frame.numbers(name), groups)) for name in pair)
    elif single in frame:
        added = np.diff(frame.numbers(single), prepend=0.0)
        found = tuple(
            np.abs(restarted(np.cumsum(np.where(part, np.abs(added), 0.0)), groups))
            for part in (flow > 0, flow < 0)
        )
    else:
        found = integrals(frame.numbers(TIME), flow, groups)
    return {name: Column(values) for name, values in zip(pair, found, strict=True)}


def _steps(frame: Frame) -> Groups:
    """Return the steps; a table without step numbers is one step."""
    if STEP_COUNT in frame:
        return Groups.in_column(frame, STEP_COUNT)
    return Groups(np.zeros(min(frame.rows, 1), dtype=np.intp), frame.rows)
