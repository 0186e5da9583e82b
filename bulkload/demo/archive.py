"""The sample archive: 3 specifications, 12 cells, some 50 measurements, 5 of them faulty."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from bulkload.core import terms
from bulkload.core.outcome import OutcomeKind
from bulkload.demo.cell_model import CellModel, CellStep, Table, run_test

#: What an upload of the archive gives, once `EXISTING` is in Studio.
EXPECTED: Final = {
    OutcomeKind.CREATED: 49,
    OutcomeKind.EXISTING: 1,
    OutcomeKind.REJECTED: 5,
    OutcomeKind.FAILED: 0,
    OutcomeKind.SKIPPED: 1,
}

#: The measurement that the demo puts into Studio beforehand: names of specification, cell and
#: measurement.
EXISTING: Final = ("LFP 26650", "LFP-01", "01 formation")

_SPECIFICATIONS: Final[dict[str, tuple[CellModel, dict[str, Any]]]] = {
    "NMC 21700": (
        CellModel(chemistry="NMC", capacity=5.0, resistance=0.012, slow_resistance=0.008),
        {"form_factor": "21700", "manufacturer": "Sample Cells", "window": (2.5, 4.2)},
    ),
    "LFP 26650": (
        CellModel(chemistry="LFP", capacity=2.5, resistance=0.015, slow_resistance=0.01),
        {"form_factor": "26650", "manufacturer": "Sample Cells", "window": (2.0, 3.65)},
    ),
    "LTO pouch": (
        CellModel(chemistry="LTO", capacity=10.0, resistance=0.002, slow_resistance=0.001),
        {"form_factor": "pouch", "manufacturer": "Sample Cells", "window": (1.5, 2.8)},
    ),
}
_CELLS_EACH: Final = 4

_CYCLE: Final = [CellStep(0.5, 8000), CellStep(0.0, 600), CellStep(-0.5, 8000), CellStep(0.0, 600)]
_PULSE: Final = [CellStep(1.0, 30, every=1.0), CellStep(0.0, 120, every=2.0), CellStep(0.2, 1800)]
#: Name of the measurement -> its steps, steps a cycle, state of charge at the start.
_TESTS: Final[dict[str, tuple[list[CellStep], int, float]]] = {
    "01 formation": (
        [CellStep(-0.1, 30000, every=30.0), CellStep(0.0, 1800), CellStep(0.1, 36000)],
        3,
        0.05,
    ),
    "02 cycling": (_CYCLE * 3, 4, 0.98),
    "03 pulses": (_PULSE * 8, 3, 0.95),
    "04 rate test": (
        [CellStep(0.2, 16000), CellStep(-0.5, 8000), CellStep(1.0, 4000), CellStep(-0.5, 8000)],
        2,
        0.97,
    ),
}


def write_archive(root: Path) -> None:
    """Write the archive into ``root``, which must not exist.

    Side effects: some sixty small files.
    """
    for name, (model, facts) in _SPECIFICATIONS.items():
        folder = root / name
        folder.mkdir(parents=True)
        _write_json(folder / "spec.json", _specification(name, model, facts))
        prefix = name.split()[0]
        for number in range(1, _CELLS_EACH + 1):
            _write_cell(folder / f"{prefix}-{number:02d}", model, number)
    _write_extras(root)
    _spoil(root)


def _specification(name: str, model: CellModel, facts: dict[str, Any]) -> dict[str, Any]:
    low, high = facts["window"]
    return {
        "name": name,
        "form_factor": facts["form_factor"],
        "manufacturer": facts["manufacturer"],
        "ratings": {
            "capacity": {"value": model.capacity, "unit": "A*h"},
            "voltage_min": {"value": low, "unit": "V"},
            "voltage_max": {"value": high, "unit": "V"},
        },
    }


def _write_cell(folder: Path, model: CellModel, number: int) -> None:
    folder.mkdir()
    _write_json(
        folder / "cell.json",
        {"batch": f"2026-{(number - 1) // 2 + 1:02d}", "date_manufactured": f"2026-01-1{number}"},
    )
    for test, (steps, steps_per_cycle, soc) in _TESTS.items():
        seed = zlib.crc32(f"{folder.name}/{test}".encode())
        noise = np.random.default_rng(seed).normal(size=4096)
        table = run_test(model, steps, soc=soc, steps_per_cycle=steps_per_cycle, noise=noise)
        if test == "04 rate test":
            pa.parquet.write_table(pa.table(table), folder / f"{test}.parquet")
        else:
            pa.csv.write_csv(pa.table(table), folder / f"{test}.csv")


def _write_extras(root: Path) -> None:
    """Add files of other types, metadata beside a file, and a file that is skipped."""
    cell = root / "NMC 21700" / "NMC-01"
    _write_json(
        cell / "05 dimensions.properties.json",
        {
            "diameter": {"value": 21.1, "unit": "mm"},
            "mass": {"value": 69.4, "unit": "g"},
        },
    )
    (cell / "06 photo.png").write_bytes(_picture())
    _write_json(
        cell / "02 cycling.meta.json",
        {
            "protocol": {"name": "C/2 cycling", "ambient_temperature_degc": 25},
            "test_setup": {"cycler": "Sample cycler", "channel_number": 3},
            "start_time": "2026-02-03T08:00:00Z",
            "tags": ["sample", "cycling"],
        },
    )
    (root / "LTO pouch" / "Thumbs.db").write_bytes(b"\0")


def _spoil(root: Path) -> None:
    """Add five measurements that must not reach Studio, each with a different fault."""
    cell = root / "LTO pouch" / "LTO-04"
    good = pa.csv.read_csv(cell / "02 cycling.csv")
    columns: Table = {name: good.column(name).to_numpy() for name in good.column_names}
    spoilers: dict[str, Callable[[Table], Table]] = {
        "07 sign reversed": lambda one: one | {terms.CURRENT: -one[terms.CURRENT]},
        "08 time runs back": lambda one: one | {terms.TIME: np.roll(one[terms.TIME], 50)},
        "09 no step count": lambda one: {
            name: values for name, values in one.items() if name != terms.STEP_COUNT
        },
    }
    for name, spoil in spoilers.items():
        pa.csv.write_csv(pa.table(spoil(columns)), cell / f"{name}.csv")
    (cell / "10 empty.csv").write_bytes(b"")
    whole = (cell / "04 rate test.parquet").read_bytes()
    (cell / "11 cut short.parquet").write_bytes(whole[: len(whole) // 2])


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


def _picture(size: int = 48) -> bytes:
    """Return a small PNG: a grey disc, as a photo of a cell's end might be."""
    axis = np.arange(size) - size / 2 + 0.5
    disc = np.hypot(axis[:, None], axis[None, :]) < size / 2.5
    pixels = np.where(disc, 160, 245).astype(np.uint8)
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + check

    header = size.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b""))
    )
