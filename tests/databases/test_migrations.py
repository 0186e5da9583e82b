"""Whole databases by their profiles and by hand-written mappings, each with its traps."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest

from bulkload.errors import PlanError
from bulkload.localstudio import LocalStudio
from tests.databases.conftest import MyDatabase, PgDatabase
from tests.databases.reads import causes, migrate
from tests.databases.worlds import (
    HOME_MADE,
    PROFILE,
    add_cell,
    add_samples,
    battery_archive,
    cycling,
    home_made,
    samples_of,
    write_toml,
)
from tests.jobs import Jobs, job_rows

pytestmark = pytest.mark.xdist_group("databases")

FIRST = "SNL_18650_NMC_25C_0-100_0.5-1C_0"


def profile(folder: Path, database: PgDatabase, further: str = "") -> Path:
    return write_toml(folder, PROFILE.format(url=database.url, further=further))


def test_battery_archive_is_migrated_by_its_profile(
    postgresql: PgDatabase, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    battery_archive(postgresql)
    jobs.use(studio)
    ended = jobs.upload(profile(tmp_path, postgresql))
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": 2, "skipped": 2}
    assert {row.cell for row in job_rows(tmp_path / "job")} == {FIRST, FIRST[:-1] + "1"}
    assert ended.summary["rows"] == 144


def test_what_battery_archive_means_reaches_the_table(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    """Rows in order of time, positive current discharges, totals restart at each step."""
    battery_archive(postgresql, cells=1)
    found = migrate(profile(tmp_path, postgresql), tmp_path / "job")
    made = cycling()
    series = found.series["cycling cell"]
    assert series.table.column("Time [s]").to_pylist() == made.time.tolist()
    assert series.table.column("Current [A]").to_pylist() == (-made.current).tolist()
    assert series.table.column("Voltage [V]").to_pylist() == made.voltage.tolist()
    assert series.table.column("Step count").to_pylist() == made.step.tolist()
    charged = np.asarray(series.table.column("Charge capacity [A.h]"))
    # The second step discharges: the total that runs on through the cycle is set back.
    assert charged[12:24].tolist() == [0.0] * 12
    assert charged[11] == pytest.approx(110 / 3600)
    temperature = series.table.column("Temperature [degC]")
    assert temperature.null_count == 11
    assert found.measurements[0].cell.payload == {
        "name": "SNL 18650 NMC",
        "notes": "nominal capacity 3 A.h, rounded to a whole number in the legacy database",
    }


def test_left_out_entries_are_listed_with_their_rows(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    battery_archive(postgresql)
    found = migrate(profile(tmp_path, postgresql), tmp_path / "job")
    assert sorted(one.rule for one in found.left_out) == [
        "cell: status is processing",
        "component_level is module",
    ]
    assert found.facts is not None
    assert found.facts.tables == {"cycle_timeseries": 288}
    assert found.facts.rows_planned == 144
    assert sum(one["rows"] for one in found.facts.left_out) == 144


def test_doubled_cell_ids_stop_the_plan(postgresql: PgDatabase, tmp_path: Path) -> None:
    battery_archive(postgresql)
    add_cell(postgresql, FIRST)
    found = migrate(profile(tmp_path, postgresql), tmp_path / "job")
    assert [fault.rule for fault in found.errors] == ["key_doubled"]
    assert "2 times" in found.errors[0].message


def test_samples_of_a_cell_that_is_not_listed_stop_the_plan(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    battery_archive(postgresql)
    add_samples(postgresql, samples_of("nobody"))
    found = migrate(profile(tmp_path, postgresql), tmp_path / "job")
    assert [fault.rule for fault in found.errors] == ["cell_missing"]


def test_a_sample_that_is_there_twice_costs_its_measurement(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    battery_archive(postgresql)
    add_samples(postgresql, samples_of(FIRST)[30:31])
    found = migrate(profile(tmp_path, postgresql), tmp_path / "job")
    name = f"{FIRST} / cycling cell"
    assert causes(found) == {name: "order_tied"}
    assert "1 rows share their order key (test_time)" in str(found.rejected[name])
    assert len(found.series) == 1


def test_a_sample_without_a_time_costs_its_measurement(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    battery_archive(postgresql)
    postgresql.run(
        f"UPDATE cycle_timeseries SET test_time = NULL WHERE cell_id = '{FIRST}' "
        "AND test_time = 100"
    )
    found = migrate(profile(tmp_path, postgresql), tmp_path / "job")
    assert causes(found) == {f"{FIRST} / cycling cell": "order_missing"}


def test_the_wrong_sign_is_caught(
    postgresql: PgDatabase, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    """Whoever states that positive discharges, where it charges, has every measurement refused."""
    battery_archive(postgresql)
    jobs.use(studio)
    wrong = """
