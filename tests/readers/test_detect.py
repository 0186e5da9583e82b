"""Detection by content, with its evidence; several tests in a file; units, clocks, encodings."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import xlsxwriter

from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, detect, list_members, read

#: What each folder's files are; the exceptions by name.
FOLDERS = {
    "arbin": "arbin",
    "maccor": "maccor",
    "biologic": "biologic",
    "neware": "neware",
    "novonix": "novonix",
    "basytec": "basytec",
    "gamry": "gamry",
    "digatron": "digatron",
    "bdf": "bdf",
    "parquet": "pyprobe",
    "csv": "bitrode",
}
SUFFIXES = {
    ".res": "arbin res",
    ".mpr": "biologic mpr",
    ".nda": "neware nda",
    ".ndax": "neware nda",
}
NAMES = {
    "nw_regular_export_ife_example.csv": "neware layered",
    "SINTEF__LiGrR2032__2024-04-30__25degC__Landt.csv": "landt",
}

Write = Callable[[str, bytes | str], Path]

NEWARE = (
    "DataPoint,Cycle Index,Step Index,Step Type,Time,{current},{voltage},Date\n"
    "1,1,1,Rest,00:00:00,0,{v0},2024-10-26 12:00:00\n"
    "2,1,1,Rest,00:01:00,0,{v0},2024-10-26 12:01:00\n"
    "3,1,2,CC DChg,00:00:00,{i1},{v1},2024-10-26 12:01:10\n"
    "4,1,2,CC DChg,00:01:00,{i1},{v1},2024-10-26 12:02:10\n"
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return make


def cause(path: Path, options: ReadOptions | None = None) -> str:
    with pytest.raises(UnreadableError) as caught:
        read(path, options)
    return caught.value.cause


def test_every_real_file_is_known_by_its_content(shared_data: Path, tmp_path: Path) -> None:
    for path in sorted((shared_data / "cycler").glob("*/*")):
        expected = NAMES.get(path.name) or SUFFIXES.get(path.suffix) or FOLDERS[path.parent.name]
        detection = detect(path)
        assert detection.verdict == expected, path.name
        assert all(candidate.evidence.fits for candidate in detection.candidates)


def test_the_suffix_does_not_matter(shared_data: Path, write: Write) -> None:
    source = shared_data / "cycler" / "maccor" / "PreDiag_000229_000229_truncated.034"
    path = write("renamed.dat", source.read_bytes())
    assert detect(path).verdict == "maccor"
    assert read(path).table.num_rows == read(source).table.num_rows


def test_two_signatures_are_refused_with_both_names(write: Write) -> None:
    header = "Data_Point,Rec#,Cyc#,Step,Step_Index,Cycle_Index,Test_Time(s),Current(A),Voltage(V)\n"
    path = write("both.csv", header + "1,1,1,1,1,1,0,0.5,3.7\n2,2,1,1,1,1,1,0.5,3.6\n")
    detection = detect(path)
    assert detection.verdict is None
    assert {candidate.reader for candidate in detection.candidates} == {"arbin", "maccor"}
    with pytest.raises(
        UnreadableError, match="arbin, maccor fit: name one with --reader"
    ) as caught:
        read(path)
    assert caught.value.cause == "ambiguous_format"
    assert read(path, ReadOptions(reader="maccor")).table.num_rows == 2


def test_no_signature_says_what_is_nearest(write: Write) -> None:
    path = write("near.csv", "Test_Time(s),Step_Index,Cycle_Index,U(V)\n0,1,1,3.7\n1,1,1,3.6\n")
    with pytest.raises(UnreadableError, match="arbin would need") as caught:
        read(path)
    assert caught.value.cause == "unknown_format"


def test_a_reader_that_does_not_fit(write: Write) -> None:
    path = write("a.csv", "Time [s],Voltage [V],Step count\n0,3.7,0\n")
    assert cause(path, ReadOptions(reader="maccor")) == "wrong_reader"
    assert cause(path, ReadOptions(reader="excel 97")) == "unknown_reader"


def test_a_binary_under_a_text_suffix_is_refused(shared_data: Path, write: Write) -> None:
    source = shared_data / "cycler" / "arbin" / "CS2_33_8_17_10.xlsx"
    assert cause(write("table.csv", source.read_bytes())) == "not_text"


def test_compressed_vendor_files(shared_data: Path, write: Write) -> None:
    source = shared_data / "cycler" / "neware" / "neware_uio.csv"
    plain = read(source).table
    for suffix, compression, data in (
        (".gz", "gzip", gzip.compress(source.read_bytes(), 1)),
        (".zst", "zstd", pa.compress(source.read_bytes(), codec="zstd", asbytes=True)),
    ):
        series = read(write("neware.csv" + suffix, data))
        assert series.table.equals(plain)
        assert series.provenance["compression"] == compression


def workbook(path: Path, channels: dict[str, float]) -> Path:
    book = xlsxwriter.Workbook(str(path))
    info = book.add_worksheet("Info")
    info.write_row(0, 0, ["TEST REPORT"])
    head = ["Data_Point", "Test_Time(s)", "Step_Index", "Cycle_Index", "Current(A)", "Voltage(V)"]
    for name, voltage in channels.items():
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, head)
        for row in range(5):
            sheet.write_row(row + 1, 0, [row + 1, 10.0 * row, 1, 1, -0.5, voltage - row / 100])
    book.close()
    return path


def test_a_workbook_of_several_channels(tmp_path: Path) -> None:
    path = workbook(tmp_path / "two.xlsx", {"Channel_1": 3.7, "Channel_2": 4.1})
    assert list_members(path) == ("Channel_1", "Channel_2")
    with pytest.raises(UnreadableError, match="'Channel_1', 'Channel_2'") as caught:
        read(path)
    assert caught.value.cause == "which_member"
    assert read(path, ReadOptions(member="Channel_2")).table["Voltage [V]"][0].as_py() == 4.1
    assert cause(path, ReadOptions(member="Channel_3")) == "which_member"


def test_a_workbook_of_one_channel_has_no_members(tmp_path: Path) -> None:
    path = workbook(tmp_path / "one.xlsx", {"Channel_1": 3.7})
    assert list_members(path) == ()
    assert read(path).table["Current [A]"].to_pylist() == [0.5] * 5


@pytest.mark.parametrize(
    ("current", "voltage", "values"),
    [
        ("Current(A)", "Voltage(V)", ("-0.00025", "3.7", "3.6")),
        ("Current(mA)", "Voltage(mV)", ("-0.25", "3700", "3600")),
        ("Cur(uA)", "Voltage(V)", ("-250", "3.7", "3.6")),
        ("Current(µA)", "Voltage(V)", ("-250", "3.7", "3.6")),
    ],
)
def test_units_come_from_the_header(
    write: Write, current: str, voltage: str, values: tuple[str, str, str]
) -> None:
    i1, v0, v1 = values
    text = NEWARE.format(current=current, voltage=voltage, i1=i1, v0=v0, v1=v1)
    table = read(write("a.csv", text)).table
    assert table["Current [A]"].to_pylist() == pytest.approx([0, 0, 0.00025, 0.00025], rel=1e-12)
    assert table["Voltage [V]"].to_pylist() == pytest.approx([3.7, 3.7, 3.6, 3.6], rel=1e-12)
    assert table["Time [s]"].to_pylist() == [0, 60, 70, 130]


@pytest.mark.parametrize(
    ("current", "voltage", "v", "expected"),
    [
        ("Current(furlong)", "Voltage(V)", "3.7", "unknown_unit"),
        ("Current", "Voltage(V)", "3.7", "unknown_unit"),
        ("Current(MA)", "Voltage(V)", "3.7", "unknown_unit"),
    ],
)
def test_units_are_never_guessed(
    write: Write, current: str, voltage: str, v: str, expected: str
) -> None:
    text = NEWARE.format(current=current, voltage=voltage, i1="-1", v0=v, v1=v)
    assert cause(write("a.csv", text)) == expected


def test_a_bare_letter_is_no_current(write: Write) -> None:
    header = "~Time[s]\tDataSet\t{current}\tLine\tU[V]\n"
    body = "0\t1\t-0.5\t1\t3.7\n1\t2\t-0.5\t1\t3.6\n"
    assert read(write("a.txt", header.format(current="I[A]") + body)).table.num_rows == 2
    assert cause(write("b.txt", header.format(current="i") + body)) == "unknown_unit"


def test_a_voltage_without_a_unit_must_be_one_of_the_cell(write: Write) -> None:
    header = "Rec#,Cyc#,Step,Test (Sec),Step (Sec),Amps,Volts,State\n"
    text = header + "1,1,1,0,0,0.5,3712,D\n2,1,1,1,1,0.5,3701,D\n"
    assert cause(write("a.csv", text)) == "implausible_unit"
    within = header + "1,1,1,0,0,0.5,60,D\n2,1,1,1,1,0.5,59,D\n"
    assert read(write("b.csv", within)).table.num_rows == 2
    window = ReadOptions(voltage_window=(2.5, 4.2))
    assert cause(write("c.csv", within), window) == "implausible_unit"


def test_pyprobe_as_text_is_not_taken_for_ionworks(write: Write) -> None:
    header = "Time [s],Step,Event,Current [A],Voltage [V]\n"
    rows = "".join(f"{i},1,0,1.0,{3.5 + i / 50}\n" for i in range(9))
    series = read(write("a.csv", header + rows))
    assert series.provenance["reader"] == "pyprobe"
    assert series.table["Current [A]"].to_pylist() == [-1.0] * 9  # voltage rises: charge


def test_two_columns_of_current_are_refused(write: Write) -> None:
    text = "Time(s),Voltage(V),Current(A),Current(mA)\n0,3.7,-0.5,-500\n1,3.6,-0.5,-500\n"
    assert cause(write("a.csv", text)) == "duplicate_column"


def test_hours_in_a_header_are_hours(write: Write) -> None:
    text = "Time(h),Voltage(V),Current(mA)\n0,3.7,-100\n0.5,3.6,-100\n1,3.5,-100\n1.5,3.4,-100\n"
    table = read(write("a.csv", text)).table
    assert table["Time [s]"].to_pylist() == [0, 1800, 3600, 5400]
    assert table["Current [A]"].to_pylist() == [0.1] * 4  # voltage falls: discharge


def test_chinese_headers_in_gbk(write: Write) -> None:
    text = (
        "数据序号,循环号,工步号,工步类型,时间,总时间,电流(A),电压(V),绝对时间\n"
        "1,1,1,恒流充电,00:00:00,00:00:00,0.5,3.5,2024-01-01 00:00:00\n"
        "2,1,1,恒流充电,00:00:10,00:00:10,0.5,3.6,2024-01-01 00:00:10\n"
        "3,1,2,恒流放电,00:00:00,00:00:20,-0.5,3.4,2024-01-01 00:00:20\n"
    )
    series = read(write("a.csv", text.encode("gbk")))
    assert series.provenance["encoding"] == "gbk"
    assert series.table["Current [A]"].to_pylist() == [-0.5, -0.5, 0.5]
    assert series.table["Step count"].to_pylist() == [0, 0, 1]


def test_magnitudes_are_signed_by_the_mode(write: Write) -> None:
    header = "Rec#,Cyc#,Step,Test (Sec),Step (Sec),Amps,Volts,State\n"
    text = header + "1,1,1,0,0,0.5,3.7,C\n2,1,2,1,0,0.5,3.6,D\n3,1,3,2,0,0,3.6,R\n"
    series = read(write("a.csv", text))
    assert series.table["Current [A]"].to_pylist() == [-0.5, 0.5, 0.0]
    assert any("signed by the mode column" in r for r in series.remarks)


def test_the_format_tells_the_sign_where_the_voltage_is_flat(write: Write) -> None:
    head = "EC-Lab ASCII FILE\nNb header lines : 3\ntime/s\tEwe/V\t<I>/mA\n"
    series = read(write("a.mpt", head + "".join(f"{i}\t4.2\t{9 - i}\n" for i in range(9))))
    assert series.table["Current [A]"].to_pylist() == pytest.approx([i / 1e3 for i in range(-9, 0)])
    assert any("laid down by the format" in r for r in series.remarks)


def test_a_count_of_header_lines_that_is_wrong(write: Write) -> None:
    lines = [
        "EC-Lab ASCII FILE",
        "Nb header lines : 4",
        "",
        "time/s\tEwe/V\t<I>/mA",
        *["0\t3\t1"] * 3,
    ]
    assert read(write("a.mpt", "\n".join(lines) + "\n")).table.num_rows == 3
    lines[1] = "Nb header lines : 3"
    assert read(write("b.mpt", "\n".join(lines) + "\n")).table.num_rows == 3
    lines[1] = "Nb header lines : 40"
    assert cause(write("c.mpt", "\n".join(lines) + "\n")) == "truncated"


@pytest.mark.parametrize(("charged", "sign"), [("0.001", -1.0), ("0", 1.0)])
def test_capacities_under_later_names_tell_the_sign(
    write: Write, charged: str, sign: float
) -> None:
    head = (
        "test_time_second,voltage_volt,current_ampere,charging_capacity_ah,discharging_capacity_ah"
    )
    rows = [f"{i},3.7,0.5,{float(charged) * i},{(0.001 - float(charged)) * i}" for i in range(9)]
    series = read(write("a.csv", "\n".join([head, *rows]) + "\n"))
    assert series.table["Current [A]"].to_pylist() == [sign * 0.5] * 9
    assert series.table["charging_capacity_ah"][8].as_py() == float(charged) * 8
    assert any("charge and discharge capacity" in r for r in series.remarks)


def test_a_clock_put_back_is_noticed(write: Write) -> None:
    text = NEWARE.format(current="Current(A)", voltage="Voltage(V)", i1="-1", v0="3.7", v1="3.6")
    back = text.replace("12:02:10", "11:02:10")
    series = read(write("a.csv", back))
    assert series.table["Time [s]"].to_pylist() == [0, 60, 70, 130]
    assert any("put back an hour" in remark for remark in series.remarks)


def test_a_clock_put_forward_is_noticed_by_the_step_time(write: Write) -> None:
    text = NEWARE.format(current="Current(A)", voltage="Voltage(V)", i1="-1", v0="3.7", v1="3.6")
    forward = text.replace("12:02:10", "13:02:10")
    series = read(write("a.csv", forward))
    assert series.table["Time [s]"].to_pylist() == [0, 60, 70, 130]
    assert any("put forward an hour" in remark for remark in series.remarks)


def test_rows_out_of_order_are_sorted_by_the_record_number(write: Write) -> None:
    text = NEWARE.format(current="Current(A)", voltage="Voltage(V)", i1="-1", v0="3.7", v1="3.6")
    header, *rows = text.splitlines()
    mixed = "\n".join([header, rows[2], rows[0], rows[3], rows[1]]) + "\n"
    series = read(write("a.csv", mixed))
    assert series.table["Time [s]"].to_pylist() == [0, 60, 70, 130]
    assert any("sorted by the record number" in r for r in series.remarks)


def test_a_monstrous_header_is_no_hang(write: Write) -> None:
    monster = ",".join(["(" * 100_000, "[ " * 50_000, "a" * 100_000, "Time(s)"]) + "\n"
    assert cause(write("a.csv", monster + "1,2,3,4\n")) == "unknown_format"


def test_provenance_says_what_was_read_by_what(shared_data: Path) -> None:
    series = read(shared_data / "cycler" / "maccor" / "maccor_one.txt")
    provenance = series.provenance
    assert provenance["reader"] == "maccor"
    assert provenance["dialect"] == "Maccor table"
    assert provenance["sha256"].startswith("c02b03d7bc898a84")  # as README.md of the data says
    assert provenance["size_bytes"] == 2363645
    assert any("current" in decision["detail"] for decision in provenance["decisions"])


def test_makes_that_only_the_vendor_knows(write: Write) -> None:
    pytest.importorskip("ionworksdata")
    rows = "".join(f"00:00:{i:02d}.000,{3.7 - i / 100},-0.5,25.0,1\n" for i in range(8))
    path = write("a.csv", "run_time,c_vol,c_cur,c_surf_temp,step_type\n" + rows)
    series = read(path)
    assert series.provenance["reader"] == "ionworksdata"
    assert series.provenance["dialect"] == "basytec"
    assert series.provenance["reader_version"].startswith("ionworksdata 0.")
    assert series.table["Current [A]"].to_pylist() == [0.5] * 8
