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
    assert 'specification = "{model}"' in found.toml
    assert 'rated_capacity = { column = "cap_mah", unit = "mA.h" }' in found.toml
    assert "cells.model says what kind a cell is" in found.evidence
    # What nothing in the database says is asked.
    assert found.open_questions == [
        "measurements.start_time: the zone of started, if it states none"
    ]
    assert len(migrate(write_toml(tmp_path, found.toml), tmp_path / "job").series) == 2


#: Tables of cells, tests and samples as labs of three countries name them; the rest is the same.
THREE_TABLES = {
    "German": (
        "zellen(id, bezeichnung, zelltyp, nennkapazitaet_ah)",
        "versuche(id, zelle_id, name, beginn)",
        "messdaten(versuch_id, lfd_nr, zeit_ms, spannung_mv, strom_ma, schritt, temperatur)",
    ),
    "English": (
        "cell(cell_id, serial, chemistry, cap_ah)",
        "experiment(experiment_id, cell_id, label, started)",
        'records(experiment_id, rec, time_ms, "Voltage_mV", current_ma, step_no, temp_c)',
    ),
    "French": (
        "cellules(id, nom, modele, capacite_nominale_ah)",
        "essais(id, cellule_id, description, debut)",
        "mesures(essai_id, numero, temps_ms, tension_mv, courant_ma, etape, temperature)",
    ),
}


def three_tables(folder: Path, language: str) -> None:
    cells, tests, samples = THREE_TABLES[language]
    with closing(sqlite3.connect(folder / "lab.db")) as lab, lab:
        for table in (cells, tests, samples):
            lab.execute(f"CREATE TABLE {table}")
        names = [table.partition("(")[0] for table in (cells, tests, samples)]
        for cell in (1, 2):
            lab.execute(f"INSERT INTO {names[0]} VALUES (?, ?, 'NMC', 5.0)", (cell, f"C{cell:02d}"))
            for test in (10 * cell, 10 * cell + 1):
                row = (test, cell, f"run {test % 10}", "2014-06-01 12:00:00")
                lab.execute(f"INSERT INTO {names[1]} VALUES (?, ?, ?, ?)", row)
                for n in range(40):
                    current, volts = (1000, 3600 + n) if n < 20 else (-1000, 3620 - n + test)
                    values = (test, n, 10_000 * n, volts, current, n // 20, 25.0)
                    lab.execute(f"INSERT INTO {names[2]} VALUES (?, ?, ?, ?, ?, ?, ?)", values)


@pytest.mark.parametrize("language", THREE_TABLES)
def test_the_survey_finds_how_tables_belong_together(tmp_path: Path, language: str) -> None:
    """By the values of their keys: nothing has to be written by hand."""
    three_tables(tmp_path, language)
    found = propose("sqlite:///lab.db", tmp_path)
    assert len(found.open_questions) == 1
    assert found.open_questions[0].startswith("measurements.start_time: the zone of ")
    assert 'positive = "charge"' in found.toml
    assert 'unit = "A.h"' in found.toml
    migration = migrate(write_toml(tmp_path, found.toml), tmp_path / "job")
    assert sorted(migration.series) == ["C01 / run 0", "C01 / run 1", "C02 / run 0", "C02 / run 1"]
    table = migration.series["C01 / run 0"].table
    assert table.num_rows == 40
    assert table["Voltage [V]"][0].as_py() == 3.6
    assert table["Current [A]"][0].as_py() == -1.0
    assert table["Time [s]"][1].as_py() == 10.0


def test_the_survey_asks_what_a_cell_is_where_no_column_says(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "lab.db")) as lab, lab:
        lab.execute("CREATE TABLE readings (barcode, idx, time_s, volts, amps)")
        lab.executemany(
            "INSERT INTO readings VALUES ('X1', ?, ?, ?, 1.0)",
            [(n, 10 * n, 3.6 + n / 100) for n in range(20)],
        )
    found = propose("sqlite:///lab.db", tmp_path)
    assert found.open_questions == [
        "cells.specification: the columns that say what kind a cell is",
        "the unit of amps",
    ]
    assert 'query = "SELECT * FROM readings WHERE barcode = :barcode"' in found.toml
    with pytest.raises(PlanError, match=r"cells\.specification"):
        migrate(write_toml(tmp_path, found.toml), tmp_path / "job")


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
    assert "measurements.start_time: the zone of started" in ended.out
    assert "i_ma: the voltage rises with a positive current" in ended.out
    assert 'table = "tab"' in (tmp_path / "migration.toml").read_text("utf-8")
