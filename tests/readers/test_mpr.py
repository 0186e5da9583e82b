"""EC-Lab binaries: each known layout, made here byte by byte, and the real files beside them.

No public file shows every layout of the data module with every column; those that are made here
follow the layout that ``bulkload/readers/formats/mpr.py`` states.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bulkload.errors import UnreadableError
from bulkload.readers import TimeSeries, read

MAGIC = b"BIO-LOGIC MODULAR FILE\x1a".ljust(48) + bytes(4)

#: Days since 30 December 1899 of 8 December 2023, 12:00.
NOON = 45268.5

#: flags, time/s, Ewe/V, I/mA.
PLAIN = [1, 2, 3, 4, 6, 8]
PLAIN_TYPE = [("flags", "u1"), ("t", "<f8"), ("e", "<f4"), ("i", "<f4")]


def module(name: bytes, data: bytes, version: int = 0, *, is_long: bool = True) -> bytes:
    head = name.ljust(10) + name.ljust(25)
    if is_long:
        sizes = struct.pack("<5I", 0xFFFFFFFF, len(data), version, 10, 0)[:16]
        return b"MODULE" + head + sizes + b"12/08/23" + data
    return b"MODULE" + head + struct.pack("<2I", len(data), version) + b"12.08.23" + data


def data_module(
    numbers: Sequence[int], records: bytes, count: int, layout: str, extra: bytes = b""
) -> bytes:
    """Lay a data module out: ``old`` (bytes), ``11.50``, ``2`` or ``3``."""
    if layout == "old":
        head = struct.pack(f"<IB{len(numbers)}B", count, len(numbers), *numbers).ljust(100, b"\0")
    elif layout == "11.50":
        head = struct.pack(f"<IH{len(numbers)}H", count, len(numbers), *numbers).ljust(1007, b"\0")
    else:
        head = struct.pack(f"<IB{len(numbers)}H", count, len(numbers), *numbers)
        head = head.ljust(403 + int(layout), b"\0")
    version = int(layout) if layout in {"2", "3"} else 0
    return module(b"VMP data", head + records + extra, version, is_long=layout == "11.50")


def log_module(days: float, place: int = 585) -> bytes:
    return module(b"VMP LOG", bytes(place) + struct.pack("<d", days) + bytes(64))


def records(rows: int = 20, dtype: Sequence[tuple[str, str]] = PLAIN_TYPE) -> bytes:
    """Make a charge of 100 mA from 3.0 V on, a record a second, named t, e and i."""
    made = np.zeros(rows, dtype=list(dtype))
    values = {"t": np.arange(rows), "e": 3.0 + np.arange(rows) / 128, "i": 100.0}
    for name in values.keys() & set(made.dtype.names or ()):
        made[name] = values[name]
    return made.tobytes()


def made(tmp_path: Path, *modules: bytes, technique: int = 0x04) -> TimeSeries:
    path = tmp_path / "test_C01.mpr"
    settings = module(b"VMP Set", bytes([technique]) + bytes(600))
    path.write_bytes(MAGIC + settings + b"".join(modules))
    return read(path)


def details(series: TimeSeries) -> list[str]:
    return [decision.detail for decision in series.decisions]


@pytest.mark.parametrize("layout", ["old", "11.50", "2", "3"])
def test_each_layout_of_the_data_module(layout: str, tmp_path: Path) -> None:
    series = made(tmp_path, data_module(PLAIN, records(), 20, layout), log_module(NOON))
    assert series.table["Time [s]"].to_pylist() == list(range(20))
    assert series.table["Voltage [V]"][3].as_py() == 3.0 + 3 / 128
    assert series.table["Current [A]"][3].as_py() == -0.1  # 100 mA of charge
    assert series.header["start_time"] == "2023-12-08T12:00:00+00:00"
    assert series.header["test_setup"] == {"cycler": "BioLogic", "technique": "GCPL"}


def test_without_a_log_module_there_is_no_start(tmp_path: Path) -> None:
    series = made(tmp_path, data_module(PLAIN, records(), 20, "11.50"))
    assert series.table.num_rows == 20
    assert "start_time" not in series.header


@pytest.mark.parametrize("place", [465, 469, 473])
def test_the_start_stands_in_several_places(place: int, tmp_path: Path) -> None:
    series = made(tmp_path, data_module(PLAIN, records(), 20, "2"), log_module(NOON, place))
    assert series.header["start_time"] == "2023-12-08T12:00:00+00:00"


@pytest.mark.parametrize("kind", ["<f4", "<f8", "<u2", "|u1"])
def test_one_unknown_column_has_the_width_that_is_left(kind: str, tmp_path: Path) -> None:
    dtype = [PLAIN_TYPE[0], ("new", kind), *PLAIN_TYPE[1:]]
    data = data_module([1, 777, 4, 6, 8], records(20, dtype), 20, "11.50")
    series = made(tmp_path, data)
    assert series.table["Time [s]"].to_pylist() == list(range(20))
    assert "column 777 of the binary is not known: left out" in details(series)


def test_two_unknown_columns_are_refused_by_number(tmp_path: Path) -> None:
    dtype = [PLAIN_TYPE[0], ("new", "<f4"), ("newer", "<f4"), *PLAIN_TYPE[1:]]
    data = data_module([1, 777, 778, 4, 6, 8], records(20, dtype), 20, "11.50")
    with pytest.raises(UnreadableError, match="column number 777, 778") as caught:
        made(tmp_path, data)
    assert caught.value.cause == "unreadable"


@pytest.mark.parametrize(("kind", "technique"), [("<f8", "battery"), ("<f4", "harmonic")])
def test_a_number_with_two_meanings_is_settled_by_the_record(
    kind: str, technique: str, tmp_path: Path
) -> None:
    del technique
    dtype = [PLAIN_TYPE[0], ("a", kind), ("b", kind), *PLAIN_TYPE[1:]]
    series = made(tmp_path, data_module([1, 498, 499, 4, 6, 8], records(20, dtype), 20, "11.50"))
    assert series.table["Time [s]"].to_pylist() == list(range(20))


def test_half_cycles_number_the_cycles(tmp_path: Path) -> None:
    dtype = [*PLAIN_TYPE, ("half", "<u4")]
    made_records = np.frombuffer(records(20, dtype), dtype).copy()
    made_records["half"] = np.arange(20) // 5
    data = data_module([*PLAIN, 468], made_records.tobytes(), 20, "11.50")
    series = made(tmp_path, data)
    assert series.table["Cycle from cycler"].to_pylist() == [0] * 10 + [1] * 10


def test_charge_in_coulombs_beside_a_current_is_no_reason_to_refuse(tmp_path: Path) -> None:
    dtype = [*PLAIN_TYPE, ("dq", "<f4"), ("q", "<f4")]
    data = data_module([*PLAIN, 435, 434], records(20, dtype), 20, "11.50")
    assert made(tmp_path, data, technique=0x18).table["Current [A]"][5].as_py() == -0.1


def test_charge_in_coulombs_alone_gives_the_current(tmp_path: Path) -> None:
    dtype = [("flags", "u1"), ("t", "<f8"), ("e", "<f4"), ("dq", "<f4")]
    coulombs = np.frombuffer(records(20, dtype), dtype).copy()
    coulombs["dq"] = 0.25
    data = data_module([1, 4, 6, 435], coulombs.tobytes(), 20, "11.50")
    current = made(tmp_path, data, technique=0x18).table["Current [A]"].to_pylist()
    assert current[0] == 0.0
    assert current[1:] == pytest.approx([-0.25] * 19)


@pytest.mark.parametrize("technique", [0x0B, 0x1C, 0xEE])
def test_a_rest_has_no_current(technique: int, tmp_path: Path) -> None:
    dtype = [("flags", "u1"), ("t", "<f8"), ("e", "<f4")]
    data = data_module([1, 4, 6], records(20, dtype), 20, "11.50")
    series = made(tmp_path, data, technique=technique)
    assert set(series.table["Current [A]"].to_pylist()) == {0.0}
    assert any("open-circuit" in detail for detail in details(series))


def test_a_technique_that_controls_has_a_current(tmp_path: Path) -> None:
    dtype = [("flags", "u1"), ("t", "<f8"), ("c", "<f4"), ("e", "<f4")]
    data = data_module([1, 4, 19, 6], records(20, dtype), 20, "11.50")
    with pytest.raises(UnreadableError, match=r"no column for 'Current \[A\]'"):
        made(tmp_path, data, technique=0x06)


def test_records_behind_those_that_are_counted_are_left_out(tmp_path: Path) -> None:
    series = made(tmp_path, data_module(PLAIN, records(21), 20, "11.50"))
    assert series.table.num_rows == 20
    assert "left out 1 records behind the 20 that the file counts" in details(series)
    assert (series.provenance["rows_read"], series.provenance["rows_left_out"]) == (21, 1)


@pytest.mark.parametrize("lost", [1, 17, 400, 1300])
def test_a_file_cut_short_is_refused(lost: int, tmp_path: Path) -> None:
    path = tmp_path / "test_C01.mpr"
    settings = module(b"VMP Set", bytes(600))
    whole = MAGIC + settings + data_module(PLAIN, records(), 20, "11.50")
    path.write_bytes(whole[:-lost])
    with pytest.raises(UnreadableError, match="cut short") as caught:
        read(path)
    assert caught.value.cause == "truncated"


def test_fewer_records_than_the_file_counts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="cut short"):
        made(tmp_path, data_module(PLAIN, records(20), 21, "11.50"))


def test_no_records_are_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="no records") as caught:
        made(tmp_path, data_module(PLAIN, b"", 0, "11.50"))
    assert caught.value.cause == "no_rows"


def test_an_unknown_version_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="version 7 of the data module"):
        made(tmp_path, module(b"VMP data", bytes(2000), 7))


def test_the_real_files_of_the_second_set(shared_data: Path) -> None:
    folder = shared_data / "cycler2" / "biologic"
    sweep = read(folder / "PEIS.mpr")  # without a log module
    assert sweep.table.num_rows == 244
    assert sweep.provenance["data_type"] == "eis"
    loop = read(folder / "Bec01_01_1_C20_loop_20170219_01_MB_C02_loop0.mpr")
    assert "start_time" not in loop.header
    whole = read(folder / "Bec01_01_1_C20_loop_20170219_01_MB_C02.mpr").table
    assert sorted(set(whole["Cycle from cycler"].to_pylist())) == [0, 1, 2]
    rest = read(folder / "00_test_01_OCV_C01.mpr")
    assert rest.table["Current [A]"].to_pylist() == [0.0, 0.0]
    assert rest.header["start_time"] == "2023-12-07T14:22:24.183000+00:00"
