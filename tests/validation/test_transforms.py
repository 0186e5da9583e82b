"""Transforms do what the messages promise, change nothing else, and tell what they did."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bulkload.core.frame import Column, Frame
from bulkload.core.rule_names import TRANSFORM_NAMES, TransformError
from bulkload.core.rules import check
from bulkload.core.rules.transforms import TRANSFORMS, apply
from bulkload.core.terms import (
    CAPACITY,
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    CURRENT,
    CYCLE_COUNT,
    CYCLE_FROM_CYCLER,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    FREQUENCY,
    POWER,
    STEP_COUNT,
    STEP_FROM_CYCLER,
    TIME,
    VOLTAGE,
    Z_IM,
)
from tests.validation.tables import ROWS, good


def codes(frame: Frame) -> set[str]:
    return {str(issue.code) for issue in check(frame, strict=True)}


def repaired(table: dict[str, Any], *names: str) -> Frame:
    """Apply, and hold that the records can be written down and the transforms are idempotent."""
    frame, records = apply(Frame.of(table), names)
    assert [record.name for record in records] == list(names)
    assert all(record.is_changed for record in records)
    json.dumps([dict(record.details) for record in records])
    return frame


def test_a_good_table_stays_as_it_is() -> None:
    frame = Frame.of(good())
    same, records = apply(frame, ["sort_time", "reset_time", "set_step_count", "set_sign"])
    assert not any(record.is_changed for record in records)
    for name in frame.names:
        np.testing.assert_array_equal(same.values(name), frame.values(name))


def test_sort_time() -> None:
    table = good()
    order = np.random.default_rng(0).permutation(len(table[TIME]))
    shuffled = {name: values[order] for name, values in table.items()}
    assert "time_not_monotonic" in codes(Frame.of(shuffled))
    frame = repaired(shuffled, "sort_time")
    assert codes(frame) == set()
    np.testing.assert_array_equal(frame.values(VOLTAGE), table[VOLTAGE])


def test_sort_time_leaves_a_sweep_behind_its_row() -> None:
    time = np.array([20.0, np.nan, np.nan, 0.0, 10.0])
    frame = repaired({TIME: time, "row": np.arange(5)}, "sort_time")
    assert frame.values("row").tolist() == [3, 4, 0, 1, 2]
    leading = repaired({TIME: np.array([np.nan, 5.0, 1.0]), "row": np.arange(3)}, "sort_time")
    assert leading.values("row").tolist() == [0, 2, 1]


def test_reset_time() -> None:
    table = good()
    frame = repaired({**table, TIME: table[TIME] + 1e6}, "reset_time")
    np.testing.assert_array_equal(frame.values(TIME), table[TIME])
    _, (record,) = apply(Frame.of({TIME: np.array([np.nan, 5.0, 6.0])}), ["reset_time"])
    assert record.details == {"offset_s": 5.0}


def test_set_step_count() -> None:
    table = good()
    table[STEP_COUNT] = table[STEP_COUNT] * 3 + 5
    assert {"step_count_does_not_start_at_zero", "step_count_non_sequential"} <= codes(
        Frame.of(table)
    )
    assert codes(repaired(table, "set_step_count")) == set()
    swept = {
        STEP_FROM_CYCLER: np.array([1, 1, 2, 3, 4, 4]),
        FREQUENCY: np.array([np.nan, np.nan, 10.0, 5.0, 1.0, np.nan]),
    }
    assert repaired(swept, "set_step_count").values(STEP_COUNT).tolist() == [0, 0, 1, 1, 1, 2]


def test_set_cycle_count() -> None:
    table = good()
    rows = len(table[TIME])
    table[CYCLE_FROM_CYCLER] = (np.arange(rows) + 1) // (2 * ROWS)  # a row early
    table[CYCLE_COUNT] = table[CYCLE_FROM_CYCLER]
    assert "cycle_changes_within_step" in codes(Frame.of(table))
    frame = repaired(table, "set_cycle_count")
    assert codes(frame) == set()
    # The label of the row that starts a step counts; the early one is not such a row.
    assert frame.values(CYCLE_COUNT)[-1] == 1
    without = repaired({STEP_COUNT: np.arange(3)}, "set_cycle_count")
    assert without.values(CYCLE_COUNT).tolist() == [0, 0, 0]


def test_set_sign_reversed() -> None:
    table = good()
    power = table[VOLTAGE] * table[CURRENT]
    wrong = {**table, CURRENT: -table[CURRENT], POWER: -power}
    assert "current_sign_reversed" in codes(Frame.of(wrong))
    frame = repaired(wrong, "set_sign")
    assert codes(frame) == set()
    np.testing.assert_array_equal(frame.values(CURRENT), table[CURRENT])
    np.testing.assert_array_equal(frame.values(POWER), power)


def test_set_sign_step_by_step_where_there_is_none() -> None:
    table = good()
    wrong = {**table, CURRENT: np.abs(table[CURRENT])}
    assert "current_sign_unsigned" in codes(Frame.of(wrong))
    frame = repaired(wrong, "set_sign")
    np.testing.assert_array_equal(frame.values(CURRENT), table[CURRENT])


def test_set_sign_with_a_sweep_between() -> None:
    table = {name: values.astype(float) for name, values in good().items()}
    table[TIME][5:8] = np.nan
    table[CURRENT] = -table[CURRENT]
    frame = repaired(table, "set_sign")
    np.testing.assert_array_equal(frame.values(CURRENT), good()[CURRENT])


def test_set_sign_without_a_verdict() -> None:
    rest = {name: values[ROWS : 2 * ROWS] for name, values in good().items()}
    frame, (record,) = apply(Frame.of(rest), ["set_sign"])
    assert not record.is_changed
    np.testing.assert_array_equal(frame.values(CURRENT), rest[CURRENT])


@pytest.mark.parametrize("source", ["running columns", "one column", "none"])
def test_set_capacity(source: str) -> None:
    table = good()
    right = {name: table.pop(name) for name in (DISCHARGE_CAPACITY, CHARGE_CAPACITY)}
    running = np.cumsum(np.abs(table[CURRENT])) * 10 / 3600
    if source == "running columns":
        table |= {name: values + 1.0 for name, values in right.items()}
        assert "cumulative_value_not_reset" in codes(Frame.of(table))
    elif source == "one column":
        table[CAPACITY] = running - running[0]
    frame = repaired(table, "set_capacity")
    assert codes(frame) == set()
    assert CAPACITY not in frame
    for name, values in right.items():
        np.testing.assert_allclose(frame.values(name), values, atol=1e-9)


def test_set_energy() -> None:
    frame = repaired(good(), "set_energy")
    assert codes(frame) == set()
    assert frame.numbers(DISCHARGE_ENERGY).max() > 0
    assert frame.numbers(CHARGE_ENERGY).max() > 0


def test_swap_charge_discharge() -> None:
    table = good()
    table[DISCHARGE_CAPACITY], table[CHARGE_CAPACITY] = (
        table[CHARGE_CAPACITY],
        table[DISCHARGE_CAPACITY],
    )
    assert "discharge_capacity_integral_mismatch" in codes(Frame.of(table))
    assert codes(repaired(table, "swap_charge_discharge")) == set()


def test_negate_z_im_keeps_nulls() -> None:
    column = Column(np.array([1.0, np.nan]), np.array([False, True]))
    frame, (record,) = apply(Frame.of({Z_IM: column}), ["negate_z_im"])
    assert record.is_changed
    assert frame.values(Z_IM)[0] == -1.0
    assert frame.column(Z_IM).nulls is not None


def test_unknown_and_impossible() -> None:
    with pytest.raises(TransformError, match="unknown transform 'sort'; known are sort_time"):
        apply(Frame.of(good()), ["sort"])
    with pytest.raises(TransformError, match="set_step_count needs 'Step from cycler'"):
        apply(Frame.of({TIME: np.zeros(2)}), ["set_step_count"])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_empty_tables(name: str) -> None:
    empty = {key: values[:0] for key, values in {**good(), Z_IM: np.zeros(2)}.items()}
    frame, _ = apply(Frame.of(empty), [name])
    assert frame.rows == 0


def test_the_ways_out_that_messages_name_exist() -> None:
    """A message that recommends a transform recommends one that there is."""
    import re
    from pathlib import Path

    from bulkload.core import rules

    found = set()
    for path in Path(rules.__file__).parent.glob("*.py"):
        text = path.read_text("utf-8")
        for words in re.findall(r"transforms? ([a-z_]+)(?: and ([a-z_]+))?", text):
            found |= {word for word in words if "_" in word}
    assert found
    assert found <= set(TRANSFORMS)


def test_the_names_are_those_of_the_transforms() -> None:
    assert tuple(TRANSFORMS) == TRANSFORM_NAMES
