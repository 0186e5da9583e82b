"""Tables of other libraries become frames and come back as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bulkload.core.digest import content_digest
from bulkload.core.frame import Column, Frame, NotNumericError
from bulkload.errors import UnreadableError
from bulkload.tables.frames import to_frame, to_table

COLUMNS: dict[str, list[Any]] = {
    "whole": [0, 1, 2],
    "gaps": [0, None, 2],
    "float": [0.5, None, 2.5],
    "text": ["a", None, "b"],
    "flag": [True, None, False],
    "nothing": [None, None, None],
}


def _tables() -> dict[str, Any]:
    arrow = pa.table(COLUMNS)
    return {
        "arrow": arrow,
        "arrow in pieces": pa.concat_tables([arrow.slice(0, 1), arrow.slice(1)]),
        "polars": pl.DataFrame(COLUMNS),
        "pandas": pd.DataFrame(
            {
                "whole": [0, 1, 2],
                "gaps": pd.array([0, None, 2], dtype="Int64"),
                "float": pd.array([0.5, None, 2.5], dtype="Float64"),
                "text": ["a", None, "b"],
                "flag": pd.array([True, None, False], dtype="boolean"),
                "nothing": [None, None, None],
            }
        ),
        "lists": COLUMNS,
    }


@pytest.mark.parametrize("library", _tables())
def test_every_library_gives_the_same_frame(library: str) -> None:
    frame = to_frame(_tables()[library])
    assert frame.rows == len(frame) == 3
    assert frame.names == tuple(COLUMNS)
    assert frame.values("whole").tolist() == [0, 1, 2]
    np.testing.assert_array_equal(frame.numbers("gaps"), [0, np.nan, 2])
    np.testing.assert_array_equal(frame.numbers("float"), [0.5, np.nan, 2.5])
    np.testing.assert_array_equal(frame.numbers("flag"), [1, np.nan, 0])
    assert np.isnan(frame.numbers("nothing")).all()
    assert not frame.is_numeric("text")
    with pytest.raises(NotNumericError, match="text"):
        frame.numbers("text")
    assert frame.column("text").visible()[0] == "a"


@pytest.mark.parametrize("library", ["arrow", "arrow in pieces", "polars", "pandas"])
def test_nulls_and_types_survive_the_way_back(library: str) -> None:
    back = to_table(to_frame(_tables()[library]))
    assert back.column("gaps").to_pylist() == [0, None, 2]
    assert pa.types.is_integer(back.column("gaps").type)
    assert back.column("float").to_pylist() == [0.5, None, 2.5]
    assert back.column("text").to_pylist() == ["a", None, "b"]
    assert back.column("nothing").null_count == 3


def test_nan_is_no_null() -> None:
    frame = to_frame(pa.table({"x": pa.array([1.0, float("nan"), None])}))
    assert frame.column("x").nulls is not None
    assert np.isnan(frame.numbers("x")).tolist() == [False, True, True]
    back = to_table(frame).column("x")
    assert back.null_count == 1
    assert np.isnan(back[1].as_py())


def test_numbers_of_one_chunk_are_not_copied() -> None:
    values = np.arange(10.0)
    assert np.shares_memory(to_frame(pa.table({"x": values})).numbers("x"), values)
    assert np.shares_memory(to_frame({"x": values}).numbers("x"), values)
    series = pl.Series("x", values)
    assert np.shares_memory(to_frame(series.to_frame()).numbers("x"), series.to_numpy())


def test_odd_types() -> None:
    frame = to_frame(
        pa.table(
            {
                "decimal": pa.array([1, 2], pa.decimal128(5, 2)),
                "category": pa.array(["a", "b"]).dictionary_encode(),
                "date": pa.array([1, 2], pa.timestamp("s")),
                "small": pa.array([1, 2], pa.float32()),
            }
        )
    )
    assert frame.numbers("decimal").tolist() == [1.0, 2.0]
    assert frame.values("small").dtype == np.float32
    assert not frame.is_numeric("category")
    assert not frame.is_numeric("date")
    assert to_frame(pl.DataFrame({"d": [1.5]}, schema={"d": pl.Decimal(5, 1)})).numbers("d") == 1.5
    assert to_frame(pa.table({"x": pa.chunked_array([], pa.int64())})).rows == 0


def test_a_single_value_is_a_row() -> None:
    assert to_frame({"Time [s]": 0.0, "Step count": 0}).rows == 1


def test_what_is_no_table() -> None:
    with pytest.raises(TypeError, match="list"):
        to_frame([1, 2])
    with pytest.raises(UnreadableError, match="more than once"):
        to_frame(pa.table([[1], [2]], names=["x", "x"]))
    with pytest.raises(UnreadableError, match="more than once"):
        to_frame(pd.DataFrame([[1, 2]], columns=["x", "x"]))
    with pytest.raises(UnreadableError, match="differ in length"):
        to_frame({"x": [1, 2], "y": [1]})


def test_take_and_replace() -> None:
    frame = Frame.of({"x": np.arange(4), "y": Column(np.arange(4), np.arange(4) == 1)})
    assert frame.take(np.array([2, 0])).values("x").tolist() == [2, 0]
    masked = frame.take(np.arange(4) < 2)
    assert masked.rows == 2
    np.testing.assert_array_equal(masked.numbers("y"), [0, np.nan])
    other = frame.replace({"x": np.zeros(4), "z": np.ones(4)})
    assert other.names == ("x", "y", "z")
    assert frame.values("x").tolist() == [0, 1, 2, 3]
    assert "z" in other
    assert "z" not in frame
    assert list(frame) == ["x", "y"]
    assert repr(frame) == "Frame(4 rows: x, y)"


# --- digests ---


def _digest(table: Any) -> str:
    return content_digest(to_frame(table))


def test_digest_looks_through_order_types_and_libraries() -> None:
    plain = _digest({"a": [1, 2, 3], "b": [0.5, 0.0, 2.0]})
    assert plain == _digest({"b": [0.5, -0.0, 2.0], "a": [1.0, 2.0, 3.0]})
    assert plain == _digest(pl.DataFrame({"a": [1, 2, 3], "b": [0.5, 0.0, 2.0]}))
    assert plain == _digest(pd.DataFrame({"b": [0.5, 0.0, 2.0], "a": [1, 2, 3]}))
    assert _digest({"a": [1.0, float("nan")]}) == _digest(pa.table({"a": [1.0, None]}))


@pytest.mark.parametrize(
    "other",
    [
        {"a": [1, 2, 4], "b": ["x", None, "y"]},
        {"a": [1, 2, 3], "b": ["x", None, "z"]},
        {"a": [1, 2, 3], "b": ["x", "None", "y"]},
        {"a": [1, 2, 3], "c": ["x", None, "y"]},
        {"a": [2, 1, 3], "b": ["x", None, "y"]},
        {"a": [1, 2], "b": ["x", None]},
        {"a": [1, 2, 3]},
    ],
)
def test_digest_sees_every_difference(other: dict[str, Any]) -> None:
    assert _digest({"a": [1, 2, 3], "b": ["x", None, "y"]}) != _digest(other)


def test_digest_of_a_long_table_is_that_of_its_rows() -> None:
    values = np.random.default_rng(0).normal(size=200_000)
    assert _digest({"x": values}) == _digest(pl.DataFrame({"x": values}))
    changed = values.copy()
    changed[150_000] += 1e-9
    assert _digest({"x": values}) != _digest({"x": changed})
