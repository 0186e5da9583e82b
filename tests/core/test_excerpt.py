"""The excerpt of a rejected table: where it lies, what it marks, that the journal keeps it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bulkload.core.excerpt import (
    EXCERPT_BINS,
    WINDOW_ROWS,
    excerpt,
    excerpt_from_text,
    excerpt_to_text,
    flagged_rows,
)
from bulkload.core.frame import Frame
from bulkload.core.issues import IssueCode, ValidationIssue
from bulkload.core.rules import check
from bulkload.core.terms import CURRENT, STEP_COUNT, TIME, VOLTAGE


def table(rows: int = 10_000, **changes: Any) -> Frame:
    columns = {
        TIME: np.arange(rows) * 10.0,
        VOLTAGE: 3.7 - 0.4 * np.sin(np.arange(rows) / 500),
        CURRENT: np.cos(np.arange(rows) / 500),
        STEP_COUNT: np.arange(rows) // 1000,
    }
    return Frame.of(columns | changes)


def issue(code: IssueCode = IssueCode.TIME_NOT_MONOTONIC, **payload: Any) -> ValidationIssue:
    return ValidationIssue(code, "why", payload=payload)


@pytest.mark.parametrize(
    ("payload", "rows"),
    [
        ({"row_index": 4321}, [4321]),
        ({"worst_row_index": 17}, [17]),
        ({"examples": [{"row_index": 3}, {"row_index": 900}]}, [3, 900]),
        ({"step_index": 4}, [4000]),
        ({"step_index": 4, "row_index": 4100}, [4100]),
        ({"previous_step": 2, "current_step": 3}, [3000]),
        ({"example_steps": [1, 9]}, [1000, 9000]),
        ({"charge_fraction": 1.0}, []),
        ({"row_index": 10_000}, []),
    ],
)
def test_the_rows_that_a_finding_names(payload: dict[str, Any], rows: list[int]) -> None:
    assert flagged_rows(table(), [issue(**payload)]) == rows


def test_the_excerpt_lies_around_the_flagged_row_and_keeps_its_spikes() -> None:
    frame = table()
    frame.numbers(VOLTAGE)[4400] = 99.0
    found = excerpt(frame, [issue(row_index=4321)])
    assert found is not None
    assert found.total_rows == 10_000
    assert found.rows[0] == 4321 - WINDOW_ROWS
    assert found.rows[-1] == 4321 + WINDOW_ROWS
    assert found.flagged == (4321,)
    assert 4321 in found.rows
    voltage = dict(found.signals)[VOLTAGE]
    assert voltage[found.rows.index(4400)] == 99.0
    assert len(found.rows) <= 6 * EXCERPT_BINS + 3


def test_without_a_flagged_row_all_of_the_table_is_shown() -> None:
    found = excerpt(table(), [issue(IssueCode.CURRENT_SIGN_REVERSED, charge_fraction=1.0)])
    assert found is not None
    assert (found.rows[0], found.rows[-1], found.flagged) == (0, 9999, ())


def test_jumps_of_the_voltage_are_found_where_the_check_finds_them() -> None:
    frame = table(1000)
    frame.numbers(VOLTAGE)[500:600:2] = 0.0
    errors = [
        one
        for one in check(frame, strict=True, voltage_window=(2.5, 4.2))
        if one.code == IssueCode.VOLTAGE_CONTINUITY
    ]
    assert errors
    assert flagged_rows(frame, errors)[:2] == [500, 501]


def test_a_table_without_voltage_and_current_has_none() -> None:
    assert excerpt(Frame.of({TIME: np.arange(3.0)}), []) is None
    assert excerpt(table(0), []) is None


def test_what_the_journal_keeps_is_what_was_cut() -> None:
    frame = table()
    frame.numbers(CURRENT)[4320] = np.nan
    found = excerpt(frame, [issue(row_index=4321)])
    assert found is not None
    assert excerpt_from_text(excerpt_to_text(found)) == found
    assert dict(found.signals)[CURRENT][found.rows.index(4320)] is None
    assert len(excerpt_to_text(found)) < 12_000
