"""Sensors whose records stand in a table of their own: brought to the rows of the test."""

from __future__ import annotations

import numpy as np

from bulkload.core import terms
from bulkload.readers.channels import ABSOLUTE_ZERO_DEGC, AS_IT_IS, Reason
from bulkload.readers.raw_columns import ColumnUse, Floats, Raw
from bulkload.readers.units import Conversion, conversion


def values_at(wanted: Floats, points: Floats, values: Floats) -> Floats:
    """Return the value of each wanted record, by its number; NaN where it has none."""
    order = np.argsort(points, kind="stable")
    points, values = points[order], values[order]
    place = np.clip(np.searchsorted(points, wanted), 0, len(points) - 1)
    return np.where(points[place] == wanted, values[place], np.nan)


def keep_channel(raw: Raw, name: str, unit: str | None, values: Floats) -> ColumnUse:
    """Add a sensor to the columns, in the unit of its quantity here; return what became of it."""
    change: Conversion = AS_IT_IS
    target = f"{name} [{unit}]" if unit else name
    for quantity, shown in (
        (terms.TEMPERATURE, "degC"),
        (terms.VOLTAGE, "V"),
        (terms.CURRENT, "A"),
    ):
        found = None if unit is None else conversion(quantity, unit)
        if found is not None:
            change, target = found, f"{name} [{shown}]"
            values = values * change.scale + change.shift
            if shown == "degC" and bool((values[np.isfinite(values)] < ABSOLUTE_ZERO_DEGC).all()):
                return ColumnUse(name, "", reason=Reason.NO_SENSOR)
            if shown == "degC" and terms.TEMPERATURE not in raw.columns:
                target = terms.TEMPERATURE
            break
    if target in raw.columns:
        target = f"{name} 2"
    raw.columns[target] = values
    return ColumnUse(name, target, change)
