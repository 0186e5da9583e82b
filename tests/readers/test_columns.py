"""Columns in = columns kept + columns named as left out, in every real file; channels are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xlsxwriter

from bulkload.errors import UnreadableError
from bulkload.readers import TimeSeries, read
from bulkload.readers import normalise as normalise_module
from bulkload.readers.channels import Channel, Reason, channel
from bulkload.readers.fetching import fetch_raw
from bulkload.readers.units import split_heading
from tests.conftest import SHARED_DATA
from tests.readers.test_against_vendor import needs_mdbtools

#: Readers that take the columns as they are, or leave the choice to the vendor's package.
WHOLE = {"ionworks"}

FILES = sorted(path for part in ("cycler", "cycler2") for path in (SHARED_DATA / part).glob("*/*"))


def left_out(series: TimeSeries) -> list[str]:
    return [
        name
        for decision in series.decisions
        if decision.code == "columns_left_out"
        for name in decision.columns
    ]


def kept(series: TimeSeries) -> dict[str, str]:
    return {entry["name"]: entry["to"] for entry in series.provenance["columns"]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[:40])
def test_every_column_is_accounted_for(
    path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_mdbtools(path)
    assert shared_data
    headers: list[Sequence[str]] = []

    def noted(grid: Any, *rest: Any) -> Any:
        headers.append(list(grid.names))
        return fetch_raw(grid, *rest)

    monkeypatch.setattr(normalise_module, "fetch_raw", noted)
    try:
        series = read(path)
    except UnreadableError:
        pytest.skip("refused: nothing is sent of it")
    if series.provenance["reader"] in WHOLE:
        return
    names = [entry["name"] for entry in series.provenance["columns"]]
    assert Counter(names + left_out(series)) == Counter(headers[-1])
    made = set(series.table.column_names)
    assert {entry["to"] for entry in series.provenance["columns"]} <= made


@pytest.mark.parametrize(
    ("name", "column", "expected"),
    [
        # (file, column of the result, values of the first row as the file has them)
        ("cycler/neware/GMJuly2022*", "Temperature [degC]", 26.7),
        ("cycler/neware/GMJuly2022*", "t1 [degC]", 0.0),
        ("cycler2/neware/TESTCELL*", "Temperature [degC]", 25.730999),
        ("cycler/digatron/*", "LogTempPositive [degC]", 24.3),
        ("cycler/digatron/*", "LogTempNegative [degC]", 24.5),
        ("cycler/csv/*Landt.csv", "temperature_3 [degC]", 0.0),
        ("cycler/csv/*Landt.csv", "Pressure [Psi]", 0.0),
        ("cycler/arbin/CS2_33_2_2_11.csv", "Internal_Resistance [Ohm]", 0.0),
        ("cycler/biologic/Sample_data_biologic_01*", "Temperature [degC]", 22.185871),
        ("cycler/maccor/sample_data_maccor.csv", "Temp 1", 22.2591),
    ],
)
def test_channels_of_real_files(name: str, column: str, expected: float, shared_data: Path) -> None:
    series = read(next(shared_data.glob(name)))
    assert series.table[column][0].as_py() == pytest.approx(expected, rel=1e-6)


def rows(cells: Sequence[str]) -> list[str]:
    return [f"{i + 1},1,CC DChg,{10 * i},-1.0,{4 - i / 100:.2f},{c}" for i, c in enumerate(cells)]


def written(folder: Path, header: str, lines: Sequence[str]) -> Path:
    path = folder / "cell.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


ARBIN = "Data_Point,Step_Index,Mode,Test_Time(s),Current(A),Voltage(V)"
GENERIC = "Record,Step,Mode,Test Time (s),Current (A),Voltage (V)"


@pytest.mark.parametrize("header", [ARBIN, GENERIC], ids=["Arbin", "a lab's table"])
def test_sensors_of_a_made_up_table(tmp_path: Path, header: str) -> None:
    names = "T1(°C),T2 (K),Aux_Voltage_2(mV),Pressure(kPa),Strain,Operator,Flow(L/min),Chamber(?)"
    cells = [f"25.{i},300.15,3700,101.{i},0.0{i},Ada,1,20" for i in range(6)]
    series = read(written(tmp_path, f"{header},{names}", rows(cells)))
    table = series.table
    assert table["Temperature [degC]"].to_pylist() == [25.0, 25.1, 25.2, 25.3, 25.4, 25.5]
    assert table["T2 [degC]"][0].as_py() == pytest.approx(27.0)
    assert table["Aux_Voltage_2 [V]"][0].as_py() == pytest.approx(3.7)
    assert table["Pressure [kPa]"][5].as_py() == 101.5
    assert table["Strain"][5].as_py() == 0.05
    assert table["Flow [L/min]"][0].as_py() == 1.0
    assert "Operator" in left_out(series)
    entry = next(e for e in series.provenance["columns"] if e["name"] == "T2 (K)")
    assert entry == {"name": "T2 (K)", "to": "T2 [degC]", "offset": -273.15}


def test_channels_of_a_workbook(tmp_path: Path) -> None:
    path = tmp_path / "cell.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("record")
        names = ["DataPoint", "Step Index", "Step Type", "Date", "Current(A)", "Voltage(V)"]
        sheet.write_row(0, 0, [*names, "T1(℃)", "V1(V)", "Remark"])
        for i in range(6):
            date = f"2024-06-05 10:00:{10 * i:02d}"
            sheet.write_row(
                i + 1, 0, [i + 1, 1, "CC DChg", date, -1.0, 4 - i / 100, 25 + i, 3.5, "note"]
            )
    series = read(path)
    assert series.table["Temperature [degC]"].to_pylist() == [25, 26, 27, 28, 29, 30]
    assert series.table["V1 [V]"][0].as_py() == 3.5
    assert "Remark" in left_out(series)


def test_a_channel_without_a_sensor_and_one_without_values(tmp_path: Path) -> None:
    cells = [f"-2501.{i},24.{i},," for i in range(6)]
    series = read(written(tmp_path, f"{GENERIC},Temp 1 (C),Temp 2 (C),Temp 3 (C),", rows(cells)))
    assert series.table["Temperature [degC]"][0].as_py() == 24.0
    reasons = {n: d.evidence for d in series.decisions for n in d.columns}
    assert reasons["Temp 1 (C)"] == Reason.NO_SENSOR.value
    assert reasons["Temp 3 (C)"] == Reason.EMPTY.value


def test_text_in_a_channel_costs_the_channel_not_the_file(tmp_path: Path) -> None:
    cells = ["25.0,1.5", "25.1,1.5", "fault,1.5", "25.3,1.5", "25.4,1.5", "25.5,1.5"]
    series = read(written(tmp_path, f"{GENERIC},T1 (C),Gap (mm)", rows(cells)))
    assert series.table.num_rows == 6
    assert series.table["Gap [mm]"][0].as_py() == 1.5
    assert "T1 (C)" in left_out(series)


def test_channels_in_a_file_with_decimal_commas(tmp_path: Path) -> None:
    names = "Record;Step;Test Time (s);Current (A);Voltage (V);T1 (C);Gap (mm)"
    lines = [f"{i};1;{10 * i};-1,0;3,{900 - i};25,{i}1;1,5" for i in range(6)]
    path = written(tmp_path, names, lines)
    series = read(path)
    assert series.table["Temperature [degC]"][1].as_py() == pytest.approx(25.11)
    assert series.table["Gap [mm]"][0].as_py() == 1.5


def test_two_channels_of_one_name(tmp_path: Path) -> None:
    cells = [f"1.{i},2.{i},3.{i}" for i in range(6)]
    series = read(written(tmp_path, f"{GENERIC},Gap (mm),Gap (mm),Gap (mm)", rows(cells)))
    found = [series.table[n][0].as_py() for n in ("Gap [mm]", "Gap 2 [mm]", "Gap 3 [mm]")]
    assert found == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("name", "slash", "expected"),
    [
        ("Aux. ΔT(℃)", False, ("Aux. ΔT [degC]", False)),
        ("T1(℃)", False, ("T1 [degC]", True)),
        ("Surface temperature [F]", False, ("Surface temperature [degC]", True)),
        ("Chamber temperature (C)", False, ("Chamber temperature [degC]", False)),
        ("Analog IN 1/V", True, ("Analog IN 1 [V]", False)),
        ("temperature_2_C", False, ("temperature_2 [degC]", True)),
        ("Force (kN)", False, ("Force [kN]", False)),
        ("dQ/dV(mAh/V)", False, Reason.DERIVED),
        ("(Q-Qo)/C", True, Reason.DERIVED),
        ("Energy charge/W.h", True, Reason.DERIVED),
        ("Cycle Level", False, Reason.SETTING),
        ("control/V", True, Reason.SETTING),
        ("Step Time (s)", False, Reason.SETTING),
        ("", False, Reason.NAMELESS),
    ],
)
def test_what_a_name_says(name: str, expected: tuple[str, bool] | Reason, *, slash: bool) -> None:
    heading = split_heading(name, slash=slash)
    found = channel(name, heading, heading.unit, slash=slash)
    if isinstance(found, Channel):
        assert (found.target, found.is_temperature) == expected
    else:
        assert found is expected


def test_a_kept_column_is_null_where_the_file_is_blank(tmp_path: Path) -> None:
    cells = ["25.0", "", "25.2", "25.3", "25.4", "25.5"]
    table = read(written(tmp_path, f"{GENERIC},T1 (C)", rows(cells))).table
    values = table["Temperature [degC]"]
    assert values.null_count == 1
    assert pa.types.is_float64(values.type)
    assert np.nanmax(values.to_numpy(zero_copy_only=False)) == 25.5


@pytest.mark.parametrize(
    "header",
    [
        "Data_Point,Step_Index,Mode,Test_Time(s),Current(A),Voltage(V)",
        "Record,Step,Mode,Test Time (s),Current (A),Voltage (V)",
        "DataPoint,Step Index,Step Type,Total Time(s),Current(A),Voltage(V)",
    ],
    ids=["Arbin", "a lab's table", "Neware"],
)
def test_a_spectrum_in_a_cyclers_table_is_one(tmp_path: Path, header: str) -> None:
    names = "Frequency (Hz),Z_Real (mOhm),Z_Imag (mOhm)"
    cells = [f"{10000 / (i + 1):.1f},{30 + i}.5,-{i + 1}.25" for i in range(12)]
    series = read(written(tmp_path, f"{header},{names}", rows(cells)))
    assert series.provenance["data_type"] == "eis"
    assert series.table["Z_Re [Ohm]"][0].as_py() == pytest.approx(0.0305)
    assert series.table["Z_Im [Ohm]"][0].as_py() == pytest.approx(-0.00125)
    assert series.table["Frequency [Hz]"][0].as_py() == 10000.0


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("Auxiliary channel TU1 T(°C)", "Auxiliary channel TU1 T [degC]"),
        ("Aux channel 2 voltage (V)", "Aux channel 2 voltage [V]"),
        ("Temp. channel 3 [°C]", "Temp. channel 3 [degC]"),
        ("Sensor test pressure (kPa)", "Sensor test pressure [kPa]"),
    ],
)
def test_a_sensor_with_a_word_of_bookkeeping_is_kept(name: str, target: str) -> None:
    heading = split_heading(name)
    found = channel(name, heading, heading.unit, slash=False)
    assert isinstance(found, Channel)
    assert found.target == target


@pytest.mark.parametrize("name", ["Temp setpoint (°C)", "Channel (V)", "Temperature limit (°C)"])
def test_what_is_set_is_no_sensor(name: str) -> None:
    heading = split_heading(name)
    assert channel(name, heading, heading.unit, slash=False) is Reason.SETTING


MEASURED = {
    "a share of a sensor": ("Aux_Flow_1(L/min)", "Aux_Flow_1 [L/min]"),
    "a flow": ("Gas flow [mL/min]", "Gas flow [mL/min]"),
    "an electrode called counter": ("Counter Electrode (mV)", "Counter Electrode [V]"),
}


@pytest.mark.parametrize("header", ["Test Time (s)", "Zeit [s]"])
@pytest.mark.parametrize(("name", "kept"), MEASURED.values(), ids=MEASURED)
def test_what_is_measured_is_kept_though_its_name_resembles_a_setting(
    name: str, kept: str, header: str, tmp_path: Path
) -> None:
    path = tmp_path / "cell.csv"
    rows = [f"{i},{3 + i / 500:.4f},1.0,{i}" for i in range(40)]
    path.write_text("\n".join([f"{header},Voltage (V),Current (A),{name}", *rows]) + "\n")
    assert kept in read(path).table.column_names


TABLES = {
    "a lab's table": "Record,Step,Mode,Test Time (s),Current (A),Voltage (V),T1 (C)",
    "Arbin": "Data_Point,Step_Index,Mode,Test_Time(s),Current(A),Voltage(V),Aux_T_1(C)",
}


@pytest.mark.parametrize("header", TABLES.values(), ids=TABLES)
def test_marks_of_an_instrument_are_no_values(tmp_path: Path, header: str) -> None:
    lines = [f"{i + 1},1,CC DChg,{10 * i},-1.0,{4 - i / 100:.2f},25" for i in range(20)]
    lines[5] = lines[5].replace("-1.0", "9.91E+37")
    lines[7] = lines[7].replace(",25", ",-9.9E37")
    series = read(written(tmp_path, header, lines))
    assert series.table.num_rows == 19
    assert series.table["Temperature [degC]"].to_pylist()[6] is None
    marked = [d.columns[0] for d in series.decisions if d.code == "overloads_left_out"]
    assert marked == [header.split(",")[4], header.split(",")[6]]
