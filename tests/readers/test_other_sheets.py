"""Sensors in another sheet of the workbook come to their rows; every other sheet is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import xlsxwriter

from bulkload.readers import TimeSeries, read

Sheet = Sequence[Sequence[object]]

#: Twenty records; the sensor's sheet lacks the third.
NEWARE: Sheet = [
    ["DataPoint", "Cycle Index", "Step Index", "Total Time", "Current(A)", "Voltage(V)"],
    *([n, 1, 1, f"00:00:{n:02d}.500", -1.0, round(4.0 - n / 100, 2)] for n in range(1, 21)),
]
ARBIN: Sheet = [
    ["Data_Point", "Test_Time(s)", "Step_Index", "Cycle_Index", "Current(A)", "Voltage(V)"],
    *([n, n * 1.5, 1, 1, -1.0, round(4.0 - n / 100, 2)] for n in range(1, 21)),
]


def by_record(header: str, *names: str) -> Sheet:
    return [[header, *names], *([n, *(20.0 + n,) * len(names)] for n in range(20, 0, -1) if n != 3)]


def write(folder: Path, sheets: Mapping[str, Sheet]) -> TimeSeries:
    path = folder / "book.xlsx"
    book = xlsxwriter.Workbook(str(path))
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    book.close()
    return read(path)


def left_out(series: TimeSeries) -> list[tuple[str, ...]]:
    return [d.columns for d in series.decisions if d.code == "tables_left_out"]


@pytest.mark.parametrize(
    ("own", "aux"),
    [
        ({"record": NEWARE}, by_record("DataPoint", "T1(℃)", "T2(℃)")),
        ({"Channel_1-001": ARBIN}, by_record("Data_Point", "Aux_Temperature_1(C)", "Aux T2 (°C)")),
    ],
)
def test_temperatures_of_another_sheet_come_to_their_records(
    tmp_path: Path, own: Mapping[str, Sheet], aux: Sheet
) -> None:
    series = write(tmp_path, {"Info": [["Cell", "A"]], **own, "aux": aux})
    values = series.table["Temperature [degC]"].to_pylist()
    assert values[:4] == [21.0, 22.0, None, 24.0]
    assert values[-1] == 40.0
    assert sum("T2" in name for name in series.table.column_names) == 1
    assert left_out(series) == [("Info",)]


def test_records_are_found_by_the_time_where_none_is_numbered(tmp_path: Path) -> None:
    aux: Sheet = [["Test_Time(s)", "Temp (°C)"], *([n * 1.5, 20.0 + n] for n in range(1, 21))]
    series = write(tmp_path, {"Channel_1-001": ARBIN, "Aux_1-001": aux})
    assert series.table["Temperature [degC]"].to_pylist() == [20.0 + n for n in range(1, 21)]
    assert left_out(series) == []


@pytest.mark.parametrize(
    "aux",
    [
        [["DataPoint", "T1(℃)"], *([n + 100, 20.0] for n in range(1, 21))],
        [["DataPoint", "T1(℃)"], *([1, 20.0] for _ in range(20))],
        [["T1(℃)"], *([20.0] for _ in range(20))],
    ],
    ids=["other records", "one record twice", "no record"],
)
def test_what_cannot_be_joined_is_named(tmp_path: Path, aux: Sheet) -> None:
    series = write(tmp_path, {"record": NEWARE, "aux": aux})
    assert "Temperature [degC]" not in series.table.column_names
    assert left_out(series) == [("aux",)]
