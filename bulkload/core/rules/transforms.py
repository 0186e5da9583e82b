"""Repairs that a user may ask for, each recorded. None is made unasked.

They are the ones that the messages of validation recommend. ``apply`` makes them in the order
given and tells of each whether it changed anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from bulkload.core.accumulate import capacities, energies
from bulkload.core.frame import Column, Floats, Frame
from bulkload.core.groups import changes
from bulkload.core.rule_names import TransformError, known_transforms
from bulkload.core.rules.sign import count_votes
from bulkload.core.terms import (
    CAPACITY,
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
    STEP_FROM_CYCLER,
    TIME,
    VOLTAGE,
    Z_IM,
)


@dataclass(frozen=True, slots=True)
class TransformRecord:
    """What a transform did: goes into the provenance of the measurement, and the report."""

    name: str
    is_changed: bool
    #: The figures of the change, such as the offset that was subtracted.
    details: Mapping[str, Any] = field(default_factory=dict)


_Change = tuple[Frame, Mapping[str, Any]]


def apply(frame: Frame, names: Iterable[str]) -> tuple[Frame, tuple[TransformRecord, ...]]:
    """Make the transforms in this order; return the new frame and a record of each.

    Raises TransformError for an unknown name, or a table that lacks what a transform needs.
    """
    records = []
    for name in known_transforms(names):
        made = TRANSFORMS[name]
        missing = [column for column in made.needs if not frame.is_numeric(column)]
        if missing:
            raise TransformError(
                f"transform {name} needs {', '.join(map(repr, missing))} as numbers"
            )
        frame, details = made.change(frame)
        records.append(TransformRecord(name, bool(details), details))
    return frame, tuple(records)


def _set_step_count(frame: Frame) -> _Change:
    """Count the steps from 0, by the changes of `Step from cycler`."""
    count = _numbered(frame, STEP_FROM_CYCLER)
    return _with(
        frame, {STEP_COUNT: Column(count)}, {"steps": int(count[-1]) + 1 if len(count) else 0}
    )


def _set_cycle_count(frame: Frame) -> _Change:
    """Count the cycles from 0, by `Cycle from cycler`; a cycle begins where a step begins."""
    if CYCLE_FROM_CYCLER in frame:
        count = _numbered(frame, CYCLE_FROM_CYCLER)
    else:
        count = np.zeros(frame.rows, dtype=np.int64)
    cycles = int(count[-1]) + 1 if len(count) else 0
    return _with(frame, {CYCLE_COUNT: Column(count)}, {"cycles": cycles})


def _numbered(frame: Frame, column: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Count, from 0, the changes of a column's value; a sweep of impedance is one step."""
    labels = frame.values(column)
    new = np.zeros(frame.rows, dtype=bool)
    new[changes(labels) + 1] = True
    if column == STEP_FROM_CYCLER and frame.is_numeric(FREQUENCY):
        swept = np.nan_to_num(frame.numbers(FREQUENCY), nan=0.0) > 0
        new[swept] = False
        new[changes(swept) + 1] = True
    if column != STEP_FROM_CYCLER and frame.is_numeric(STEP_COUNT):
        # A cycle begins with a step: a label that changes a few rows early or late does not.
        return _at_step_starts(frame, labels)
    return np.cumsum(new)


