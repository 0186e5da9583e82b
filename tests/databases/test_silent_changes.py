"""Nothing changes silently: the values that some driver changes, the troubles of a migration."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bulkload.errors import PlanError
from tests.databases.conftest import MyDatabase, PgDatabase
from tests.databases.reads import Migration, causes, migrate
from tests.databases.worlds import write_toml

pytestmark = pytest.mark.xdist_group("databases")

TOML = """
[source.sql]
url = "{url}"
[source.sql.cells]
query = "SELECT DISTINCT cell FROM samples"
key = "cell"
specification = "any"
[source.sql.measurements]
query = "SELECT DISTINCT cell FROM samples"
cell = "cell"
name = "test"
key = "cell"
[source.sql.samples]
query = "SELECT * FROM samples WHERE cell = :cell"
order = ["n"]
[source.sql.samples.columns]
"Time [s]" = {time}
"Voltage [V]" = {{ column = "v", unit = "V" }}
"Current [A]" = {{ column = "i", unit = "A", positive = "discharge" }}
{further}
"""

PLAIN_TIME = '{ column = "t", unit = "s" }'


def toml(folder: Path, url: str, time: str = PLAIN_TIME, further: str = "") -> Path:
    return write_toml(folder, TOML.format(url=url, time=time, further=further))


class Lab:
    """One table of samples on one engine; every test states the type of one column."""

    def __init__(self, folder: Path, url: str, run: Any) -> None:
        self.folder = folder
        self.url = url
        self.run = run

    def make(
        self, rows: Sequence[str], *, v: str = "double precision", t: str = "int", **more: str
    ) -> None:
        further = "".join(f", {name} {kind}" for name, kind in more.items())
        cell = more.get("cell", "varchar(20)")
        further = "".join(f", {name} {kind}" for name, kind in more.items() if name != "cell")
        self.run(
            f"CREATE TABLE samples (cell {cell}, n int, t {t}, v {v}, i double precision{further})"
        )
        self.run(f"INSERT INTO samples VALUES {', '.join(rows)}")

    def migrate(self, time: str = PLAIN_TIME, further: str = "", **options: bool) -> Migration:
        return migrate(toml(self.folder, self.url, time, further), self.folder / "job", **options)


@pytest.fixture
def pg(postgresql: PgDatabase, tmp_path: Path) -> Lab:
    return Lab(tmp_path, postgresql.url, postgresql.run)


@pytest.fixture
def my(mariadb: MyDatabase, tmp_path: Path) -> Lab:
    return Lab(tmp_path, mariadb.url, mariadb.run)


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Lab]:
    with closing(sqlite3.connect(tmp_path / "lab.db", isolation_level=None)) as database:
        yield Lab(tmp_path, "sqlite:///lab.db", database.execute)


def read(found: Migration, column: str = "Voltage [V]") -> list[float]:
    assert causes(found) == {}, found.rejected
    return found.column("test", column)


# The value table: what some library changes without an error.


def test_float_of_mysql_keeps_its_digits(my: Lab) -> None:
    """Over the text protocol 3.7123456 comes as 3.71235, and 16777217 as 16777200."""
    my.make(["('a', 1, 0, 3.7123456, 0)", "('a', 2, 1, 16777216, 0)"], v="float")
    assert read(my.migrate()) == [3.712345600128174, 16777216.0]


def test_numeric_with_many_digits_is_the_nearest_double(pg: Lab) -> None:
    pg.make(["('a', 1, 0, 3.123456789012345, 0)"], v="numeric(20, 15)")
    assert read(pg.migrate()) == [3.123456789012345]


def test_numeric_nan_stays_no_number_and_is_counted(pg: Lab) -> None:
    pg.make(["('a', 1, 0, 3.5, 0)", "('a', 2, 1, 'NaN', 0)", "('a', 3, 2, NULL, 0)"], v="numeric")
    found = pg.migrate()
    assert read(found) == [3.5]
    series = found.series["test"]
    assert series.provenance["rows_left_out"] == 2
    voltage = series.provenance["migration"]["sums"]["columns"][1]
    assert (voltage["values"], voltage["summed"], voltage["nan"]) == (2, 1, 1)


def test_infinity_is_counted_and_never_a_sample_that_passes(pg: Lab) -> None:
    pg.make(["('a', 1, 0, 3.5, 0)", "('a', 2, 1, 'Infinity', 0)"])
    found = pg.migrate()
    assert read(found) == [3.5, float("inf")]
    voltage = found.series["test"].provenance["migration"]["sums"]["columns"][1]
    assert (voltage["infinite"], voltage["summed"]) == (1, 1)


def test_an_infinite_date_costs_its_measurement(pg: Lab) -> None:
    pg.make(["('a', 1, '2020-01-01', 3.5, 0)", "('a', 2, 'infinity', 3.5, 0)"], t="timestamptz")
    found = pg.migrate(time='{ column = "t" }')
    assert causes(found) == {"test": "improper_value"}
    assert "1 values of t" in str(found.rejected["test"])


def test_an_array_is_no_number(pg: Lab) -> None:
    pg.make(["('a', 1, 0, '{{1,2},{3,4}}', 0)"], v="float8[]")
    with pytest.raises(PlanError, match="cast it in the query"):
        pg.migrate()


def test_char_padding_stays_in_the_key_and_out_of_the_name(pg: Lab) -> None:
    pg.make(["('ab', 1, 0, 3.5, 0)"], cell="char(8)")
    found = pg.migrate()
    assert read(found) == [3.5]
    assert found.measurements[0].cell.name == "ab"
    assert found.series["test"].provenance["migration"]["key"] == {"cell": "ab      "}


def test_a_zero_date_is_no_null(my: Lab) -> None:
    my.run("SET GLOBAL sql_mode = ''")
    my.make(
        ["('a', 1, '2020-01-01 00:00:00', 3.5, 0)", "('a', 2, '0000-00-00 00:00:00', 3.5, 0)"],
        t="datetime",
    )
    found = my.migrate(time='{ column = "t", zone = "UTC" }')
    assert causes(found) == {"test": "improper_value"}
    assert "zero or infinite dates" in str(found.rejected["test"])


def test_a_fraction_in_an_integer_column_of_sqlite_stays(lite: Lab) -> None:
    lite.make(["('a', 1, 0, 3712, 0)", "('a', 2, 1, 3712.5, 0)"], v="INTEGER")
    assert read(lite.migrate()) == [3712.0, 3712.5]


@pytest.mark.parametrize("value", ["'3,712'", "x'00ff'", "'n/a'"])
def test_text_among_numbers_of_sqlite_is_refused(lite: Lab, value: str) -> None:
    """SUM would count '3,712' as 3."""
    lite.make(["('a', 1, 0, 3.7, 0)", f"('a', 2, 1, {value}, 0)"], v="BLOB")
    found = lite.migrate()
    assert causes(found) == {"test": "improper_value"}
    assert "1 values of v" in str(found.rejected["test"])


def test_a_column_of_sqlite_that_starts_with_nulls_keeps_its_numbers(lite: Lab) -> None:
    rows = [f"('a', {n}, {n}, 3.5, 0, {'NULL' if n < 50 else n + 0.25})" for n in range(60)]
    lite.make(rows, extra="REAL")
    further = '"Temperature [degC]" = { column = "extra", unit = "degC" }'
    assert read(lite.migrate(further=further), "Temperature [degC]")[49:51] == [None, 50.25]


@pytest.mark.parametrize("engine", ["pg", "my", "lite"])
def test_integers_beyond_two_to_the_53_are_refused_as_numbers(
    engine: str, request: pytest.FixtureRequest
) -> None:
    lab: Lab = request.getfixturevalue(engine)
    lab.make(
        ["('a', 1, 9007199254740993, 3.5, 0)", "('a', 2, 9007199254740995, 3.5, 0)"], t="bigint"
    )
    found = lab.migrate()
    assert causes(found)["test"] in {"integer_too_large", "improper_value"}
    assert "2^53" in str(found.rejected["test"])


@pytest.mark.parametrize("engine", ["pg", "my", "lite"])
def test_ticks_beyond_two_to_the_53_are_whole_numbers(
    engine: str, request: pytest.FixtureRequest
) -> None:
    lab: Lab = request.getfixturevalue(engine)
    rows = ["('a', 1, 15930015334602001, 3.5, 0)", "('a', 2, 15930015334602002, 3.5, 0)"]
    lab.make(rows, t="bigint")
    found = lab.migrate(time='{ column = "t", ticks = "100ns" }')
    assert read(found, "Time [s]") == [0.0, 1e-7]
    time = found.series["test"].provenance["migration"]["sums"]["columns"][0]
    assert (time["minimum"], time["total"]) == (15930015334602001, 31860030669204003)


# Time zones.


@pytest.mark.parametrize(("engine", "kind"), [("pg", "timestamp"), ("my", "datetime")])
def test_a_local_time_without_a_zone_is_refused(
    engine: str, kind: str, request: pytest.FixtureRequest
) -> None:
    lab: Lab = request.getfixturevalue(engine)
    lab.make(["('a', 1, '2020-01-01 00:00:00', 3.5, 0)"], t=kind)
    with pytest.raises(PlanError, match="without a zone; state the zone"):
        lab.migrate(time='{ column = "t" }')


@pytest.mark.parametrize(
    ("engine", "kind"), [("pg", "timestamp"), ("my", "datetime(6)"), ("lite", "TEXT")]
)
def test_a_local_time_is_read_by_its_zone(
    engine: str, kind: str, request: pytest.FixtureRequest
) -> None:
    lab: Lab = request.getfixturevalue(engine)
    rows = ["('a', 1, '2020-07-01 12:00:00.25', 3.5, 0)", "('a', 2, '2020-07-01 12:00:01', 3.5, 0)"]
    lab.make(rows, t=kind)
    further = 'start_time = { column = "t", zone = "Europe/Berlin", take = "first" }'
    found = lab.migrate(time='{ column = "t", zone = "Europe/Berlin" }', further=further)
    assert read(found, "Time [s]") == [0.0, 0.75]
    assert found.series["test"].header == {"start_time": "2020-07-01T10:00:00.250000+00:00"}


@pytest.mark.parametrize("local", ["2016-03-27 02:30:00", "2016-10-30 02:30:00"])
def test_a_local_time_that_is_none_or_two_is_refused(pg: Lab, local: str) -> None:
    pg.make([f"('a', 1, '{local}', 3.5, 0)"], t="timestamp")
    found = pg.migrate(time='{ column = "t", zone = "Europe/Berlin" }')
    assert causes(found) == {"test": "ambiguous_local_time"}
    assert f"the first {local}" in str(found.rejected["test"])


def test_an_instant_does_not_depend_on_the_zone_of_the_session(pg: Lab) -> None:
    pg.run("ALTER ROLE owner SET timezone = 'Asia/Tokyo'")
    try:
        rows = ["('a', 1, '2020-07-01 12:00:00+02', 3.5, 0)"]
        pg.make(rows, t="timestamptz")
        further = 'start_time = { column = "t", take = "first" }'
        found = pg.migrate(time='{ column = "t" }', further=further)
        assert found.series["test"].header == {"start_time": "2020-07-01T10:00:00+00:00"}
    finally:
        pg.run("ALTER ROLE owner RESET timezone")


def test_a_timestamp_of_mysql_does_not_depend_on_the_zone_of_the_server(my: Lab) -> None:
    my.run(
        "SET time_zone = '+02:00'",
    )
    my.make(["('a', 1, '2020-07-01 12:00:00', 3.5, 0)"], t="timestamp")
    before = my.migrate(
        time='{ column = "t" }', further='start_time = { column = "t", take = "first" }'
    )
    my.run("SET GLOBAL time_zone = '+09:00'")
    try:
        after = my.migrate(
            time='{ column = "t" }', further='start_time = { column = "t", take = "first" }'
        )
    finally:
        my.run("SET GLOBAL time_zone = 'SYSTEM'")
    assert before.series["test"].header == after.series["test"].header


# Keys and order.


@pytest.mark.parametrize("engine", ["pg", "my", "lite"])
def test_tied_rows_are_counted_and_refused(engine: str, request: pytest.FixtureRequest) -> None:
    lab: Lab = request.getfixturevalue(engine)
    lab.make(["('a', 1, 0, 3.5, 0)", "('a', 2, 1, 3.6, 0)", "('a', 2, 2, 3.7, 0)"])
    found = lab.migrate()
    assert causes(found) == {"test": "order_tied"}
    assert "1 rows share their order key (n) with another row, the first at 2" in str(
        found.rejected["test"]
    )


def test_without_strict_tied_rows_have_one_order_of_their_own(pg: Lab) -> None:
    pg.make(["('a', 2, 2, 3.7, 0)", "('a', 1, 0, 3.5, 0)", "('a', 2, 1, 3.6, 0)"])
    found = pg.migrate(is_strict=False)
    assert read(found) == [3.5, 3.6, 3.7]
    (tied,) = (one for one in found.series["test"].decisions if one.code == "rows_sorted")
    assert (tied.rows, tied.evidence) == (1, "other values")


def test_keys_that_differ_by_case_or_blanks_stop_the_plan(pg: Lab) -> None:
    pg.make(["('a', 1, 0, 3.5, 0)", "('A ', 2, 1, 3.6, 0)"])
    rules = {fault.rule for fault in pg.migrate().errors}
    assert rules == {"key_doubled"}


def test_samples_without_a_key_are_told(pg: Lab) -> None:
    pg.make(["('a', 1, 0, 3.5, 0)", "(NULL, 2, 1, 3.6, 0)"])
    assert {fault.rule for fault in pg.migrate().errors} == {"cell_missing"}


def test_a_key_with_quotes_is_a_value_and_never_sql(pg: Lab, my: Lab) -> None:
    for lab, name in ((pg, "a''; DROP TABLE samples; --"), (my, "a\\\\'' OR 1=1 -- ")):
        lab.make([f"('{name}', 1, 0, 3.5, 0)", "('b', 2, 1, 3.6, 0)"], cell="varchar(60)")
        found = lab.migrate()
        assert len(found.series) == 2
        assert {len(one.table) for one in found.series.values()} == {1}


def test_invalid_utf8_is_an_error_that_names_the_column(lite: Lab) -> None:
    lite.make(["('a', 1, 0, 3.5, 0, CAST(x'ff41' AS TEXT))"], mode="TEXT")
    found = lite.migrate(further='"Mode" = { column = "mode", codes = { A = "charge" } }')
    assert causes(found)["test"] in {"invalid_utf8", "query_failed", "unknown_code"}


def test_an_unknown_code_is_refused(pg: Lab) -> None:
    pg.make(["('a', 1, 0, 3.5, 0, 1)", "('a', 2, 1, 3.5, 0, 7)"], mode="int")
    found = pg.migrate(further='"Mode" = { column = "mode", codes = { 1 = "charge" } }')
    assert causes(found) == {"test": "unknown_code"}
    known = pg.migrate(further='"Mode" = { column = "mode", codes = { 1 = "charge", 7 = "rest" } }')
    assert known.series["test"].table.column("Mode").to_pylist() == ["charge", "rest"]


def test_numbers_as_text_are_refused(my: Lab) -> None:
    my.make(["('a', 1, 0, '3,712', 0)"], v="varchar(20)")
    with pytest.raises(PlanError, match="decimal comma"):
        my.migrate()


def test_what_no_column_of_the_mapping_holds_is_told(lite: Lab) -> None:
    lite.make(["('a', 1, 0, 3.5, 0, 7)"], spare="int")
    found = lite.migrate()
    assert found.facts is not None
    assert found.facts.exceptions == ["columns of the samples query that are not migrated: spare"]


def test_codes_of_the_long_shape_that_nothing_holds_are_counted(lite: Lab) -> None:
    lite.run("CREATE TABLE samples (cell, n, code, value)")
    values = "('a', 1, 1, 0), ('a', 1, 2, 3.5), ('a', 1, 3, 0.0), ('a', 1, 99, 1)"
    lite.run(f"INSERT INTO samples VALUES {values}")
    text = TOML.format(url=lite.url, time='{ code = 1, unit = "s" }', further="")
    text = text.replace('column = "v"', "code = 2").replace('column = "i"', "code = 3")
    shape = 'order = ["n"]\nshape = "long"\ncode = "code"\nvalue = "value"'
    path = write_toml(lite.folder, text.replace('order = ["n"]', shape))
    found = migrate(path, lite.folder / "job")
    assert causes(found) == {}
    assert found.facts is not None
    assert found.facts.exceptions[0].startswith("the 1 rows of the code 99 are not migrated")


@pytest.mark.parametrize("second", ["2018-06-01T08:00:10+02:00", "2018-06-01 08:00:10"])
def test_text_that_states_its_offset_needs_no_zone_but_in_all_rows(second: str, lite: Lab) -> None:
    lite.make(
        ["('a', 1, '2018-06-01T06:00:00Z', 3.5, 0)", f"('a', 2, '{second}', 3.6, 0)"], t="text"
    )
    found = lite.migrate('{ column = "t", zone = "Europe/Berlin" }')
    if second.endswith("00"):
        assert read(found, "Time [s]") == [0.0, 10.0]
    else:
        assert causes(found) == {"test": "not_a_timestamp"}


CAST = "SELECT n, t, CAST(v AS {kind}) AS v, i FROM samples WHERE cell = :cell"


def cast_in_query(lab: Lab, kind: str) -> Path:
    lab.make(["('a', 1, 0, '3.5', 0)", "('a', 2, 1, '3,7', 0)"], v="varchar(20)")
    path = toml(lab.folder, lab.url)
    plain = "SELECT * FROM samples WHERE cell = :cell"
    return write_toml(lab.folder, path.read_text().replace(plain, CAST.format(kind=kind)))


def test_a_cast_of_mysql_that_changes_a_value_is_refused(my: Lab) -> None:
    """It would make 3 of '3,7', with no more than a warning."""
    found = migrate(cast_in_query(my, "DOUBLE"), my.folder / "job")
    assert causes(found) == {"test": "improper_value"}
    assert "Truncated incorrect DOUBLE value: '3,7'" in str(found.rejected["test"])


def test_a_cast_of_sqlite_is_told_to_the_person_who_signs(lite: Lab) -> None:
    found = migrate(cast_in_query(lite, "REAL"), lite.folder / "job")
    assert found.facts is not None
    assert "'3,7' to 3, without an error" in found.facts.exceptions[0]


@pytest.mark.parametrize("engine", ["pg", "my", "lite"])
def test_sums_are_the_same_digit_for_digit_in_every_engine(
    engine: str, request: pytest.FixtureRequest
) -> None:
    lab: Lab = request.getfixturevalue(engine)
    values = [3.7 + 0.000123456789 * n * (-1) ** n for n in range(200)]
    lab.make([f"('a', {n}, {n}, {value!r}, -0.5)" for n, value in enumerate(values)])
    found = lab.migrate()
    assert read(found) == values
    voltage = found.series["test"].provenance["migration"]["sums"]["columns"][1]
    assert voltage["total"] == 739987654321


def test_no_measurement_at_all_is_no_success(pg: Lab) -> None:
    pg.run("CREATE TABLE samples (cell text, n int, t int, v float8, i float8)")
    with pytest.raises(PlanError, match="none to migrate"):
        pg.migrate()