[source.sql.samples.columns]
"Current [A]" = { column = "i", unit = "A", positive = "discharge" }
"""
    path = profile(tmp_path, postgresql)
    path.write_text(path.read_text() + wrong)
    ended = jobs.upload(path)
    assert ended.code == 3
    assert ended.counts["rejected"] == 2


def test_totals_that_run_on_without_saying_so_are_caught(
    postgresql: PgDatabase, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    battery_archive(postgresql)
    jobs.use(studio)
    plain = '"Charge capacity [A.h]" = { column = "ah_c", unit = "A.h" }'
    path = profile(tmp_path, postgresql)
    path.write_text(f"{path.read_text()}\n[source.sql.samples.columns]\n{plain}\n")
    ended = jobs.upload(path)
    assert ended.code == 3
    assert ended.counts["rejected"] == 2


def test_a_home_made_sqlite_with_one_table_a_test(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    home_made(tmp_path)
    jobs.use(studio)
    ended = jobs.upload(write_toml(tmp_path, HOME_MADE))
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": 2}
    again = jobs.upload(tmp_path / "migration.toml")
    assert again.counts == {"created": 2}
    assert again.summary["requests"] == 0


def test_units_sign_and_zone_of_the_home_made_database(tmp_path: Path) -> None:
    home_made(tmp_path, tests=1)
    found = migrate(write_toml(tmp_path, HOME_MADE), tmp_path / "job")
    made = cycling(seed=1)
    assert found.column("ageing #1", "Voltage [V]") == pytest.approx(made.voltage, abs=1e-12)
    assert found.column("ageing #1", "Current [A]") == pytest.approx(-made.current, abs=1e-12)
    assert found.column("ageing #1", "Time [s]") == made.time.tolist()
    assert found.column("ageing #1", "Step from cycler") == (made.step + 1).tolist()
    assert found.measurements[0].start_time == "2014-06-01T10:00:00+00:00"
    assert found.measurements[0].cell.payload["ratings"] == {
        "capacity": {"value": 5.0, "unit": "A.h"}
    }


def test_a_table_that_the_catalogue_does_not_know_is_no_identifier(tmp_path: Path) -> None:
    path = home_made(tmp_path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE tests SET tab = 't_0001\" UNION SELECT 1,2,3,4,5 --' WHERE id = 2")
        database.commit()
    found = migrate(write_toml(tmp_path, HOME_MADE), tmp_path / "job")
    assert [fault.rule for fault in found.errors] == ["bad_value"]
    assert "which the database does not have" in found.errors[0].message


ARBIN = """
[source.sql]
url = "sqlite:///arbin.db"
profile = "arbin-mits8"
[source.sql.cells]
specification = "LFP 26650"
"""


def arbin(folder: Path) -> None:
    """Make the tables of MITS Pro 8: one name, three tests, ticks beyond 2^53."""
    with closing(sqlite3.connect(folder / "arbin.db")) as database:
        database.execute("CREATE TABLE TestList_Table (Test_ID INTEGER, Test_Name TEXT)")
        database.execute(
            "CREATE TABLE IV_Basic_Table (Test_ID INTEGER, Channel_ID INTEGER, Date_Time INTEGER, "
            "Data_Point INTEGER, Test_Time REAL, Step_Time REAL, Cycle_ID INTEGER, Step_ID INTEGER,"
            " Current REAL, Voltage REAL, Charge_Capacity REAL, Discharge_Capacity REAL, "
            "Charge_Energy REAL, Discharge_Energy REAL)"
        )
        for test in (1, 2, 3):
            database.execute(
                "INSERT INTO TestList_Table VALUES (?, '20200624_test001_cc_01')", [test]
            )
            made = cycling(seed=test, cycles=1)
            rows = [
                (
                    *(test, 1, 15930015334602001 + 100_000_000 * n, n + 1, 0.102 + made.time[n]),
                    *(0.0, int(made.cycle[n]), int(made.step[n]) + 1),
                    *(made.current[n], made.voltage[n], made.charge[n], made.discharge[n]),
                    *(made.energy_in[n], made.energy_out[n]),
                )
                for n in range(len(made.time))
            ]
            database.executemany(f"INSERT INTO IV_Basic_Table VALUES ({'?, ' * 13}?)", rows)
        database.commit()


def test_arbin_keeps_ticks_and_tests_apart(tmp_path: Path) -> None:
    arbin(tmp_path)
    found = migrate(write_toml(tmp_path, ARBIN), tmp_path / "job")
    assert sorted(found.series) == [f"20200624_test001_cc_01 #{n}" for n in (1, 2, 3)]
    one = found.series["20200624_test001_cc_01 #2"]
    # 15930015334602001 is odd and beyond 2^53: by way of a double it would be another number.
    assert one.header["start_time"] == "2020-06-24T12:25:33.460200+00:00"
    assert one.table.column("Time [s]").to_pylist()[:2] == [0.0, pytest.approx(10.0)]
    sums = one.provenance["migration"]["sums"]["columns"]
    ticks = next(column for column in sums if column["name"] == "Date_Time")
    assert ticks["minimum"] == 15930015334602001


#: Columns of the two blocks of ``data_df`` in the real dump, as its attributes name them.
DUMPED_FLOATS = (
    *("Test_Time", "Step_Time", "Current", "Voltage", "Power", "Charge_Capacity"),
    *("Discharge_Capacity", "Charge_Energy", "Discharge_Energy", "Internal_Resistance"),
)
DUMPED_INTEGERS = ("Test_ID", "Data_Point", "Date_Time", "Cycle_ID", "Step_ID")


def test_a_real_dump_of_mits8_comes_through_its_profile(shared_data: Path, tmp_path: Path) -> None:
    """47 rows of three tests that have one name; each begins with Data_Point 1."""
    dump = shared_data / "databases" / "cellpy-arbin-sql" / "20200624_test001_cc_01.h5"
    with h5py.File(dump) as file:
        rows = file["data_df"]["table"][:]
    names = (*DUMPED_INTEGERS, *DUMPED_FLOATS)
    with closing(sqlite3.connect(tmp_path / "arbin.db")) as database:
        database.execute(f"CREATE TABLE IV_Basic_Table ({', '.join(names)})")
        database.executemany(
            f"INSERT INTO IV_Basic_Table VALUES ({', '.join('?' * len(names))})",
            [
                (*map(int, row["values_block_1"]), *map(float, row["values_block_0"][:10]))
                for row in rows
            ],
        )
        database.execute("CREATE TABLE TestList_Table (Test_ID INTEGER, Test_Name TEXT)")
        database.execute(
            "INSERT INTO TestList_Table SELECT DISTINCT Test_ID, '20200624_test001_cc_01' "
            "FROM IV_Basic_Table"
        )
        database.commit()
    found = migrate(write_toml(tmp_path, ARBIN), tmp_path / "job")
    assert causes(found) == {}
    assert sorted(found.series) == [f"20200624_test001_cc_01 #{n}" for n in (1, 2, 3)]
    assert sum(one.table.num_rows for one in found.series.values()) == 47
    first = found.series["20200624_test001_cc_01 #1"]
    assert first.header["start_time"] == "2020-06-24T12:25:33.460200+00:00"
    assert first.table.column("Voltage [V]")[0].as_py() == -1.7090187072753906
    assert found.facts is not None
    assert found.facts.tables == {"IV_Basic_Table": 47}


GALV = """
[source.sql]
url = "{url}"
profile = "galv"
[source.sql.cells]
specification = "unknown"
"""


def galv(database: PgDatabase) -> None:
    """Make the tables of Galv: a sample is a row a column."""
    database.run(
        "CREATE SCHEMA experiment",
        "CREATE TABLE experiment.dataset (id bigserial PRIMARY KEY, name text NOT NULL)",
        'CREATE TABLE experiment."column" (id bigserial PRIMARY KEY, type_id bigint, name text)',
        "CREATE TABLE experiment.timeseries_data (dataset_id bigint, sample_no bigint, "
        "column_id bigint, value double precision)",
        "INSERT INTO experiment.dataset (name) VALUES ('cell 7')",
        """INSERT INTO experiment."column" (type_id, name) VALUES (1, 'Time'), (2, 'Volts'),
           (3, 'Amps'), (6, 'Temp')""",
    )
    made = cycling()
    rows = [
        f"(1, {n}, {column}, {values[n]})"
        for n in range(len(made.time))
        for column, values in ((1, made.time), (2, made.voltage), (3, made.current))
    ]
    database.run(
        f"INSERT INTO experiment.timeseries_data VALUES {', '.join(reversed(rows))}",
        "INSERT INTO experiment.timeseries_data VALUES (1, 5, 4, 25.0)",
    )


def test_the_long_shape_is_brought_together(postgresql: PgDatabase, tmp_path: Path) -> None:
    galv(postgresql)
    found = migrate(write_toml(tmp_path, GALV.format(url=postgresql.url)), tmp_path / "job")
    made = cycling()
    assert causes(found) == {}
    assert found.column("cell 7 #1", "Voltage [V]") == made.voltage.tolist()
    assert found.column("cell 7 #1", "Time [s]") == made.time.tolist()


def test_two_values_of_one_sample_cost_the_measurement(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    galv(postgresql)
    postgresql.run("INSERT INTO experiment.timeseries_data VALUES (1, 3, 2, 9.9)")
    found = migrate(write_toml(tmp_path, GALV.format(url=postgresql.url)), tmp_path / "job")
    assert causes(found) == {"cell 7 #1": "value_doubled"}


NEWARE = """
[source.sql]
url = "{url}"
profile = "neware-bts"
[source.sql.cells]
specification = "18650"
"""


def neware(database: MyDatabase) -> None:
    """Make the tables of BTS: a test's samples are the union of two tables that its row names."""
    columns = (
        "(seq_id int, test_id int, test_time bigint, test_vol int, test_cur float, test_tmp int, "
        "test_capchg bigint, test_capdchg bigint, cycle_id int, step_id int)"
    )
    database.run(
        "CREATE TABLE test (test_id int, barcode varchar(40), main_first_table varchar(40), "
        "main_second_table varchar(40))",
        "INSERT INTO test VALUES (1, 'B1', 'first', 'second_1'), (2, 'B1', 'first', 'second_2')",
        *(f"CREATE TABLE {name} {columns}" for name in ("first", "second_1", "second_2")),
    )
    made = cycling(cycles=1)
    database.run(
        *(
            f"INSERT INTO {'first' if n < 10 else f'second_{test}'} VALUES "
            f"({n}, {test}, {int(1000 * made.time[n])}, "
            f"{round(10000 * made.voltage[n])}, {1000 * made.current[n]}, 251, "
            f"{round(3_600_000 * made.charge[n]) if n < 12 else 0}, "
            f"{round(3_600_000 * made.discharge[n])}, {made.cycle[n]}, {made.step[n] + 1})"
            for test in (1, 2)
            for n in range(len(made.time))
        )
    )


