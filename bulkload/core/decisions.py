"""What a reader decided about a file and did to its data: nothing is decided in silence.

Each decision has a stable code to count by, the evidence that settled it, and a sentence for
people. The account of a run adds them up: "current negated in 100 files (format), 3 (fit)".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class DecisionCode(StrEnum):
    """What was decided. The words are data: they stand in journals and reports."""

    #: Current: turned round, given a sign that the file does not write, made from other columns,
    #: or taken as it is.
    CURRENT_NEGATED = "current_negated"
    CURRENT_SIGNED = "current_signed"
    CURRENT_DERIVED = "current_derived"
    CURRENT_KEPT = "current_kept"
    #: Time: which of several clocks gives the instants, and what was done to them.
    TIME_TAKEN = "time_taken"
    TIMES_SET_APART = "times_set_apart"
    PAUSES_ADDED = "pauses_added"
    PAUSES_LEFT_OUT = "pauses_left_out"
    CLOCK_CORRECTED = "clock_corrected"
    TIME_CONTINUED = "time_continued"
    #: Dates such as 05/06/2024.
    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"
    START_TIME_UNDECIDED = "start_time_undecided"
    #: Columns and rows that are not sent, and rows that are sent in another order.
    COLUMNS_LEFT_OUT = "columns_left_out"
    ROWS_LEFT_OUT = "rows_left_out"
    ROWS_SORTED = "rows_sorted"
    ROWS_NOT_SORTED = "rows_not_sorted"
    #: Which of several columns, tests or electrodes was taken.
    COLUMN_TAKEN = "column_taken"
    TEST_TAKEN = "test_taken"
    VOLTAGE_TAKEN = "voltage_taken"
    #: Numbers that were made or changed.
    CYCLES_DERIVED = "cycles_derived"
    NUMBERS_CUT = "numbers_cut"
    UNIT_PROVED = "unit_proved"
    DECIMAL_COMMA = "decimal_comma"
    SPECTRUM_FOUND = "spectrum_found"
    IMPEDANCE_DERIVED = "impedance_derived"
    #: What a library that reads for us warned of.
    LIBRARY_WARNING = "library_warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision of a reader."""

    code: DecisionCode
    #: A sentence for people: what was done, with its figures.
    detail: str
    #: A few words that name what settled it, the same in every file: ``format``, ``voltage fit``.
    evidence: str = ""
    #: Rows that it touches; 0 where it concerns no single rows.
    rows: int = 0
    #: Columns of the file that it concerns, by their names there.
    columns: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what the provenance and the journal hold of it; what is empty is not written."""
        fields = {
            "code": self.code.value,
            "detail": self.detail,
            "evidence": self.evidence,
            "rows": self.rows,
            "columns": list(self.columns),
        }
        return {name: value for name, value in fields.items() if value}
