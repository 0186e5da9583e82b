"""Files in the Ionworks column format: read exactly, or refused with a sentence that helps."""

from __future__ import annotations

import bz2
import gzip
import lzma
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, TimeSeries, read

HEADER = "Time [s],Voltage [V],Current [A],Step count,Cycle count,Operator"
ROWS = ["0,3.7,0.5,0,0,Ada", "1,3.65,0.5,0,0,Ada", "2.5,3.6,0,1,0,"]
PLAIN = "\n".join([HEADER, *ROWS]) + "\n"
VOLTAGES = [3.7, 3.65, 3.6]

Write = Callable[[str, bytes | str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return make


def read_plainly(path: Path) -> TimeSeries:
    return read(path, ReadOptions())


def refusal(path: Path) -> UnreadableError:
    with pytest.raises(UnreadableError) as caught:
        read_plainly(path)
    assert path.name.split("\n")[0][:40] in str(caught.value)
    return caught.value


def test_plain_csv(write: Write) -> None:
    series = read_plainly(write("a.csv", PLAIN))
    assert series.table.to_pydict() == {
        "Time [s]": [0.0, 1.0, 2.5],
        "Voltage [V]": VOLTAGES,
        "Current [A]": [0.5, 0.5, 0.0],
        "Step count": [0, 0, 1],
        "Cycle count": [0, 0, 0],
        "Operator": ["Ada", "Ada", None],
    }
    assert series.table.schema.field("Step count").type == pa.int64()
    assert series.provenance["reader"] == "ionworks"
    assert len(series.provenance["sha256"]) == 64


def test_column_that_looks_whole_at_first(write: Write) -> None:
    rows = "\n".join(f"{i},{3},{1},0" for i in range(50_000)) + "\n50000.5,3.25,0.125,0\n"
    table = read_plainly(
        write("a.csv", "Time [s],Voltage [V],Current [A],Step count\n" + rows)
    ).table
    assert table.column("Voltage [V]")[-1].as_py() == 3.25
    assert table.column("Time [s]")[-1].as_py() == 50000.5


@pytest.mark.parametrize(
    ("suffix", "squeeze"),
    [
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zst", lambda data: pa.compress(data, codec="zstd", asbytes=True)),
    ],
)
def test_compressed(write: Write, suffix: str, squeeze: Callable[[bytes], bytes]) -> None:
    squeezed = squeeze(PLAIN.encode())
    series = read_plainly(write("a.csv" + suffix, squeezed))
    assert series.table.column("Voltage [V]").to_pylist() == VOLTAGES
    assert refusal(write("b.csv" + suffix, squeezed[:-9])).cause == "truncated"


def test_truncated_gzip_says_so(write: Write) -> None:
    big = gzip.compress(PLAIN.encode() + os.urandom(1000))
    error = refusal(write("a.csv.gz", big[: len(big) // 2]))
    assert error.cause == "truncated"
    assert "ends too early" in str(error)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_encodings(write: Write, encoding: str) -> None:
    text = PLAIN.replace("Ada", "Ångström µΩ")
    series = read_plainly(write("a.csv", text.encode(encoding)))
    assert series.table.column("Operator")[0].as_py() == "Ångström µΩ"
    assert series.table.column("Voltage [V]").to_pylist() == VOLTAGES


@pytest.mark.parametrize(("encoding", "word"), [("cp1252", "Jürgen 25 °C"), ("gbk", "恒流充电")])
def test_eight_bit_encodings(write: Write, encoding: str, word: str) -> None:
    series = read_plainly(write("a.csv", PLAIN.replace("Ada", word).encode(encoding)))
    assert series.table.column("Operator")[0].as_py() == word
    assert series.provenance["encoding"] == encoding


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters(write: Write, delimiter: str) -> None:
    series = read_plainly(write("a.csv", PLAIN.replace(",", delimiter)))
    assert series.table.column("Voltage [V]").to_pylist() == VOLTAGES
    assert series.provenance["delimiter"] == delimiter


def test_decimal_commas_proved_by_the_values(write: Write) -> None:
    text = PLAIN.replace(",", ";").replace(".", ",")
    series = read_plainly(write("a.csv", text))
    assert series.table.column("Voltage [V]").to_pylist() == VOLTAGES
    assert series.provenance["decimal"] == ","
    assert any("decimal commas" in remark for remark in series.remarks)


def test_grouped_thousands_proved_by_the_values(write: Write) -> None:
    text = 'Time [s],Voltage [V],Step count\n0,3.7,0\n"1,234.5",3.6,0\n"12,345",3.5,0\n'
    assert read_plainly(write("a.csv", text)).table.column("Time [s]").to_pylist() == [
        0.0,
        1234.5,
        12345.0,
    ]


def test_not_a_number_and_infinity_are_kept(write: Write) -> None:
    text = "Time [s],Voltage [V],Step count\n0,nan,0\n1,inf,0\n2,-Infinity,0\n3,,0\n"
    nan, inf, minus, empty = (
        read_plainly(write("a.csv", text)).table.column("Voltage [V]").to_pylist()
    )
    assert math.isnan(nan)
    assert (inf, minus, empty) == (math.inf, -math.inf, None)


def test_unnamed_row_index_is_left_out_and_said(write: Write) -> None:
    text = ",Time [s],Voltage [V],Step count\n0,0,3.7,0\n1,1,3.6,0\n"
    series = read_plainly(write("a.csv", text))
    assert series.table.column_names == ["Time [s]", "Voltage [V]", "Step count"]
    assert any("unnamed" in remark for remark in series.remarks)


def test_long_whole_numbers_stay_exact(write: Write) -> None:
    text = "Time [s],Voltage [V],Step count,Serial\n0,3.7,0,90071992547409931\n"
    assert (
        read_plainly(write("a.csv", text)).table.column("Serial")[0].as_py() == "90071992547409931"
    )


@pytest.mark.parametrize(
    ("name", "data", "cause"),
    [
        ("empty.csv", "", "empty_file"),
        ("blank.csv", "\n \n", "empty_file"),
        ("header.csv", HEADER + "\n", "no_rows"),
        ("header_no_end.csv", HEADER, "no_rows"),
        ("pipe.csv", PLAIN.replace(",", "|"), "unknown_format"),
        ("rows_differ.csv", HEADER + "\n" + "\n".join(ROWS).replace(",", ";"), "ragged_rows"),
        ("commas.csv", "Time [s],Voltage [V],Step count\n0,5,3,7,0\n1,5,3,6,0\n", "ragged_rows"),
        (
            "mixed.csv",
            "Time [s];Voltage [V];Step count\n0,5;3.71;0\n1,5;3,62;0\n",
            "mixed_decimal_marks",
        ),
        (
            "unclear.csv",
            "Time [s];Voltage [V];Step count\n0;3,712;0\n1;3,625;0\n",
            "ambiguous_decimal",
        ),
        ("binary.csv", bytes(range(256)) * 40, "not_text"),
        ("zip.csv", b"PK\x03\x04" + bytes(1000), "not_text"),
        ("line.csv", "x" * 10_000_000, "line_too_long"),
        ("late_line.csv", PLAIN + "9," + "7" * 10_000_000 + "\n", "line_too_long"),
        (
            "twice.csv",
            "Time [s],Voltage [V],Voltage [V],Step count\n0,3.7,3.7,0\n",
            "duplicate_column",
        ),
        ("word.csv", PLAIN.replace("3.65", "OVL"), "not_a_number"),
        ("cut.csv", PLAIN[:-12], "ragged_rows"),
        ("unnamed.csv", ",Time [s],Voltage [V],Step count\nx,0,3.7,0\n", "unnamed_column"),
        ("broken.parquet", b"PAR1" + bytes(100), "damaged"),
    ],
)
def test_refused_with_a_reason(write: Write, name: str, data: bytes | str, cause: str) -> None:
    error = refusal(write(name, data))
    assert error.cause == cause
    assert len(str(error)) < 400


def test_the_message_names_line_and_column(write: Write) -> None:
    message = str(refusal(write("a.csv", PLAIN.replace("3.65", "OVL"))))
    assert "line 3" in message
    assert "'OVL'" in message
    assert "'Voltage [V]'" in message


def test_vanished_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.csv").cause == "vanished"


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root and Windows read what they like"
)
def test_no_permission(write: Write) -> None:
    path = write("a.csv", PLAIN)
    path.chmod(0)
    assert refusal(path).cause == "no_permission"


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    assert refusal(tmp_path).cause in {"io_error", "no_permission"}


@pytest.mark.skipif(sys.platform == "win32", reason="such names do not exist there")
@pytest.mark.parametrize(
    "name", ["new\nline.csv", 'quo"te.csv', "emoji 🔋.csv", "x" * 246 + ".csv"]
)
def test_strange_names(write: Write, name: str) -> None:
    assert read_plainly(write(name, PLAIN)).table.num_rows == 3
    with pytest.raises(UnreadableError) as caught:
        read_plainly(write(name, PLAIN.replace("3.65", "?")))
    assert "\n" not in str(caught.value)


def test_native_parquet_keeps_values_and_order(tmp_path: Path) -> None:
    table = pa.table(
        {
            "Voltage [V]": pa.array([3.7, 3.6], pa.float32()),
            "Time [s]": pa.array([0, 1], pa.int32()),
            "Step count": pa.array([0.0, 1.0]),
        }
    )
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    result = read_plainly(path).table
    assert result.column_names == table.column_names
    assert result.column("Step count").to_pylist() == [0, 1]
    assert result.schema.field("Voltage [V]").type == pa.float64()


def test_import_is_light() -> None:
    code = (
        "import sys, bulkload.readers;"
        "sys.exit(any(m in sys.modules for m in ('pandas', 'pydantic', 'polars', 'ionworksdata')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
