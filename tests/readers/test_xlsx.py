"""Workbooks: every cell is read as what it is, or the file is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from bulkload.errors import UnreadableError
from bulkload.readers import read

HEAD = ["Data_Point", "Test_Time(s)", "Step_Index", "Cycle_Index", "Current(A)", "Voltage(V)"]


def workbook(path: Path, rows: Sequence[Sequence[Any]], formats: dict[int, str]) -> Path:
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("Channel_1")
    styles = {column: book.add_format({"num_format": code}) for column, code in formats.items()}
    sheet.write_row(0, 0, HEAD)
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(row):
            if value is not None:
                sheet.write(number, column, value, styles.get(column))
    book.close()
    return path


PLAIN = [[i + 1, 10.5 * i, 1 + i // 3, 1, -0.25 + i / 8, 3.7 - i / 64] for i in range(6)]


def test_plain_rows(tmp_path: Path) -> None:
    table = read(workbook(tmp_path / "a.xlsx", PLAIN, {})).table
    assert table["Time [s]"].to_pylist() == [row[1] for row in PLAIN]
    assert table["Voltage [V]"].to_pylist() == [row[5] for row in PLAIN]
    assert [abs(v) for v in table["Current [A]"].to_pylist()] == [abs(row[4]) for row in PLAIN]


@pytest.mark.parametrize(
    ("cell", "rows"),
    [(None, 3), ("0.1", 4), ("-", 3), (0.1, 4)],
    ids=["an empty cell", "a number as text", "a dash", "a number"],
)
def test_cells_of_another_kind(tmp_path: Path, cell: Any, rows: int) -> None:
    table = [*PLAIN[:3], [4, 31.5, 1, 1, cell, 3.6]]
    series = read(workbook(tmp_path / "a.xlsx", table, {}))
    assert series.table.num_rows == rows
    assert series.provenance["rows_left_out"] == 4 - rows


def test_a_cell_beyond_the_first_thousand_rows_counts(tmp_path: Path) -> None:
    rows: list[list[Any]] = [[i + 1, 1.0 * i, 1, 1, -0.5, 3.7] for i in range(1200)]
    rows[1100][4] = "broken"
    with pytest.raises(UnreadableError, match="'broken' in column") as caught:
        read(workbook(tmp_path / "a.xlsx", rows, {}))
    assert caught.value.cause == "not_a_number"


def test_a_header_below_other_rows_keeps_numbers_and_dates(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("Channel_1")
    stamp = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
    sheet.write_row(2, 0, ["Cell", "A1"])
    sheet.write_row(4, 0, [*HEAD, "Date_Time"])
    for i, row in enumerate(PLAIN):
        sheet.write_row(5 + i, 0, row)
        moment = datetime(2024, 1, 20, 10, 0, 0, 250_000) + timedelta(seconds=10.5 * i)  # noqa: DTZ001
        sheet.write_datetime(5 + i, 6, moment, stamp)
    book.close()
    series = read(path)
    assert series.table["Voltage [V]"].to_pylist() == [row[5] for row in PLAIN]
    assert series.header["start_time"] == "2024-01-20T10:00:00.250000+00:00"


def test_a_row_of_units_in_a_sheet(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("Daten")
    # The workbook of a German Digatron, made from the columns of its text export.
    names = ["Schritt", "Zustand", "Programmdauer", "Zyklus", "AhAkku", "Spannung", "Strom"]
    sheet.write_row(0, 0, names)
    sheet.write_row(1, 0, ["[]", "[]", "[ss.xxx]", "[]", "[Ah]", "[V]", "[A]"])
    for i in range(6):
        sheet.write_row(2 + i, 0, [2, "ENT", 10.0 * i, 1, 0.0, 3.7 - i / 64, -1.25])
    book.close()
    series = read(path)
    assert series.provenance["reader"] == "digatron"
    assert series.table["Time [s]"].to_pylist() == [0, 10, 20, 30, 40, 50]
    assert series.table["Current [A]"].to_pylist() == [1.25] * 6


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("Channel_1")
    sheet.write_row(0, 0, [*HEAD, "Voltage(V)"])
    for i, row in enumerate(PLAIN):
        sheet.write_row(1 + i, 0, [*row, 9.0])
    book.close()
    with pytest.raises(UnreadableError, match="twice") as caught:
        read(path)
    assert caught.value.cause == "duplicate_column"


def test_an_empty_sheet_beside_the_data_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = xlsxwriter.Workbook(str(path))
    book.add_worksheet("Empty")
    sheet = book.add_worksheet("Channel_1")
    sheet.write_row(0, 0, HEAD)
    for i, row in enumerate(PLAIN):
        sheet.write_row(1 + i, 0, row)
    book.close()
    assert read(path).table.num_rows == 6


def test_times_shown_as_a_clock_are_not_taken_for_seconds(tmp_path: Path) -> None:
    rows = [[i + 1, timedelta(seconds=3725.5 * i), 1, 1, -0.5, 3.7 - i / 64] for i in range(4)]
    path = workbook(tmp_path / "a.xlsx", rows, {1: "[h]:mm:ss"})
    assert read(path).table["Time [s]"].to_pylist() == [0, 3725.5, 7451, 11176.5]


def test_dates_in_place_of_numbers_are_refused(tmp_path: Path) -> None:
    rows = [[1, 0.0, 1, 1, datetime(2024, 1, 1), 3.7], [2, 1.0, 1, 1, datetime(2024, 1, 2), 3.6]]  # noqa: DTZ001
    path = workbook(tmp_path / "a.xlsx", rows, {4: "yyyy-mm-dd"})
    with pytest.raises(UnreadableError, match="is not a number"):
        read(path)


def test_a_damaged_workbook_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", PLAIN, {})
    data = path.read_bytes()
    (tmp_path / "b.xlsx").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadableError) as caught:
        read(tmp_path / "b.xlsx")
    assert caught.value.cause == "damaged"
