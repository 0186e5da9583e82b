"""What a reader decided about a file and did to its data: nothing is decided in silence.

Each decision has a stable code to count by, the evidence that settled it, and a sentence for
people. The account of a run adds them up: "current negated in 100 files (format), 3 (fit)".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class DecisionCode(StrEnum):
    """What was decided. The words are data: they stand in journals and reports."""

    # Current.
    #: The current was turned round: positive is discharge.
    CURRENT_NEGATED = "current_negated"
    #: Magnitudes were given the sign that the file does not write.
    CURRENT_SIGNED = "current_signed"
    #: The current was made from other columns.
    CURRENT_DERIVED = "current_derived"
    #: The current was taken as it is.
    CURRENT_KEPT = "current_kept"
    # Time.
    #: One of several clocks gives the instants.
    TIME_TAKEN = "time_taken"
    #: Equal times were set apart.
    TIMES_SET_APART = "times_set_apart"
    #: Pauses that the running time leaves out were added from the dates.
    PAUSES_ADDED = "pauses_added"
    #: Pauses between the dates were left out of the time.
    PAUSES_LEFT_OUT = "pauses_left_out"
    #: A clock that was set while the test ran was corrected.
    CLOCK_CORRECTED = "clock_corrected"
    #: A time that does not begin at zero was shifted.
    TIME_SHIFTED = "time_shifted"
    #: A time that begins anew was continued.
    TIME_CONTINUED = "time_continued"
    #: Dates such as 05/06/2024 were read with the day first.
    DAY_FIRST = "day_first"
    #: Dates such as 05/06/2024 were read with the month first.
    MONTH_FIRST = "month_first"
    #: No start time was taken, because nothing settles the order of day and month.
    START_TIME_UNDECIDED = "start_time_undecided"
    #: A test that lies in several files was joined.
    PARTS_JOINED = "parts_joined"
    # Columns and rows.
    #: Columns of the file are not sent.
    COLUMNS_LEFT_OUT = "columns_left_out"
    #: Sheets of the workbook, or tables of the store, are not sent.
    TABLES_LEFT_OUT = "tables_left_out"
    #: Rows of the file are not sent.
    ROWS_LEFT_OUT = "rows_left_out"
    #: Rows are sent in another order.
    ROWS_SORTED = "rows_sorted"
    #: Rows that are out of order were left so.
    ROWS_NOT_SORTED = "rows_not_sorted"
    #: One of several columns was taken.
    COLUMN_TAKEN = "column_taken"
    #: One of several tests was taken.
    TEST_TAKEN = "test_taken"
    #: One of several potentials was taken as the voltage.
    VOLTAGE_TAKEN = "voltage_taken"
    # Numbers.
    #: Step numbers were made from other columns.
    STEPS_DERIVED = "steps_derived"
    #: Running totals that do not begin anew were set back at each step.
    TOTALS_SET_BACK = "totals_set_back"
    #: Cycle numbers were made from other columns.
    CYCLES_DERIVED = "cycles_derived"
    #: Numbers of steps or cycles that are not whole were cut.
    NUMBERS_CUT = "numbers_cut"
    #: Marks of an instrument for overload, or for no number, were taken as no value.
    OVERLOADS_LEFT_OUT = "overloads_left_out"
    #: The data proved a unit that the header does not state.
    UNIT_PROVED = "unit_proved"
    #: Commas were read as decimal marks.
    DECIMAL_COMMA = "decimal_comma"
    #: The rows are an impedance spectrum, or hold one.
    SPECTRUM_FOUND = "spectrum_found"
    #: Real and imaginary part of an impedance were made of its modulus and phase.
    IMPEDANCE_DERIVED = "impedance_derived"
    # Libraries and headers.
    #: A library that reads the format warned.
    LIBRARY_WARNING = "library_warning"
    #: Fields of the file's header are sent, because they describe the test or were asked for.
    HEADER_FIELDS_SENT = "header_fields_sent"
    #: Fields of the file's header are not sent, because they are personal or local.
    HEADER_FIELDS_LEFT_OUT = "header_fields_left_out"


#: Evidence that leaves nothing to guess: the format lays it down, or a person stated it.
CERTAIN: Final = frozenset({"format", "stated", "header", "personal or local"})

#: How an account words a decision; every other code reads as it is written.
_PHRASES: Final = {
    DecisionCode.CURRENT_KEPT: "current taken as it is",
    DecisionCode.DAY_FIRST: "day first taken",
    DecisionCode.MONTH_FIRST: "month first taken",
    DecisionCode.TIME_TAKEN: "one of several clocks taken",
    DecisionCode.COLUMN_TAKEN: "one of several columns taken",
    DecisionCode.TEST_TAKEN: "one of several tests taken",
    DecisionCode.VOLTAGE_TAKEN: "one of several voltages taken",
}


def phrase(code: str) -> str:
    """Return how an account words a decision: ``current negated``, ``day first taken``."""
    words = code.replace("_", " ")
    return _PHRASES.get(DecisionCode(code), words) if code in set(DecisionCode) else words


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
    #: Columns of the file, or fields of its header, that it concerns, by their names there.
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
