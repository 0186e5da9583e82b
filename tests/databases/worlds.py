"""Legacy databases as laboratories have them: made from the facts of their schemas."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.databases.conftest import PgDatabase

Floats = npt.NDArray[np.float64]

BATTERY_ARCHIVE = (
    """CREATE TABLE cell_metadata (index serial PRIMARY KEY, cell_id text NOT NULL, parent_id text,
       anode text, cathode text, source text, ah int, form_factor text, test text, tester text,
       status text, weight text, dimensions text)""",
    """CREATE TABLE cycle_timeseries (index serial PRIMARY KEY, cell_id text NOT NULL,
       cycle_index int4 NOT NULL, test_time float8, cycle_time float8,
       date_time timestamp without time zone, i float8, v float8, ah_c float8, ah_d float8,
       e_c float8, e_d float8, env_temperature float8, cell_temperature float8,
       is_load_balanced bool, component_level text)""",
)


@dataclass(frozen=True, kw_only=True)
class Cycling:
    """A test of several cycles, positive current charges; totals run on through a cycle."""

    time: Floats
    cycle: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]
    current: Floats
    voltage: Floats
    charge: Floats
    discharge: Floats
    energy_in: Floats
    energy_out: Floats


def cycling(
    rows_a_step: int = 12, cycles: int = 3, seed: int = 0, interval_s: float = 10.0
) -> Cycling:
    """Make a test that the strict checks accept: charge, then discharge, with currents of 1 A."""
    step = np.repeat(np.arange(2 * cycles), rows_a_step)
    cycle = step // 2 + 1
    time = interval_s * np.arange(len(step), dtype=np.float64)
    current = np.where(step % 2 == 0, 1.0, -1.0) * (1 + 0.001 * seed)
    state = np.cumsum(current) * interval_s / 3600.0
    voltage = np.round(3.7 + 2.0 * state + 0.01 * current, 6)
    charge, discharge = _totals(np.abs(current), step, time)
    energy_in, energy_out = _totals(np.abs(current) * voltage, step, time)
    return Cycling(
        time=time,
        cycle=cycle,
        step=step,
        current=current,
        voltage=voltage,
        charge=charge,
        discharge=discharge,
        energy_in=energy_in,
        energy_out=energy_out,
    )


def _totals(flow: Floats, step: npt.NDArray[np.int64], time: Floats) -> tuple[Floats, Floats]:
    """Integrate in even steps, then in odd ones; what a cycle's first step took stays."""
    first, second = np.zeros(len(time)), np.zeros(len(time))
    for one in range(int(step[-1]) + 1):
        rows = np.flatnonzero(step == one)
        within = np.zeros(len(rows))
        halves = (flow[rows][1:] + flow[rows][:-1]) / 2.0
        within[1:] = np.cumsum(halves * np.diff(time[rows])) / 3600.0
        if one % 2 == 0:
            first[rows] = within
        else:
            first[rows] = first[rows[0] - 1]
            second[rows] = within
    return first, second


def _values(rows: Sequence[Sequence[object]]) -> str:
    def one(value: object) -> str:
        if value is None:
            return "NULL"
        return f"'{value}'" if isinstance(value, str) else str(value)

    return ", ".join(f"({', '.join(map(one, row))})" for row in rows)


def samples_of(cell: str, level: str = "cell", seed: int = 0) -> list[tuple[object, ...]]:
    """Return rows of ``cycle_timeseries`` without their serial, in the order of time."""
    made = cycling(seed=seed)
    return [
        (
            *(cell, int(made.cycle[n]), float(made.time[n]), None),
            f"2020-03-01 10:{n // 6:02d}:{10 * (n % 6):02d}",
            *(float(made.current[n]), float(made.voltage[n])),
            *(float(made.charge[n]), float(made.discharge[n])),
            *(float(made.energy_in[n]), float(made.energy_out[n])),
            *(25.0, None if n % 7 == 0 else 25.5, "false", level),
        )
        for n in range(len(made.time))
    ]


