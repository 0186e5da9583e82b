"""Measure migrations beside the fastest plain read of the same rows, each pair within one run.

Starts private servers on loopback, fills them, and stops them. Ratios are of one run: the
machine's other work is in both sides of each. Where that comes and goes, the ratio of the
processors' seconds says more than that of the clock.

    python scripts/bench_databases.py --rows 4000000 --tests 40
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import adbc_driver_sqlite.dbapi
import psutil
import pyarrow as pa

from bulkload.databases.asking import asking
from bulkload.databases.columns import raw_columns
from bulkload.databases.configuration import SqlSource, load_configuration
from bulkload.databases.engines.postgresql import PostgreSQL
from bulkload.databases.one_pass import Key, passes, spool_pass
from bulkload.databases.planned import PlannedMeasurement
from bulkload.databases.planning import Planner, samples_sql
from bulkload.databases.run_databases import Databases
from bulkload.databases.session import open_own
from scripts.database_worlds import (
    fill_mariadb,
    fill_postgresql,
    one_test,
    with_cell,
    write_toml,
)
from tests.databases.servers import Server, program, running_mariadb, running_postgresql

#: How often the memory of the process tree is looked at, in seconds.
LOOK_S = 0.1
READING, SUMS = "reading, one test at a time", "sums of the proof"
MIGRATION = "database to Studio"


@dataclass(frozen=True, slots=True)
class Cost:
    """What something took: by the clock, and of all processors together, server included."""

    seconds: float
    processor_s: float

    def __truediv__(self, other: Cost) -> Cost:
        # A short form may take less of a processor than its clock resolves.
        processor = self.processor_s / other.processor_s if other.processor_s else math.nan
        return Cost(self.seconds / other.seconds, processor)

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.seconds + other.seconds, self.processor_s + other.processor_s)


def cost_of(what: Callable[[], Any], server: Server | None = None) -> Cost:
    """Return what something costs: this process, the children that it ends, and the server."""
    sessions = _sessions(server)
    start, before = time.perf_counter(), _processor_s(server)
    what()
    seconds = time.perf_counter() - start
    # A session that is ending is counted only when it has ended.
    while _sessions(server) > sessions:
        threading.Event().wait(LOOK_S)
    return Cost(seconds, _processor_s(server) - before)


def _sessions(server: Server | None) -> int:
    if server is None or server.process is None:
        return 0
    # Not by psutil, which reads every process of the machine.
    path = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return len(path.read_text("ascii").split())


def _processor_s(server: Server | None) -> float:
    own = os.times()
    total = own.user + own.system + own.children_user + own.children_system
    if server is not None and server.process is not None:
        process = psutil.Process(server.process.pid)
        ended = process.cpu_times()
        total += ended.children_user + ended.children_system
        for one in process.children():
            with suppress(psutil.Error):
                times = one.cpu_times()
                total += times.user + times.system
    return total


def upload(
    folder: Path, toml: Path, memory: str, server: Server | None = None
) -> tuple[Cost, float]:
    """Migrate into a local Studio; return the cost and the peak of the process tree in MiB."""
    words = ["upload", str(toml), "--local", str(folder / f"studio-{toml.stem}")]
    words += ["--job", str(folder / f"job-{toml.stem}"), "--memory", memory, "--quiet"]
    peak = 0.0

    def migrate() -> None:
        nonlocal peak
        process = subprocess.Popen([sys.executable, "-m", "bulkload", *words], cwd=folder)
        # The child is waited for, so that its time is counted.
        while process.poll() is None:
            peak = max(peak, _tree_mib(process.pid))
            threading.Event().wait(LOOK_S)
        if process.returncode != 0:
            raise SystemExit(f"the migration of {toml.name} ended with {process.returncode}")

    return cost_of(migrate, server), peak


def _tree_mib(pid: int) -> float:
    total = 0
    try:
        root = psutil.Process(pid)
        for one in (root, *root.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.Error:
        return 0.0
    return total / 2**20


def bench_postgresql(folder: Path, rows: int, tests: int, memory: str, *, is_mixed: bool) -> None:
    """Measure COPY beside a migration, its proof, and one pass over a mixed table."""
    table = one_test(rows // tests)
    count = table.num_rows * tests
    with running_postgresql() as server:
        fill_postgresql(server, table, tests, is_mixed=is_mixed)
        url = server.url("lab")
        psql = [program("psql"), url, "-qc", "COPY clustered TO STDOUT"]
        copy = cost_of(lambda: subprocess.run(psql, stdout=subprocess.DEVNULL, check=True), server)
        toml = write_toml(folder, "clustered", url, "clustered")
        source = load_configuration(toml)
        read = _read(source, tests, server)
        sums = _sums(source, folder, tests, server)
        migrated, peak = upload(folder, toml, memory, server)
        print(f"PostgreSQL, {count:,} rows in {tests} tests, 10 columns: seconds, of processors")
        _line("COPY TO STDOUT", copy, count)
        _line(READING, read, count)
        _line(SUMS, sums, count)
        _line(MIGRATION, migrated, count)
        _ratio("migration / COPY, in rows/s (aim: 0.5)", copy / migrated)
        _ratio("proof / reading (aim: at most 0.25)", sums / read)
        _ratio("proof / COPY", sums / copy)
        _ratio("proof / database to Studio", sums / migrated)
        print(f"  peak of the process tree      {peak:8.0f} MiB", flush=True)
        if is_mixed:
            mixed = load_configuration(write_toml(folder, "mixed", url, "mixed"))
            one_pass = _one_pass(mixed, folder, tests, server)
            # Before and after: the machine's other work comes and goes within minutes.
            both = read + _read(source, tests, server)
            _line("mixed table in one pass", one_pass, count)
            _ratio("one pass / clustered (aim: at most 1.3)", (one_pass + one_pass) / both)


def _line(what: str, cost: Cost, count: int) -> None:
    rate = f"{count / cost.seconds:12,.0f} rows/s" if count else ""
    print(f"  {what:<30}{cost.seconds:8.1f} s {cost.processor_s:8.1f} s {rate}", flush=True)


def _ratio(what: str, ratio: Cost) -> None:
    print(f"  {what:<40}{ratio.seconds:8.2f} {ratio.processor_s:8.2f}", flush=True)


def _queries(source: SqlSource, database: Any, tests: int) -> list[str]:
    names = frozenset({"clustered", "mixed", "tests", "samples"})
    return [
        samples_sql(source, {"cell": f"cell {n:04d}"}, names, database.literal, database.quote)
        for n in range(tests)
    ]


def _sums(source: SqlSource, folder: Path, tests: int, server: Server | None = None) -> Cost:
    """Return the cost of the sums of all tests, asked for as a plan asks for them."""
    assert source.samples is not None
    with Databases(folder / "sums") as databases:
        session = databases.open(source, "sums")
        queries = _queries(source, session.database, tests)
        columns = raw_columns(source.samples, session.database.kinds(queries[0]))
        session.share()

        def ask() -> None:
            with asking(session, tests) as asked:
                for wait in [asked.sums(query, columns) for query in queries]:
                    wait()

        return cost_of(ask, server)


def _read(source: SqlSource, tests: int, server: Server | None = None) -> Cost:
    """Return the cost of reading all tests, one at a time."""
    assert source.samples is not None
    with closing(open_own(source.database)) as database:
        queries = _queries(source, database, tests)
        columns = raw_columns(source.samples, database.kinds(queries[0]))
        types = {f"c{i}": column.type for i, column in enumerate(columns.all)}

        def read() -> None:
            for query in queries:
                for batch in database.batches(database.samples_sql(query, columns.all), types):
                    del batch

        return cost_of(read, server)


def _one_pass(source: SqlSource, folder: Path, tests: int, server: Server) -> Cost:
    """Return the cost of splitting the mixed table into spool files."""
    assert source.samples is not None
    query = source.samples.query
    spool = folder / "spool"
    spool.mkdir()
    with closing(open_own(source.database)) as database:
        assert isinstance(database, PostgreSQL)
        first = _queries(source, database, 1)[0]
        columns = raw_columns(source.samples, database.kinds(first))
        keys = [Key(values={"cell": f"cell {n:04d}"}, stem=str(n)) for n in range(tests)]

        def split() -> None:
            for some in passes(keys):
                spool_pass(database, query, some, columns, spool)

        return cost_of(split, server)


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
        summed = cost_of(lambda: database.rows(plain))
    read, sums = _read(source, tests), _sums(source, folder, tests)
    migrated, peak = upload(folder, folder / "lite.toml", memory)
    count = table.num_rows * tests
    costs = {"SUM inside SQLite": summed, READING: read, SUMS: sums, MIGRATION: migrated}
    _show("SQLite", count, costs, peak)


def bench_mariadb(folder: Path, rows: int, tests: int, memory: str) -> None:
    """Measure a migration beside the client program that writes to nothing."""
    table = one_test(rows // tests)
    with running_mariadb() as server:
        fill_mariadb(server, table, tests, folder)
        url = server.url("lab")
        client = [program("mariadb"), "--no-defaults", "-h127.0.0.1", f"-P{server.port}", "-uroot"]
        client += ["--quick", "-BN", "lab", "-e", "SELECT * FROM samples"]
        plain = cost_of(
            lambda: subprocess.run(client, stdout=subprocess.DEVNULL, check=True), server
        )
        source = load_configuration(write_toml(folder, "maria", url, "samples"))
        read, sums = _read(source, tests, server), _sums(source, folder, tests, server)
        migrated, peak = upload(folder, folder / "maria.toml", memory, server)
    count = table.num_rows * tests
    costs = {"client program": plain, READING: read, SUMS: sums, MIGRATION: migrated}
    _show("MariaDB", count, costs, peak)


#: Prepares one measurement in a fresh process, and prints the peak of its memory in KiB.
_PREPARE = """
import resource, sys
from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.prepare_result import PrepareTask
from bulkload.core.terms import JobKey
from bulkload.worker.arrow import leave_pandas_out, use_one_thread
from bulkload.worker.prepare import prepare
use_one_thread()
leave_pandas_out()
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


def _show(name: str, count: int, costs: Mapping[str, Cost], peak: float) -> None:
    """Print what the plain read, which comes first, and the others cost."""
    print(f"{name}, {count:,} rows: seconds, of processors")
    for what, cost in costs.items():
        _line(what, cost, count)
    plain, read, sums, migrated = costs.values()
    _ratio("reading / plain read, in rows/s", plain / read)
    _ratio("migration / plain read, in rows/s", plain / migrated)
    _ratio("proof / reading", sums / read)
    print(f"  peak of the process tree      {peak:8.0f} MiB")


BENCHES: Mapping[str, Callable[[Path, int, int, str], None]] = {
    "postgresql": partial(bench_postgresql, is_mixed=True),
    "clustered": partial(bench_postgresql, is_mixed=False),
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
    for engine in options.engine or ("postgresql", "sqlite", "mariadb", "memory"):
        # The slower engines show the same ratios with a tenth of the rows.
        share = 1 if engine in {"postgresql", "clustered"} else 10
        with tempfile.TemporaryDirectory(prefix="bench-databases-") as folder:
            tests = max(2, options.tests // share)
            BENCHES[engine](Path(folder), options.rows // share, tests, options.memory)


if __name__ == "__main__":
    main()
