"""Golden values of every real file, and figures that the files themselves can be held against.

``golden.json`` holds, for each file, how its values were got (``source``: the raw text split by
hand, the cells of the workbook, another library, the maker's own export of the same test), why
the current has its sign, and rows of (index, time in s, voltage in V, current in A).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, read
from tests.readers.test_against_vendor import needs_mdbtools

GOLDEN: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("golden.json").read_text(encoding="utf-8")
)

#: How a golden value may have been got: none comes from the code that is under test. A .nda, a
#: .ndax and one .mpr have no other reading than that of the library which reads them here too: for
#: the first two the table of readers holds the maker's capacity against the integral.
SOURCES = (
    *("raw text", "cells of the workbook", "calamine", "mdb-export", "values of the Parquet file"),
    *("the maker's text export of the same test", "galvani", "fastnda"),
)

#: Cut in its last line: read without it.
CUT = "maccor_two.txt"


def read_whole(path: Path, tmp_path: Path) -> pa.Table:
    if path.name == CUT:
        lines = path.read_bytes().splitlines(keepends=True)
        path = tmp_path / CUT
        path.write_bytes(b"".join(lines[:-1]))
    return read(path).table


def test_every_real_file_has_golden_values(shared_data: Path) -> None:
    files = {f"{p.parent.name}/{p.name}" for p in (shared_data / "cycler").glob("*/*")}
    assert {entry["file"] for entry in GOLDEN} == files
    for entry in GOLDEN:
        assert entry["source"].startswith(SOURCES), entry["file"]
        assert entry["sign"]
        assert len(entry["values"]) >= 2


@pytest.mark.parametrize("entry", GOLDEN, ids=lambda entry: entry["file"][:40])
def test_golden_values(entry: dict[str, Any], shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "cycler" / entry["file"]
    needs_mdbtools(path)
    table = read_whole(path, tmp_path)
    assert table.num_rows == entry["rows"]
    for row, time, voltage, current in entry["values"]:
        # Repeated times are set apart by a microsecond each.
        assert table["Time [s]"][row].as_py() == pytest.approx(time, rel=1e-9, abs=6e-4)
        assert table["Voltage [V]"][row].as_py() == pytest.approx(voltage, rel=1e-7, abs=1e-9)
        assert table["Current [A]"][row].as_py() == pytest.approx(current, rel=1e-5, abs=1e-12)


def test_a_cut_file_is_refused(shared_data: Path) -> None:
    with pytest.raises(UnreadableError, match="cut short") as caught:
        read(shared_data / "cycler" / "maccor" / CUT)
    assert caught.value.cause == "truncated"


def test_decimal_commas_of_a_maccor_file(shared_data: Path, tmp_path: Path) -> None:
    table = read_whole(shared_data / "cycler" / "maccor" / CUT, tmp_path)
    # Line 16 of the file: "1 0 1 1 0,000000 0,000000 0,00000000 0,00000000 0,00000000 0,1377 R".
    assert table["Voltage [V]"][0].as_py() == 0.1377
    assert max(table["Voltage [V]"].to_pylist()) < 5


def test_minutes_without_a_unit_are_proved_by_the_dates(shared_data: Path) -> None:
    series = read(shared_data / "cycler" / "maccor" / "maccor_002.txt")
    assert any("min, proved by the timestamps" in r for r in series.remarks)
    # Lines 15 and 16: TestTime 0.000000 at 3:40:24 PM, 1.000000 at 3:41:24 PM.
    assert series.table["Time [s]"][1].as_py() == 60.0


def test_binary_and_text_of_one_test_agree(shared_data: Path) -> None:
    binary = read(shared_data / "cycler" / "biologic" / "gcpl.issue_211.mpr").table
    text = read(shared_data / "cycler" / "biologic" / "gcpl.issue_211.mpt").table
    for name, tolerance in (("Time [s]", 1e-9), ("Voltage [V]", 1e-6)):
        np.testing.assert_allclose(binary[name], text[name], rtol=tolerance, atol=1e-7)
    # The binary holds charge, the text the current that the maker makes of it.
    np.testing.assert_allclose(binary["Current [A]"], text["Current [A]"], rtol=1e-4, atol=1e-9)
    for name in ("Step count", "Cycle count", "Step from cycler", "Cycle from cycler"):
        np.testing.assert_array_equal(binary[name], text[name], err_msg=name)
    for name in ("Ewe [V]", "Ece [V]"):
        np.testing.assert_allclose(binary[name], text[name], rtol=1e-6, atol=1e-7, err_msg=name)


def test_a_test_and_a_loop_of_it_saved_alone_agree(shared_data: Path) -> None:
    folder = shared_data / "cycler2" / "biologic"
    name = "Bec01_01_1_C20_loop_20170219_01_MB_C02"
    whole = read(folder / f"{name}.mpr").table
    loop = read(folder / f"{name}_loop0.mpr").table
    first = whole.slice(0, loop.num_rows)
    for column in ("Time [s]", "Voltage [V]", "Current [A]", "Step count", "Cycle count"):
        np.testing.assert_allclose(first[column], loop[column], rtol=1e-9, err_msg=column)


def test_a_table_and_the_database_it_was_dumped_from_are_in_order(shared_data: Path) -> None:
    path = shared_data / "cycler" / "arbin" / "data.csv"
    series = read(path)
    assert np.all(np.diff(series.table["Time [s]"]) >= 0)
    assert any("sorted by the record number" in r for r in series.remarks)


def test_a_restarted_test_runs_on(shared_data: Path) -> None:
    series = read(shared_data / "cycler" / "novonix" / "example_data.csv")
    time = np.asarray(series.table["Time [s]"])
    # Last row of the first run and first of the second: 7:40:05 PM and 7:41:32 PM. Five rows of
    # the second bear a stale run time in the file itself: they are left for validation to name.
    assert time[941] - time[940] == pytest.approx(87, abs=1)
    assert np.count_nonzero(np.diff(time) < 0) == 5
    assert any("gaps of 87 s" in r for r in series.remarks)
    assert "Frame" not in series.table.column_names


def test_open_circuit_has_no_current(shared_data: Path) -> None:
    series = read(shared_data / "cycler" / "biologic" / "ocv.mpt")
    assert set(series.table["Current [A]"].to_pylist()) == {0.0}
    assert any("open-circuit" in r for r in series.remarks)


def test_impedance_and_the_rest_before_it_are_both_kept(shared_data: Path) -> None:
    table = read(shared_data / "cycler" / "gamry" / "exampleDataGamry.DTA").table
    frequency = table["Frequency [Hz]"]
    assert frequency.null_count == 387  # rows of OCVCURVE
    assert len(frequency) - frequency.null_count == 72  # rows of ZCURVE
    assert table["Z_Im [Ohm]"][-1].as_py() == -6635.557
    assert len(set(table["Step count"].to_pylist())) == 2


def test_impedance_sign_of_a_biologic_sweep(shared_data: Path) -> None:
    table = read(shared_data / "cycler" / "biologic" / "geis.mpt").table
    sweep = np.asarray(table["Frequency [Hz]"]) > 0
    # The column is -Im(Z), positive on a capacitive arc: Im(Z) is negative there.
    assert np.median(np.asarray(table["Z_Im [Ohm]"])[sweep]) < 0


def test_a_file_of_sweeps_only_says_so(shared_data: Path) -> None:
    folder = shared_data / "cycler" / "gamry"
    assert read(folder / "eispot_data.dta").provenance["data_type"] == "eis"
    assert "data_type" not in read(folder / "exampleDataGamry.DTA").provenance


def test_stated_as_impedance_without_a_frequency(shared_data: Path) -> None:
    with pytest.raises(UnreadableError, match="no frequency column"):
        read(shared_data / "cycler" / "maccor" / "maccor_one.txt", ReadOptions(data_type="eis"))


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "maccor/PreDiag_000229_000229_truncated.034",
            {
                "start_time": "2019-12-16T14:03:25+00:00",
                "protocol": {"name": "PreDiag_000229.000"},
                "test_setup": {"cycler": "Maccor", "channel_number": 34},
            },
        ),
        (
            "maccor/maccor_002.txt",
            {"start_time": "2021-05-11T15:40:24+00:00", "test_setup": {"channel_number": "53"}},
        ),
        (
            "biologic/gcpl.issue_211.mpt",
            {
                "start_time": "2025-05-28T14:23:16.145000+00:00",
                "test_setup": {"channel_number": "8", "instrument": "VMP3"},
            },
        ),
        (
            "basytec/sample_data_basytec.txt",
            {
                "start_time": "2023-06-19T17:56:53+00:00",
                "protocol": {"name": "plan.pln"},
                "test_setup": {"operator": "basytec"},
            },
        ),
        (
            "digatron/Cell785_0p5C_25degC.csv",
            {
                "start_time": "2020-08-20T11:14:28+00:00",
                "protocol": {"name": "166 - MSM_Rate_05C"},
                "test_setup": {"channel_number": "MCCD_1256"},
            },
        ),
        (
            "gamry/exampleDataGamry.DTA",
            {"start_time": "2018-04-23T16:43:15+00:00", "protocol": {"name": "EISPOT"}},
        ),
        (
            "arbin/CS2_33_8_17_10.xlsx",
            {
                "start_time": "2010-08-16T13:44:13+00:00",
                "protocol": {"name": "CS2_point5C.sdu"},
                "test_setup": {"channel_number": "1-006"},
            },
        ),
        ("neware/custom_data_003.xls", {"protocol": {"name": "RR"}}),
    ],
)
def test_header_metadata(file: str, expected: dict[str, Any], shared_data: Path) -> None:
    header = read(shared_data / "cycler" / file).header
    for key, value in expected.items():
        if isinstance(value, dict):
            assert {name: header[key].get(name) for name in value} == value
        else:
            assert header[key] == value
