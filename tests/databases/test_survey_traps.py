"""What a survey must notice in home-made databases, and what then becomes of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bulkload.databases.survey import propose
from bulkload.errors import PlanError
from tests.databases.conftest import MyDatabase, PgDatabase
from tests.databases.reads import causes, migrate
from tests.databases.worlds import Floats, cycling, write_toml

pytestmark = pytest.mark.xdist_group("databases")

MADE = cycling()
COUNT = len(MADE.time)
#: 2018-06-01 08:00 UTC, in seconds since 1970.
BEGIN_S = 1_527_840_000
CELLS = ("cells (id, serial, model)", [(1, "S1", "M1")])

Values = Callable[[int], Sequence[object]]


def lab(folder: Path, *tables: tuple[str, Sequence[Sequence[object]]]) -> None:
    with closing(sqlite3.connect(folder / "lab.db")) as database, database:
        for definition, rows in tables:
            name = definition.partition(" (")[0]
            database.execute(f"CREATE TABLE {definition}")
            marks = ", ".join("?" * len(rows[0]))
            database.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)


def rows_of(values: Values) -> list[Sequence[object]]:
    return [values(n) for n in range(COUNT)]


def volts_and_amps(n: int) -> tuple[float, float]:
    return float(MADE.voltage[n]), float(MADE.current[n])


def test_clocks_in_milliseconds_and_german_names(tmp_path: Path) -> None:
    lab(
        tmp_path,
        ('Zellen ("Zellnummer", "Zelltyp", "Nennkapazität_Ah" REAL)', [("Z1", "LG", 5.0)]),
        ('"Prüfungen" ("PrüfNr", "Zellnummer", "Bezeichnung")', [(1, "Z1", "alt"), (2, "Z1", "b")]),
        (
            'Messwerte ("PrüfNr", "Zeitstempel_ms", "Spannung_mV", "Strom_mA", "Schritt")',
            [
                (
                    *(test, 1000 * BEGIN_S + int(1000 * MADE.time[n])),
                    *(round(1000 * value) for value in volts_and_amps(n)),
                    int(MADE.step[n]),
                )
                for test in (1, 2)
                for n in range(COUNT)
            ],
        ),
    )
    found = propose("sqlite:///lab.db", tmp_path)
    assert found.open_questions == []
    migration = migrate(write_toml(tmp_path, found.toml), tmp_path / "job")
    assert sorted(migration.series) == ["alt", "b"]
    assert migration.column("alt", "Time [s]") == MADE.time.tolist()
    assert migration.series["alt"].header == {"start_time": "2018-06-01T08:00:00+00:00"}


@pytest.mark.parametrize(
    ("column", "first", "a_day"),
    [("jd", 2458270.25, 1.0), ("date_time", 43252.25, 1.0), ("ts", BEGIN_S + 0.5, 86400.0)],
)
def test_days_and_seconds_as_doubles(
    column: str, first: float, a_day: float, tmp_path: Path
) -> None:
    values = [(1, first + t / 86400 * a_day, *volts_and_amps(n)) for n, t in enumerate(MADE.time)]
    lab(tmp_path, CELLS, (f"samples (cell_id, {column} REAL, voltage_v, current_a)", values))
    found = propose("sqlite:///lab.db", tmp_path)
    assert found.open_questions == []
    migration = migrate(write_toml(tmp_path, found.toml), tmp_path / "job")
    assert migration.column("test 1", "Time [s]") == pytest.approx(MADE.time, abs=1e-3)


def test_a_table_a_test_named_by_its_number(tmp_path: Path) -> None:
    samples = rows_of(lambda n: (int(1000 * MADE.time[n]), *volts_and_amps(n)))
    lab(
        tmp_path,
        CELLS,
        ("tests (test_id, cell_id, name)", [(1, 1, "a"), (2, 1, "b")]),
        ("data_1 (t_ms, u_v, i_a)", samples),
        ("data_2 (t_ms, u_v, i_a)", samples),
        ("data_old (t_ms, u_v, i_a)", samples),
    )
    found = propose("sqlite:///lab.db", tmp_path)
    assert found.open_questions == [
        "data_old: also columns for time, voltage and current, and not read"
    ]
    migration = migrate(write_toml(tmp_path, found.toml), tmp_path / "job")
    assert sorted(migration.series) == ["a", "b"]
    assert causes(migration) == {}


def test_names_with_blanks_and_reserved_words(tmp_path: Path) -> None:
    lab(
        tmp_path,
        ('"Order" ("Cell Id", "Serial No", "Cell Type")', [(1, "S1", "M"), (2, "S2", "M")]),
        ('"Group" ("Test Id", "Cell Id", "Test Name")', [(1, 1, "x"), (2, 2, "x")]),
        (
            '"Data Points" ("Test Id", "Time (s)", "Voltage (V)", "Current (A)")',
            [(t, float(MADE.time[n]), *volts_and_amps(n)) for t in (1, 2) for n in range(COUNT)],
        ),
    )
    found = propose("sqlite:///lab.db", tmp_path)
    assert found.open_questions == []
    migration = migrate(write_toml(tmp_path, found.toml), tmp_path / "job")
    assert sorted(migration.series) == ["S1 / x", "S2 / x"]


def test_chinese_names_are_names_of_parameters(mariadb: MyDatabase, tmp_path: Path) -> None:
    values = ", ".join(
        f"(1, {n}, {MADE.time[n]}, {MADE.voltage[n]}, {1000 * MADE.current[n]})"
        for n in range(COUNT)
    )
    mariadb.run(
        "CREATE TABLE 电池 (编号 varchar(9), 型号 varchar(9))",
        "INSERT INTO 电池 VALUES ('B1', 'X')",
        "CREATE TABLE 测试 (测试编号 int, 电池编号 varchar(9), 名称 varchar(9))",
        "INSERT INTO 测试 VALUES (1, 'B1', '循环')",
        "CREATE TABLE 数据 (测试编号 int unsigned, 序号 int unsigned, 测试时间_s double, "
        "电压_V double, 电流_mA double)",
        f"INSERT INTO 数据 VALUES {values}",
    )
    found = propose(mariadb.url, tmp_path)
    assert found.open_questions == []
    migration = migrate(write_toml(tmp_path, found.toml), tmp_path / "job")
    assert migration.column("循环", "Current [A]") == pytest.approx(-MADE.current)
    assert migration.facts is not None
    assert migration.facts.tables == {"数据": COUNT}


def asked(folder: Path, definition: str, values: Values) -> list[str]:
    """Return what is asked about a table of samples of one cell."""
    lab(folder, CELLS, (f"samples ({definition})", rows_of(lambda n: (1, *values(n)))))
    return propose("sqlite:///lab.db", folder).open_questions


def test_a_current_without_sign_is_asked_for_with_the_column_that_has_it(tmp_path: Path) -> None:
    (question,) = asked(
        tmp_path,
        "cell_id, t_s, u_v, i_a, state",
        lambda n: (
            float(MADE.time[n]),
            *(abs(value) for value in volts_and_amps(n)),
            "CHG" if MADE.current[n] > 0 else "DCH",
        ),
    )
    assert "it is never negative" in question
    assert "CASE WHEN state IN ('DCH') THEN -i_a ELSE i_a END" in question


def test_rows_that_count_as_deleted_are_asked_for(tmp_path: Path) -> None:
    (question,) = asked(
        tmp_path,
        "cell_id, t_s, u_v, i_a, deleted",
        lambda n: (float(MADE.time[n]), *volts_and_amps(n), int(n == 3)),
    )
    assert question.startswith("samples.deleted: differs between rows")


def test_a_time_that_restarts_is_asked_for(tmp_path: Path) -> None:
    (question,) = asked(
        tmp_path,
        "cell_id, n, time_s, u_v, i_a",
        lambda n: (n, float(MADE.time[n % 12]), *volts_and_amps(n)),
    )
    assert question.startswith("time_s: falls in the order of n")


def test_decimal_commas_and_blobs_are_asked_for(tmp_path: Path) -> None:
    questions = asked(
        tmp_path,
        "cell_id, t_s, u_v TEXT, i_a",
        lambda n: (b"\0", f"{MADE.voltage[n]:.3f}".replace(".", ","), b"\0"),
    )
    assert questions[0].startswith("t_s: holds blobs")
    assert questions[1].startswith("u_v: holds text such as '3,7")
    assert questions[2].startswith("i_a: holds blobs")


def test_totals_that_run_on_are_told_by_their_values(tmp_path: Path) -> None:
    lab(
        tmp_path,
        CELLS,
        (
            "samples (cell_id, t_s, u_v, i_a, cycle, charge_capacity_ah, discharge_capacity_ah)",
            rows_of(
                lambda n: (
                    *(1, float(MADE.time[n]), *volts_and_amps(n), int(MADE.cycle[n])),
                    *(float(MADE.charge[n]), float(MADE.discharge[n])),
                )
            ),
        ),
    )
    found = propose("sqlite:///lab.db", tmp_path)
    assert found.open_questions == []
    # The discharge ends its cycle: it is set back there in any case.
    assert found.toml.count('runs_on_through = "cycle"') == 1
    migration = migrate(write_toml(tmp_path, found.toml), tmp_path / "job")
    assert migration.column("test 1", "Charge capacity [A.h]")[12:24] == [0.0] * 12


def long_rows(*values: Floats) -> list[tuple[object, ...]]:
    """Return a row a value, the codes from 1 on, of one test."""
    return [
        (7, n, code, float(of_code[n]))
        for code, of_code in enumerate(values, 1)
        for n in range(COUNT)
    ]


def test_codes_that_a_table_names_are_proposed_with_their_counts(tmp_path: Path) -> None:
    lab(
        tmp_path,
        CELLS,
        ("tests (id, cell_id, name)", [(7, 1, "ageing")]),
        (
            "quantities (id, name, unit)",
            [(1, "time", "ms"), (2, "voltage", "mV"), (3, "current", "A"), (4, "humidity", "%")],
        ),
        (
            "readings (test_id, n, quantity_id, value)",
            long_rows(1000 * MADE.time, 1000 * MADE.voltage, MADE.current, MADE.time),
        ),
    )
    found = propose("sqlite:///lab.db", tmp_path)
    assert found.open_questions == [
        f"code 4 (humidity %): {COUNT} rows, 0 to 710: which quantity, and in which unit"
    ]
    low, high = 1000 * MADE.voltage.min(), 1000 * MADE.voltage.max()
    evidence = " ".join(found.evidence)
    assert f"code 2 (voltage mV): {COUNT} rows, {low:.6g} to {high:.6g}; called" in evidence
    assert "code 3: the voltage rises with a positive current" in evidence
    migration = migrate(write_toml(tmp_path, found.toml), tmp_path / "job")
    assert causes(migration) == {}
    assert migration.column("ageing", "Voltage [V]") == MADE.voltage.tolist()
    assert migration.column("ageing", "Time [s]") == MADE.time.tolist()
    assert migration.column("ageing", "Current [A]") == (-MADE.current).tolist()


def test_codes_of_arbin_and_codes_that_are_words(tmp_path: Path) -> None:
    for name, volts, amps in (("data_type", 21, 22), ("channel", "U_V", "I_mA")):
        folder = tmp_path / name
        folder.mkdir()
        scale = 1.0 if name == "data_type" else 1000.0
        rows = [
            (1, float(MADE.time[n]), code, value)
            for n in range(COUNT)
            for code, value in (
                (volts, float(MADE.voltage[n])),
                (amps, scale * float(MADE.current[n])),
            )
        ]
        lab(folder, CELLS, (f"data (cell_id, time_s, {name}, value)", rows))
        found = propose("sqlite:///lab.db", folder)
        assert found.open_questions == []
        migration = migrate(write_toml(folder, found.toml), folder / "job")
        assert migration.column("test 1", "Voltage [V]") == MADE.voltage.tolist()
        assert migration.column("test 1", "Current [A]") == pytest.approx(-MADE.current)


def test_bare_codes_are_asked_for_with_what_their_values_look_like(tmp_path: Path) -> None:
    rows = long_rows(MADE.time, MADE.voltage, MADE.current)
    lab(tmp_path, CELLS, ("data (test_id, n, code, value)", rows))
    found = propose("sqlite:///lab.db", tmp_path)
    shown = " ".join(found.open_questions)
    assert f"code 1: {COUNT} rows, 0 to 710: which quantity, and in which unit; its" in shown
    assert 'look like "Time [s]"' in shown
    assert 'look like "Voltage [V]" in V' in shown
    assert 'look like "Current [A]"' in shown
    assert '# "Voltage [V]" = { code = 2, unit = "V" }' in found.toml
    with pytest.raises(PlanError):
        migrate(write_toml(tmp_path, found.toml), tmp_path / "job")


def test_tables_without_samples_are_named(tmp_path: Path) -> None:
    lab(tmp_path, CELLS)
    with pytest.raises(PlanError, match="or for a code and its value"):
        propose("sqlite:///lab.db", tmp_path)


def test_tables_that_are_hidden_arrays_and_documents_are_asked_about(
    postgresql: PgDatabase, tmp_path: Path
) -> None:
    values = ", ".join(
        f"(1, '{{}}', INTERVAL '{MADE.time[n]} s', {MADE.voltage[n]}, {MADE.current[n]})"
        for n in range(COUNT)
    )
    postgresql.run(
        "CREATE TABLE cells (id int, name text, model text)",
        "INSERT INTO cells VALUES (1, 'A', 'x')",
        "CREATE TABLE samples (cell_id int, rec jsonb, t interval, u_v real, i_a real)",
        f"INSERT INTO samples VALUES {values}",
        "CREATE TABLE hidden (cell_id int)",
        "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY",
        "CREATE ROLE surveyor LOGIN",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO surveyor",
    )
    found = propose(postgresql.url.replace("owner@", "surveyor@"), tmp_path)
    hidden, duration = found.open_questions
    assert hidden.startswith("hidden cannot be read: ")
    assert "row-level security would hide rows" in hidden
    assert duration.startswith("t: holds durations; make seconds of them")
    assert 'order = ["t"]' in found.toml
    postgresql.run(
        "DROP TABLE samples",
        "CREATE TABLE samples (cell_id int, t float8[], u_v float8[], i_a float8[])",
        "INSERT INTO samples VALUES (1, '{0, 1}', '{3.7, 3.8}', '{1, 1}')",
    )
    questions = propose(postgresql.url, tmp_path).open_questions
    assert [one.partition(";")[0] for one in questions[:3]] == [
        f"{column}: holds arrays" for column in ("t", "u_v", "i_a")
    ]
