"""The ratings of a specification, in the units that the checks want: A.h and V.

A Quantity is ``{"value": 2.0, "unit": "mA*h"}``; both spellings of a product are in use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

#: Units of charge, spelling reduced by :func:`_plain_unit`, as factors to A.h.
CAPACITY_UNITS: Final[Mapping[str, float]] = {
    "Ah": 1.0,
    "mAh": 1e-3,
    "uAh": 1e-6,
    "As": 1 / 3600,
}
#: Units of voltage, as factors to V.
VOLTAGE_UNITS: Final[Mapping[str, float]] = {"V": 1.0, "mV": 1e-3}


class UnknownUnitError(ValueError):
    """A rating is in a unit that cannot be converted, so the checks must not use it."""


def rated_capacity(ratings: Mapping[str, Any] | None) -> float | None:
    """Give ``ratings.capacity`` in A.h, None where it is not stated."""
    return _rating(ratings, "capacity", CAPACITY_UNITS)


def voltage_window(ratings: Mapping[str, Any] | None) -> tuple[float, float] | None:
    """Give ``ratings.voltage_min`` and ``voltage_max`` in V, None where one is missing."""
    low = _rating(ratings, "voltage_min", VOLTAGE_UNITS)
    high = _rating(ratings, "voltage_max", VOLTAGE_UNITS)
    return None if low is None or high is None else (low, high)


def _rating(
    ratings: Mapping[str, Any] | None, name: str, units: Mapping[str, float]
) -> float | None:
    quantity = (ratings or {}).get(name)
    if not isinstance(quantity, Mapping):
        return _finite(quantity)
    value = _finite(quantity.get("value"))
    if value is None:
        return None
    unit = quantity.get("unit")
    if unit in (None, ""):
        return value
    factor = units.get(_plain_unit(str(unit)))
    if factor is None:
        known = ", ".join(units)
        raise UnknownUnitError(f"ratings.{name} is in {unit!r}; known units: {known}")
    return value * factor


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _plain_unit(unit: str) -> str:
    plain = unit.translate(_PRODUCT_SIGNS)
    return plain.translate(_MICRO_SIGNS).replace("hr", "h")


#: How a product is written: ``A.h``, ``A*h``, ``A h``, with either middle dot.
_PRODUCT_SIGNS: Final = str.maketrans("", "", " .*\u00b7\u22c5")
#: The micro sign and the Greek letter.
_MICRO_SIGNS: Final = str.maketrans({"\u00b5": "u", "\u03bc": "u"})
