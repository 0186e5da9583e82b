"""Measure validation against the vendor's, in one run, and print the ratios.

Times are CPU seconds of this process, the best of several goes for ours and one go for the
vendor's long ones: what else the machine does hardly counts. ``measure()`` returns the figures.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from ionworks import validators as official
from numpy.typing import NDArray

from bulkload import validators
from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.prepare_result import PrepareTask
from bulkload.core.rules import check
from bulkload.core.rules.extra_checks import check_extra
from bulkload.core.rules.file_summary import summarise_file
from bulkload.core.steps import summarise_steps
from bulkload.core.terms import JobKey
from bulkload.readers import ReadOptions, read
from bulkload.tables.frames import to_frame
from bulkload.worker.prepare import prepare
from scripts.make_archive import CAPACITY, VOLTAGE_WINDOW, ArchiveSize, write_archive

ROWS = 1_000_000
MEMORY_ROWS = 10_000_000
WINDOW = (2.5, 4.2)
CHECKS: dict[str, Any] = {"strict": True, "rated_capacity": 2.0, "voltage_window": WINDOW}


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    measured: str
    value: float
    #: What is asked for: at least, or at most, this much.
    target: float
    is_ceiling: bool = False

    @property
    def holds(self) -> bool:
        """True where the target is met."""
        return self.value <= self.target if self.is_ceiling else self.value >= self.target


def cycling(rows: int, steps: int, noise: float = 0.0) -> dict[str, NDArray[Any]]:
    """Return a cell cycled: charge, hold at constant voltage, discharge, rest.

    The voltage has a millivolt of noise, the current this share of it; the capacities fit.
    """
    rng = np.random.default_rng(0)
    per_step = rows // steps
    count = np.repeat(np.arange(steps), per_step)
    within = np.tile(np.arange(per_step) / per_step, steps)
    kind = count % 4
    current = np.select([kind == 0, kind == 1, kind == 2], [-1.0, -np.exp(-4 * within), 1.0], 0.0)
    current *= 1 + noise * rng.normal(0, 1, len(count))
    soc = np.select(
        [kind == 0, kind == 1, kind == 2], [0.9 * within, 0.9 + 0.1 * within, 1 - within], 0.0
    )
    time_s = np.arange(len(count)) * 10.0
    columns: dict[str, NDArray[Any]] = {
        "Time [s]": time_s,
        "Voltage [V]": 3.2 + 0.9 * soc - 0.05 * current + rng.normal(0, 1e-3, len(count)),
        "Current [A]": current,
        "Step count": count,
        "Cycle count": count // 4,
    }
    for word, sign in (("Discharge", 1), ("Charge", -1)):
        half = np.maximum(sign * current, 0.0)
        total = np.zeros(len(half))
        total[1:] = np.cumsum(10.0 * (half[1:] + half[:-1]) / 2) / 3600
        columns[f"{word} capacity [A.h]"] = total - np.repeat(total[::per_step], per_step)
    return columns


def cpu_seconds(act: Callable[[], object], goes: int) -> float:
    """Return the least CPU time of several goes."""
    times = []
    for _ in range(goes):
        gc.collect()
        before = time.process_time()
        act()
        times.append(time.process_time() - before)
    return min(times)


def speed(steps: int, target: float) -> Figure:
    """Time a long table against the vendor's validators."""
    table = pl.DataFrame(cycling(ROWS, steps))
    ours = cpu_seconds(lambda: validators.validate_measurement_data(table, **CHECKS), 5)
    theirs = cpu_seconds(lambda: official.validate_measurement_data(table, **CHECKS), 1)
    return Figure(
        f"{ROWS:,} rows in {steps:,} steps, strict",
        f"{theirs:.2f} s to {1000 * ours:.0f} ms",
        theirs / ours,
        target,
    )


def small(library: str) -> Figure:
    """Time a table of six rows, conversion included."""
    columns = {name: values[:6] for name, values in cycling(60, 6).items()}
    table = pd.DataFrame(columns) if library == "pandas" else pl.DataFrame(columns)

    def many(validate: Callable[..., None]) -> Callable[[], None]:
        def go() -> None:
            for _ in range(200):
                validate(table, **CHECKS)

        return go

    ours = cpu_seconds(many(validators.validate_measurement_data), 5) / 200
    theirs = cpu_seconds(many(official.validate_measurement_data), 5) / 200
    return Figure(
        f"6 rows from {library}, strict",
        f"{1 / theirs:,.0f} to {1 / ours:,.0f} calls a second",
        theirs / ours,
        1.0,
    )


