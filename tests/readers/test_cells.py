"""Several cells or tests in one table are told apart, or the table is refused, in every dialect."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from bulkload.core.plan_items import UploadJob
from bulkload.core.terms import JobKey
from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, list_members, read
from bulkload.sources.members import Members

#: Dialect -> header and a row's first fields; the rest is time, current and voltage.
TABLES = {
    "a lab's table": ("Record,Step,Test Time (s),Current (A),Voltage (V)", "{n},1"),
    "Arbin": ("Data_Point,Step_Index,Test_Time(s),Current(A),Voltage(V)", "{n},1"),
    "Neware": ("DataPoint,Step Index,Total Time,Current(A),Voltage(V)", "{n},1"),
    "Maccor": ("Rec#,Step,TestTime(s),Amps,Volts", "{n},1"),
    "Ionworks": ("Row,Step count,Time [s],Current [A],Voltage [V]", "{n},0"),
    "BDF": ("n,step_count,test_time_second,current_ampere,voltage_volt", "{n},1"),
}

#: Header of the column that tells apart, and its values.
NAMES = {
    "Cell": ("A01", "A02"),
    "Cell ID": ("7", "8"),
    "Barcode": ("LG-1", "LG-2"),
    "Serial Number": ("S1", "S2"),
    "Channel": ("1-1", "1-2"),
    "Test": ("11", "12"),
    "Battery": ("x", "y"),
    "Sample": ("x", "y"),
    "DUT": ("1", "2"),
    "Slot": ("1", "2"),
    "电芯": ("1", "2"),
}


def table(folder: Path, dialect: str, name: str, values: tuple[str, ...]) -> Path:
    header, first = TABLES[dialect]
    lines = [f"{name},{header}"]
    for place, value in enumerate(values):
        for i in range(6):
            time = f"00:00:{10 * i:02d}" if dialect == "Neware" else str(10 * i)
            lines.append(
                f"{value},{first.format(n=i + 1)},{time},-1.0,{4 - place / 10 - i / 100:.2f}"
            )
    path = folder / "cells.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("dialect", "name"),
    # Maccor calls its time so.
    [(d, n) for d in TABLES for n in NAMES if (d, n) != ("Maccor", "Test")],
)
def test_each_cell_is_read_alone(tmp_path: Path, dialect: str, name: str) -> None:
    values = NAMES[name]
    path = table(tmp_path, dialect, name, values)
    with pytest.raises(UnreadableError, match="2 tests in it and none was chosen") as caught:
        read(path)
    assert caught.value.cause == "which_member"
    for place, value in enumerate(values):
        series = read(path, ReadOptions(member=f"{name} {value}"))
        assert series.table.num_rows == 6
        assert series.table["Voltage [V]"][0].as_py() == 4 - place / 10
        assert any(d.code == "test_taken" for d in series.decisions)


@pytest.mark.parametrize("dialect", [d for d in TABLES if d != "BDF"])
def test_the_plan_has_a_measurement_for_each(tmp_path: Path, dialect: str) -> None:
    path = table(tmp_path, dialect, "Cell", ("A01", "A02"))
    assert list_members(path) == ("Cell A01", "Cell A02")
    job = UploadJob(key=JobKey("spec", "cell", "test"), path=str(path))
    assert [one.member for one in Members(ReadOptions).split(job)] == ["Cell A01", "Cell A02"]


@pytest.mark.parametrize("dialect", TABLES)
def test_one_cell_is_one_measurement(tmp_path: Path, dialect: str) -> None:
    path = table(tmp_path, dialect, "Cell", ("A01",))
    assert list_members(path) == ()
    assert read(path).table.num_rows == 6


def test_a_test_number_and_a_cell_together(tmp_path: Path) -> None:
    header = "Test,Cell,Step,Test Time (s),Current (A),Voltage (V)"
    rows = [
        f"{test},{cell},1,{10 * i},-1.0,{4 - cell / 10 - test / 100 - i / 1000:.3f}"
        for test in (1, 2)
        for cell in (1, 2)
        for i in range(6)
    ]
    path = tmp_path / "cells.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    assert len(list_members(path)) == 4
    series = read(path, ReadOptions(member="Test 2 Cell 1"))
    assert series.table["Voltage [V]"][0].as_py() == 3.88


def test_cells_in_a_workbook_and_in_parquet(tmp_path: Path) -> None:
    columns = {
        "Time [s]": [0.0, 1.0, 2.0] * 2,
        "Voltage [V]": [4.0, 3.9, 3.8, 3.7, 3.6, 3.5],
        "Current [A]": [1.0] * 6,
        "Step count": [0] * 6,
        "Cell": ["a"] * 3 + ["b"] * 3,
    }
    parquet = tmp_path / "cells.parquet"
    pq.write_table(pa.table(columns), parquet)
    assert list_members(parquet) == ("Cell a", "Cell b")
    alone = read(parquet, ReadOptions(member="Cell b"))
    assert alone.table["Voltage [V]"].to_pylist() == [3.7, 3.6, 3.5]
    book_path = tmp_path / "cells.xlsx"
    with xlsxwriter.Workbook(book_path) as book:
        sheet = book.add_worksheet("data")
        sheet.write_row(0, 0, ["Cell", "Step", "Test Time (s)", "Current (A)", "Voltage (V)"])
        for i in range(12):
            sheet.write_row(i + 1, 0, [f"c{i // 6}", 1, 10 * (i % 6), -1.0, 4 - i / 100])
    assert list_members(book_path) == ("Cell c0", "Cell c1")
    assert read(book_path, ReadOptions(member="Cell c1")).table.num_rows == 6


@pytest.mark.parametrize("name", ["Cell", "Cell (V)", "Battery"])
def test_a_column_of_measurements_tells_no_cells_apart(tmp_path: Path, name: str) -> None:
    header = f"{name},Step,Test Time (s),Current (A),Voltage (V)"
    rows = [f"{3.7 - i / 1000:.3f},1,{10 * i},-1.0,{4 - i / 100:.2f}" for i in range(6)]
    path = tmp_path / "cell.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    assert list_members(path) == ()
    assert read(path).table.num_rows == 6


@pytest.mark.parametrize("name", ["Sample", "Module", "Unit", "SN", "Device"])
def test_cells_whose_rows_take_turns_are_never_one_test(tmp_path: Path, name: str) -> None:
    """Each row is later than the one before: only the column says that there are two cells."""
    lines = [f"Time (s),Voltage (V),Current (A),{name}"]
    for i in range(20):
        lines.append(f"{10 * i},{3.6 - i / 100:.2f},1.0,1")
        lines.append(f"{10 * i + 1},{3.3 - i / 100:.2f},1.0,2")
    path = tmp_path / "turns.csv"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UnreadableError, match=f"'{name} 1', '{name} 2'"):
        read(path)


@pytest.mark.parametrize("name", ["Cell", "Sample", "DUT", "Slot", "SN", "Zellnummer", "电芯"])
def test_the_plan_knows_the_columns_that_the_readers_know(tmp_path: Path, name: str) -> None:
    path = table(tmp_path, "a lab's table", name, ("1", "2"))
    job = UploadJob(key=JobKey("spec", "cell", "run"), path=str(path))
    assert [one.member for one in Members(ReadOptions).split(job)] == [f"{name} 1", f"{name} 2"]
