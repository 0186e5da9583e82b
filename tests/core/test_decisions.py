"""Decisions of a reader, as the journal has them."""

from __future__ import annotations

import pytest

from bulkload.core.decisions import Decision, DecisionCode


def test_what_is_empty_is_not_written() -> None:
    decision = Decision(code=DecisionCode.CURRENT_KEPT, detail="no current flows")
    assert decision.as_json() == {"code": "current_kept", "detail": "no current flows"}


def test_what_is_there_is_written() -> None:
    decision = Decision(
        code=DecisionCode.COLUMNS_LEFT_OUT,
        detail="left out 2 columns: text",
        evidence="text",
        rows=0,
        columns=("Remark", "Range"),
    )
    assert decision.as_json() == {
        "code": "columns_left_out",
        "detail": "left out 2 columns: text",
        "evidence": "text",
        "columns": ["Remark", "Range"],
    }


@pytest.mark.parametrize("code", DecisionCode)
def test_codes_are_words_that_scripts_can_branch_on(code: DecisionCode) -> None:
    assert code.value == code.name.lower()
