"""One moment of a database, and nothing written to it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bulkload.databases.configuration import load_configuration
from bulkload.databases.engines.postgresql import PostgreSQL
from bulkload.databases.engines.urls import parse_url
from bulkload.databases.planned import PlanFault, PlannedMeasurement
from bulkload.databases.planning import Planner
from bulkload.databases.reading import read_measurement
from bulkload.databases.run_databases import Databases
from bulkload.databases.session import open_own, open_shared
from bulkload.errors import PlanError, UnreadableError
from tests.databases.conftest import MyDatabase, PgDatabase
from tests.databases.reads import causes, migrate
from tests.databases.test_silent_changes import toml
from tests.databases.worlds import HOME_MADE, home_made, write_toml

pytestmark = pytest.mark.xdist_group("databases")

TABLE = (
    "CREATE TABLE samples (cell varchar(20), n int, t int, v double precision, i double precision)"
)
ROWS = "INSERT INTO samples VALUES ('a', 1, 0, 3.5, 0), ('a', 2, 1, 3.6, 0)"
LATE = "INSERT INTO samples VALUES ('a', 3, 2, 3.7, 0)"


def read_while(path: Path, job: Path, change: object) -> list[float]:
    """Plan, let somebody change the database, then read: as a run does."""
    assert callable(change)
    with Databases(job) as databases:
        planner = Planner(databases.open(load_configuration(path), "source"), path)
        planned = [one for one in planner.plan() if isinstance(one, PlannedMeasurement)]
        change()
        series = read_measurement(planned[0].path, is_strict=True)
    found: list[float] = series.table.column("Voltage [V]").to_pylist()
    return found


def test_a_late_commit_is_not_in_the_snapshot_of_postgresql(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    postgresql.run(TABLE, ROWS)
    path = toml(tmp_path, postgresql.url)
    found = read_while(
        path, tmp_path / "job", lambda: postgresql.run(LATE, "UPDATE samples SET v = 9")
    )
    assert found == [3.5, 3.6]


def test_a_late_commit_is_not_in_the_snapshot_of_mariadb(
    mariadb: MyDatabase, tmp_path: Path
) -> None:
    mariadb.run(TABLE, ROWS)
    path = toml(tmp_path, mariadb.url)
    found = read_while(
        path, tmp_path / "job", lambda: mariadb.run(LATE, "DELETE FROM samples WHERE n = 1")
    )
    assert found == [3.5, 3.6]


def test_a_late_commit_is_not_in_the_copy_of_sqlite(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "lab.db", isolation_level=None)) as database:
        database.execute(TABLE)
        database.execute(ROWS)
        path = toml(tmp_path, "sqlite:///lab.db")
        found = read_while(path, tmp_path / "job", lambda: database.execute(LATE))
    assert found == [3.5, 3.6]


def test_without_a_shared_snapshot_a_change_is_noticed(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    postgresql.run(TABLE, ROWS)
    path = toml(tmp_path, postgresql.url)
    path.write_text(path.read_text().replace('url = "', 'snapshot = "per-measurement"\nurl = "'))
    with pytest.raises(UnreadableError, match="changed since the plan was made") as error:
        read_while(path, tmp_path / "job", lambda: postgresql.run(LATE))
    assert error.value.cause == "source_changing"


def test_truncate_waits_for_the_snapshot(postgresql: PgDatabase, tmp_path: Path) -> None:
    """A TRUNCATE between snapshot and first read would show an empty table, without an error."""
    postgresql.run(TABLE, ROWS)
    path = toml(tmp_path, postgresql.url)

    def truncate() -> None:
        with pytest.raises(Exception, match="lock timeout"):
            postgresql.run("SET lock_timeout = '100ms'", "TRUNCATE samples")

    assert read_while(path, tmp_path / "job", truncate) == [3.5, 3.6]


def test_truncate_before_the_lock_is_noticed(postgresql: PgDatabase, tmp_path: Path) -> None:
    postgresql.run(TABLE, ROWS)
    with closing(PostgreSQL(parse_url(postgresql.url, tmp_path))) as session:
        assert session.snapshot.id
        postgresql.run("TRUNCATE samples")
        with pytest.raises(PlanError, match="emptied or rebuilt"):
            session.lock(["samples"])


def test_a_materialized_view_is_locked_by_reading_it(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    """LOCK TABLE does not know it, and one that is refreshed would show a snapshot nothing."""
    postgresql.run(TABLE, ROWS, "CREATE MATERIALIZED VIEW seen AS SELECT * FROM samples")
    path = toml(tmp_path, postgresql.url)
    path.write_text(path.read_text().replace("SELECT * FROM samples", "SELECT * FROM seen"))

    def refresh() -> None:
        with pytest.raises(Exception, match="lock timeout"):
            postgresql.run("SET lock_timeout = '100ms'", "REFRESH MATERIALIZED VIEW seen")

    assert read_while(path, tmp_path / "job", refresh) == [3.5, 3.6]


def test_row_level_security_is_an_error_and_not_fewer_rows(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    postgresql.run(
        TABLE,
        ROWS,
        f"CREATE ROLE reader_{postgresql.name} LOGIN",
        f"GRANT SELECT ON samples TO reader_{postgresql.name}",
        "ALTER TABLE samples ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY a_few ON samples USING (n > 1)",
    )
    url = postgresql.server.url(postgresql.name, user=f"reader_{postgresql.name}")
    with pytest.raises(PlanError, match="row-level security would hide rows"):
        migrate(toml(tmp_path, url), tmp_path / "job")


@pytest.mark.parametrize("statement", ["DELETE FROM samples", "CREATE TABLE other (n int)"])
def test_the_session_cannot_write(
    statement: str, postgresql: PgDatabase, mariadb: MyDatabase, tmp_path: Path
) -> None:
    for database in (postgresql, mariadb):
        database.run(TABLE, ROWS)
        with (
            closing(open_own(parse_url(database.url, tmp_path))) as session,
            pytest.raises(UnreadableError, match=r"(?i)read.only"),
        ):
            session.rows(statement)


def test_a_mistyped_path_makes_no_empty_database(tmp_path: Path) -> None:
    home_made(tmp_path)
    path = write_toml(tmp_path, HOME_MADE.replace("lab2014.db", "lab2O14.db"))
    with pytest.raises(PlanError, match="there is no such file"):
        migrate(path, tmp_path / "job")
    assert not (tmp_path / "lab2O14.db").exists()


def wal_database(folder: Path) -> sqlite3.Connection:
    """Make a database whose newest row is in its -wal, and keep it open."""
    database = sqlite3.connect(folder / "lab.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA wal_autocheckpoint = 0")
    database.execute(TABLE)
    database.execute(ROWS)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.execute(LATE)
    return database


def test_rows_in_the_wal_are_read(tmp_path: Path) -> None:
    with closing(wal_database(tmp_path)):
        found = migrate(toml(tmp_path, "sqlite:///lab.db"), tmp_path / "job")
    assert found.column("test", "Voltage [V]") == [3.5, 3.6, 3.7]


def test_a_copy_without_its_wal_is_told(tmp_path: Path) -> None:
    with closing(wal_database(tmp_path)):
        shutil.copy(tmp_path / "lab.db", tmp_path / "copy.db")
    found = migrate(toml(tmp_path, "sqlite:///copy.db"), tmp_path / "job")
    warned = [fault for fault in found.faults if isinstance(fault, PlanFault)]
    assert "no copy.db-wal lies beside it" in warned[0].message
    assert found.facts is not None
    assert found.facts.exceptions == [warned[0].message]


def test_a_hot_journal_is_refused(tmp_path: Path) -> None:
    home_made(tmp_path)
    (tmp_path / "lab2014.db-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(504))
    with pytest.raises(PlanError, match="a writer has not ended"):
        migrate(write_toml(tmp_path, HOME_MADE), tmp_path / "job")


def test_a_table_without_transactions_has_no_snapshot(mariadb: MyDatabase, tmp_path: Path) -> None:
    mariadb.run(f"{TABLE} ENGINE = MyISAM", ROWS)
    path = toml(tmp_path, mariadb.url)
    with pytest.raises(PlanError, match="is kept by MyISAM"):
        migrate(path, tmp_path / "job")
    path.write_text(path.read_text().replace('url = "', 'snapshot = "none"\nurl = "'))
    found = migrate(path, tmp_path / "job")
    assert causes(found) == {}
    proof = found.series["test"].provenance["migration"]
    assert (proof["snapshot_id"], proof["snapshot_time"]) == ("none", "")
    assert found.facts is not None
    assert "read without a snapshot" in found.facts.exceptions[0]


def test_nothing_of_a_session_stays(postgresql: PgDatabase, tmp_path: Path) -> None:
    postgresql.run(TABLE, ROWS)
    path = toml(tmp_path, postgresql.url)
    migrate(path, tmp_path / "job")
    left = sorted(one.name for one in (tmp_path / "job" / "databases" / "migration").iterdir())
    assert [name.rpartition(".")[2] for name in left] == ["read", "sqlm", "json"]
    assert left[2] == "migration.json"


def test_a_worker_without_a_session_opens_its_own(postgresql: PgDatabase, tmp_path: Path) -> None:
    postgresql.run(TABLE, ROWS)
    with closing(open_shared(parse_url(postgresql.url, tmp_path), tmp_path)) as session:
        assert session.rows("SELECT count(*) AS n FROM samples") == [{"n": 2}]
