"""JSON that every parser takes, and paths that mean what they say."""

from __future__ import annotations

import gzip
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qsl, unquote

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.client.http.bodies import compress_if_large, encode_json, encode_query, join_path
from bulkload.client.http.limits import GZIP_FROM_BYTES


def strict(content: bytes) -> Any:
    """Parse as a strict parser does: bare NaN is an error."""

    def refuse(token: str) -> None:
        pytest.fail(f"invalid JSON: {token}")

    return json.loads(content, parse_constant=refuse)


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (pd.NaT, None),
        (pd.NA, None),
        (np.datetime64("NaT"), None),
        (np.float64("nan"), None),
        (np.float32("inf"), None),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.array([1.0, math.nan]), [1.0, None]),
        (np.datetime64("2026-01-02T03:04:05"), "2026-01-02T03:04:05"),
        (pd.Timestamp("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05+00:00"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (Decimal("1.5"), 1.5),
        (Decimal("NaN"), None),
        (Colour.RED, "red"),
        (PurePosixPath("a/b"), "a/b"),
        ({"b", "a"}, ["a", "b"]),
        (pd.Series([1.0, None]), [1.0, None]),
        ((1, 2), [1, 2]),
    ],
)
def test_each_value_goes_out_as_valid_json(value: Any, expected: Any) -> None:
    assert strict(encode_json({"deep": [{"value": value}]})) == {"deep": [{"value": expected}]}


def test_a_value_that_json_cannot_hold_is_named() -> None:
    with pytest.raises(TypeError, match="Timeout"):
        encode_json({"value": type("Timeout", (), {})()})


def test_a_lone_surrogate_of_a_file_name_does_not_break_the_body() -> None:
    assert strict(encode_json({"name": "a\udcffb"})) == {"name": "a?b"}


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON_LIKE)
def test_whatever_is_encoded_is_strict_json(value: Any) -> None:
    strict(encode_json(value))


@pytest.mark.parametrize("size", [GZIP_FROM_BYTES - 1, GZIP_FROM_BYTES])
def test_only_large_bodies_are_compressed(size: int) -> None:
    content, encoding = compress_if_large(b"x" * size)
    if size < GZIP_FROM_BYTES:
        assert (content, encoding) == (b"x" * size, None)
    else:
        assert encoding == "gzip"
        assert gzip.decompress(content) == b"x" * size


@given(st.text(min_size=1))
def test_a_segment_stays_one_segment(name: str) -> None:
    name = name.encode("utf-8", "replace").decode()
    path = join_path("files", name)
    assert path.count("/") == 2
    assert not set("?#% \n") & set(path.replace("%", "", path.count("%")))
    assert path.rsplit("/", 1)[1] not in {".", ".."}
    assert unquote(path.rsplit("/", 1)[1]) == name


def test_a_query_repeats_lists_and_leaves_out_none() -> None:
    query = encode_query(
        {"name": "eq.a b&c%", "tags_all": ["x", "y"], "q": None, "full": True, "limit": 100}
    )
    assert parse_qsl(query[1:]) == [
        ("name", "eq.a b&c%"),
        ("tags_all", "x"),
        ("tags_all", "y"),
        ("full", "true"),
        ("limit", "100"),
    ]
    assert "a+b%26c%25" in query
    assert encode_query(None) == encode_query({"q": None}) == ""
