"""Quantities of a specification in A.h and V."""

from __future__ import annotations

from typing import Any

import pytest

from bulkload.core.ratings import UnknownUnitError, rated_capacity, voltage_window


@pytest.mark.parametrize(
    ("quantity", "capacity_ah"),
    [
        ({"value": 5.0, "unit": "A*h"}, 5.0),
        ({"value": 5.0, "unit": "A.h"}, 5.0),
        ({"value": 5.0, "unit": "A h"}, 5.0),
        ({"value": 5.0, "unit": "Ah"}, 5.0),
        ({"value": 5.0, "unit": "A\u00b7h"}, 5.0),
        ({"value": 2.0, "unit": "mA.h"}, 0.002),
        ({"value": 2.0, "unit": "mA*h"}, 0.002),
        ({"value": 2.0, "unit": "mAh"}, 0.002),
        ({"value": 2.0, "unit": "\u00b5A.h"}, 2e-6),
        ({"value": 2.0, "unit": "uA*h"}, 2e-6),
        ({"value": 3600, "unit": "A.s"}, 1.0),
        ({"value": "2.5", "unit": "Ah"}, 2.5),
        ({"value": 5.0}, 5.0),
        ({"value": 5.0, "unit": ""}, 5.0),
        ({"value": 5.0, "unit": None}, 5.0),
        ({"value": 5.0, "unit": "A.hr"}, 5.0),
        ({"value": 5.0, "unit": "mAhr"}, 0.005),
        (5, 5.0),
        ({"value": None, "unit": "Ah"}, None),
        ({"value": float("nan"), "unit": "Ah"}, None),
        ({"value": "unknown", "unit": "Ah"}, None),
        ({"value": True, "unit": "Ah"}, None),
        (None, None),
    ],
)
def test_capacity_is_given_in_ampere_hours(quantity: Any, capacity_ah: float | None) -> None:
    assert rated_capacity({"capacity": quantity}) == pytest.approx(capacity_ah)


def test_the_window_needs_both_limits() -> None:
    low, high = {"value": 2500, "unit": "mV"}, {"value": 4.2, "unit": "V"}
    assert voltage_window({"voltage_min": low, "voltage_max": high}) == pytest.approx((2.5, 4.2))
    assert voltage_window({"voltage_min": low}) is None
    assert voltage_window(None) is None


@pytest.mark.parametrize("unit", ["W.h", "C", "parsec", "mA"])
def test_a_unit_that_is_no_capacity_is_refused_not_guessed(unit: str) -> None:
    with pytest.raises(UnknownUnitError) as raised:
        rated_capacity({"capacity": {"value": 5.0, "unit": unit}})
    assert str(raised.value) == f"ratings.capacity is in {unit!r}; known units: Ah, mAh, uAh, As"
