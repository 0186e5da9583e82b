"""The public validators can take the place of the vendor's."""

from __future__ import annotations

import inspect
import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from ionworks import validators as official

from bulkload import validators as ours
from bulkload.core.terms import CURRENT, STEP_COUNT, TIME
from bulkload.errors import MeasurementValidationError
from tests.validation.judge import as_table, same
from tests.validation.made import spectrum, step_table
from tests.validation.mutator import MUTATIONS, RATED, WINDOW, mutated
from tests.validation.tables import good

CHECKS = sorted(name for name in vars(official) if name.startswith("validate_"))


def test_names_and_signatures_are_the_vendors() -> None:
    assert {name for name in dir(ours) if name.startswith("validate_")} == set(CHECKS)
    for name in [*CHECKS, "positive_current_is_charge"]:
        mine = inspect.signature(getattr(ours, name)).parameters
        theirs = inspect.signature(getattr(official, name)).parameters
        assert [(p.name, p.kind, p.default) for p in mine.values()] == [
            (p.name, p.kind, p.default) for p in theirs.values()
        ], name
    assert ours.STRICT_CHECK_NAMES == official.STRICT_CHECK_NAMES
    assert {code.name: code.value for code in ours.IssueCode} == {
        code.name: code.value for code in official.IssueCode
    }
    assert ours.CAPACITY_ENERGY_INTEGRAL_TOLERANCE == official.CAPACITY_ENERGY_INTEGRAL_TOLERANCE
    assert ours.EIS_RESISTANCE_CAPACITY_PRODUCT == official.EIS_RESISTANCE_CAPACITY_PRODUCT


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_every_library(library: Any) -> None:
    ours.validate_measurement_data(library(good()), strict=True)
    reversed_current = {**good(), CURRENT: -good()[CURRENT]}
    with pytest.raises(MeasurementValidationError, match=r"failed with 1 error\(s\)") as caught:
        ours.validate_measurement_data(library(reversed_current))
    assert caught.value.has_code(ours.IssueCode.CURRENT_SIGN_REVERSED)
    assert not caught.value.has_code(ours.IssueCode.STEP_COUNT_MISSING)
    assert caught.value.errors[0].payload == {"charge_fraction": 1.0}
    assert "set_sign" in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).errors == caught.value.errors


def test_all_errors_come_at_once() -> None:
    table = {**good(), CURRENT: -good()[CURRENT], STEP_COUNT: good()[STEP_COUNT] + 1}
    table[TIME] = table[TIME] + 5
    with pytest.raises(MeasurementValidationError) as caught:
        ours.validate_measurement_data(table)
    assert [str(error.code) for error in caught.value.errors] == [
        "current_sign_reversed",
        "time_does_not_start_at_zero",
        "step_count_does_not_start_at_zero",
    ]
    assert str(caught.value).count("\n  - ") == 3


def test_warnings_are_python_warnings() -> None:
    steps = {"Discharge capacity [A.h]": np.array([9.0]), "Charge capacity [A.h]": np.array([0.0])}
    with pytest.warns(UserWarning, match="500%") as caught:
        ours.validate_measurement_data(good(), strict=True, steps_df=steps, rated_capacity=1.0)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="is in the future"):
        ours.validate_measurement_data(good(), start_time="2999-01-01T00:00:00+00:00")


def test_unknown_checks_are_refused() -> None:
    with pytest.raises(ValueError, match="no_such"):
        ours.validate_measurement_data(good(), skip_checks=["no_such"])


def test_row_count() -> None:
    assert ours.validate_time_series_row_count({TIME: np.zeros(1000)}) == []
    (issue,) = ours.validate_time_series_row_count({TIME: np.zeros(1001)})
    assert issue.payload == {"n_rows": 1001, "max_rows": 1000}
    assert ours.validate_time_series_row_count({TIME: np.zeros(5)}, max_rows=4) != []


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [name for name in CHECKS if name != "validate_measurement_data"])
def test_each_check_alone(name: str) -> None:
    """Called one by one, each gives what the vendor's gives."""
    needs_steps = "steps_df" in inspect.signature(getattr(official, name)).parameters
    further: dict[str, Any] = {}
    if "rated_capacity" in inspect.signature(getattr(official, name)).parameters:
        further["rated_capacity"] = RATED
    if name == "validate_voltage_continuity":
        further["voltage_window"] = WINDOW
    for seed in range(150):
        rng = np.random.default_rng(seed)
        if needs_steps:
            columns = step_table(rng)
        elif "eis" in name:
            columns = spectrum(rng)
        else:
            columns = mutated(seed, [seed % len(MUTATIONS)])
        table = as_table(columns, "pandas" if seed % 2 else "polars")
        arguments = [table]
        if name == "validate_measurement_timing":
            arguments = ["2024-01-01T00:00:00", "2024-01-01T00:10:00", table]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = getattr(official, name)(*arguments, **further)
        mine = getattr(ours, name)(*arguments, **further)
        assert [(i.code, i.severity) for i in mine] == [(i.code, i.severity) for i in theirs]
        for one, other in zip(mine, theirs, strict=True):
            tolerance = 1e-3 if one.code.startswith("current_sign") else 1e-6
            assert same(one.payload, other.payload, tolerance), (seed, one.payload, other.payload)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_one_step_alone() -> None:
    for seed in range(200):
        table = mutated(seed, [])
        rows = np.flatnonzero(table[STEP_COUNT] == 0)
        arrays = [table[name][rows] for name in (TIME, CURRENT, "Voltage [V]")]
        is_charge, doubt = ours.positive_current_is_charge(*arrays)
        expected = official.positive_current_is_charge(*arrays)
        assert is_charge == expected[0], seed
        assert doubt == pytest.approx(expected[1], abs=1e-9), seed


def test_other_thresholds() -> None:
    """Parameters reach the rule: a looser or tighter limit changes the verdict."""
    table = good()
    late = {**table, TIME: table[TIME] + 1.0}
    assert ours.validate_time_starts_at_zero(late, tolerance=2.0) == []
    assert ours.validate_time_gaps(table, max_gap_seconds=9.0) != []
    assert ours.validate_minimum_points_per_step(table, min_points=21) != []
    assert ours.validate_voltage_continuity(table, (3.0, 4.2), jump_fraction=0.001) != []
    assert ours.validate_time_monotonic({"t": np.array([1.0, 0.5])}, "t", tolerance=0.6) == []
    renamed = {"n": table[STEP_COUNT], "q": np.ones(80)}
    assert ours.validate_cumulative_values_reset_per_step(renamed, "n", ["q"]) != []
    assert ours.validate_cumulative_values_reset_per_step(renamed, "n", ["q"], 2.0) == []
    assert ours.validate_cycle_constant_within_step({**renamed, "c": np.arange(80)}, "n", "c") != []
