"""Currents that are magnitudes: each stretch gets its sign by evidence, or the file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bulkload.errors import UnreadableError
from bulkload.readers import read

HEADERS = {
    "a lab's table": "Time (s),Voltage (V),Current (A),Note",
    "German": "Zeit [s],Spannung [V],Strom [A],Notiz",
    "suffixes": "time_s,voltage_V,current_A,note",
}


def phases(*parts: tuple[int, float, float]) -> list[tuple[float, float, float]]:
    """Return rows of time, voltage, magnitude: (rows, size of the current, volts a row)."""
    rows, voltage, time = [], 3.6, 0.0
    for count, size, slope in parts:
        jump = 0.03 * np.sign(slope) if size else 0.0
        for _ in range(count):
            voltage += slope
            rows.append((time, round(voltage + jump, 5), size))
            time += 10.0
    return rows


def write(folder: Path, header: str, rows: list[tuple[float, float, float]]) -> Path:
    path = folder / "unsigned.csv"
    lines = [header, *(f"{time},{voltage},{size},x" for time, voltage, size in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("charge_rows", [4, 30])
def test_a_charge_among_discharges_gets_its_sign(
    tmp_path: Path, header: str, charge_rows: int
) -> None:
    rest = (5, 0.0, 0.0)
    rows = phases(
        rest,
        (charge_rows, 1.5, 0.002),
        rest,
        (60, 1.5, -0.003),
        rest,
        (charge_rows, 1.5, 0.002),
        rest,
    )
    series = read(write(tmp_path, header, rows))
    current = np.asarray(series.table["Current [A]"])
    assert current[5 : 5 + charge_rows].tolist() == [-1.5] * charge_rows
    assert current[10 + charge_rows : 70 + charge_rows].tolist() == [1.5] * 60
    signed = [d for d in series.decisions if d.code == "current_signed"]
    assert [(d.evidence, d.rows) for d in signed] == [("fit of the voltage", 2 * charge_rows)]


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_both_directions_in_one_stretch_are_refused(tmp_path: Path, header: str) -> None:
    rows = phases((5, 0.0, 0.0), (40, 1.5, 0.004), (40, 1.5, -0.004))
    with pytest.raises(UnreadableError, match="nothing says which rows charge") as caught:
        read(write(tmp_path, header, rows))
    assert caught.value.cause == "unknown_sign"


@pytest.mark.parametrize("slope", [-0.003, 0.003])
def test_one_direction_is_one_sign(tmp_path: Path, slope: float) -> None:
    rows = phases((5, 0.0, 0.0), (30, 1.5, slope), (5, 0.0, 0.0), (30, 0.5, slope))
    series = read(write(tmp_path, HEADERS["a lab's table"], rows))
    current = np.asarray(series.table["Current [A]"])
    sign = 1.0 if slope < 0 else -1.0
    assert current[[10, -1]].tolist() == [sign * 1.5, sign * 0.5]
