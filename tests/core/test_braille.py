"""Curves as characters: the ends, the spikes, the gaps, the marks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkload.core.braille import curve, marks


def test_a_rising_line_fills_the_box_from_corner_to_corner() -> None:
    lines = curve(range(8), [float(one) for one in range(8)], width=4, height=2)
    assert lines == ["  ⡠⠊", "⡠⠊  "]


def test_a_spike_reaches_the_top_and_a_gap_stays_empty() -> None:
    values: list[float | None] = [0.0] * 40
    values[20] = 5.0
    for row in range(30, 35):
        values[row] = None
    lines = curve(range(40), values, width=20, height=3)
    assert [line.strip() for line in lines[:2]] == ["⡇", "⡇"] or lines[0].strip()
    assert lines[2][15:17].strip() == ""
    assert lines[2][0] != " "


def test_marks_stand_below_their_rows() -> None:
    assert marks(range(101), [0, 50, 100], width=11) == "▲    ▲    ▲"


def test_nothing_known_is_nothing_drawn() -> None:
    assert curve([0, 1], [None, None], width=3, height=2) == ["   ", "   "]


@given(
    st.lists(st.none() | st.floats(-1e9, 1e9), min_size=1, max_size=50),
    st.integers(1, 40),
    st.integers(1, 8),
)
def test_any_values_fit_the_box(values: list[float | None], width: int, height: int) -> None:
    lines = curve(range(len(values)), values, width=width, height=height)
    assert [len(line) for line in lines] == [width] * height
    known = [one for one in values if one is not None]
    if len(set(known)) > 1:
        assert lines[0].strip()
        assert lines[-1].strip()
