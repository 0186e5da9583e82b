"""Formats by the columns that their programs write, each in a file made here, and real files.

Where the shared data have no file of a format, the table is made here from the column list that
public readers of it (named beside it) agree on; that it is a made file is said in its name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xlsxwriter

from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, TimeSeries, detect, list_members, read
from bulkload.readers.header_fields import cleaned, sendable

Write = Callable[[str, bytes | str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return make


def checked(path: Path, reader: str) -> TimeSeries:
    """Read a file, and hold detection against reading."""
    series = read(path)
    assert detect(path).verdict == reader
    assert series.provenance["reader"] == reader
    return series


def values(series: TimeSeries, name: str) -> list[float | None]:
    return [None if v is None else round(v, 9) for v in series.table[name].to_pylist()]


# LAND (LANHE): the columns of cellpy's and LANDT-py's loaders.

LAND_ENGLISH = (
    "Record\tTestTime/Sec\tStepTime/Sec\tCurrent/mA\tCapacity/mAh\tSpeCap/mAh/g\tVoltage/V\t"
    "Energy/mWh\tAuxTemp/dC.\tSysTime\tCycle-Index\tStep-Index\tStep-State\n"
)
LAND_CHINESE = (
    "记录\t测试时间/Sec\t步骤时间/Sec\t电流/mA\t容量/mAh\t比容量/mAh/g\t电压/V\t"
    "能量/mWh\t辅助温度/℃\t系统时间\t循环序号\t步骤序号\t步骤状态\n"
)
LAND_ROWS = (
    "1\t0\t0\t0\t0\t0\t3.0\t0\t-\t2024-03-05 10:00:00\t1\t1\tR\n"
    "2\t10\t0\t-2.5\t0.001\t0\t2.9\t0\t-\t2024-03-05 10:00:10\t1\t2\tD_CC\n"
    "3\t20\t10\t-2.5\t0.008\t0\t2.8\t0\t-\t2024-03-05 10:00:20\t1\t2\tD_CC\n"
    "4\t30\t0\t2.5\t0.001\t0\t2.9\t0\t-\t2024-03-05 10:00:30\t1\t3\tC_CC\n"
)


@pytest.mark.parametrize(
    "data",
    [
        LAND_ENGLISH + LAND_ROWS,
        (LAND_CHINESE + LAND_ROWS).encode("gbk"),
        (LAND_ENGLISH + LAND_ROWS).replace("\t", ","),
        (LAND_ENGLISH.replace("/Sec", "(Sec)").replace("/mA\t", "(mA)\t").replace("/V", "(V)"))
        + LAND_ROWS,
    ],
    ids=["english", "chinese", "commas", "brackets"],
)
def test_land_text_made_from_its_columns(write: Write, data: bytes | str) -> None:
    series = checked(write("cell.txt", data), "lanhe")
    assert values(series, "Time [s]") == [0, 10, 20, 30]
    assert values(series, "Voltage [V]") == [3.0, 2.9, 2.8, 2.9]
    assert values(series, "Current [A]") == [0, 0.0025, 0.0025, -0.0025]
    assert series.table["Step from cycler"].to_pylist() == [1, 2, 2, 3]
    assert series.header["start_time"] == "2024-03-05T10:00:00+00:00"


def test_land_workbook(shared_data: Path) -> None:
    series = checked(shared_data / "cycler2" / "landt" / "custom_data_002.xlsx", "lanhe")
    assert series.table.num_rows == 16538
    assert series.table["Voltage [V]"][0].as_py() == 2.81529
    assert len(set(series.table["Cycle from cycler"].to_pylist())) == 14


def test_land_workbook_in_chinese_made_from_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "cell.xlsx"
    book = xlsxwriter.Workbook(str(path))
    book.add_worksheet("循环数据").write_row(0, 0, ["循环序号", "充电容量/mAh"])
    sheet = book.add_worksheet("记录数据")
    sheet.write_row(0, 0, LAND_CHINESE.strip().split("\t"))
    for number, line in enumerate(LAND_ROWS.splitlines(), start=1):
        cells = [
            float(c) if c.replace(".", "").lstrip("-").isdigit() else c for c in line.split("\t")
        ]
        sheet.write_row(number, 0, cells)
    book.close()
    series = checked(path, "lanhe")
    assert values(series, "Current [A]") == [0, 0.0025, 0.0025, -0.0025]


# VersaStudio and Parstat.


def test_versastudio_par(shared_data: Path) -> None:
    series = checked(
        shared_data / "cycler2" / "versastudio" / "exampleDataVersaStudio.par", "versastudio"
    )
    assert series.table.num_rows == 61
    assert series.table["Frequency [Hz]"][0].as_py() == 100000.0
    assert series.table["Z_Im [Ohm]"][-1].as_py() == -122.8279
    assert series.header["start_time"] == "2018-07-19T09:40:30+00:00"
    assert series.header["test_setup"]["instrument"] == "VersaSTAT4"
    assert series.provenance["data_type"] == "eis"


def test_versastudio_par_cut_within_its_rows(shared_data: Path, write: Write) -> None:
    data = (shared_data / "cycler2" / "versastudio" / "exampleDataVersaStudio.par").read_bytes()
    end = data.index(b"</Segment1>")
    with pytest.raises(UnreadableError, match="cut short"):
        read(write("cut.par", data[: end - 60]))


def test_versastudio_par_of_two_segments(shared_data: Path, write: Write) -> None:
    data = (shared_data / "cycler2" / "versastudio" / "exampleDataVersaStudio.par").read_bytes()
    segment = data[data.index(b"<Segment1>") : data.index(b"</Segment1>") + len(b"</Segment1>\r\n")]
    path = write(
        "two.par", data.replace(segment, segment + segment.replace(b"Segment1", b"Segment2"))
    )
    assert list_members(path) == ("Segment1", "Segment2")
    with pytest.raises(UnreadableError, match="2 tests in it") as caught:
        read(path)
    assert caught.value.cause == "which_member"
    assert read(path, ReadOptions(member="Segment2")).table.num_rows == 61


def test_parstat_pulses_and_spectrum_in_one(shared_data: Path) -> None:
    series = checked(shared_data / "cycler2" / "parstat" / "exampleDataParstat.txt", "parstat")
    frequency = series.table["Frequency [Hz]"]
    assert len(frequency) - frequency.null_count == 31
    assert "data_type" not in series.provenance


# Squidstat: the columns of grapa's and AdmiralDecode's loaders.

SQUIDSTAT = (
    '"Step number","Step name","Elapsed Time (s)","Timestamp","Current (mA)",'
    '"Working Electrode (V)","Counter Electrode (V)","Cumulative Charge (mAh)"\n'
)


def test_squidstat_made_from_its_columns(write: Write) -> None:
    rows = "".join(
        f"{1 + i // 5},Constant Current,{i},1700000000{i},{-5 if i < 5 else 5},"
        f"{3.7 + (-i if i < 5 else i - 10) / 50:.3f},0.1,0\n"
        for i in range(10)
    )
    series = checked(write("a.csv", SQUIDSTAT + rows), "squidstat")
    assert values(series, "Time [s]") == list(range(10))
    assert values(series, "Voltage [V]")[0] == 3.6  # between the electrodes
    assert values(series, "Current [A]") == [0.005] * 5 + [-0.005] * 5
    assert series.table["Step from cycler"].to_pylist() == [1] * 5 + [2] * 5


def test_squidstat_spectrum_made_from_its_columns(write: Write) -> None:
    head = (
        '"Step number","Step name","Frequency (Hz)","|Z| (Ohms)","Phase (deg)","Z\' (Ohms)",'
        '"-Z"" (Ohms)"\n'
    )
    rows = "".join(f"1,EIS,{10.0 ** (3 - i)},5,-36.8699,4,3\n" for i in range(4))
    series = checked(write("a.csv", head + rows), "impedance")
    assert values(series, "Z_Im [Ohm]") == [-3.0] * 4
    assert series.provenance["data_type"] == "eis"


# Voltaiq.


def test_voltaiq_table(shared_data: Path) -> None:
    (path,) = (shared_data / "cycler2" / "voltaiq").iterdir()
    series = checked(path, "voltaiq")
    assert series.table.num_rows == 71
    assert series.table["Temperature [degC]"][0].as_py() == 22.84
    assert series.header["start_time"] == "2022-10-22T02:03:18.225000+00:00"
    assert series.header["test_setup"]["channel_number"] == "1"


# Digatron.


def test_digatron_values_end_where_they_end(shared_data: Path) -> None:
    series = checked(shared_data / "cycler2" / "digatron" / "Cell786_0p5C_10degC.csv", "digatron")
    assert series.header["start_time"] == "2020-08-24T10:55:00+00:00"
    assert series.header["protocol"] == {"name": "166 - MSM_Rate_05C"}
    assert series.header["test_setup"]["cell_label"] == "LG M50"
    assert series.header["test_setup"]["channel_number"] == "MCCD_1258"
    assert series.header["test_setup"]["test_name"] == "TS006031"


GERMAN = "Schritt;Zustand;Zeit;Programmdauer;Schrittdauer;Zyklus;AhAkku;Spannung;Strom;Temp13\n"


def test_digatron_in_german_made_from_its_columns(write: Write) -> None:
    # The columns of the ageing data that RWTH Aachen publishes.
    text = "Programm;C/3 Zyklen;\nBatteriename;Zelle 7;\nStartzeit;24.08.2020 10:55;\n\n" + GERMAN
    text += ";;;[Sec];[Sec];;[Ah];[V];[A];[T1]\n"
    text += "".join(
        f"2;ENT;;{i * 10},5;0;1;0;3,{70 - i};-1,25;25,3\n".replace(".", ",") for i in range(6)
    )
    series = checked(write("zelle.csv", text.encode("cp1252")), "digatron")
    assert values(series, "Time [s]") == [0, 10, 20, 30, 40, 50]
    assert values(series, "Voltage [V]") == [3.7, 3.69, 3.68, 3.67, 3.66, 3.65]
    assert values(series, "Current [A]") == [1.25] * 6
    assert series.header["start_time"] == "2020-08-24T10:55:00+00:00"
    assert series.header["protocol"] == {"name": "C/3 Zyklen"}


# Bitrode.


def test_bitrode_module(shared_data: Path) -> None:
    (path,) = (shared_data / "cycler2" / "bitrode").iterdir()
    series = checked(path, "bitrode")
    assert series.table.num_rows == 1681
    assert series.table["Time [s]"][-1].as_py() == pytest.approx(1116.7)
    assert series.table["Current [A]"][-1].as_py() == 180.0
    assert series.provenance["trailer_lines"] == 1
    assert any("proved by the timestamps" in remark for remark in series.remarks)


# Gamry: the tables of gamry-parser's and yadg's test files.

GAMRY = (
    "EXPLAIN\nTAG\t{tag}\nTITLE\tLABEL\tA cell\tTest &Identifier\nDATE\tLABEL\t12/17/2019\tDate\n"
)
GAMRY += "TIME\tLABEL\t16:24:35\tTime\nPSTAT\tPSTAT\tIFC1010-1\tPotentiostat\n"


def gamry_table(name: str, heads: str, units: str, rows: list[str]) -> str:
    return f"{name}\tTABLE\t{len(rows)}\n\t{heads}\n\t{units}\n" + "".join(f"\t{r}\n" for r in rows)


def test_gamry_charge_and_discharge_made_from_its_columns(write: Write) -> None:
    rest = gamry_table("OCVCURVE", "Pt\tT\tVf", "#\ts\tV", [f"{i}\t{i}\t3.7" for i in range(3)])
    run = gamry_table(
        "CURVE",
        "Pt\tT\tVf\tIm\tPwr\tTemp\tOver",
        "#\ts\tV vs. Ref.\tA\tW\tdeg C\tbits",
        [f"{i}\t{i + 0.5}\t{3.7 - i / 50}\t-0.5\t-1.8\t25.5\t..........." for i in range(4)],
    )
    series = checked(write("a.DTA", GAMRY.format(tag="PWR800_DISCHARGE") + rest + run), "gamry")
    assert values(series, "Time [s]") == [0, 1, 2, 2.5, 3.5, 4.5, 5.5]
    assert values(series, "Current [A]") == [0, 0, 0, 0.5, 0.5, 0.5, 0.5]
    assert values(series, "Temperature [degC]")[3:] == [25.5] * 4
    assert series.header["start_time"] == "2019-12-17T16:24:35+00:00"
    assert series.header["protocol"] == {"name": "PWR800_DISCHARGE"}


def test_gamry_open_circuit_made_from_its_columns(write: Write) -> None:
    rows = [f"{i}\t{i}\t{3.7 + i / 1000}\t0\t0" for i in range(5)]
    table = gamry_table("CURVE", "Pt\tT\tVf\tVm\tAch", "#\ts\tV\tV\tV", rows)
    series = checked(write("a.DTA", GAMRY.format(tag="CORPOT") + table), "gamry")
    assert values(series, "Current [A]") == [0.0] * 5


def test_gamry_voltammetry_numbers_its_cycles(write: Write) -> None:
    tables = ""
    for cycle in (1, 2):
        rows = [f"{i}\t{10 * cycle + i}\t{i / 10}\t{1e-6 * i}" for i in range(1, 6)]
        tables += gamry_table(f"CURVE{cycle}", "Pt\tT\tVf\tIm", "#\ts\tV vs. Ref.\tA", rows)
    series = checked(write("a.DTA", GAMRY.format(tag="CV") + tables), "gamry")
    assert series.table["Cycle from cycler"].to_pylist() == [1] * 5 + [2] * 5
    assert values(series, "Time [s]") == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]


def test_gamry_current_over_an_area_is_refused(write: Write) -> None:
    table = gamry_table("CURVE", "Pt\tT\tVf\tIm", "#\ts\tV\tA/cm^2", ["0\t0\t1\t1", "1\t1\t1\t1"])
    with pytest.raises(UnreadableError, match="A/cm") as caught:
        read(write("a.DTA", GAMRY.format(tag="CHRONOA") + table))
    assert caught.value.cause == "unknown_unit"


def test_gamry_chronoamperometry(shared_data: Path) -> None:
    series = checked(shared_data / "cycler2" / "gamry" / "chronoa_data.dta", "gamry")
    assert values(series, "Time [s]")[-1] == 270.0
    assert values(series, "Voltage [V]")[-1] == 0.4


# Impedance as text: the first lines of each are those of the example data of impedance.py.

SWEEP = [(1000.0, 10.0, -1.0), (100.0, 12.0, -4.0), (10.0, 15.0, -2.0), (1.0, 16.0, -0.5)]


def rows_of(pattern: str) -> str:
    return "".join(pattern.format(f=f, re=re, im=im, minus=-im) for f, re, im in SWEEP)


SPECTRA = {
    "zplot 2": (
        "ZPLOT2 ASCII\n  Measured Data, ZPlot:       3.2c\n"
        "  Date:                       12-17-2018\n"
        "  Time:                       11:04:34\n"
        "  Freq(Hz)\tAmpl\tBias\tTime(Sec)\tZ'(a)\tZ''(b)\tGD\tErr\tRange\nEnd Comments\n"
        + rows_of("{f:E}\t1.0E-02\t0.0\t2.67\t{re}\t{im}\t0.0\t0\t3\n"),
        "zplot",
    ),
    "zplot 1": (
        '"ZPlotW Data File: Version 3.2c"\n"Raw Data"\n"Sweep Frequency: Control Voltage"\n'
        "Date: 12-17-2019    Time: 16:24:35\n0,3,0,1,300000,0.005\n79\n"
        "\"  Freq(Hz)    Ampl     Bias   Time(Sec)   Z'(a)    Z''(b)    GD   Err   Range\"\n"
        + rows_of("{f:E}, 1.0E-02, 0.0, 2.58, {re}, {im}, 0.0, 0, 5\n"),
        "zplot",
    ),
    "autolab": (
        "Index;Frequency (Hz);Z' (Ω);-Z'' (Ω);Z (Ω);-Phase (°);Time (s)\n"
        + rows_of("1;{f};{re};{minus};20;10;5\n"),
        "impedance",
    ),
    "chi": (
        "Feb. 20, 2020   15:55:08\nA.C. Impedance\nFile: c:\\x.bin\nData Source:  Experiment\n"
        "Instrument Model:  CHI660E\nHeader: \nNote: \n\nInit E (V) = 0\n\n"
        "Freq/Hz, Z'/ohm, Z\"/ohm, Z/ohm, Phase/deg\n\n"
        + rows_of("{f:e}, {re:e}, {im:e}, 1.0e+1, -1.6\n"),
        "impedance",
    ),
    "powersuite": ("Frequency\t Zre\t Zimg\n" + rows_of("{f}\t {re}\t {im}\n"), "impedance"),
    "ec-lab": (
        "freq/Hz\tRe(Z)/Ohm\tIm(Z)/Ohm\t\n" + rows_of("{f:E}\t{re:E}\t{im:E}\n").rstrip("\n"),
        "impedance",
    ),
    "comma and minus": (
        "Frequency (Hz),Z real (Ohm),-Z imag (Ohm)\n" + rows_of("{f},{re},{minus}\n"),
        "impedance",
    ),
    "kiloohm": (
        "Frequency (kHz),Re(Z) (kOhm),Im(Z) (kOhm)\n"
        + "".join(f"{f / 1e3},{re / 1e3},{im / 1e3}\n" for f, re, im in SWEEP),
        "impedance",
    ),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_spectra_as_text_made_from_their_columns(write: Write, name: str) -> None:
    text, reader = SPECTRA[name]
    series = checked(write("a.txt", text), reader)
    assert values(series, "Frequency [Hz]") == [f for f, _, _ in SWEEP]
    assert values(series, "Z_Re [Ohm]") == pytest.approx([re for _, re, _ in SWEEP])
    assert values(series, "Z_Im [Ohm]") == pytest.approx([im for _, _, im in SWEEP])
    assert series.provenance["data_type"] == "eis"
    assert "Voltage [V]" not in series.table.column_names


def test_columns_parted_by_blanks(write: Write) -> None:
    # As Thales (Zahner) and IviumSoft align them.
    head = "Zahner Thales\n\n  Number   Frequency/Hz     Impedance/Ohm    Phase/deg\n"
    rows = "".join(
        f"{i:8d}  {10.0 ** (3 - i):12.5E}   {5.0:12.5E}   {-30.0:9.3f}\n" for i in range(5)
    )
    series = checked(write("a.txt", head + rows), "impedance")
    assert values(series, "Z_Im [Ohm]") == pytest.approx([-2.5] * 5)
    head = "freq. /Hz   Z1 /ohm   Z2 /ohm\n"
    rows = "".join(f"  {f:E}  {re:E}  {im:E}\n" for f, re, im in SWEEP)
    series = checked(write("b.txt", "IviumSoft\n" + head + rows), "impedance")
    assert values(series, "Z_Im [Ohm]") == [im for _, _, im in SWEEP]
    head = "time /s   I /A   E /V\n"
    rows = "".join(f"  {i:E}  {-0.5:E}  {3.7 - i / 50:E}\n" for i in range(6))
    series = checked(write("c.txt", head + rows), "labelled")
    assert values(series, "Time [s]") == [0, 1, 2, 3, 4, 5]
    assert values(series, "Current [A]") == [0.5] * 6


@pytest.mark.parametrize(
    "text",
    [
        "time /s  I /A\n" + "1.0  2.0  3.0\n" * 6,  # a name too few
        "time /s  I /A  E /V\n" + "1.0  2.0  3.0\n1.0  2.0\n" * 6,  # rows of other widths
    ],
)
def test_blanks_that_part_no_columns(write: Write, text: str) -> None:
    with pytest.raises(UnreadableError):
        read(write("a.txt", text))


def test_a_modulus_and_a_phase_are_an_impedance(write: Write) -> None:
    # Zahner's Thales writes these columns.
    head = "Number\tFrequency/Hz\t|Z|/Ohm\tPhase/deg\n"
    rows = "".join(f"{i}\t{10.0 ** (3 - i)}\t5\t-30\n" for i in range(4))
    series = checked(write("a.txt", "Zahner Thales\n" + head + rows), "impedance")
    assert values(series, "Z_Re [Ohm]") == pytest.approx([5 * np.cos(np.pi / 6)] * 4)
    assert values(series, "Z_Im [Ohm]") == pytest.approx([-2.5] * 4)
    assert series.header["test_setup"]["cycler"] == "Zahner"


def test_a_spectrum_without_units_is_refused(write: Write) -> None:
    rows = "".join(f"{f},{re},{im}\n" for f, re, im in SWEEP)
    with pytest.raises(UnreadableError) as caught:
        read(write("a.csv", "f,real,imag\n" + rows))
    assert caught.value.cause == "unknown_format"


def test_a_row_that_is_no_frequency_is_no_spectrum(write: Write) -> None:
    text = "Frequency (Hz),Z real (Ohm),Z imag (Ohm)\n0,1,1\n" + rows_of("{f},{re},{im}\n")
    with pytest.raises(UnreadableError, match="row 1 of the table") as caught:
        read(write("a.csv", text))
    assert caught.value.cause == "mixed_data"


def test_when_a_spectrum_was_measured(write: Write) -> None:
    assert (
        read(write("a.z", SPECTRA["zplot 1"][0])).header["start_time"]
        == "2019-12-17T16:24:35+00:00"
    )
    assert (
        read(write("b.txt", SPECTRA["chi"][0])).header["start_time"] == "2020-02-20T15:55:08+00:00"
    )


# Headers.


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("LG M50,", "LG M50"),
        ("LG M50;;;", "LG M50"),
        ('"LG, M50",', "LG, M50"),
        ("  SIMBA  \t", "SIMBA"),
        ("Capacity_test      \xff\xff\xff\xff", "Capacity_test"),
        ("a\x00\x00\x01b", "a b"),
        ("Ä\xff", "Ä"),
        ("first\nsecond", "first\nsecond"),
        (",,,", ""),
    ],
)
def test_what_is_no_part_of_a_value(written: str, meant: str) -> None:
    assert cleaned(written) == meant


def test_only_what_describes_the_test_goes_out() -> None:
    header = {
        "start_time": "2024-01-01T00:00:00+00:00",
        "protocol": {"name": "C/3"},
        "notes": "ask Ada",
        "test_setup": {
            "cycler": "Maccor",
            "channel_number": 3,
            "operator": "Ada",
            "source_file_path": "C:\\Users\\ada\\x.000",
            "barcode_comment": "mine",
        },
    }
    assert sendable(header) == {
        "start_time": "2024-01-01T00:00:00+00:00",
        "protocol": {"name": "C/3"},
        "test_setup": {"cycler": "Maccor", "channel_number": 3},
    }
    assert sendable(header, ["operator", "notes"])["notes"] == "ask Ada"
    assert sendable(header, ["operator"])["test_setup"]["operator"] == "Ada"
    assert sendable({"test_setup": {"operator": "Ada"}}) == {}


def test_a_maccor_header_is_rid_of_its_filler(shared_data: Path) -> None:
    header = read(shared_data / "cycler" / "maccor" / "maccor_002.txt").header
    assert header["notes"] == "SIMBA-Capacity_test"


# Neware BTS 5 to 7: the columns of BEEP's configuration and of its layered loader.

BTS_RECORDS = (
    ("1", "1", "1", "Rest", "00:00:00.000", "3.7000", "0.0", "2019-05-01 10:00:00"),
    ("1", "1", "2", "Rest", "00:00:10.000", "3.7000", "0.0", "2019-05-01 10:00:10"),
    ("1", "2", "3", "CC_DChg", "00:00:00.000", "3.6500", "-500.0", "2019-05-01 10:00:10"),
    ("1", "2", "4", "CC_DChg", "00:00:10.000", "3.6400", "-500.0", "2019-05-01 10:00:20"),
    ("2", "3", "5", "CC_Chg", "00:00:00.000", "3.7000", "500.0", "2019-05-01 10:00:20"),
    ("2", "3", "6", "CC_Chg", "00:00:10.000", "3.7100", "500.0", "2019-05-01 10:00:30"),
)
BTS_TIMES = [0, 10, 10.000001, 20, 20.000001, 30]
BTS_CURRENTS = [0, 0, 0.5, 0.5, -0.5, -0.5]


@pytest.mark.parametrize(
    ("head", "delimiter", "encoding"),
    [
        (
            "Cycle ID,Step ID,Record ID,Step Name,Time(h:min:s.ms),Voltage(V),Current(mA),Realtime",
            ",",
            "utf-8",
        ),
        (
            "循环序号\t工步序号\t记录序号\t工步名称\t时间(h:min:s.ms)\t电压(V)\t电流(mA)\t真实时间",
            "\t",
            "gbk",
        ),
        (
            (
                "Cycle\tSteps\tRecord number\tState\tRelative Time(h:min:s.ms)\tVoltage(V)"
                "\tCurrent(mA)\tAbsolute Time"
            ),
            "\t",
            "utf-8",
        ),
    ],
    ids=["flat", "chinese", "general report"],
)
def test_neware_bts_flat_made_from_its_columns(
    write: Write, head: str, delimiter: str, encoding: str
) -> None:
    rows = "".join(delimiter.join(record) + "\n" for record in BTS_RECORDS)
    series = checked(write("a.csv", f"{head}\n{rows}".encode(encoding)), "neware")
    assert values(series, "Current [A]") == BTS_CURRENTS
    assert values(series, "Time [s]") == BTS_TIMES
    assert series.table["Step from cycler"].to_pylist() == [1, 1, 2, 2, 3, 3]
    assert series.table["Cycle from cycler"].to_pylist() == [1, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_neware_bts_layered_made_from_its_columns(write: Write, delimiter: str) -> None:
    lines = [
        '"Cycle ID","Cap_Chg(mAh)","Cap_DChg(mAh)"',
        ',"Step ID","Step Name","Step Time(h:min:s.ms)"',
        ',,"Record ID","Time(h:min:s.ms)","Voltage(V)","Current(mA)","Realtime"',
    ]
    cycle = step = ""
    for row in BTS_RECORDS:
        if row[0] != cycle:
            lines.append(f"{row[0]},0,0")
        if row[1] != step:
            lines.append(f',"{row[1]}","{row[3]}","00:00:10.000"')
        cycle, step = row[:2]
        lines.append(f",,{row[2]},{row[4]},{row[5]},{row[6]},{row[7]}")
    text = "\n".join(lines) + "\n"
    if delimiter == "\t":
        text = text.replace(",", "\t").replace('"', "")
    series = checked(write("a.csv", text), "neware layered")
    assert values(series, "Current [A]") == BTS_CURRENTS
    assert values(series, "Time [s]") == BTS_TIMES
    assert series.table["Step from cycler"].to_pylist() == [1, 1, 2, 2, 3, 3]
    assert series.table["Cycle from cycler"].to_pylist() == [1, 1, 1, 1, 2, 2]


# EC-Lab.


def test_ec_lab_columns_without_their_preamble(shared_data: Path) -> None:
    series = checked(
        shared_data / "cycler2" / "biologic" / "T-cell_pOCV_data.txt", "biologic table"
    )
    assert series.table["Voltage [V]"][0].as_py() == 3.1071846
    assert any("'time/s' was taken" in remark for remark in series.remarks)


def test_a_rest_with_a_short_header_has_no_current(write: Write) -> None:
    head = "EC-Lab ASCII FILE\nNb header lines : 3\nmode\ttime/s\tEwe/V\n"
    series = checked(
        write("a.mpt", head + "".join(f"3\t{i}\t3.{i}\n" for i in range(5))), "biologic"
    )
    assert values(series, "Current [A]") == [0.0] * 5


def test_a_control_without_a_current_is_no_rest(write: Write) -> None:
    head = "EC-Lab ASCII FILE\nNb header lines : 3\ntime/s\tEwe/V\tcontrol/V\n"
    with pytest.raises(UnreadableError, match=r"no column for 'Current \[A\]'"):
        read(write("a.mpt", head + "".join(f"{i}\t3.{i}\t1\n" for i in range(5))))


def test_an_export_with_other_delimiters(write: Write) -> None:
    head = "EC-Lab ASCII FILE;;\nNb header lines : 3;;\ntime/s;Ewe/V;<I>/mA\n"
    rows = "".join(f"{i};3,{9 - i}5;-2,5\n" for i in range(5))
    series = checked(write("a.mpt", head + rows), "biologic")
    assert values(series, "Current [A]") == [0.0025] * 5


# Tables of no known origin.


@pytest.mark.parametrize(
    "head",
    [
        "Time_s,Voltage_V,I_mA,Cell_Temperature_C,Cycle,Step",
        "Zeit (s),Spannung (V),Strom (mA),Temperatur (°C),Zyklus,Schritt",
        "Temps (s),Tension (V),Courant (mA),Température (°C),Cycle,Étape",
        "Tiempo (s),Voltaje (V),Corriente (mA),Temperatura (°C),Ciclo,Paso",
        "时间(s),电压(V),电流(mA),温度(℃),循环号,工步号",
        "Time/s,Voltage/V,Current/mA,Temperature/°C,Cycle,Step",
    ],
)
def test_headers_in_other_words(write: Write, head: str) -> None:
    rows = "".join(f"{i},{3.7 - i / 100},500,25.5,1,2\n" for i in range(6))
    series = checked(write("a.csv", f"{head}\n{rows}"), "labelled")
    assert values(series, "Time [s]") == [0, 1, 2, 3, 4, 5]
    assert values(series, "Current [A]") == [0.5] * 6
    assert values(series, "Temperature [degC]") == [25.5] * 6
    assert series.table["Step from cycler"].to_pylist() == [2] * 6
    assert series.table["Cycle from cycler"].to_pylist() == [1] * 6


def test_units_as_suffixes(shared_data: Path) -> None:
    series = checked(shared_data / "cycler2" / "batterydata" / "p492-13-raw.csv", "labelled")
    frequency = series.table["Frequency [Hz]"]
    assert len(frequency) - frequency.null_count == 78
    assert series.table["Temperature [degC]"][0].as_py() == 29.7005
