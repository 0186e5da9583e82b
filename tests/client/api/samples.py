"""Time series that pass every check, and the documented records around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

SPEC: dict[str, Any] = {
    "name": "NCM622/Graphite Coin Cell",
    "form_factor": "R2032",
    "manufacturer": "Custom Cells",
    "ratings": {
        "capacity": {"value": 0.002, "unit": "A*h"},
        "voltage_min": {"value": 2.5, "unit": "V"},
        "voltage_max": {"value": 4.2, "unit": "V"},
    },
    "cathode": {
        "properties": {"loading": {"value": 12.3, "unit": "mg/cm**2"}},
        "material": {"name": "NCM622", "manufacturer": "BASF"},
    },
    "anode": {
        "properties": {"loading": {"value": 6.5, "unit": "mg/cm**2"}},
        "material": {"name": "Graphite", "manufacturer": "Customcells"},
    },
}

#: The frame of the documentation: a charge in two steps, three rows each.
DOCUMENTED = {
    "Time [s]": [0, 1, 2, 3, 4, 5],
    "Voltage [V]": [3.0, 3.2, 3.5, 3.8, 4.0, 4.2],
    "Current [A]": [-0.002, -0.002, -0.002, -0.002, -0.002, -0.002],
    "Step count": [0, 0, 0, 1, 1, 1],
    "Cycle count": [0, 0, 0, 0, 0, 0],
    "Step from cycler": [1, 1, 1, 2, 2, 2],
    "Cycle from cycler": [0, 0, 0, 0, 0, 0],
}


def charge_and_discharge(rows_per_step: int = 50, *, current_a: float = 0.001) -> pd.DataFrame:
    """Charge, then discharge, with the capacity columns that belong to it."""
    time_s = np.arange(2 * rows_per_step) * 10.0
    is_charge = np.arange(2 * rows_per_step) < rows_per_step
    in_step = np.concatenate([np.arange(rows_per_step)] * 2)
    moved = in_step * 10.0 * current_a / 3600
    ramp = in_step / (rows_per_step - 1)
    return pd.DataFrame(
        {
            "Time [s]": time_s,
            "Voltage [V]": np.where(is_charge, 3.0 + ramp, 4.0 - ramp),
            "Current [A]": np.where(is_charge, -current_a, current_a),
            "Step count": np.where(is_charge, 0, 1),
            "Cycle count": 0,
            "Charge capacity [A.h]": np.where(is_charge, moved, 0.0),
            "Discharge capacity [A.h]": np.where(is_charge, 0.0, moved),
        }
    )


def detail(name: str, time_series: Any = None, **metadata: Any) -> dict[str, Any]:
    """Give what ``create`` takes."""
    series = charge_and_discharge() if time_series is None else time_series
    return {"measurement": {"name": name, **metadata}, "time_series": series}
