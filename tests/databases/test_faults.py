"""Servers that go away, connections that are cut, runs that are made again: all told truly."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bulkload.databases.configuration import load_configuration
from bulkload.databases.engines.base import DatabaseLostError
from bulkload.databases.planned import PlannedMeasurement
from bulkload.databases.planning import Planner
from bulkload.databases.reading import read_measurement
from bulkload.databases.run_databases import Databases
from bulkload.databases.session import Session
from bulkload.localstudio import LocalStudio
from tests.databases.conftest import MyDatabase, PgDatabase
from tests.databases.servers import PostgreSQL, running_postgresql
from tests.databases.test_proof import proof_of, statuses
from tests.databases.test_silent_changes import toml
from tests.databases.worlds import (
    HOME_MADE,
    PROFILE,
    battery_archive,
    cycling,
    home_made,
    write_toml,
)
from tests.jobs import Jobs, running, until

pytestmark = pytest.mark.xdist_group("databases")

TABLE = (
    "CREATE TABLE samples (cell varchar(20), n int, t int, v double precision, i double precision)"
)
ROWS = "INSERT INTO samples VALUES ('a', 1, 0, 3.5, 0), ('b', 1, 0, 3.6, 0)"


def planned(session: Session, path: Path) -> list[PlannedMeasurement]:
    return [one for one in Planner(session, path).plan() if isinstance(one, PlannedMeasurement)]


def cut(database: PgDatabase, *, newest: int) -> None:
    """End the newest of the connections to a database."""
    database.server.run(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE "
        f"datname = '{database.name}' ORDER BY backend_start DESC LIMIT {newest}) q",
    )


def test_a_worker_that_was_cut_reads_on_in_the_same_snapshot(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    postgresql.run(TABLE, ROWS)
    path = toml(tmp_path, postgresql.url)
    with Databases(tmp_path / "job") as databases:
        first, second = planned(databases.open(load_configuration(path), "source"), path)
        read_measurement(first.path, is_strict=True)
        cut(postgresql, newest=1)
        postgresql.run("UPDATE samples SET v = 9")
        series = read_measurement(second.path, is_strict=True)
    assert series.table.column("Voltage [V]").to_pylist() == [3.6]


def test_a_snapshot_that_is_gone_is_no_end_of_the_data(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    postgresql.run(TABLE, ROWS)
    path = toml(tmp_path, postgresql.url)
    with Databases(tmp_path / "job") as databases:
        first, second = planned(databases.open(load_configuration(path), "source"), path)
        read_measurement(first.path, is_strict=True)
        cut(postgresql, newest=2)
        with pytest.raises(DatabaseLostError, match="snapshot is gone"):
            read_measurement(second.path, is_strict=True)


def test_the_process_that_holds_a_mariadb_snapshot_may_die(
    mariadb: MyDatabase, tmp_path: Path
) -> None:
    mariadb.run(TABLE, ROWS)
    path = toml(tmp_path, mariadb.url)
    with Databases(tmp_path / "job") as databases:
        session = databases.open(load_configuration(path), "source")
        first, second = planned(session, path)
        read_measurement(first.path, is_strict=True)
        session._server.close()
        with pytest.raises(DatabaseLostError, match="is gone"):
            read_measurement(second.path, is_strict=True)


@pytest.fixture
def own_server() -> Iterator[PostgreSQL]:
    """A server that a test may take away."""
    with running_postgresql() as server:
        yield server


def test_a_server_that_is_killed_in_mid_run_costs_a_rerun(
    own_server: PostgreSQL, studio: LocalStudio, jobs: Jobs, tmp_path: Path
) -> None:
    own_server.run("postgres", "CREATE DATABASE lab")
    battery_archive(PgDatabase(own_server, "lab"), cells=4)
    path = write_toml(tmp_path, PROFILE.format(url=own_server.url("lab"), further=""))
    words = ("upload", path, "--job", "job", "--workers", "1")
    with running(words, folder=tmp_path, studio=studio) as run:
        until((tmp_path / "job/databases/migration/session.json").exists, "a shared snapshot")
        assert own_server.process is not None
        own_server.process.send_signal(signal.SIGQUIT)
        own_server.process.wait(60)
        ended = run.wait()
    assert ended.code in {2, 3}, ended.out + ended.err
    jobs.use(studio)
    assert jobs.command("verify", tmp_path / "job").code != 0
    own_server.start()
    until(lambda: _answers(own_server), "the server again")
    assert jobs.upload(path).code == 0
    assert jobs.command("verify", tmp_path / "job").code == 0
    assert statuses(tmp_path / "job") == {"proved": 4, "left_out": 2}


def _answers(server: PostgreSQL) -> bool:
    try:
        server.run("postgres", "SELECT 1")
    except Exception:  # noqa: BLE001 - whatever it is, the server is not there yet
        return False
    return True


def add_rows(database: sqlite3.Connection, table: str, first: int, seed: int) -> None:
    made = cycling(seed=seed, cycles=6)
    rows = [
        (n, int(1000 * made.time[n]), 1000 * made.voltage[n], 1000 * made.current[n])
        for n in range(first, len(made.time))
    ]
    steps = [int(made.step[n]) + 1 for n in range(first, len(made.time))]
    database.executemany(
        f'INSERT INTO "{table}" VALUES (?, ?, ?, ?, ?)',
        [(*row, step) for row, step in zip(rows, steps, strict=True)],
    )


def test_a_rerun_moves_what_is_new_extends_what_grew_and_names_what_changed_and_went(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    path = home_made(tmp_path, tests=4)
    toml_path = write_toml(tmp_path, HOME_MADE)
    jobs.use(studio)
    assert jobs.upload(toml_path).counts == {"created": 4}
    with closing(sqlite3.connect(path)) as database:
        add_rows(database, "t_0001", first=72, seed=1)
        database.execute("UPDATE t_0002 SET u_mv = u_mv + 1 WHERE n = 5")
        database.execute("DELETE FROM tests WHERE id = 3")
        database.execute("CREATE TABLE t_0005 AS SELECT * FROM t_0004")
        # Its row is older than those that were moved before: no high-water mark would see it.
        database.execute(
            "INSERT INTO tests VALUES (0, 'C1', 'ageing', '2013-01-01 12:00:00', 't_0005')"
        )
        database.commit()
    ended = jobs.upload(toml_path)
    assert ended.code == 3
    assert ended.counts == {"created": 3, "failed": 1}
    rows = ended.rows
    assert rows["ageing #0"].state == "ready"
    assert rows["ageing #1"].rows == 144
    assert rows["ageing #2"].cause == "source_changed"
    ended = jobs.command("verify", tmp_path / "job")
    assert ended.code == 3
    assert "ageing #3 was migrated before, and is no longer" in ended.out
    by_name = {row["measurement"]: row["status"] for row in proof_of(tmp_path / "job")}
    assert by_name == {
        "ageing #0": "proved",
        "ageing #1": "proved",
        "ageing #2": "not_proved",
        "ageing #4": "proved",
    }


def test_a_retry_reads_without_the_session_of_the_run(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    """What is retried must still agree with the sums of the plan."""
    path = home_made(tmp_path, tests=2)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE t_0002 SET n = 4 WHERE n = 5")
        database.commit()
    jobs.use(studio)
    assert jobs.upload(write_toml(tmp_path, HOME_MADE)).counts == {"created": 1, "rejected": 1}
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE t_0002 SET n = 5 WHERE n = 4 AND t_ms = 50000")
        database.commit()
    ended = jobs.command("retry", tmp_path / "job")
    assert ended.code == 3
    assert "changed since the plan was made" in ended.out
    assert jobs.upload(tmp_path / "migration.toml").code == 0
