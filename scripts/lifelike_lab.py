"""A made-up battery lab: its cells, files as cyclers write them, and the truth about each.

``make_lifelike_archive.py`` writes an archive with it.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(kw_only=True)
class Cell:
    """A cell of the lab and what its sheet says of it."""

    name: str
    spec: str
    batch: str
    made: dt.date
    mass_g: float
    capacity_mah: float
    written: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Truth:
    """What a path of the archive is."""

    upload: bool
    why: str = ""
    spec: str = ""
    cell: str = ""
    batch: str = ""
    measurement: str = ""
    date: str = ""
    temperature_degc: float | None = None
    continues: str = ""
    #: The day that the file itself states, whatever its name states; None where it is unknown.
    begun: str | None = ""


SPECS: dict[str, dict[str, Any]] = {
    "NMC622 CR2032": {"form": "CR2032", "capacity_mah": 2.0, "low": 2.8, "high": 4.3},
    "LFP 18650": {"form": "18650", "capacity_mah": 1500.0, "low": 2.0, "high": 3.65},
    "NCA 21700": {"form": "21700", "capacity_mah": 4800.0, "low": 2.5, "high": 4.2},
    "NMC811 pouch": {"form": "Pouch", "capacity_mah": 850.0, "low": 2.7, "high": 4.25},
}


def make_cells(count: int, rng: random.Random) -> list[Cell]:
    """Make the cells of the lab: four series, each numbered in a way of its own."""
    writers: list[tuple[str, Callable[[int], str], Callable[[int], str]]] = [
        ("NMC622 CR2032", lambda n: f"CC-{n:03d}", lambda n: f"2021-{1 + n // 12:02d}"),
        ("LFP 18650", lambda n: f"LFP18650_{n:02d}", lambda n: f"L{2000 + n // 10}"),
        ("NCA 21700", lambda n: f"N21-{chr(65 + n % 4)}{n // 4 + 1}", lambda n: f"NCA{n % 4 + 1}"),
        ("NMC811 pouch", lambda n: f"P{n:02d}", lambda _: "PX-7"),
    ]
    cells: list[Cell] = []
    for number in range(count):
        spec, name, batch = writers[number % 4]
        index = number // 4 + 1
        made = dt.date(2021, 1, 4) + dt.timedelta(days=7 * index + number % 4)
        capacity = SPECS[spec]["capacity_mah"] * rng.uniform(0.97, 1.03)
        cells.append(
            Cell(
                name=name(index), spec=spec, batch=batch(index), made=made,
                mass_g=round(rng.uniform(2.9, 72.0), 2), capacity_mah=round(capacity, 2),
            )
        )  # fmt: skip
    return cells


def series(cell: Cell, seed: int, rows: int = 48, steps: int = 4) -> dict[str, Any]:
    """Make the time series of a test, discharge and charge by turns."""
    spec = SPECS[cell.spec]
    capacity = spec["capacity_mah"] / 1000.0
    step = np.arange(rows) * steps // rows
    time = 30.0 * np.arange(rows)
    current = np.where(step % 2 == 0, -0.5, 0.5) * capacity * (1 + 0.003 * (seed % 97))
    charge = np.cumsum(current) * 30.0 / 3600.0
    middle = (spec["low"] + spec["high"]) / 2
    voltage = middle - 0.6 * charge / capacity + 2e-5 * (seed % 1009)
    return {"time": time, "voltage": voltage, "current": current, "step": step, "charge": charge}


def ionworks_csv(path: Path, data: dict[str, Any], start: dt.datetime) -> None:
    """Write a table in Ionworks columns; it does not say when it began."""
    del start
    lines = ["Time [s],Voltage [V],Current [A],Step count"]
    lines += [
        f"{t:.1f},{v:.6f},{i:.7f},{s}"
        for t, v, i, s in zip(
            data["time"], data["voltage"], data["current"], data["step"], strict=True
        )
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def arbin_csv(path: Path, data: dict[str, Any], start: dt.datetime) -> None:
    """Write a table as Arbin's software exports it."""
    header = (
        "Data_Point,Test_Time(s),Date_Time,Step_Time(s),Step_Index,Cycle_Index,Current(A),"
        "Voltage(V),Charge_Capacity(Ah),Discharge_Capacity(Ah)"
    )
    lines = [header]
    charged = discharged = 0.0
    before = 0.0
    for at, (t, v, i, s) in enumerate(
        zip(data["time"], data["voltage"], data["current"], data["step"], strict=True), start=1
    ):
        moved = -i * (t - before) / 3600.0
        charged += max(moved, 0.0)
        discharged += max(-moved, 0.0)
        before = t
        moment = (start + dt.timedelta(seconds=float(t))).isoformat(sep=" ")
        lines.append(
            f"{at},{t:.3f},{moment},{t % 360:.3f},{s + 1},1,{-i:.7f},{v:.6f},{charged:.8f},"
            f"{discharged:.8f}"
        )
    path.write_text("\n".join(lines) + "\n", "utf-8")


