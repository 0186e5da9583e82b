"""Tests that lie mixed in one table: the same rows, by one pass over it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from bulkload.databases.configuration import load_configuration
from bulkload.databases.planning import Planner
from bulkload.databases.run_databases import Databases
from bulkload.errors import PlanError
from tests.databases.conftest import PgDatabase
from tests.databases.reads import causes, migrate
from tests.databases.test_silent_changes import toml
from tests.databases.worlds import HOME_MADE, PROFILE, battery_archive, home_made, write_toml

pytestmark = pytest.mark.xdist_group("databases")


def test_one_pass_gives_what_streams_give(postgresql: PgDatabase, tmp_path: Path) -> None:
    battery_archive(postgresql, cells=3)
    tables: list[dict[str, pa.Table]] = []
    for read in ("stream", "one-pass"):
        text = PROFILE.format(url=postgresql.url, further=f'read = "{read}"')
        found = migrate(write_toml(tmp_path, text, f"{read}.toml"), tmp_path / "job")
        assert causes(found) == {}
        tables.append({name: one.table for name, one in found.series.items()})
    assert len(tables[0]) == 3
    assert tables[0] == tables[1]


def mixed(database: PgDatabase, tests: int = 8, rows: int = 400) -> None:
    """Make a table in which the rows of all tests stand in the order of time."""
    database.run(
        "CREATE TABLE samples (cell text, n int, t int, v float8, i float8)",
        f"INSERT INTO samples SELECT 'cell ' || k, n, n, 3.5 + k, 0 "
        f"FROM generate_series(1, {rows}) n, generate_series(1, {tests}) k ORDER BY n, k",
        "CREATE INDEX ON samples (cell)",
        "ANALYZE samples",
    )


@pytest.mark.parametrize(("tests", "spooled"), [(60, 60), (2, 0)])
def test_mixed_tests_are_found_by_what_the_first_one_touches(
    postgresql: PgDatabase, tmp_path: Path, tests: int, spooled: int
) -> None:
    mixed(postgresql, tests=tests)
    path = toml(tmp_path, postgresql.url)
    with Databases(tmp_path / "job") as databases:
        session = databases.open(load_configuration(path), "source")
        planned = list(Planner(session, path).plan())
        assert len(planned) == tests
        assert len(list(session.folder.glob("spool/*.arrow"))) == spooled


def test_a_rerun_spools_what_is_not_read_yet(postgresql: PgDatabase, tmp_path: Path) -> None:
    mixed(postgresql, tests=60, rows=100)
    path = toml(tmp_path, postgresql.url)
    assert len(migrate(path, tmp_path / "job").series) == 60
    postgresql.run("UPDATE samples SET v = v + 1 WHERE cell = 'cell 7'")
    with Databases(tmp_path / "job") as databases:
        session = databases.open(load_configuration(path), "migration")
        assert len(list(Planner(session, path).plan())) == 60
        assert len(list(session.folder.glob("spool/*.arrow"))) == 1


def test_one_pass_is_refused_where_it_is_not_known(tmp_path: Path) -> None:
    home_made(tmp_path)
    text = HOME_MADE.replace('url = "', 'read = "one-pass"\nurl = "', 1)
    with pytest.raises(PlanError, match="one-pass"):
        migrate(write_toml(tmp_path, text), tmp_path / "job")