def test_neware_reads_the_union_of_two_tables(mariadb: MyDatabase, tmp_path: Path) -> None:
    neware(mariadb)
    found = migrate(write_toml(tmp_path, NEWARE.format(url=mariadb.url)), tmp_path / "job")
    assert causes(found) == {}
    assert not found.faults
    made = cycling(cycles=1)
    assert found.column("test 1", "Time [s]") == made.time.tolist()
    assert found.column("test 2", "Voltage [V]") == np.round(made.voltage, 4).tolist()
    assert found.column("test 1", "Temperature [degC]")[0] == 25.1
    assert found.column("test 1", "Current [A]")[:13] == [-1.0] * 12 + [1.0]
    assert found.column("test 1", "Charge capacity [A.h]")[11] == pytest.approx(110 / 3600)


ARRAYS = """
[source.sql]
url = "{url}"
[source.sql.cells]
query = "SELECT DISTINCT cell FROM series"
key = "cell"
specification = "18650"
[source.sql.measurements]
query = "SELECT id, cell FROM series"
cell = "cell"
name = "test {{id}}"
key = "id"
[source.sql.samples]
query = '''SELECT u.n, u.t, u.v, u.i FROM series s
           CROSS JOIN LATERAL UNNEST(s.t, s.v, s.i) WITH ORDINALITY AS u (t, v, i, n)
           WHERE s.id = :id'''
order = ["n"]
{total}
[source.sql.samples.columns]
"Time [s]" = {{ column = "t", unit = "s" }}
"Voltage [V]" = {{ column = "v", unit = "V" }}
"Current [A]" = {{ column = "i", unit = "A", positive = "charge" }}
"""