def _check(table: pl.DataFrame) -> None:
    check(to_frame(table), **CHECKS)


def independence(few: int, many: int, noise: float = 0.0) -> Figure:
    """Time one length of table in few and in many steps."""
    tables = [pl.DataFrame(cycling(ROWS, steps, noise)) for steps in (few, many)]
    times = [cpu_seconds(partial(_check, table), 7) for table in tables]
    return Figure(
        f"{many:,} steps against {few:,}, current noise {noise:.1%}",
        f"{1000 * times[0]:.0f} ms to {1000 * times[1]:.0f} ms",
        times[1] / times[0],
        1.5,
        is_ceiling=True,
    )


def memory(rows: int = MEMORY_ROWS) -> Figure:
    """Measure the extra memory at its peak, in sizes of the four numeric columns."""
    columns = cycling(rows, 10_000)
    own = 4 * 8 * rows
    tracemalloc.start()
    try:
        check(to_frame(columns), **CHECKS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return Figure(
        f"peak extra memory, {rows:,} rows",
        f"{peak / 2**20:.0f} MiB on {own / 2**20:.0f} MiB",
        peak / own,
        3.0,
        is_ceiling=True,
    )


#: What counts as validation, each with what stands before it.
SHARES = (
    "the rules",
    "with the step summary",
    "with extra and campaign checks",
)


def share(of: str) -> Figure:
    """Measure how much of preparing a file of the synthetic archive is validation.

    The rules alone; with the step summary that three of them need; with the extra checks and
    what the campaign checks need of the file on top.
    """
    limits = Checks(
        strict=True,
        rated_capacity=CAPACITY,
        voltage_window=VOLTAGE_WINDOW,
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "archive"
        size = ArchiveSize(cells=1, measurements=1, rows=20_000, steps=200)
        write_archive(root, size)
        (path,) = root.rglob("*.csv")
        job = UploadJob(key=JobKey("spec", "cell", "run"), path=str(path))
        spool = str(Path(folder) / "spool.parquet")
        table = read(path, ReadOptions()).table
        known = summarise_steps(to_frame(table), limits.rated_capacity)

        def validated() -> None:
            frame = to_frame(table)
            steps = known
            if of != SHARES[0]:
                steps = summarise_steps(frame, limits.rated_capacity)
            check(
                frame,
                strict=True,
                steps=steps,
                rated_capacity=limits.rated_capacity,
                voltage_window=limits.voltage_window,
            )
            if of == SHARES[2]:
                check_extra(
                    frame,
                    rated_capacity=limits.rated_capacity,
                    voltage_window=limits.voltage_window,
                )
                summarise_file(frame, "run", None, steps)

        task = PrepareTask(job=job, checks=limits, spool_path=spool)
        whole = cpu_seconds(lambda: prepare(task), 40)
        part = cpu_seconds(validated, 40)
    return Figure(
        f"share of preparing 20 000 rows: {of}",
        f"{part * 1e3:.1f} ms of {whole * 1e3:.1f} ms",
        part / whole,
        0.20,
        is_ceiling=True,
    )


def measure() -> list[Figure]:
    """Take all figures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            speed(4_000, 100.0),
            speed(1_000, 30.0),
            small("pandas"),
            small("polars"),
            independence(100, 100_000),
            independence(100, 100_000, noise=0.001),
            memory(),
            *map(share, SHARES),
        ]


def main() -> None:
    """Print the table; in a process that computes on one thread, as the children do."""
    if "OMP_NUM_THREADS" not in os.environ:
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, str(Path(__file__))]
        raise SystemExit(subprocess.call(command, env=os.environ | one_thread))
    print(f"{'validation':<62} {'vendor to ours':<34} {'ratio':>8}  target")
    for figure in measure():
        sign = "<=" if figure.is_ceiling else ">="
        verdict = "" if figure.holds else "  MISSED"
        print(
            f"{figure.name:<62} {figure.measured:<34} {figure.value:>8.2f}  "
            f"{sign} {figure.target:g}{verdict}"
        )


if __name__ == "__main__":
    main()