COLUMNS = (
    "cell_id, cycle_index, test_time, cycle_time, date_time, i, v, ah_c, ah_d, e_c, e_d, "
    "env_temperature, cell_temperature, is_load_balanced, component_level"
)


def add_samples(database: PgDatabase, rows: Sequence[Sequence[object]], seed: int = 1) -> None:
    """Add samples in no order at all."""
    mixed = list(rows)
    random.Random(seed).shuffle(mixed)
    database.run(f"INSERT INTO cycle_timeseries ({COLUMNS}) VALUES {_values(mixed)}")


def add_cell(
    database: PgDatabase, cell: str, status: str = "completed", test: str = "cycle"
) -> None:
    database.run(
        "INSERT INTO cell_metadata (cell_id, cathode, anode, source, ah, form_factor, test, status)"
        f" VALUES ('{cell}', 'NMC', 'graphite', 'SNL', 3, '18650', '{test}', '{status}')"
    )


PROFILE = """
[source.sql]
url = "{url}"
profile = "battery-archive"
{further}
"""


def battery_archive(database: PgDatabase, *, cells: int = 2) -> None:
    """Make a Battery Archive with what a migration meets in it."""
    database.run(*BATTERY_ARCHIVE)
    for n in range(cells):
        add_cell(database, f"SNL_18650_NMC_25C_0-100_0.5-1C_{n}")
        add_samples(database, samples_of(f"SNL_18650_NMC_25C_0-100_0.5-1C_{n}", seed=n), seed=n)
    first = "SNL_18650_NMC_25C_0-100_0.5-1C_0"
    add_samples(database, samples_of(first, level="module", seed=7))
    add_cell(database, "half_imported", status="processing")
    add_samples(database, samples_of("half_imported", seed=8))


def write_toml(folder: Path, text: str, name: str = "migration.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


HOME_MADE = """
[source.sql]
url = "sqlite:///lab2014.db"
[source.sql.cells]
query = "SELECT serial, model, cap_mah FROM cells"
key = "serial"
specification = "{model}"
rated_capacity = { column = "cap_mah", unit = "mA.h" }
[source.sql.measurements]
query = "SELECT id, serial, label, started, tab FROM tests"
cell = "serial"
name = "{label} #{id}"
key = "id"
table = "tab"
start_time = { column = "started", zone = "Europe/Berlin" }
[source.sql.samples]
query = "SELECT n, t_ms, u_mv, i_ma, step FROM {table}"
order = ["n"]
[source.sql.samples.columns]
"Time [s]" = { column = "t_ms", unit = "ms" }
"Voltage [V]" = { column = "u_mv", unit = "mV" }
"Current [A]" = { column = "i_ma", unit = "mA", positive = "charge" }
"Step from cycler" = { column = "step" }
"""


def home_made(folder: Path, *, tests: int = 2) -> Path:
    """Make the SQLite database that somebody wrote in 2014: mV, mA, one table a test."""
    path = folder / "lab2014.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE cells (serial TEXT, model TEXT, cap_mah INTEGER)")
        database.execute("INSERT INTO cells VALUES ('C1', 'LG M50', 5000)")
        database.execute(
            "CREATE TABLE tests (id INTEGER, serial TEXT, label TEXT, started TEXT, tab TEXT)"
        )
        for number in range(1, tests + 1):
            table = f"t_{number:04d}"
            database.execute(
                "INSERT INTO tests VALUES (?, 'C1', 'ageing', '2014-06-01 12:00:00', ?)",
                (number, table),
            )
            database.execute(
                f'CREATE TABLE "{table}" (n INTEGER, t_ms INTEGER, u_mv REAL, i_ma REAL, '
                "step INTEGER)"
            )
            made = cycling(seed=number)
            rows = zip(
                range(len(made.time)),
                (1000 * made.time).astype(int).tolist(),
                (1000 * made.voltage).tolist(),
                (1000 * made.current).tolist(),
                (made.step + 1).tolist(),
                strict=True,
            )
            database.executemany(f'INSERT INTO "{table}" VALUES (?, ?, ?, ?, ?)', rows)
        database.commit()
    return path
