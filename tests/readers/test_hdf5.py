"""HDF5 stores: the real ones, made-up ones, and what such a file may only point to."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, TimeSeries, list_members, read
from bulkload.readers.content import load
from bulkload.readers.hdf5_tables import tables
from tests.jobs import Jobs

TIME = np.arange(0.0, 40.0, 2.0)
VOLTAGE = 4.0 - TIME / 100


def floats(series: TimeSeries, name: str) -> list[float]:
    return [float(value) for value in series.table[name].to_pylist()]


def test_battery_data_toolkit(shared_data: Path) -> None:
    path = next((shared_data / "databases/battdat").glob("*.hdf"))
    series = read(path)
    assert series.table.num_rows == 3701
    assert floats(series, "Time [s]")[-1] == 7400.0
    assert floats(series, "Current [A]")[0] == -1.0
    assert floats(series, "Voltage [V]")[0] == 2.1


def test_indigo_holds_eight_experiments(shared_data: Path) -> None:
    path = shared_data / "databases/beep-indigo/indigo_test_sample.h5"
    members = list_members(path)
    assert members == tuple(f"experiment_count {number}" for number in range(138, 146))
    read_all = [read(path, ReadOptions(member=member)) for member in members]
    assert sum(series.table.num_rows for series in read_all) == 20_000
    first = read_all[0]
    assert first.table.num_rows == 1040
    assert first.header["start_time"] == "2019-10-10T22:26:35.467835+00:00"
    # The store writes charge as positive: its voltage falls under -4.996 A.
    assert floats(first, "Current [A]")[0] == pytest.approx(4.996267, abs=1e-6)
    assert floats(first, "Temperature [degC]")[0] == 35.75


def test_arbin_tables_hold_three_tests_of_one_name(shared_data: Path) -> None:
    path = shared_data / "databases/cellpy-arbin-sql/20200624_test001_cc_01.h5"
    assert list_members(path) == ("Test_ID 1", "Test_ID 2", "Test_ID 3")
    rows = [read(path, ReadOptions(member=f"Test_ID {n}")).table.num_rows for n in (1, 2, 3)]
    assert rows == [2, 11, 34]
    second = read(path, ReadOptions(member="Test_ID 2"))
    # 15930017461164000 ticks of 100 ns, more than a double holds.
    assert second.header["start_time"] == "2020-06-24T12:29:06.116400+00:00"
    assert floats(second, "Voltage [V]")[2] == pytest.approx(-5.45906401)
    left_out = [d.columns for d in second.decisions if d.code == "tables_left_out"]
    assert left_out == [("info_df", "stat_df/table")]


def test_columns_with_their_units_need_no_make(tmp_path: Path) -> None:
    path = tmp_path / "lab.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("run")
        for name, unit, values in (
            ("time", "s", TIME),
            ("voltage", "mV", VOLTAGE * 1000),
            ("current", "A", np.ones(20)),
        ):
            group.create_dataset(name, data=values).attrs["units"] = unit
    series = read(path)
    assert floats(series, "Time [s]") == TIME.tolist()
    assert floats(series, "Voltage [V]") == pytest.approx(VOLTAGE)


def test_columns_without_units_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "lab.h5"
    with h5py.File(path, "w") as file:
        for name in ("time", "voltage", "current"):
            file[name] = TIME
    with pytest.raises(UnreadableError, match="whose units are known") as caught:
        read(path)
    assert caught.value.cause == "unknown_format"


class Bomb:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


def test_names_in_a_pickle_are_read_and_nothing_is_executed(tmp_path: Path) -> None:
    path, trace = tmp_path / "frame.h5", tmp_path / "trace"
    kind = np.dtype([("index", "<i8"), ("values_block_0", "<f8", (2,))])
    rows = np.zeros(3, kind)
    rows["values_block_0"] = [[1, 2], [3, 4], [5, 6]]
    with h5py.File(path, "w") as file:
        table = file.create_dataset("frame/table", data=rows)
        names = pickle.dumps(["time", "volts", Bomb(trace)], protocol=0)
        table.attrs["values_block_0_kind"] = np.bytes_(names)
    found = tables(load(path))["frame/table"]
    assert found["time"].to_pylist() == [1.0, 3.0, 5.0]
    assert found["volts"].to_pylist() == [2.0, 4.0, 6.0]
    assert not trace.exists()


def test_what_lies_in_other_files_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        for name in ("time [s]", "voltage [V]", "current [A]"):
            file[f"run/{name}"] = TIME
    path = tmp_path / "links.h5"
    with h5py.File(path, "w") as file:
        file["linked"] = h5py.ExternalLink(str(secret), "run")
        file["soft"] = h5py.SoftLink("/linked")
        raw = tmp_path / "raw.bin"
        raw.write_bytes(TIME.tobytes())
        for name in ("time [s]", "voltage [V]", "current [A]"):
            file.create_dataset(f"out/{name}", (20,), "f8", external=[(str(raw), 0, 160)])
    assert tables(load(path)) == {}


def test_a_damaged_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lab.h5"
    with h5py.File(path, "w") as file:
        file["time"] = TIME
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(UnreadableError, match="not a readable HDF5 file") as caught:
        read(path)
    assert caught.value.cause == "damaged"


def test_the_command_sees_every_experiment(jobs: Jobs, shared_data: Path) -> None:
    source = shared_data / "databases/beep-indigo/indigo_test_sample.h5"
    ended = jobs.command("show", source, "--no-strict")
    assert ended.out.count("read by hdf5") == 8


def test_the_plan_names_every_experiment(jobs: Jobs, shared_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive" / "spec" / "cell"
    folder.mkdir(parents=True)
    (folder.parent / "spec.json").write_text('{"name": "spec"}', "utf-8")
    shutil.copy(shared_data / "databases/beep-indigo/indigo_test_sample.h5", folder / "run.h5")
    assert "8 measurements of 1 cell" in jobs.command("plan", tmp_path / "archive").out
