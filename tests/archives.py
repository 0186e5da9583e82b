"""Archives to upload: small, physically plausible, each measurement different from the others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

RATINGS = {
    "capacity": {"value": 2.0, "unit": "A*h"},
    "voltage_min": {"value": 2.5, "unit": "V"},
    "voltage_max": {"value": 4.3, "unit": "V"},
}


def series(rows: int = 60, steps: int = 4, seed: int = 0) -> pa.Table:
    """Make a time series that every check accepts: discharge and charge by turns."""
    step = np.arange(rows) * steps // rows
    time = 10.0 * np.arange(rows)
    current = np.where(step % 2 == 0, 0.5, -0.5) * (1 + 0.01 * (seed % 50))
    charge = np.cumsum(current) * 10.0 / 3600.0
    voltage = 3.8 - 2.0 * charge - 0.02 * current + 1e-4 * seed
    return pa.table(
        {
            "Time [s]": time,
            "Voltage [V]": np.round(voltage, 6),
            "Current [A]": np.round(current, 6),
            "Step count": step,
        }
    )


def write(path: Path, table: pa.Table) -> Path:
    """Write a table in the form that the path's ending names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pa.parquet.write_table(table, path)
    else:
        pa.csv.write_csv(table, path)
    return path


def write_json(path: Path, value: Any) -> Path:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")
    return path


def specification(folder: Path, **fields: Any) -> Path:
    """Put a specification into a folder."""
    return write_json(folder / "spec.json", {"ratings": RATINGS, **fields})


def archive(
    root: Path, *, specs: int = 1, cells: int = 1, measurements: int = 3, rows: int = 60
) -> Mapping[tuple[str, str, str], pa.Table]:
    """Write an archive in the default layout; return what each measurement holds."""
    made: dict[tuple[str, str, str], pa.Table] = {}
    for s in range(specs):
        specification(root / f"spec {s}")
        for c in range(cells):
            for m in range(measurements):
                key = (f"spec {s}", f"cell {c}", f"run {m}")
                table = series(rows=rows, seed=len(made))
                suffix = ".parquet" if m % 3 == 2 else ".csv"
                write(root / key[0] / key[1] / f"{key[2]}{suffix}", table)
                made[key] = table
    return made


def sums(table: pa.Table) -> dict[str, float]:
    """Return the sum of each column of numbers, nulls and NaN left out."""
    return {
        name: float(np.nansum(np.asarray(table.column(name).cast(pa.float64()))))
        for name in table.column_names
    }