def maccor_txt(path: Path, data: dict[str, Any], start: dt.datetime) -> None:
    """Write a table as Maccor's software exports it, dates in the American way."""
    lines = [
        f"Today's Date\t{start:%m/%d/%Y}\t",
        f"Date of Test:\t{start:%m/%d/%Y}\t Filename:\tlab.000\t",
        "",
        "Rec#,Cyc#,Step,Test (Sec),Step (Sec),Amp-hr,Watt-hr,Amps,Volts,State,ES,DPt Time".replace(
            ",", "\t"
        ),
    ]
    total = 0.0
    for at, (t, v, i, s) in enumerate(
        zip(data["time"], data["voltage"], data["current"], data["step"], strict=True), start=1
    ):
        state = "D" if i > 0 else "C"
        total += abs(i) * 30.0 / 3600.0
        moment = (start + dt.timedelta(seconds=float(t))).strftime("%m/%d/%Y %I:%M:%S %p")
        lines.append(
            f"{at}\t0\t{s + 1}\t{t:.2f}\t{t % 360:.2f}\t{total:.6f}\t{total * v:.6f}\t{abs(i):.6f}"
            f"\t{v:.6f}\t{state}\t1\t{moment}"
        )
    path.write_text("\n".join(lines) + "\n", "utf-8")


def neware_csv(path: Path, data: dict[str, Any], start: dt.datetime) -> None:
    """Write a table as Neware's BTSDA exports it."""
    header = (
        "DataPoint,Cycle Index,Step Index,Step Type,Time,Total Time,Current(A),Voltage(V),"
        "Capacity(Ah),Date"
    )
    lines = [header]
    for at, (t, v, i, s) in enumerate(
        zip(data["time"], data["voltage"], data["current"], data["step"], strict=True), start=1
    ):
        kind = "CC DChg" if i > 0 else "CC Chg"
        step_clock = str(dt.timedelta(seconds=float(t % 360))).zfill(8)
        clock = str(dt.timedelta(seconds=float(t))).zfill(8)
        moment = (start + dt.timedelta(seconds=float(t))).isoformat(sep=" ")
        lines.append(
            f"{at},1,{s + 1},{kind},{step_clock},{clock},{-i:.7f},{v:.6f},"
            f"{abs(i) * (t % 360) / 3600:.8f},{moment}"
        )
    path.write_text("\n".join(lines) + "\n", "utf-8")


Writer = Callable[[Path, dict[str, Any], dt.datetime], None]


class Lab:
    """Writes the archive file by file and notes the truth of each."""

    def __init__(self, root: Path, cells: Sequence[Cell], rng: random.Random) -> None:
        self.root = root / "archive"
        self.cells = cells
        self.rng = rng
        self.truth: dict[str, Truth] = {}
        self._seed = 0

    def of(self, spec: str) -> list[Cell]:
        """Return the cells of a specification."""
        return [cell for cell in self.cells if cell.spec == spec]

    def day(self, cell: Cell, after_days: int) -> dt.datetime:
        """Return a morning some days after a cell was made."""
        start = dt.datetime.combine(cell.made, dt.time(8, 15)) + dt.timedelta(days=after_days)
        return start + dt.timedelta(minutes=self.rng.randrange(400))

    def test(
        self,
        path: str,
        cell: Cell,
        start: dt.datetime,
        writer: Writer,
        *,
        measurement: str,
        dated: bool = True,
        temperature: float | None = None,
        rows: int = 48,
        continues: str = "",
        batch: str | None = None,
    ) -> Path:
        """Write a test and its truth."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        self._seed += 1
        writer(target, series(cell, self._seed, rows), start)
        self.truth[path] = Truth(
            upload=True, spec=cell.spec, cell=cell.name, batch=batch or cell.batch,
            measurement=measurement, date=start.date().isoformat() if dated else "",
            temperature_degc=temperature, continues=continues,
            begun="" if writer is ionworks_csv else start.date().isoformat(),
        )  # fmt: skip
        return target

    def other(self, path: str, content: bytes, why: str) -> None:
        """Write a file that is no test, or none to be uploaded."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self.truth[path] = Truth(upload=False, why=why)
