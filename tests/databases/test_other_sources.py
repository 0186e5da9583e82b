"""Databases beside the main three, and what real files of public projects hold."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bulkload.databases.engines.other import Other
from bulkload.databases.survey import propose
from bulkload.errors import PlanError
from bulkload.localstudio import LocalStudio
from tests.archives import series, write
from tests.databases.conftest import MyDatabase, PgDatabase
from tests.databases.reads import causes, migrate
from tests.databases.test_silent_changes import toml
from tests.databases.worlds import battery_archive, home_made, write_toml
from tests.jobs import Jobs

pytestmark = pytest.mark.xdist_group("databases")

ACCESS = """
[source.sql]
url = "access:///test.res"
[source.sql.cells]
query = "SELECT DISTINCT Test_Name FROM Global_Table"
key = "Test_Name"
specification = "coin cell"
[source.sql.measurements]
query = "SELECT Test_ID, Test_Name FROM Global_Table"
cell = "Test_Name"
name = "test {Test_ID}"
key = "Test_ID"
[source.sql.samples]
query = "SELECT * FROM Channel_Normal_Table WHERE Test_ID = :Test_ID"
order = ["Data_Point"]
[source.sql.samples.columns]
"Time [s]" = { column = "Test_Time", unit = "s" }
"Voltage [V]" = { column = "Voltage", unit = "V" }
"Current [A]" = { column = "Current", unit = "A", positive = "charge" }
"Step from cycler" = { column = "Step_Index" }
"Cycle from cycler" = { column = "Cycle_Index" }
"""


def test_an_access_database_is_read_by_way_of_a_copy(shared_data: Path, tmp_path: Path) -> None:
    real = shared_data / "cycler" / "arbin" / "20160805_test001_45_cc_01.res"
    shutil.copy(real, tmp_path / "test.res")
    found = migrate(write_toml(tmp_path, ACCESS), tmp_path / "job")
    assert causes(found) == {}
    table = found.series["test 1"].table
    assert found.facts is not None
    assert table.num_rows == found.facts.tables["Channel_Normal_Table"]
    assert table.column("Voltage [V]")[0].as_py() == 3.0976174
    assert table.column("Time [s]")[1].as_py() == pytest.approx(300.0044646158, abs=1e-9)


def test_a_real_catalogue_of_files_hands_its_files_over(
    shared_data: Path, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    """Aurora keeps metadata in SQLite and the series in files."""
    shutil.copy(shared_data / "databases" / "aurora" / "test_database.db", tmp_path / "aurora.db")
    (tmp_path / "aurora.db").chmod(0o644)
    text = """
[source.sql]
url = "sqlite:///aurora.db"
[source.sql.cells]
query = '''SELECT "Sample ID" AS sample FROM samples'''
key = "sample"
specification = "coin cell"
[source.sql.measurements]
query = '''SELECT "Sample ID" AS sample, "Sample ID" || '.csv' AS path FROM samples LIMIT 2'''
cell = "sample"
name = "cycling"
key = "sample"
file = "path"
"""
    path = write_toml(tmp_path, text)
    jobs.use(studio)
    refused = jobs.upload(path)
    assert refused.code == 2
    assert "path_missing" in refused.err
    with closing(sqlite3.connect(tmp_path / "aurora.db")) as database:
        names = [row[0] for row in database.execute('SELECT "Sample ID" FROM samples LIMIT 2')]
    for name in names:
        write(tmp_path / f"{name}.csv", series())
    assert jobs.upload(path).counts == {"created": 2}


def test_other_databases_are_read_by_sqlalchemy(tmp_path: Path) -> None:
    home_made(tmp_path)
    database = Other(f"sqlite:///{tmp_path}/lab2014.db", "lab")
    with closing(database):
        assert "cells" in database.tables()
        assert database.rows("SELECT serial FROM cells") == [{"serial": "C1"}]
        assert list(database.kinds("SELECT n, u_mv FROM t_0001")) == ["n", "u_mv"]


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [("required", "per-measurement"), ("per-measurement", "--allow-writable")],
)
def test_a_database_without_a_shared_snapshot_says_what_it_takes(
    tmp_path: Path, snapshot: str, words: str
) -> None:
    path = toml(tmp_path, "mssql+pymssql://reader@host/lab")
    path.write_text(path.read_text().replace('url = "', f'snapshot = "{snapshot}"\nurl = "'))
    with pytest.raises(PlanError, match=words):
        migrate(path, tmp_path / "job")


def test_the_survey_knows_a_battery_archive(postgresql: PgDatabase, tmp_path: Path) -> None:
    battery_archive(postgresql, cells=1)
    found = propose(postgresql.url, tmp_path)
    assert 'profile = "battery-archive"' in found.toml
    assert found.open_questions == []
    assert causes(migrate(write_toml(tmp_path, found.toml), tmp_path / "job")) == {}


def test_the_survey_proposes_a_home_made_database(tmp_path: Path) -> None:
    home_made(tmp_path)
    found = propose("sqlite:///lab2014.db", tmp_path)
    for line in (
        'table = "tab"',
        'query = "SELECT * FROM {table}"',
        '"Voltage [V]" = { column = "u_mv", unit = "mV" }',
        '"Current [A]" = { column = "i_ma", unit = "mA", positive = "charge" }',
        '"Time [s]" = { column = "t_ms", unit = "ms" }',
        'order = ["n"]',
    ):
        assert line in found.toml
    # What nothing in the database says is asked, and the file is refused until it is answered.
    assert found.open_questions == ["cells.specification: the columns that say what kind a cell is"]
    with pytest.raises(PlanError, match=r"cells\.specification"):
        migrate(write_toml(tmp_path, found.toml), tmp_path / "job")
    answered = found.toml.replace("# specification = ?", 'specification = "{model}" #')
    assert len(migrate(write_toml(tmp_path, answered), tmp_path / "job").series) == 2


def test_the_survey_asks_for_a_sign_that_nothing_shows(mariadb: MyDatabase, tmp_path: Path) -> None:
    mariadb.run(
        "CREATE TABLE samples (cell_id int, n int, test_time double, voltage double, "
        "current double)",
        "INSERT INTO samples VALUES (1, 1, 0, 3.5, 0), (1, 2, 1, 3.5, 0)",
    )
    found = propose(mariadb.url, tmp_path)
    assert any("sign of current" in one for one in found.open_questions)
    assert "positive" not in found.toml


def test_the_survey_says_where_it_finds_nothing(shared_data: Path, tmp_path: Path) -> None:
    real = shared_data / "databases" / "diffcapanalyzer" / "dQdV.db"
    shutil.copy(real, tmp_path / "dQdV.db")
    with pytest.raises(PlanError, match="none of 1 tables has columns for time"):
        propose("sqlite:///dQdV.db", tmp_path)


def test_the_command_surveys_a_url(jobs: Jobs, tmp_path: Path) -> None:
    home_made(tmp_path)
    ended = jobs.command("survey", "sqlite:///lab2014.db", "--toml", tmp_path / "migration.toml")
    assert ended.code == 3
    assert "cells.specification: the columns that say what kind a cell is" in ended.out
    assert "i_ma: the voltage rises with a positive current" in ended.out
    assert 'table = "tab"' in (tmp_path / "migration.toml").read_text("utf-8")
