"""Workbooks: the quick way gives what calamine gives, or leaves the workbook to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, read
from bulkload.readers.content import load
from bulkload.readers.formats import arbin, neware
from bulkload.readers.probe import Probe
from bulkload.readers.table_format import TableFormat
from bulkload.readers.xlsx import IrregularError, PlainBook

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


def quickly(path: Path, reader: TableFormat = arbin.FORMAT) -> Any:
    probe = Probe(load(path))
    book = probe.books[0]
    assert isinstance(book, PlainBook)
    return reader._read_sheet(book, probe, ReadOptions())


def surely(path: Path, reader: TableFormat = arbin.FORMAT) -> Any:
    probe = Probe(load(path))
    return reader._read_sheet(probe.books[-1], probe, ReadOptions())


PLAIN = [[i + 1, 10.5 * i, 1 + i // 3, 1, -0.25 + i / 8, 3.7 - i / 64] for i in range(6)]


def test_plain_rows_are_read_quickly(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", PLAIN, {})
    assert quickly(path).table.equals(surely(path).table)


@pytest.mark.parametrize(
    ("folder", "name", "reader"),
    [
        ("arbin", "CS2_33_8_17_10.xlsx", arbin.FORMAT),
        ("arbin", "CS2_33_10_05_10.xlsx", arbin.FORMAT),
        ("neware", "GMJuly2022*.xlsx", neware.FORMAT),
    ],
)
def test_real_workbooks_are_read_the_same_both_ways(
    shared_data: Path, folder: str, name: str, reader: TableFormat
) -> None:
    path = next((shared_data / "cycler" / folder).glob(name))
    quick, sure = quickly(path, reader), surely(path, reader)
    assert quick.table.equals(sure.table)
    assert quick.header == sure.header


@pytest.mark.parametrize(
    "rows",
    [
        [*PLAIN[:3], [4, 31.5, None, 1, 0.1, 3.6]],
        [*PLAIN[:3], [4, 31.5, 1, 1, "0.1", 3.6]],
        [*PLAIN[:3], [4, 31.5, 1, 1, 0.1, "=A1"]],
    ],
    ids=["an empty cell", "a number as text", "a formula"],
)
def test_irregular_rows_are_left_to_calamine(tmp_path: Path, rows: list[list[Any]]) -> None:
    path = workbook(tmp_path / "a.xlsx", rows, {})
    with pytest.raises(IrregularError):
        quickly(path)
    assert read(path).table.num_rows == 4


def test_times_shown_as_a_clock_are_not_taken_for_seconds(tmp_path: Path) -> None:
    rows = [[i + 1, timedelta(seconds=10 * i), 1, 1, -0.5, 3.7 - i / 64] for i in range(4)]
    path = workbook(tmp_path / "a.xlsx", rows, {1: "[h]:mm:ss"})
    with pytest.raises(IrregularError):
        quickly(path)
    assert read(path).table["Time [s]"].to_pylist() == [0, 10, 20, 30]


def test_dates_in_place_of_numbers_are_refused(tmp_path: Path) -> None:
    rows = [[1, 0.0, 1, 1, datetime(2024, 1, 1), 3.7], [2, 1.0, 1, 1, datetime(2024, 1, 2), 3.6]]  # noqa: DTZ001
    path = workbook(tmp_path / "a.xlsx", rows, {4: "yyyy-mm-dd"})
    with pytest.raises(UnreadableError, match="is no number"):
        read(path)


def test_a_damaged_workbook_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", PLAIN, {})
    data = path.read_bytes()
    (tmp_path / "b.xlsx").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadableError) as caught:
        read(tmp_path / "b.xlsx")
    assert caught.value.cause == "damaged"
