"""Make a synthetic archive of any size: what the benches upload.

Cells cycle between half charged and two thirds charged; every file passes the strict checks
and no two files are the same.

    python scripts/make_archive.py FOLDER --cells 32 --measurements 8 --rows 20000 --steps 200
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv

from bulkload.core import terms
from bulkload.demo.cell_model import CellModel, CellStep, Table, run_test

SPECIFICATION: Final = "NMC 21700"
VOLTAGE_WINDOW: Final = (2.5, 4.2)
CAPACITY: Final = 5.0

#: Charge that moves in one step, as a share of the capacity, and how long a step lasts in s.
SWING: Final = 0.14
STEP_SECONDS: Final = 1000.0

#: Discharge, rest, charge, rest.
STEPS_PER_CYCLE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSize:
    """How much to make."""

    cells: int
    measurements: int
    rows: int
    steps: int

    @property
    def files(self) -> int:
        """How many time series that is."""
        return self.cells * self.measurements


def write_archive(root: Path, size: ArchiveSize) -> None:
    """Write the archive into ``root``, which must not exist.

    Side effects: one CSV a measurement, one folder a cell.
    """
    folder = root / SPECIFICATION
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(specification(), indent=2) + "\n", "utf-8")
    steps = _steps(size.rows, size.steps)
    for cell in range(size.cells):
        place = folder / f"cell {cell + 1:05d}"
        place.mkdir()
        for number in range(size.measurements):
            table = _table(steps, seed=cell * size.measurements + number)
            pa.csv.write_csv(pa.table(table), place / f"test {number + 1:03d}.csv")


def specification() -> dict[str, object]:
    """Return what the archive says of its cells' kind."""
    low, high = VOLTAGE_WINDOW
    return {
        "name": SPECIFICATION,
        "form_factor": "21700",
        "manufacturer": "Sample Cells",
        "ratings": {
            "capacity": {"value": CAPACITY, "unit": "A*h"},
            "voltage_min": {"value": low, "unit": "V"},
            "voltage_max": {"value": high, "unit": "V"},
        },
    }


def _steps(rows: int, steps: int) -> list[CellStep]:
    """Return steps that together give ``rows`` rows: cycles that come back to where they began."""
    if steps < 1 or rows < 4 * steps:
        raise ValueError(f"{rows} rows are too few for {steps} steps: a step needs four")
    points = [rows // steps + (number < rows % steps) for number in range(steps)]
    directions = (1.0, 0.0, -1.0, 0.0)
    made = []
    for number, count in enumerate(points):
        every = round(STEP_SECONDS / (count - 1), 1)
        seconds = (count - 1) * every
        rate = round(SWING * 3600.0 / seconds, 3)
        made.append(CellStep(directions[number % STEPS_PER_CYCLE] * rate, seconds, every=every))
    return made


def _table(steps: list[CellStep], seed: int) -> Table:
    random = np.random.default_rng(seed)
    # No two cells are alike: a tenth of spread in resistance.
    cell = CellModel(
        chemistry="NMC",
        capacity=CAPACITY,
        resistance=0.012 * random.uniform(0.95, 1.05),
        slow_resistance=0.008 * random.uniform(0.95, 1.05),
    )
    noise = random.normal(size=4096)
    table = run_test(cell, steps, soc=0.66, steps_per_cycle=STEPS_PER_CYCLE, noise=noise)
    table[terms.TIME] = np.round(table[terms.TIME], 3)
    return table


def main() -> None:
    """Make what the command line asks for."""
    parser = argparse.ArgumentParser(description="Make a synthetic archive.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cells", type=int, default=32)
    parser.add_argument("--measurements", type=int, default=8, help="a cell")
    parser.add_argument("--rows", type=int, default=20_000, help="a measurement")
    parser.add_argument("--steps", type=int, default=200, help="a measurement")
    args = parser.parse_args()
    size = ArchiveSize(
        cells=args.cells, measurements=args.measurements, rows=args.rows, steps=args.steps
    )
    write_archive(args.folder, size)
    print(f"{size.files:,} measurements of {size.rows:,} rows in {args.folder}")


if __name__ == "__main__":
    main()
