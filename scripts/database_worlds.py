"""Databases with many measurements, to measure migrations of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from tests.databases.servers import MariaDB, PostgreSQL, program
from tests.databases.worlds import cycling

COLUMNS = "cycle_index int, test_time float8, i float8, v float8, ah_c float8, ah_d float8, "
COLUMNS += "e_c float8, e_d float8, temperature float8"

TOML = """
[source.sql]
url = "{url}"
[source.sql.cells]
query = "SELECT DISTINCT cell FROM {tests}"
key = "cell"
specification = "any"
[source.sql.measurements]
query = "SELECT DISTINCT cell FROM {tests}"
cell = "cell"
name = "cycling"
key = "cell"
[source.sql.samples]
query = "SELECT * FROM {table} WHERE cell = :cell"
order = ["test_time"]
[source.sql.samples.columns]
"Time [s]" = {{ column = "test_time", unit = "s" }}
"Voltage [V]" = {{ column = "v", unit = "V" }}
"Current [A]" = {{ column = "i", unit = "A", positive = "charge" }}
"Charge capacity [A.h]" = {{ column = "ah_c", unit = "A.h", runs_on_through = "cycle" }}
"Discharge capacity [A.h]" = {{ column = "ah_d", unit = "A.h", runs_on_through = "cycle" }}
"Charge energy [W.h]" = {{ column = "e_c", unit = "W.h", runs_on_through = "cycle" }}
"Discharge energy [W.h]" = {{ column = "e_d", unit = "W.h", runs_on_through = "cycle" }}
"Temperature [degC]" = {{ column = "temperature", unit = "degC" }}
"Cycle from cycler" = {{ column = "cycle_index" }}
"""


def one_test(rows: int) -> pa.Table:
    """Make a test of about this many rows that the strict checks accept."""
    made = cycling(rows_a_step=500, cycles=max(1, rows // 1000), interval_s=1.0)
    return pa.table(
        {
            "cycle_index": pa.array(made.cycle, pa.int32()),
            "test_time": made.time,
            "i": made.current,
            "v": made.voltage,
            "ah_c": made.charge,
            "ah_d": made.discharge,
            "e_c": made.energy_in,
            "e_d": made.energy_out,
            "temperature": np.full(len(made.time), 25.25),
        }
    )


def with_cell(table: pa.Table, number: int) -> pa.Table:
    """Put the key of a test before its rows."""
    cell = pa.array([f"cell {number:04d}"] * table.num_rows)
    return table.add_column(0, "cell", cell)


def write_toml(folder: Path, name: str, url: str, table: str) -> Path:
    """Write a configuration."""
    path = folder / f"{name}.toml"
    text = TOML.format(url=url, table=table, tests="tests")
    path.write_text(text, "utf-8")
    return path


def fill_postgresql(server: PostgreSQL, table: pa.Table, tests: int, *, is_mixed: bool) -> None:
    """Make the clustered table and the list of tests; ``is_mixed``: the same rows by time too."""
    server.run("postgres", "CREATE DATABASE lab")
    server.run(
        "lab",
        *(f"CREATE UNLOGGED TABLE {name} (cell text, {COLUMNS})" for name in ("clustered", "one")),
        "CREATE TABLE tests (cell text)",
    )
    server.ingest("lab", "one", with_cell(table, 0))
    columns = ", ".join(table.column_names)
    for number in range(tests):
        cell = f"'cell {number:04d}'"
        server.run(
            "lab",
            f"INSERT INTO clustered SELECT {cell}, {columns} FROM one",
            f"INSERT INTO tests VALUES ({cell})",
        )
    names = ["clustered"]
    if is_mixed:
        # Row by row of the tests in turn, without sorting them all.
        server.run(
            "lab",
            "ALTER TABLE one ADD n serial",
            "CREATE INDEX ON one (n)",
            f"CREATE UNLOGGED TABLE mixed AS SELECT tests.cell, {columns} "
            "FROM generate_series(1, (SELECT MAX(n) FROM one)) AS at "
            "CROSS JOIN LATERAL (SELECT * FROM one WHERE n = at OFFSET 0) AS one CROSS JOIN tests",
        )
        names.append("mixed")
    server.run("lab", *(f"CREATE INDEX ON {name} (cell)" for name in names))
    server.run("lab", *(f"ANALYZE {name}" for name in names), "CHECKPOINT")


def fill_mariadb(server: MariaDB, table: pa.Table, tests: int, folder: Path) -> None:
    """Fill by LOAD DATA: inserts of rows take minutes."""
    kinds = COLUMNS.replace("float8", "double")
    server.run(None, "CREATE DATABASE lab", "SET GLOBAL local_infile = 1")
    server.run(
        "lab",
        f"CREATE TABLE samples (cell varchar(20), {kinds})",
        "CREATE TABLE tests (cell varchar(20))",
    )
    client = [program("mariadb"), "--no-defaults", "-h127.0.0.1", f"-P{server.port}", "-uroot"]
    client += ["--local-infile=1", "lab", "-e"]
    for number in range(tests):
        file = folder / "rows.csv"
        pa.csv.write_csv(
            with_cell(table, number),
            file,
            pa.csv.WriteOptions(include_header=False, quoting_style="none"),
        )
        load = f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE samples FIELDS TERMINATED BY ','"
        subprocess.run([*client, load], check=True)
        server.run("lab", f"INSERT INTO tests VALUES ('cell {number:04d}')")
    server.run("lab", "CREATE INDEX by_cell ON samples (cell)")