def _at_step_starts(frame: Frame, labels: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    starts = np.concatenate(([0], changes(frame.values(STEP_COUNT)) + 1))[: frame.rows]
    new = np.zeros(frame.rows, dtype=bool)
    new[starts[changes(labels[starts]) + 1]] = True
    return np.cumsum(new)


def _reset_time(frame: Frame) -> _Change:
    """Subtract the first value of the time."""
    time = frame.numbers(TIME)
    timed = np.flatnonzero(~np.isnan(time))
    offset = float(time[timed[0]]) if len(timed) else 0.0
    if offset == 0:
        return frame, {}
    return frame.replace({TIME: _as_before(frame, TIME, time - offset)}), {"offset_s": offset}


def _sort_time(frame: Frame) -> _Change:
    """Put the rows in the order of time; a row without a time stays behind the one before it."""
    time = frame.numbers(TIME).copy()
    timed = ~np.isnan(time)
    latest = np.maximum.accumulate(np.where(timed, np.arange(len(time)), 0))
    order = np.argsort(np.nan_to_num(time[latest], nan=-np.inf), kind="stable")
    moved = int(np.count_nonzero(order != np.arange(len(order))))
    return (frame.take(order), {"rows_moved": moved}) if moved else (frame, {})


def _set_sign(frame: Frame) -> _Change:
    """Make positive current discharge; where the current has no sign, step by step."""
    count = count_votes(frame)
    if count is None:
        return frame, {}
    share, ballot = count.ballot.charge_share, count.ballot
    flip = np.zeros(len(count.groups), dtype=bool)
    if count.is_unsigned and 0 < share < 1:
        flip[ballot.steps[ballot.is_charge]] = True
    elif share > 0.5:
        flip[:] = True
    if not flip.any():
        return frame, {}
    sign = np.ones(frame.rows)
    rows = ~np.isnan(frame.numbers(TIME))
    sign[rows] = np.repeat(np.where(flip, -1.0, 1.0), count.groups.sizes)
    if flip.all():
        sign[:] = -1.0
    found = {CURRENT: _as_before(frame, CURRENT, frame.numbers(CURRENT) * sign)}
    if frame.is_numeric(POWER):
        found[POWER] = _as_before(frame, POWER, frame.numbers(POWER) * sign)
    return frame.replace(found), {"steps_flipped": int(flip.sum()), "charge_fraction": share}


def _set_capacity(frame: Frame) -> _Change:
    """Integrate discharge and charge capacity anew from the current, from 0 at each step."""
    changed, details = _with(frame, capacities(frame), {})
    if CAPACITY in changed:
        names = [name for name in changed.names if name != CAPACITY]
        changed = Frame(changed.rows, {name: changed.column(name) for name in names})
        details = {**details, "dropped": CAPACITY}
    return changed, details


def _set_energy(frame: Frame) -> _Change:
    """Integrate discharge and charge energy anew from the power, from 0 at each step."""
    return _with(frame, energies(frame), {})


def _swap_charge_discharge(frame: Frame) -> _Change:
    """Exchange the columns of charge and of discharge."""
    swapped: dict[str, Any] = {}
    for one, other in ((DISCHARGE_CAPACITY, CHARGE_CAPACITY), (DISCHARGE_ENERGY, CHARGE_ENERGY)):
        if one in frame and other in frame:
            swapped |= {one: frame.column(other), other: frame.column(one)}
    return frame.replace(swapped), {"columns": list(swapped)} if swapped else {}


def _negate_z_im(frame: Frame) -> _Change:
    """Negate the imaginary part of the impedance."""
    return frame.replace({Z_IM: _as_before(frame, Z_IM, -frame.numbers(Z_IM))}), {"column": Z_IM}


def _as_before(frame: Frame, name: str, values: Floats) -> Column:
    """Return new values with the nulls that the column had."""
    return Column(values, frame.column(name).nulls)


def _with(frame: Frame, found: Mapping[str, Column], details: Mapping[str, Any]) -> _Change:
    """Put columns in place; no change where they hold what was there already."""
    new = {
        name: column
        for name, column in found.items()
        if name not in frame
        or not frame.is_numeric(name)
        or not np.array_equal(frame.values(name), column.visible(), equal_nan=True)
    }
    return (frame.replace(new), {**details, "columns": list(new)}) if new else (frame, {})


@dataclass(frozen=True, slots=True)
class _Transform:
    change: Callable[[Frame], _Change]
    needs: tuple[str, ...] = ()


#: The transforms by name, as ``rule_names.py`` lists them.
TRANSFORMS: Final[Mapping[str, _Transform]] = {
    "sort_time": _Transform(_sort_time, (TIME,)),
    "reset_time": _Transform(_reset_time, (TIME,)),
    "set_step_count": _Transform(_set_step_count, (STEP_FROM_CYCLER,)),
    "set_cycle_count": _Transform(_set_cycle_count),
    "set_sign": _Transform(_set_sign, (TIME, CURRENT, VOLTAGE)),
    "set_capacity": _Transform(_set_capacity, (CURRENT,)),
    "set_energy": _Transform(_set_energy, (CURRENT, VOLTAGE)),
    "swap_charge_discharge": _Transform(_swap_charge_discharge),
    "negate_z_im": _Transform(_negate_z_im, (Z_IM,)),
}
