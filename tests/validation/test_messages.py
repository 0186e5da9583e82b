"""Messages hold the vendor's figures in our words, and name a way out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ionworks import validators as official

from bulkload.core.rules import check
from bulkload.core.terms import STEP_COUNT, TIME, VOLTAGE
from bulkload.tables.frames import to_frame
from tests.validation.judge import as_table
from tests.validation.made import spectrum, step_table
from tests.validation.mutator import MUTATIONS, RATED, WINDOW, mutated

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?")
#: What a message may say to do.
WAYS_OUT = (
    "transform",
    "Look ",
    "skip the check",
    "Leave ",
    "split",
    "fill the time in",
    "Studio refuses",
    "Columns found",
    "with the cycler's mode column",
)


def _pairs() -> Iterator[tuple[str, str, str]]:
    """Yield code, our message and the vendor's, of many findings."""
    options: dict[str, Any] = {"strict": True, "rated_capacity": RATED}
    for seed in range(300):
        rng = np.random.default_rng(seed)
        is_eis = seed % 10 == 0
        columns = spectrum(rng) if is_eis else mutated(seed, [seed % len(MUTATIONS)])
        table, steps = as_table(columns, "pandas"), as_table(step_table(rng), "pandas")
        given = {**options, "data_type": "eis"} if is_eis else {**options, "voltage_window": WINDOW}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                official.validate_measurement_data(table, steps_df=steps, **given)
        except official.MeasurementValidationError as error:
            ours = check(to_frame(table), steps=to_frame(steps), **given)
            errors = [issue for issue in ours if issue.severity == "error"]
            for mine, theirs in zip(errors, error.errors, strict=True):
                yield str(mine.code), mine.message, theirs.message


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_figures_and_ways_out() -> None:
    seen = set()
    for code, mine, theirs in _pairs():
        seen.add(code)
        # Of the cycles in a step we show five.
        shown = re.sub(r"(\[(?:[^,\]]+, ){4}[^,\]]+)[^\]]*\]", r"\1]", theirs)
        # The vendor's formulas, max(I, 0) and R0, hold a zero that is no figure.
        assert set(NUMBER.findall(shown)) - {"0"} <= set(NUMBER.findall(mine)), (mine, theirs)
        assert any(words in mine for words in WAYS_OUT), mine
        assert mine != theirs
    assert len(seen) >= 20


def test_the_figures_that_users_know() -> None:
    """The examples of the vendor's page on uploading."""
    rows = 4203
    time = np.arange(rows) * 1.0
    time[4202:] += 6.12 * 3600 - 1
    gap = to_frame({TIME: time, STEP_COUNT: np.zeros(rows, dtype=int)})
    (issue,) = check(gap, strict=True)
    assert "6.12 h" in issue.message
    assert "rows 4201 and 4202" in issue.message
    assert "5.0 h" in issue.message

    voltage = np.full(3600, 3.0)
    voltage[1:319] += np.arange(318) % 2 == 0
    jumps = to_frame({VOLTAGE: voltage, STEP_COUNT: np.zeros(3600, dtype=int)})
    (issue,) = check(jumps, strict=True, voltage_window=(3.0, 4.0))
    assert "318 of 3599" in issue.message
    assert "8.8%" in issue.message
    assert "80%" in issue.message


@pytest.mark.parametrize(
    ("columns", "way_out"),
    [
        (
            {"Step from cycler": [1, 1, 2, 2]},
            "The transform set_step_count numbers the steps from 'Step from cycler'.",
        ),
        (
            {},
            (
                "Number the steps from 0, by 1 at each change; with a column 'Step from cycler' "
                "the transform set_step_count does so."
            ),
        ),
    ],
)
def test_the_way_out_of_missing_steps_is_one_that_the_table_allows(
    columns: dict[str, list[int]], way_out: str
) -> None:
    table = {TIME: [0.0, 1.0, 2.0, 3.0], VOLTAGE: [3.0] * 4, "Current [A]": [1.0] * 4, **columns}
    (missing,) = [
        issue for issue in check(to_frame(table), strict=True) if issue.code == "step_count_missing"
    ]
    assert missing.message.endswith(f". {way_out}")
