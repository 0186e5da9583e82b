"""Which stage is named as the one that set the pace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.core.bottleneck import ADVICE, SHORTEST_RUN_S, bottleneck

SHARES = st.dictionaries(
    st.sampled_from(["prepare", "api", "storage", "processing"]), st.floats(0, 1)
)


@pytest.mark.parametrize(
    ("shares", "stage"),
    [
        ({}, "none"),
        ({"prepare": 0.1, "api": 0.2, "storage": 0.0, "processing": 0.3}, "none"),
        ({"prepare": 0.95, "api": 0.1}, "prepare"),
        # Both full: the first in the order of the data holds the other back.
        ({"prepare": 0.9, "api": 0.95}, "prepare"),
        ({"prepare": 0.2, "storage": 0.9, "api": 0.8}, "storage"),
        ({"prepare": 0.2, "storage": 0.1, "api": 0.8}, "api"),
        ({"prepare": 0.1, "processing": 0.6}, "processing"),
        # The API in its turn, before what is busier behind it.
        ({"api": 0.75, "processing": 0.9}, "api"),
        # Full from seven tenths on, and half of that is much where nothing is full.
        ({"prepare": 0.7, "processing": 0.9}, "prepare"),
        ({"prepare": 0.69, "processing": 0.9}, "processing"),
        ({"storage": 0.1, "api": 0.35}, "api"),
        ({"storage": 0.34, "api": 0.1}, "none"),
        ({"prepare": 0.1, "api": 0.6, "storage": 0.2}, "api"),
    ],
)
def test_the_stage_that_was_full(shares: dict[str, float], stage: str) -> None:
    assert bottleneck(shares, 100.0) == stage


def test_a_run_of_a_few_seconds_shows_nothing() -> None:
    assert bottleneck({"prepare": 0.9}, 4.9) == "none"
    assert bottleneck({"prepare": 0.9}, 5.0) == "prepare"


@given(SHARES, st.floats(0, 1e6))
def test_the_word_is_always_one_that_has_advice(shares: dict[str, float], elapsed: float) -> None:
    word = bottleneck(shares, elapsed)
    assert word in ADVICE
    assert word == "none" or elapsed >= SHORTEST_RUN_S
