"""Measure migrations beside the fastest plain read of the same rows, each pair within one run.

Starts private servers on loopback, fills them, and stops them. Ratios are of one run: the
machine's other work is in both sides of each.

    python scripts/bench_databases.py --rows 4000000 --tests 40
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import adbc_driver_sqlite.dbapi
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.csv

from bulkload.databases.columns import raw_columns
from bulkload.databases.configuration import SqlSource, load_configuration
from bulkload.databases.engines.postgresql import PostgreSQL
from bulkload.databases.one_pass import Key, passes, spool_pass
from bulkload.databases.planned import PlannedMeasurement
from bulkload.databases.planning import Planner, query_sums, samples_sql
from bulkload.databases.run_databases import Databases
from bulkload.databases.session import open_own
from tests.databases.servers import (
    MariaDB,
    program,
    running_mariadb,
    running_postgresql,
)
from tests.databases.servers import PostgreSQL as Server
from tests.databases.worlds import cycling

COLUMNS = "cycle_index int, test_time float8, i float8, v float8, ah_c float8, ah_d float8, "
COLUMNS += "e_c float8, e_d float8, temperature float8"
#: How often the memory of the process tree is looked at, in seconds.
LOOK_S = 0.1

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


def timed(what: Callable[[], Any]) -> float:
    """Return how long something takes, in seconds."""
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def upload(folder: Path, toml: Path, memory: str) -> tuple[float, float]:
    """Migrate into a local Studio; return the seconds and the peak of the process tree in MiB."""
    words = ["upload", str(toml), "--local", str(folder / f"studio-{toml.stem}")]
    words += ["--job", str(folder / f"job-{toml.stem}"), "--memory", memory, "--quiet"]
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "bulkload", *words], cwd=folder)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _tree_mib(process.pid))
        threading.Event().wait(LOOK_S)
    seconds = time.perf_counter() - start
    if process.returncode != 0:
        raise SystemExit(f"the migration of {toml.name} ended with {process.returncode}")
    return seconds, peak


def _tree_mib(pid: int) -> float:
    total = 0
    try:
        root = psutil.Process(pid)
        for one in (root, *root.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.Error:
        return 0.0
    return total / 2**20


def write_toml(folder: Path, name: str, url: str, table: str) -> Path:
    """Write a configuration."""
    path = folder / f"{name}.toml"
    text = TOML.format(url=url, table=table, tests="tests")
    path.write_text(text, "utf-8")
    return path


def fill_postgresql(server: Server, table: pa.Table, tests: int) -> None:
    """Make the clustered table, the same rows in the order of time, and the list of tests."""
    server.run("postgres", "CREATE DATABASE lab")
    server.run(
        "lab", f"CREATE TABLE clustered (cell text, {COLUMNS})", "CREATE TABLE tests (cell text)"
    )
    for number in range(tests):
        server.ingest("lab", "clustered", with_cell(table, number))
        server.run("lab", f"INSERT INTO tests VALUES ('cell {number:04d}')")
    server.run(
        "lab",
        "CREATE TABLE mixed AS SELECT * FROM clustered ORDER BY test_time, cell",
        *(f"CREATE INDEX ON {name} (cell)" for name in ("clustered", "mixed")),
        *(f"ANALYZE {name}" for name in ("clustered", "mixed")),
    )
    server.run("lab", "CHECKPOINT")


def bench_postgresql(folder: Path, rows: int, tests: int, memory: str) -> None:
    """Measure COPY beside a migration, its proof, and one pass over a mixed table."""
    table = one_test(rows // tests)
    count = table.num_rows * tests
    with running_postgresql() as server:
        fill_postgresql(server, table, tests)
        url = server.url("lab")
        psql = [program("psql"), url, "-qc", "COPY clustered TO STDOUT"]
        copy_s = timed(lambda: subprocess.run(psql, stdout=subprocess.DEVNULL, check=True))
        toml = write_toml(folder, "clustered", url, "clustered")
        source = load_configuration(toml)
        read_s, sums_s, distinct_s = _read_all(source, tests)
        upload_s, peak = upload(folder, toml, memory)
        mixed = load_configuration(write_toml(folder, "mixed", url, "mixed"))
        pass_s = _one_pass(mixed, folder, tests)
        # Before and after: the machine's other work comes and goes within minutes.
        clustered_s = (read_s + _read(source, tests)) / 2
    print(f"PostgreSQL, {count:,} rows in {tests} tests, 10 columns")
    print(f"  COPY TO STDOUT                {copy_s:8.1f} s  {count / copy_s:12,.0f} rows/s")
    print(f"  reading, one test at a time   {read_s:8.1f} s  {count / read_s:12,.0f} rows/s")
    print(f"  database to Studio            {upload_s:8.1f} s  {count / upload_s:12,.0f} rows/s")
    print(f"  migration / COPY, in rows/s   {copy_s / upload_s:8.2f}    (aim: at least 0.5)")
    print(f"  peak of the process tree      {peak:8.0f} MiB")
    print(f"  sums of the proof             {sums_s:8.1f} s")
    print(f"    of them distinct keys       {distinct_s:8.1f} s")
    print(f"  proof / COPY                  {sums_s / copy_s:8.2f}    (aim: at most 0.25)")
    print(f"  proof / reading               {sums_s / read_s:8.2f}")
    print(f"  proof / database to Studio    {sums_s / upload_s:8.2f}")
    print(f"  mixed table in one pass       {pass_s:8.1f} s")
    print(f"  one pass / clustered          {pass_s / clustered_s:8.2f}    (aim: at most 1.3)")


def _queries(source: SqlSource, database: Any, tests: int) -> list[str]:
    names = frozenset({"clustered", "mixed", "tests", "samples"})
    return [
        samples_sql(source, {"cell": f"cell {n:04d}"}, names, database.literal, database.quote)
        for n in range(tests)
    ]


def _read_all(source: SqlSource, tests: int) -> tuple[float, float, float]:
    """Return the seconds of reading all tests, of their sums, and of the distinct keys alone."""
    assert source.samples is not None
    with closing(open_own(source.database)) as database:
        queries = _queries(source, database, tests)
        columns = raw_columns(source.samples, database.kinds(queries[0]))

        def distinct() -> None:
            for query in queries:
                database.rows(f"SELECT COUNT(DISTINCT test_time) AS n FROM ({query}) q")

        sums_s = timed(lambda: [query_sums(database, query, columns) for query in queries])
        return _read(source, tests), sums_s, timed(distinct)


def _read(source: SqlSource, tests: int) -> float:
    """Return the seconds of reading all tests, one at a time."""
    assert source.samples is not None
    with closing(open_own(source.database)) as database:
        queries = _queries(source, database, tests)
        columns = raw_columns(source.samples, database.kinds(queries[0]))
        types = {f"c{i}": column.type for i, column in enumerate(columns.all)}

        def read() -> None:
            for query in queries:
                for batch in database.batches(database.samples_sql(query, columns.all), types):
                    del batch

        return timed(read)


def _one_pass(source: SqlSource, folder: Path, tests: int) -> float:
    """Return the seconds of splitting the mixed table into spool files."""
    assert source.samples is not None
    query = source.samples.query
    spool = folder / "spool"
    spool.mkdir()
    with closing(open_own(source.database)) as database:
        assert isinstance(database, PostgreSQL)
        first = _queries(source, database, 1)[0]
        columns = raw_columns(source.samples, database.kinds(first))
        keys = [Key(values={"cell": f"cell {n:04d}"}, stem=str(n)) for n in range(tests)]
        start = time.perf_counter()
        for some in passes(keys):
            spool_pass(database, query, some, columns, spool)
        return time.perf_counter() - start


def bench_sqlite(folder: Path, rows: int, tests: int, memory: str) -> None:
    """Measure a migration beside a sum that SQLite makes by itself."""
    table = one_test(rows // tests)
    path = folder / "lab.db"
    with closing(adbc_driver_sqlite.dbapi.connect(str(path))) as one, one.cursor() as cursor:
        cursor.adbc_ingest("tests", pa.table({"cell": [f"cell {n:04d}" for n in range(tests)]}))
        for number in range(tests):
            cursor.adbc_ingest("samples", with_cell(table, number), mode="create_append")
        cursor.execute("CREATE INDEX by_cell ON samples (cell)")
        one.commit()
    source = load_configuration(write_toml(folder, "lite", f"sqlite:///{path}", "samples"))
    with closing(open_own(source.database)) as database:
        plain = (
            "SELECT SUM(v) AS s, SUM(i) AS i, SUM(test_time) AS t, COUNT(ah_c) AS n FROM samples"
        )
        sum_s = timed(lambda: database.rows(plain))
    read_s, sums_s, _ = _read_all(source, tests)
    upload_s, peak = upload(folder, folder / "lite.toml", memory)
    _show(
        "SQLite", table.num_rows * tests, "SUM inside SQLite", sum_s, read_s, sums_s, upload_s, peak
    )


def bench_mariadb(folder: Path, rows: int, tests: int, memory: str) -> None:
    """Measure a migration beside the client program that writes to nothing."""
    table = one_test(rows // tests)
    with running_mariadb() as server:
        fill_mariadb(server, table, tests, folder)
        url = server.url("lab")
        client = [program("mariadb"), "--no-defaults", "-h127.0.0.1", f"-P{server.port}", "-uroot"]
        client += ["--quick", "-BN", "lab", "-e", "SELECT * FROM samples"]
        client_s = timed(lambda: subprocess.run(client, stdout=subprocess.DEVNULL, check=True))
        source = load_configuration(write_toml(folder, "maria", url, "samples"))
        read_s, sums_s, _ = _read_all(source, tests)
        upload_s, peak = upload(folder, folder / "maria.toml", memory)
    count = table.num_rows * tests
    _show("MariaDB", count, "client program", client_s, read_s, sums_s, upload_s, peak)


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


#: Prepares one measurement in a fresh process, and prints the peak of its memory in KiB.
_PREPARE = """
import resource, sys
from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.prepare_result import PrepareTask
from bulkload.core.terms import JobKey
from bulkload.worker.prepare import prepare, use_one_thread
use_one_thread()
job = UploadJob(key=JobKey("s", "c", "m"), path=sys.argv[1], reader="database")
task = PrepareTask(job=job, checks=Checks(strict=True), spool_path=sys.argv[1] + ".parquet")
assert prepare(task).rows
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def bench_memory(folder: Path, rows: int, tests: int, memory: str) -> None:
    """Measure what one worker takes for measurements of two sizes."""
    del tests, memory
    peaks = [_peak_mib(folder / str(size), size) for size in (rows // 4, rows)]
    per_row = (peaks[1] - peaks[0]) * 2**20 / (rows - rows // 4)
    print(f"a worker's peak: {peaks[0]:.0f} MiB for {rows // 4:,} rows, {peaks[1]:.0f} MiB for")
    print(f"  {rows:,} rows of ten columns: {per_row:.0f} bytes a row")


def _peak_mib(folder: Path, rows: int) -> float:
    folder.mkdir()
    table = with_cell(one_test(rows), 0)
    path = folder / "lab.db"
    with closing(adbc_driver_sqlite.dbapi.connect(str(path))) as one, one.cursor() as cursor:
        cursor.adbc_ingest("tests", pa.table({"cell": ["cell 0000"]}))
        cursor.adbc_ingest("samples", table)
        one.commit()
    toml = write_toml(folder, "lite", f"sqlite:///{path}", "samples")
    with Databases(folder / "job") as databases:
        planner = Planner(databases.open(load_configuration(toml), "lite"), toml)
        planned = [item for item in planner.plan() if isinstance(item, PlannedMeasurement)]
        words = [sys.executable, "-c", _PREPARE, str(planned[0].path)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout) / 1024


def _show(name: str, count: int, plain: str, *figures: float) -> None:
    plain_s, read_s, sums_s, upload_s, peak = figures
    print(f"{name}, {count:,} rows")
    print(f"  {plain:<30}{plain_s:8.1f} s  {count / plain_s:12,.0f} rows/s")
    print(f"  reading, one test at a time   {read_s:8.1f} s  {count / read_s:12,.0f} rows/s")
    print(f"  database to Studio            {upload_s:8.1f} s  {count / upload_s:12,.0f} rows/s")
    print(f"  migration / plain read        {plain_s / upload_s:8.2f}")
    print(f"  peak of the process tree      {peak:8.0f} MiB")
    print(f"  sums of the proof             {sums_s:8.1f} s")


BENCHES = {
    "postgresql": bench_postgresql,
    "sqlite": bench_sqlite,
    "mariadb": bench_mariadb,
    "memory": bench_memory,
}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000, help="rows of PostgreSQL")
    parser.add_argument("--tests", type=int, default=200)
    parser.add_argument("--memory", default="4GiB", help="of all workers together")
    parser.add_argument("--engine", action="append", choices=list(BENCHES))
    options = parser.parse_args()
    for engine in options.engine or BENCHES:
        # The slower engines show the same ratios with a tenth of the rows.
        share = 1 if engine == "postgresql" else 10
        with tempfile.TemporaryDirectory(prefix="bench-databases-") as folder:
            tests = max(2, options.tests // share)
            BENCHES[engine](Path(folder), options.rows // share, tests, options.memory)


if __name__ == "__main__":
    main()
