"""What ``[source.sql]`` may say, and the sentence for each thing that it must not leave open."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkload.databases.configuration import load_configuration
from bulkload.databases.profiles import profile_names
from bulkload.databases.query import (
    QueryError,
    checked_query,
    parameters,
    placeholders,
    tables_named,
    with_references,
)
from bulkload.databases.units import raw_conversion
from bulkload.errors import PlanError
from tests.databases.worlds import HOME_MADE, write_toml


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (', unit = "mV"', "", "a number needs the unit"),
        ('unit = "mV"', 'unit = "Ah"', "not a unit that can be converted to V"),
        (', positive = "charge"', "", "a current needs its sign"),
        ('positive = "charge"', 'positive = "up"', "'charge' or 'discharge'"),
        ('zone = "Europe/Berlin"', "zon = 'x'", "Extra inputs are not permitted"),
        ('"SELECT n, t_ms', '"DELETE n, t_ms', "must begin with SELECT or WITH"),
        ("FROM {table}", "FROM t; DROP TABLE cells", "several statements"),
        ("FROM {table}", "FROM {other}", "measurements.table"),
        ('"SELECT serial, model, cap_mah FROM cells"', '"SELECT :x FROM cells"', "parameters"),
        ('"Voltage [V]"', '"Volts"', "has no unit in its name"),
        ('order = ["n"]', "order = []", "at least 1 item"),
        ('url = "sqlite:///lab2014.db"', 'url = "lab2014.db"', "is not a URL"),
        ('url = "sqlite:///lab2014.db"', 'url = "sqlite:///"', "names no file"),
        ('url = "', 'profile = "batery-archive"\nurl = "', "did you mean 'battery-archive'"),
    ],
)
def test_each_mistake_has_a_sentence(tmp_path: Path, before: str, after: str, words: str) -> None:
    assert before in HOME_MADE
    path = write_toml(tmp_path, HOME_MADE.replace(before, after, 1))
    with pytest.raises(PlanError) as error:
        load_configuration(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)


def test_a_zone_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    stated = '"Time [s]" = { column = "t_ms", zone = "Europe/Atlantis" }'
    text = HOME_MADE.replace('"Time [s]" = { column = "t_ms", unit = "ms" }', stated)
    with pytest.raises(PlanError, match="is not a time zone"):
        load_configuration(write_toml(tmp_path, text))


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_needs_no_more_than_a_url_and_what_it_cannot_know(
    tmp_path: Path, name: str
) -> None:
    text = f'[source.sql]\nurl = "postgresql://h/db"\nprofile = "{name}"\n'
    if name != "battery-archive":
        with pytest.raises(PlanError, match=r"cells\.specification: Field required"):
            load_configuration(write_toml(tmp_path, text))
        text += '[source.sql.cells]\nspecification = "18650"\n'
    source = load_configuration(write_toml(tmp_path, text))
    assert source.samples is not None
    assert source.samples.columns["Current [A]"].positive == "charge"


def test_what_the_user_states_goes_before_the_profile(tmp_path: Path) -> None:
    text = """
[source.sql]
url = "postgresql://h/db"
profile = "battery-archive"
[source.sql.cells]
only = { status = ["completed", "processing"] }
[source.sql.samples]
order = ["test_time", "index"]
[source.sql.samples.columns]
"Current [A]" = { column = "amps", unit = "mA", positive = "discharge" }
"""
    source = load_configuration(write_toml(tmp_path, text))
    assert source.cells.only == {"status": ("completed", "processing")}
    assert source.cells.key == "cell_id"
    assert source.samples is not None
    assert source.samples.order == ("test_time", "index")
    assert source.samples.columns["Current [A]"].column == "amps"
    assert source.samples.columns["Voltage [V]"].column == "v"


@pytest.mark.parametrize(
    ("name", "unit", "raw", "expected"),
    [
        ("Voltage [V]", "mV", 3712.0, 3.712),
        ("Voltage [V]", "0.1 mV", 37123.0, 3.7123),
        ("Charge capacity [A.h]", "mA.s", 3_600_000.0, 1.0),
        ("Temperature [degC]", "K", 298.15, 25.0),
        ("Ambient temperature [degC]", "0.1 degC", 251.0, 25.1),
        ("Time [s]", "us", 1e6, 1.0),
        ("Time [s]", "h", 2.0, 7200.0),
        ("Charge energy [W.h]", "J", 3600.0, 1.0),
        ("Pressure [kPa]", "kPa", 101.0, 101.0),
    ],
)
def test_units(name: str, unit: str, raw: float, expected: float) -> None:
    found = raw_conversion(name, unit)
    assert found is not None
    assert raw * found.scale + found.shift == pytest.approx(expected)


def test_a_query_is_read_without_being_misled() -> None:
    query = "SELECT a::text, 'x; DELETE :no' AS t, \"update\" FROM s.t -- ; :no\n WHERE b = :yes;"
    assert parameters(query) == ("yes",)
    assert checked_query(query).endswith("WHERE b = :yes")
    assert placeholders("SELECT '{no}' FROM {yes}") == ("yes",)
    assert tables_named('SELECT f FROM a."B" x JOIN c ON 1 WHERE (SELECT 1 FROM d)') == {
        "a.b",
        "c",
        "d",
    }
    assert with_references("SELECT 1 WHERE a = :a AND b = ':a'", "k", lambda name: name) == (
        "SELECT 1 WHERE a = k.a AND b = ':a'"
    )


@pytest.mark.parametrize(
    "query",
    [
        "UPDATE a SET b = 1",
        "WITH x AS (DELETE FROM a RETURNING 1) SELECT * FROM x",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT 1; SELECT 2",
        "-- nothing\n",
        "EXPLAIN SELECT 1",
        "SELECT 1 FROM a FOR UPDATE",
    ],
)
def test_what_is_no_reading_query_is_refused(query: str) -> None:
    with pytest.raises(QueryError):
        checked_query(query)
