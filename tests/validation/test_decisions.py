"""The frames behind the decisions that the README's page on validation lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from ionworks import validators as official

from bulkload.core.extra_checks import check_extra
from bulkload.core.issues import ExtraCode
from bulkload.core.rules import check
from bulkload.core.terms import CURRENT, STEP_COUNT, TIME, VOLTAGE
from bulkload.frames import to_frame
from tests.validation.judge import OfficialCrashError, as_table, difference, official_findings
from tests.validation.mutator import MUTATIONS, flat_voltage, mutated, shift_start, swap_pair
from tests.validation.tables import good

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def _codes(table: Any) -> list[str]:
    return [str(issue.code) for issue in check(to_frame(table))]


def _step(current: list[float], voltage: list[float]) -> pl.DataFrame:
    rows = len(current)
    steps = np.zeros(rows, dtype=int)
    return pl.DataFrame(
        {TIME: np.arange(rows) * 1.0, VOLTAGE: voltage, CURRENT: current, STEP_COUNT: steps}
    )


def test_text_where_numbers_belong() -> None:
    table = pl.DataFrame({**good(), VOLTAGE: ["3,7"] * 80})
    with pytest.raises(OfficialCrashError, match=r"TypeError|ValueError"):
        official_findings(table, {})
    assert _codes(table) == [ExtraCode.COLUMN_NOT_NUMERIC]


def test_an_infinity_in_the_fit(capfd: pytest.CaptureFixture[str]) -> None:
    table = as_table({**good(), CURRENT: good()[CURRENT].astype(float)}, "pandas")
    table.loc[5, CURRENT] = np.inf
    with pytest.raises(OfficialCrashError, match="LinAlgError"):
        official_findings(table, {})
    capfd.readouterr()  # LAPACK complains on its own
    assert _codes(table) == [ExtraCode.VALUE_NOT_FINITE]


def test_objects_with_none() -> None:
    current = good()[CURRENT].astype(object)
    current[30] = None
    table = pd.DataFrame({**good(), CURRENT: current})
    with pytest.raises(OfficialCrashError, match="TypeError"):
        official_findings(table, {})
    assert _codes(table) == []
    assert difference(pl.DataFrame({**good(), CURRENT: current.tolist()}), {}) is None


def test_a_current_that_is_a_straight_line_over_the_charge() -> None:
    table = _step(np.exp(-0.2121 * np.arange(5)).tolist(), [3.5243, 3.5462, 3.5638, 3.5781, 3.5897])
    assert difference(table, {}) is None


def test_a_solver_that_gives_up() -> None:
    """The vendor's fit of the discharge ends at a slope of 0.529; the minimum is at 0.276."""
    current = [100.0, 95.0, 89.0, 84.0, 79.0, 74.0, 68.0]
    voltage = [3.711, 3.652, 3.615, 3.585, 3.51, 3.48, 3.43]
    time = np.arange(7) * 1.0
    found = official._fit_ecm_convention(time, np.array(current), np.array(voltage))
    assert found is not None
    assert found[0] == pytest.approx(0.529, abs=1e-3)
    assert difference(_step(current, voltage), {}) is None
    falling = _step([-i for i in current], voltage)  # and as a test that fails
    assert difference(falling, {}) is None


def test_a_cell_of_microampere() -> None:
    """The resistance pulls less than the vendor's solver feels."""
    table = mutated(6434, [MUTATIONS.index(flat_voltage)])
    assert difference(as_table(table, "polars"), {}) is None


def test_votes_that_are_rounding() -> None:
    """Every vote but one cancels, and that one weighs a millionth of a millionth."""
    table = mutated(106, [MUTATIONS.index(shift_start), MUTATIONS.index(swap_pair)])
    found = official_findings(as_table(table, "pandas"), {})
    assert difference(as_table(table, "pandas"), {}) is None
    assert found is not None


def test_what_passes_and_what_is_said_of_it() -> None:
    nothing = {name: values[:0] for name, values in good().items()}
    assert difference(as_table(nothing, "polars"), {"strict": True}) is None
    assert [i.code for i in check_extra(to_frame(nothing))] == [ExtraCode.TABLE_EMPTY]

    alone = {STEP_COUNT: np.zeros(5, dtype=int)}
    assert difference(as_table(alone, "pandas"), {"strict": True}) is None
    assert [i.code for i in check_extra(to_frame(alone))] == [ExtraCode.COLUMN_MISSING]

    # One missing voltage, and a reversed current is no longer seen.
    blind = {name: values.astype(float) for name, values in good().items()}
    blind[CURRENT] = -blind[CURRENT]
    assert _codes(blind) == ["current_sign_reversed"]
    blind[VOLTAGE][5] = np.nan
    assert difference(as_table(blind, "polars"), {}) is None
    assert _codes(blind) == []
    assert [i.code for i in check_extra(to_frame(blind))] == [ExtraCode.VALUES_MISSING]
