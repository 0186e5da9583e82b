"""Commands whose memory is measured from outside, and tables that are larger than it."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.csv as pa_csv

from bulkload.localstudio import LocalStudio
from tests.jobs import Ended, running

MIB = 2**20
#: Between two looks at the tree, in seconds.
LOOK_S = 0.05
#: Columns of the large table that are empty but for one value in a thousand rows.
SPARSE = [f"Temperature {number} [degC]" for number in range(1, 7)]


@dataclass(frozen=True)
class Measured:
    """A command that ended, and the largest memory that its process tree had."""

    ended: Ended
    peak_mib: float


def measured(words: Sequence[str | Path], folder: Path, studio: LocalStudio) -> Measured:
    """Run a command; look at the memory of its tree all the while."""
    with running(words, folder=folder, studio=studio) as run:
        tree, peak = psutil.Process(run.process.pid), 0
        while True:
            peak = max(peak, _resident_bytes(tree))
            with suppress(subprocess.TimeoutExpired):
                run.process.wait(LOOK_S)
                return Measured(run.wait(), peak / MIB)


def _resident_bytes(tree: psutil.Process) -> int:
    total = 0
    try:
        for process in (tree, *tree.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.Error:
        return 0
    return total


def write_large(path: Path, total_rows: int) -> None:
    """Write a table that needs far more memory than is allowed, part by part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = 500_000
    with path.open("wb") as file:
        for start in range(0, total_rows, part):
            rows = np.arange(start, start + part)
            step = rows // 50_000
            away = (rows % 50_000) / 50_000
            is_out = step % 2 == 0
            columns = {
                "Time [s]": rows * 1.0,
                "Voltage [V]": np.round(np.where(is_out, 4.0 - away, 3.0 + away), 4),
                "Current [A]": np.where(is_out, 0.2, -0.2),
                "Step count": step,
            }
            sparse = np.where(rows % 1_000 == 0, 25.0, np.nan)
            columns |= dict.fromkeys(SPARSE, sparse)
            table = pa.table({n: pa.array(v, from_pandas=True) for n, v in columns.items()})
            options = pa_csv.WriteOptions(include_header=start == 0, quoting_style="none")
            pa_csv.write_csv(table, file, options)


MIGRATION = """
[source.sql]
url = "sqlite:///lab.db"
[source.sql.cells]
query = "SELECT 'C1' AS cell, 'model' AS model, 3.0 AS ah"
key = "cell"
specification = "{model}"
rated_capacity = { column = "ah", unit = "A.h" }
[source.sql.measurements]
query = "SELECT 'C1' AS cell, '{name}' AS id"
cell = "cell"
name = "{id}"
key = "id"
[source.sql.samples]
query = "SELECT n, u, i FROM samples WHERE '{name}' = :id"
order = ["n"]
[source.sql.samples.columns]
"Time [s]" = { column = "n", unit = "s" }
"Voltage [V]" = { column = "u", unit = "V" }
"Current [A]" = { column = "i", unit = "A", positive = "discharge" }
"""


def write_database(folder: Path, rows: int) -> None:
    """Make a table of samples in SQL; its steps are told by the current alone."""
    folder.mkdir()
    (folder / "migration.toml").write_text(MIGRATION.replace("{name}", folder.name), "utf-8")
    with closing(sqlite3.connect(folder / "lab.db")) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("CREATE TABLE samples (n INTEGER PRIMARY KEY, u REAL, i REAL)")
        database.execute(
            "WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < ? - 1) "
            "INSERT INTO samples SELECT n, CASE (n / 50000) % 2 WHEN 0 THEN 4.0 - (n % 50000) / "
            "50000.0 ELSE 3.0 + (n % 50000) / 50000.0 END, "
            "CASE (n / 50000) % 2 WHEN 0 THEN 0.2 ELSE -0.2 END FROM r",
            (rows,),
        )
        database.commit()
