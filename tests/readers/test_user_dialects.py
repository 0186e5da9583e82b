"""Dialects that a lab writes itself: read right, and an error names its line."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from bulkload.errors import SettingsError, UnreadableError
from bulkload.readers import ReadOptions, detect, load_dialects, read

#: A home-made table: minutes, millivolts, milliamperes, decimal commas, cp1252.
TABLE = """Prüfstand 3;Zelle 17
t;U_Zelle;I_Last;Schritt;Zustand
0;3700,5;-250,0;1;L
1,5;3712,25;-250,0;1;L
3;3720,0;0,0;2;P
4,5;3690,0;500,0;3;E
"""

DIALECT = """
[[dialect]]
name = "rig 3"
cycler = "home-made rig"
decimal = ","
delimiter = ";"
encoding = "cp1252"
sign = "positive is discharge"

[dialect.columns]
"Time [s]" = { header = "t", unit = "min" }
"Voltage [V]" = { header = "U_Zelle", unit = "mV" }
"Current [A]" = { header = "I_Last", unit = "mA" }
"Step from cycler" = "Schritt"
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rig.csv"
    path.write_bytes(TABLE.encode("cp1252"))
    return path


def options(tmp_path: Path, text: str) -> ReadOptions:
    path = tmp_path / "dialects.toml"
    path.write_text(text, encoding="utf-8")
    return ReadOptions(dialects=load_dialects(path))


def test_a_home_made_file_in_three_units(table: Path, tmp_path: Path) -> None:
    series = read(table, options(tmp_path, DIALECT))
    columns = series.table.to_pydict()
    assert columns["Time [s]"] == [0.0, 90.0, 180.0, 270.0]
    assert columns["Voltage [V]"] == pytest.approx([3.7005, 3.71225, 3.72, 3.69], rel=1e-15)
    assert columns["Current [A]"] == [-0.25, -0.25, 0.0, 0.5]
    assert columns["Step count"] == [0, 0, 1, 2]
    assert series.header["test_setup"]["cycler"] == "home-made rig"
    assert series.provenance["dialect"] == "rig 3"
    assert series.provenance["decimal"] == ","
    assert any("laid down by the format" in remark for remark in series.remarks)


def test_the_same_file_without_the_dialect_is_refused(table: Path) -> None:
    with pytest.raises(UnreadableError) as caught:
        read(table)
    assert caught.value.cause == "unknown_format"


def test_it_is_asked_first_and_says_so(table: Path, tmp_path: Path) -> None:
    detection = detect(table, options(tmp_path, DIALECT))
    assert detection.verdict == "rig 3"


def test_it_can_be_named_and_travels_to_a_child(table: Path, tmp_path: Path) -> None:
    own = pickle.loads(pickle.dumps(options(tmp_path, DIALECT)))
    stated = ReadOptions(reader="rig 3", dialects=own.dialects)
    assert read(table, stated).table.num_rows == 4


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (('unit = "mV"', 'unit = "furlong"'), 12, "furlong"),
        (
            ('"Current [A]" = { header = "I_Last", unit = "mA" }\n', ""),
            10,
            "no column for 'Current",
        ),
        (('decimal = ","', 'decimal = "x"'), 5, "'decimal' is one of"),
        (('sign = "positive is discharge"', 'sign = "up"'), 8, "'sign' is one of"),
        (('encoding = "cp1252"', 'encoding = "klingon"'), 7, "klingon"),
        (('cycler = "home-made rig"', 'cyclr = "x"'), 4, "'cyclr' is not known"),
        (('name = "rig 3"', ""), 2, "needs a name"),
        (('header = "t", unit = "min"', 'header = "t"'), 11, "needs a unit"),
        (('name = "rig 3"', "name = = 3"), 3, "line 3"),
    ],
)
def test_an_error_names_its_line(
    tmp_path: Path, change: tuple[str, str], line: int, words: str
) -> None:
    text = DIALECT.replace(*change)
    assert text != DIALECT
    with pytest.raises(SettingsError) as caught:
        options(tmp_path, text)
    message = str(caught.value)
    assert message.startswith("dialects.toml")
    assert f"line {line}" in message
    assert words in message


def test_no_dialect_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no \\[\\[dialect\\]\\]"):
        options(tmp_path, "title = 'x'\n")
