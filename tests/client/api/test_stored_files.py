"""What is stored for a frame is what the vendor's client stores for it, and not larger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bulkload.errors import UnreadableError
from bulkload.localstudio import LocalStudio
from bulkload.tables.arrow import as_table, read_parquet, to_backend
from bulkload.tables.parquet import encode
from tests.client.api.faces import bulkload_face, official_face

FRAMES = 100


def frames() -> Iterator[Any]:
    """Give a hundred frames: many lengths, all kinds of containers, columns and gaps."""
    random = np.random.default_rng(7)
    for number in range(FRAMES):
        columns = _columns(random, rows=int(random.choice([6, 40, 400, 4000])), number=number)
        kind = number % 3
        if kind == 0:
            yield columns
        elif kind == 1:
            yield _with_pandas_types(pd.DataFrame(columns), number)
        else:
            yield pl.DataFrame(columns)


def _columns(random: np.random.Generator, *, rows: int, number: int) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "Time [s]": np.arange(rows) * float(random.choice([0.1, 1.0, 60.0])),
        "Voltage [V]": np.round(np.linspace(3.0, 4.0, rows) + random.normal(0, 1e-3, rows), 4),
        "Current [A]": np.full(rows, -0.002),
        "Step count": np.zeros(rows, dtype=np.int64),
        "Temperature [degC]": np.round(25 + random.normal(0, 0.5, rows), 1),
    }
    if number % 4 == 1:
        columns["Aux"] = np.where(random.random(rows) < 0.2, np.nan, random.random(rows))
    if number % 5 == 2:
        columns["Label"] = [f"phase {index // 10}" for index in range(rows)]
        columns["Flag"] = [index % 2 == 0 for index in range(rows)]
    if number % 7 == 3:
        columns["Small"] = np.arange(rows).astype(np.int32)
        columns["Single"] = random.random(rows).astype(np.float32)
        columns["Stamp"] = [dt.datetime(2024, 1, 1) + dt.timedelta(seconds=i) for i in range(rows)]  # noqa: DTZ001
        columns["Day"] = [dt.date(2024, 1, 1)] * rows
    if number % 8 == 5:
        columns["Step count"] = columns["Step count"].tolist()
        columns["Sparse"] = [None if index % 3 else float(index) for index in range(rows)]
    return columns


def _with_pandas_types(frame: pd.DataFrame, number: int) -> pd.DataFrame:
    if number % 2:
        frame["Kind"] = pd.Categorical(["a", "b"] * (len(frame) // 2))
        frame["Zoned"] = pd.Timestamp("2024-01-01", tz="UTC")
        frame["Whole"] = pd.array([1, None] * (len(frame) // 2), dtype="Int64")
    else:
        frame["Nothing"] = pd.Series([None] * len(frame), dtype=object)
        frame.index = pd.Index(range(100, 100 + len(frame)))
    return frame


@pytest.mark.timeout(300)
def test_a_hundred_frames_are_stored_alike_and_no_larger(
    studio: LocalStudio, tmp_path: Path
) -> None:
    ours_bytes = theirs_bytes = 0
    with bulkload_face(studio) as ours, official_face(studio) as theirs:
        cell = ours.cell()
        for number, frame in enumerate(frames()):
            stored = []
            for who, face in (("ours", ours), ("theirs", theirs)):
                detail = {"measurement": {"name": f"{who} {number}"}, "time_series": frame}
                made = face.client.cell_measurement.create(cell.id, detail)
                path = tmp_path / f"{who}-{number}.parquet"
                ours.client.cell_measurement.download_time_series(made.id, path)
                stored.append(path)
            one, other = (pl.read_parquet(path) for path in stored)
            assert one.schema == other.schema, number
            assert one.equals(other, null_equal=True), number
            ours_bytes += stored[0].stat().st_size
            theirs_bytes += stored[1].stat().st_size
    assert ours_bytes <= theirs_bytes


def test_any_table_library_is_accepted() -> None:
    columns: dict[str, list[Any]] = {"a": [1, 2], "b": [1.5, 2.5]}
    expected = pa.table(columns)
    for data in (
        columns,
        pd.DataFrame(columns),
        pl.DataFrame(columns),
        expected,
        expected.to_batches()[0],
        {name: np.array(values) for name, values in columns.items()},
        {name: pd.Series(values) for name, values in columns.items()},
        {name: pl.Series(values) for name, values in columns.items()},
        {name: pa.array(values) for name, values in columns.items()},
        {"a": (1, 2), "b": [1.5, 2.5]},
    ):
        assert as_table(data).equals(expected), type(data)


def test_a_single_value_stands_in_every_row() -> None:
    assert as_table({"a": [1, 2], "b": 0.5}).column("b").to_pylist() == [0.5, 0.5]
    assert as_table({"a": 1, "b": "x"}).num_rows == 1


def test_what_is_no_table_is_told_at_once() -> None:
    with pytest.raises(TypeError, match="not list"):
        as_table([1, 2])
    with pytest.raises(ValueError, match="differ in length"):
        as_table({"a": [1, 2], "b": [1]})
    with pytest.raises(ValueError, match="'a'"):
        as_table({"a": [1, "x"]})
    with pytest.raises(ValueError, match="mixed types"):
        as_table(pd.DataFrame({"a": [1, "x"]}))
    with pytest.raises(ValueError, match="Duplicate"):
        as_table(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_rows_are_read_by_window_across_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": range(100)}), path, row_group_size=7)
    for start, stop in [(0, 100), (6, 8), (13, 50), (95, 200), (200, 300), (5, 5)]:
        rows = read_parquet(path, (start, stop)).column("a").to_pylist()
        assert rows == list(range(100))[start:stop], (start, stop)


def test_what_is_read_comes_in_the_form_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    encode(as_table({"a": [1.0, 2.0]}), path)
    table = read_parquet(path)
    assert isinstance(to_backend(table, "pandas"), pd.DataFrame)
    assert isinstance(to_backend(table, "polars"), pl.DataFrame)
    assert isinstance(to_backend(table, "pyarrow"), pa.Table)
    path.write_bytes(b"<html>")
    with pytest.raises(UnreadableError, match="Parquet"):
        read_parquet(path)
