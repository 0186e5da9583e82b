"""What people stated stays; what a header says fills the rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.core.metadata import FROM_HEADER, merged_metadata

WORDS = st.sampled_from(["", "a", "b", "2026-02-03"])
VALUES = st.one_of(st.none(), WORDS, st.dictionaries(WORDS, WORDS, max_size=3))
KEYS = st.sampled_from([*FROM_HEADER, "tags", "colour"])


@pytest.mark.parametrize(
    ("stated", "header", "merged"),
    [
        ({}, {}, {}),
        ({"notes": "mine"}, {"notes": "the file's"}, {"notes": "mine"}),
        ({}, {"notes": "the file's"}, {"notes": "the file's"}),
        ({"notes": ""}, {"notes": "the file's"}, {"notes": "the file's"}),
        ({}, {"colour": "red"}, {}),
        (
            {"protocol": {"name": "mine"}},
            {"protocol": {"name": "its", "ambient_temperature_degc": 25}},
            {"protocol": {"name": "mine", "ambient_temperature_degc": 25}},
        ),
        ({"protocol": "text"}, {"protocol": {"name": "its"}}, {"protocol": "text"}),
        # A header's moment on the stated day is the same statement, said more precisely.
        (
            {"start_time": "2026-02-03"},
            {"start_time": "2026-02-03T08:00:00"},
            {"start_time": "2026-02-03T08:00:00"},
        ),
        (
            {"start_time": "2026-02-03"},
            {"start_time": "2026-02-04T08:00:00"},
            {"start_time": "2026-02-03"},
        ),
        ({"tags": ["a"]}, {"tags": ["b"]}, {"tags": ["a"]}),
    ],
)
def test_merging(stated: dict[str, Any], header: dict[str, Any], merged: dict[str, Any]) -> None:
    assert merged_metadata(stated, header) == merged


@given(st.dictionaries(KEYS, VALUES), st.dictionaries(KEYS, VALUES))
def test_nothing_stated_is_lost_and_neither_side_is_changed(
    stated: dict[str, Any], header: dict[str, Any]
) -> None:
    before = repr((stated, header))
    merged = merged_metadata(stated, header)
    assert repr((stated, header)) == before
    for key, value in stated.items():
        if isinstance(value, dict) and value:
            assert merged[key].items() >= value.items()
        elif value not in (None, "", {}):
            assert merged[key] == value
    assert set(merged) <= set(stated) | set(FROM_HEADER)
    assert all(value not in (None, "", {}) for value in merged.values())
