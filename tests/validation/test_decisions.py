"""The frames behind the decisions that the manual's page on validation lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from ionworks import validators as official

from bulkload.core.issues import ExtraCode
from bulkload.core.rules import check, votes
from bulkload.core.rules.extra_checks import check_extra
from bulkload.core.rules.transforms import apply
from bulkload.core.steps import summarise_steps
from bulkload.core.terms import CURRENT, CYCLE_FROM_CYCLER, STEP_COUNT, TIME, VOLTAGE
from bulkload.tables.frames import to_frame
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


def _voting(reversed_steps: int, right_steps: int) -> pl.DataFrame:
    """Return discharge steps of the same weight, some of whose currents are reversed."""
    rows = 20
    rise = np.linspace(3.5, 3.6, rows) + 1e-3 * np.sin(np.arange(rows))
    shapes = [rise] * reversed_steps + [7.1 - rise] * right_steps
    count = len(shapes)
    return pl.DataFrame(
        {
            TIME: np.arange(rows * count) * 1.0,
            VOLTAGE: np.concatenate(shapes),
            CURRENT: np.ones(rows * count),
            STEP_COUNT: np.repeat(np.arange(count), rows),
        }
    )


@pytest.mark.parametrize(
    ("reversed_steps", "right_steps", "code"),
    [
        (3, 1, "current_sign_reversed"),
        (1, 3, "current_sign_unsigned"),
        (74, 26, "current_sign_unsigned"),
        (24, 76, None),
    ],
)
def test_a_share_of_votes_on_the_edge_counts_as_reached(
    reversed_steps: int, right_steps: int, code: str | None
) -> None:
    table = _voting(reversed_steps, right_steps)
    (share,) = [issue.payload["charge_fraction"] for issue in check(to_frame(table))] or [0.24]
    assert share == pytest.approx(reversed_steps / (reversed_steps + right_steps), abs=1e-9)
    assert _codes(table) == ([] if code is None else [code])


def test_only_so_many_doubtful_steps_are_fitted_over_their_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = _step(np.exp(-0.2121 * np.arange(5)).tolist(), [3.5243, 3.5462, 3.5638, 3.5781, 3.5897])
    count = votes.MAX_ROW_FITS + 100
    table = pl.concat(
        one.with_columns(pl.col(TIME) + 5 * number, pl.lit(number).alias(STEP_COUNT))
        for number in range(count)
    )
    fitted = []

    def counted(*rows: Any) -> tuple[bool, float]:
        fitted.append(1)
        return judge_rows(*rows)

    judge_rows = votes.judge_rows
    alone = _codes(one)
    monkeypatch.setattr(votes, "judge_rows", counted)
    assert _codes(table) == alone
    assert len(fitted) == votes.MAX_ROW_FITS


def test_a_nan_in_a_step_summary_is_left_out_like_a_null() -> None:
    values = good()[VOLTAGE].astype(float)
    values[5] = np.nan
    with_nan = pl.DataFrame({**good(), VOLTAGE: values})
    with_null = with_nan.with_columns(pl.col(VOLTAGE).fill_nan(None))
    assert with_nan[VOLTAGE].null_count() == 0
    assert with_nan.select(pl.col(VOLTAGE).mean().is_nan()).item()
    ours, same = (summarise_steps(to_frame(table)) for table in (with_nan, with_null))
    for name in ours.names:
        np.testing.assert_array_equal(ours.column(name).values, same.column(name).values, name)
    assert np.isfinite(ours.numbers("Mean voltage [V]")).all()


def test_a_cycle_begins_where_a_step_begins() -> None:
    iwdata = pytest.importorskip("ionworksdata")
    table = {STEP_COUNT: np.array([0, 0, 0, 1, 1]), CYCLE_FROM_CYCLER: np.array([1, 1, 2, 2, 2])}
    theirs = iwdata.transform.set_cycle_count(pl.DataFrame(table))["Cycle count"].to_list()
    ours, _ = apply(to_frame(table), ("set_cycle_count",))
    assert theirs == [0, 0, 1, 1, 1]  # in mid-step, which the strict check then refuses
    assert ours.values("Cycle count").tolist() == [0, 0, 0, 1, 1]
