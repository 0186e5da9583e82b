"""Three electrodes: the voltage is the cell's, and the potentials are columns of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, TimeSeries, read

#: Working and counter electrode against the reference, and their difference, in V.
EWE, ECE, CELL = (3.9, 3.8, 3.7), (0.2, 0.25, 0.3), (3.7, 3.55, 3.4)


def ec_lab(folder: Path, names: str, rows: list[str]) -> Path:
    path = folder / "cell.mpt"
    head = "EC-Lab ASCII FILE\nNb header lines : 4\n\n"
    path.write_text(head + names.replace(",", "\t") + "\n" + "\n".join(rows) + "\n")
    return path


def made(folder: Path, dialect: str, columns: Mapping[str, tuple[float, ...]]) -> Path:
    """Write a table with time and current, and these columns, as EC-Lab or as a lab does."""
    names = ",".join(("time/s", *columns, "I/mA"))
    values = zip(*columns.values(), strict=True)
    rows = [(10 * i, *row, -50) for i, row in enumerate(values)]
    if dialect == "EC-Lab":
        return ec_lab(folder, names, ["\t".join(map(str, row)) for row in rows])
    path = folder / "cell.csv"
    path.write_text(names + "\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return path


def evidence(series: TimeSeries) -> list[tuple[str, str]]:
    return [
        (decision.evidence, decision.detail)
        for decision in series.decisions
        if decision.code == "voltage_taken"
    ]


def numbers(series: TimeSeries, name: str) -> list[float]:
    return [round(value, 9) for value in series.table[name].to_pylist()]


DIALECTS = pytest.mark.parametrize("dialect", ["EC-Lab", "a lab's table"])
ALL = {"Ewe/V": EWE, "Ece/V": ECE, "Ewe-Ece/V": CELL}


@DIALECTS
def test_the_difference_is_the_voltage(tmp_path: Path, dialect: str) -> None:
    series = read(made(tmp_path, dialect, ALL))
    assert numbers(series, "Voltage [V]") == list(CELL)
    assert numbers(series, "Ewe [V]") == list(EWE)
    assert numbers(series, "Ece [V]") == list(ECE)
    assert evidence(series)[0][0] == "columns of the file"
    assert "Ewe-Ece" in evidence(series)[0][1]


@DIALECTS
def test_the_difference_is_made_where_both_are_there(tmp_path: Path, dialect: str) -> None:
    series = read(made(tmp_path, dialect, {"Ewe/V": EWE, "Ece/V": ECE}))
    assert numbers(series, "Voltage [V]") == list(CELL)
    assert "Ewe less Ece" in evidence(series)[0][1]


@DIALECTS
def test_one_potential_alone_is_the_voltage_and_it_is_said(tmp_path: Path, dialect: str) -> None:
    series = read(made(tmp_path, dialect, {"Ewe/V": EWE}))
    assert numbers(series, "Voltage [V]") == list(EWE)
    assert "Ewe [V]" not in series.table.column_names
    assert "only potential" in evidence(series)[0][1]


@DIALECTS
def test_the_users_word_goes_before(tmp_path: Path, dialect: str) -> None:
    path = made(tmp_path, dialect, ALL)
    series = read(path, ReadOptions(voltage="ewe"))
    assert numbers(series, "Voltage [V]") == list(EWE)
    assert numbers(series, "Ewe-Ece [V]") == list(CELL)
    assert evidence(series)[0][0] == "stated"
    assert series.provenance["options"]["voltage"] == "ewe"
    assert numbers(read(path, ReadOptions(voltage="ewe-ece")), "Voltage [V]") == list(CELL)


def test_a_difference_that_is_not_there_is_not_made_up(tmp_path: Path) -> None:
    path = made(tmp_path, "EC-Lab", {"Ewe/V": EWE})
    with pytest.raises(UnreadableError, match="stated to be ewe-ece") as caught:
        read(path, ReadOptions(voltage="ewe-ece"))
    assert caught.value.cause == "missing_column"


def test_an_averaged_potential_and_the_newer_spelling(tmp_path: Path) -> None:
    series = read(made(tmp_path, "EC-Lab", {"<Ewe/V>": EWE, "<Ece>/V": ECE}))
    assert numbers(series, "Voltage [V]") == list(CELL)


def test_a_spectrum_keeps_the_electrode_whose_impedance_it_is(shared_data: Path) -> None:
    series = read(shared_data / "cycler" / "biologic" / "geis.mpt")
    np.testing.assert_array_equal(series.table["Voltage [V]"], series.table["Ewe [V]"])
    assert "Ece is kept" in evidence(series)[0][1]


def test_a_real_file_of_three_electrodes(shared_data: Path) -> None:
    name = "2022-04-06 16_17_23 full set_01_01_CP_DUSB0_C01.mpt"
    series = read(shared_data / "cycler2" / "biologic" / name)
    # Its first line: Ewe 0.59171206 V, Ewe-Ece -0.71221679 V.
    assert series.table["Voltage [V]"][0].as_py() == pytest.approx(-0.71221679, rel=1e-9)
    assert sum(series.table["Voltage [V]"].to_pylist()) == pytest.approx(-7.78463936, rel=1e-9)
    assert "Ewe [V]" in series.table.column_names
