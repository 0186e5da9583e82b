"""The names by which checks are skipped and transforms asked for.

They stand apart from what carries them out: a command that only parses its options, or a plan,
need not load what calculates.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

#: The strict checks, any of which may be skipped by name.
STRICT_CHECK_NAMES: Final = frozenset(
    {
        "minimum_points_per_step",
        "cycle_constant_within_step",
        "capacity_energy_from_current_power",
        "time_gaps",
        "voltage_continuity",
        "charge_discharge_column_direction",
        "consecutive_same_direction_full_steps",
        "step_capacity_within_rated",
        "eis_zim_sign",
        "eis_impedance_magnitude",
    }
)
#: The transforms, in an order that makes sense if all are asked for.
TRANSFORM_NAMES: Final = (
    "sort_time",
    "reset_time",
    "set_step_count",
    "set_cycle_count",
    "set_sign",
    "set_capacity",
    "set_energy",
    "swap_charge_discharge",
    "negate_z_im",
)


class TransformError(ValueError):
    """A transform is unknown, or cannot be made of this table."""


def known_checks(names: Iterable[str]) -> frozenset[str]:
    """Return the names as a set; ValueError where one is no strict check."""
    skip = frozenset(names)
    unknown = sorted(skip - STRICT_CHECK_NAMES)
    if unknown:
        raise ValueError(
            f"unknown name(s) in skip_checks: {', '.join(map(repr, unknown))}; "
            f"known are {', '.join(sorted(STRICT_CHECK_NAMES))}"
        )
    return skip


def known_transforms(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names as a tuple; TransformError where one is unknown."""
    wanted = tuple(names)
    for name in wanted:
        if name not in TRANSFORM_NAMES:
            raise TransformError(
                f"unknown transform {name!r}; known are {', '.join(TRANSFORM_NAMES)}"
            )
    return wanted