def test_samples_that_stand_in_arrays_are_counted_by_a_total(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    made = cycling(cycles=1)
    arrays = (
        f"'{{{', '.join(map(str, one))}}}'" for one in (made.time, made.voltage, made.current)
    )
    postgresql.run(
        "CREATE TABLE series (id int, cell text, t float8[], v float8[], i float8[])",
        f"INSERT INTO series VALUES (1, 'B1', {', '.join(arrays)})",
    )
    without = ARRAYS.format(url=postgresql.url, total="")
    found = migrate(write_toml(tmp_path, without), tmp_path / "job")
    assert found.column("test 1", "Voltage [V]") == made.voltage.tolist()
    (asked,) = found.faults
    assert "series hold 1 rows, and the measurements and what is left out account for 24" in (
        asked.message
    )
    assert "give samples.total" in asked.message
    for total, wrong in (("SUM(CARDINALITY(v))", None), ("SUM(CARDINALITY(v)) + 1", "25 samples")):
        text = ARRAYS.format(
            url=postgresql.url, total=f'total = "SELECT {total} AS samples FROM series"'
        )
        found = migrate(write_toml(tmp_path, text), tmp_path / "job")
        assert [wrong in fault.message for fault in found.faults if wrong] == [True] * bool(wrong)
        assert found.facts is not None
        assert found.facts.unaccounted == bool(wrong)
    text = ARRAYS.format(url=postgresql.url, total='total = "SELECT cell FROM series"')
    with pytest.raises(PlanError, match=r"samples\.total has to give one number"):
        migrate(write_toml(tmp_path, text), tmp_path / "job")
