"""Text exports that are whole though they look otherwise, and such that are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkload.errors import UnreadableError
from bulkload.readers import detect, read

Write = Callable[[str, bytes | str], Path]

HEAD = "Time(s),Voltage(V),Current(A)\n"
ROWS = "".join(f"{i},{3.7 - i / 100},0.5\n" for i in range(6))
TIMES = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return make


def refusal(path: Path) -> UnreadableError:
    with pytest.raises(UnreadableError) as caught:
        read(path)
    return caught.value


@pytest.mark.parametrize(
    "trailer",
    [
        "Total Number of Data Lines in the Database: 0000000006",
        "End of data\nExported by the lab\n",
        "<Layout>\n  <Pane ID='0' />\n</Layout>\n",
        "\n\nComment: one, of a kind\n",
    ],
)
def test_lines_behind_the_table_are_no_rows(write: Write, trailer: str) -> None:
    series = read(write("a.csv", HEAD + ROWS + trailer))
    assert series.table["Time [s]"].to_pylist() == TIMES
    assert series.provenance["trailer_lines"] == len(trailer.strip().splitlines())


@pytest.mark.parametrize("cut", ["6", "6,3.", "6,", "-", "6.1e-"])
def test_a_row_that_was_cut_is_no_trailer(write: Write, cut: str) -> None:
    error = refusal(write("a.csv", HEAD + ROWS + cut))
    assert error.cause == "truncated"
    assert "the last line is cut short" in str(error)


def test_a_cut_row_of_words_is_no_trailer(write: Write) -> None:
    head = "Status,Time(s),Voltage(V),Current(A)\n"
    rows = "".join(f"CC DChg,{i},{3.7 - i / 100},0.5\n" for i in range(6))
    assert refusal(write("a.csv", head + rows + "CC D")).cause == "truncated"
    assert read(write("b.csv", head + rows + "Lines: 6\n")).table.num_rows == 6


def test_rows_that_are_all_short_are_called_so(write: Write) -> None:
    error = refusal(write("a.csv", "Time(s),Voltage(V),Current(A),Step\n" + ROWS))
    assert "4 names where the rows have 3 fields" in str(error)
    assert error.cause == "ragged_rows"


@pytest.mark.parametrize("ending", ["", ",,", ";"])
def test_lines_that_a_spreadsheet_wrapped_whole(write: Write, ending: str) -> None:
    lines = (HEAD + ROWS).splitlines()
    series = read(write("a.csv", "My test\n" + "".join(f'"{line}"{ending}\n' for line in lines)))
    assert series.table["Time [s]"].to_pylist() == TIMES
    assert series.provenance["lines_unquoted"] is True


def test_quotes_within_wrapped_lines_are_doubled(write: Write) -> None:
    head = '"Time(s),Voltage(V),Current(A),Status"\n'
    rows = "".join(f'"{i},{3.7 - i / 100},0.5,""CC, DChg"""\n' for i in range(6))
    assert read(write("a.csv", head + rows)).table["Time [s]"].to_pylist() == TIMES


def test_fields_in_quotes_are_left_alone(write: Write) -> None:
    head = '"Time(s)","Voltage(V)","Current(A)"\n'
    rows = "".join(f'"{i}","{3.7 - i / 100}","0.5"\n' for i in range(6))
    series = read(write("a.csv", head + rows))
    assert series.table["Time [s]"].to_pylist() == TIMES
    assert "lines_unquoted" not in series.provenance


@pytest.mark.parametrize(
    ("current", "scale"),
    [("Current(μA)", 1e-6), ("Current\uff08mA\uff09", 1e-3), ("Current(A)", 1.0)],
)
def test_gbk_without_a_chinese_character(write: Write, current: str, scale: float) -> None:
    head = f"Time(s),Voltage(V),{current},Temperature(℃)\n"
    rows = "".join(f"{i},{3.7 - i / 100},5000,25.5\n" for i in range(6))
    series = read(write("a.csv", (head + rows).encode("gbk")))
    assert series.provenance["encoding"] == "gbk"
    assert series.table["Current [A]"].to_pylist() == pytest.approx([5000 * scale] * 6)
    assert series.table["Temperature [degC]"].to_pylist() == [25.5] * 6


@pytest.mark.parametrize("sign", ["°C", "µV und °C"])
def test_signs_of_western_windows_are_no_gbk(write: Write, sign: str) -> None:
    head = f"Zelle bei 25 {sign}\n" + HEAD
    assert read(write("a.csv", (head + ROWS).encode("cp1252"))).provenance["encoding"] == "cp1252"


@pytest.mark.parametrize("units", ["s,V,mA", "second,volt,mA", "[s],[V],[mA]", "(s);(V);(mA)"])
def test_a_row_of_units_below_the_header(write: Write, units: str) -> None:
    text = "Time,Voltage,Current\n" + units.replace(";", ",") + "\n"
    series = read(write("a.csv", text + ROWS.replace("0.5", "500")))
    assert series.table["Time [s]"].to_pylist() == TIMES
    assert series.table["Current [A]"].to_pylist() == [0.5] * 6


def test_a_row_without_known_units_is_no_row_of_units(write: Write) -> None:
    error = refusal(write("a.csv", HEAD + "one,two,three\n" + ROWS))
    assert error.cause == "not_a_number"


def test_two_native_names_make_no_native_table(write: Write) -> None:
    text = "Rec#,Cyc#,Step,Test [s],Voltage [V],Current [A],MD\n"
    rows = "".join(f"{i},1,1,{i},{3.7 - i / 100},0.5,D\n" for i in range(6))
    path = write("a.csv", text + rows)
    assert detect(path).verdict == read(path).provenance["reader"] == "maccor"


def test_a_native_table_has_steps(write: Write) -> None:
    native = "Time [s],Voltage [V],Current [A],Step count\n"
    rows = "".join(f"{i},{3.7 - i / 100},0.5,0\n" for i in range(6))
    path = write("a.csv", native + rows)
    assert detect(path).verdict == read(path).provenance["reader"] == "ionworks"
    path = write("b.csv", "Frequency [Hz],Z_Re [Ohm],Z_Im [Ohm]\n1000,1,-1\n100,2,-2\n10,3,-3\n")
    assert detect(path).verdict == read(path).provenance["reader"] == "ionworks"


def test_bdf_labels_win_over_raw_columns_beside_them(write: Write) -> None:
    head = "Test Time / s,Voltage / V,Current / A,Data_Point,Test_Time(s),Step_Index,Current(A)\n"
    rows = "".join(f"{i},{3.7 - i / 100},-0.5,{i + 1},{i * 9},1,-9\n" for i in range(6))
    path = write("a.bdf.csv", head + rows)
    assert detect(path).verdict == "bdf"
    series = read(path)
    assert series.table["Time [s]"].to_pylist() == TIMES
    assert series.table["Current [A]"].to_pylist() == [0.5] * 6


def test_bdf_labels_win_over_their_own_names_without_a_blank(write: Write) -> None:
    head = "Test Time / s,Voltage / V,Current / A,Voltage/V,Current/mA\n"
    rows = "".join(f"{i},{3.7 - i / 100},-0.5,1,2\n" for i in range(6))
    series = read(write("a.bdf.csv", head + rows))
    assert series.table["Voltage [V]"][0].as_py() == 3.7
    assert series.table["Current [A]"].to_pylist() == [0.5] * 6
