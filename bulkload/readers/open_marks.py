"""A mark that may part decimals or thousands, where no number of a table proves which.

``3.612`` is 3.612 in one country and 3612 in another. One number that can be read in one way only
(``0.5``, ``12.25``, ``1.234,5``) settles it for the table. Where there is none, the voltage does,
by what a cell can have; where that leaves it open too, the file is rejected until a dialect
states the mark.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core import terms
from bulkload.core.decisions import Decision, DecisionCode
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.decimal_marks import either_mark, is_settled, parse_numbers
from bulkload.readers.dialect import DIFFERENCE, Kind
from bulkload.readers.header_match import Match, Matched
from bulkload.readers.raw_columns import Floats
from bulkload.readers.table_source import Grid, as_floats
from bulkload.readers.units import conversion

#: What a cell has in some row at least, in V: less throughout is the reading of a wrong mark.
LEAST_CELL_V: Final = 0.1
#: A voltage that as thousands would be beyond every pack (1000 V): for commas, which no reader
#: takes for decimals without a proof.
LEAST_PROOF_V: Final = 1.0

_VOLTAGES: Final = (terms.VOLTAGE, DIFFERENCE, terms.WORKING_POTENTIAL)
_UNGROUPED: Final = r"^[-+]?\d{4,}$"


def settle_mark(
    grid: Grid, found: Match, kinds: Mapping[int, Kind], name: str
) -> tuple[Decision, ...]:
    """Settle the decimal mark of a table in which no number proves it.

    Raises ``UnreadableError`` with both readings where the voltage does not settle it either.
    """
    columns = {c.target: c for c in found.columns if kinds.get(c.index) is Kind.NUMBER}
    if not grid.may_have_open_mark([column.index for column in columns.values()]):
        return ()
    fetched = grid.fetch({column.index: Kind.TEXT for column in columns.values()})
    texts = {t: pc.utf8_trim_whitespace(fetched[c.index]) for t, c in columns.items()}
    open_marks = {t: hit for t, text in texts.items() if (hit := either_mark(text))}
    if is_settled(texts) or len({mark for mark, _ in open_marks.values()}) != 1:
        return ()
    mark = next(iter(open_marks.values()))[0]
    volts = next((t for t in _VOLTAGES if t in open_marks), None)
    if volts is not None:
        _judge(columns[volts], texts[volts], mark, open_marks[volts][1], name)
    elif mark == "," or not _is_ungrouped(texts, open_marks):
        target, (_, value) = next(iter(open_marks.items()))
        raise _refusal(name, columns[target], value, mark, "")
    grid.take_mark(mark)
    if mark == ".":
        return ()
    return (
        Decision(
            code=DecisionCode.DECIMAL_COMMA,
            detail="decimal commas, proved by the voltages: as thousands they are of no cell",
            evidence="voltages",
        ),
    )


def _is_ungrouped(
    texts: Mapping[str, pa.ChunkedArray], open_marks: Mapping[str, tuple[str, str]]
) -> bool:
    """Return whether a point in these columns is none of thousands.

    It is none where larger numbers stand without one; time and current are what it must not be.
    """
    if open_marks.keys().isdisjoint({terms.TIME, terms.CURRENT}):
        return True
    return any(
        bool(pc.any(pc.match_substring_regex(text, _UNGROUPED)).as_py()) for text in texts.values()
    )


def _judge(column: Matched, text: pa.ChunkedArray, mark: str, value: str, name: str) -> None:
    """Refuse voltages that a cell can have as thousands only, or in both readings."""
    change = conversion(terms.VOLTAGE, column.unit or "")
    if change is None:
        return
    volts = change.scale * float(np.nanmax(np.abs(_numbers(text, mark))))
    least = LEAST_CELL_V if mark == "." else LEAST_PROOF_V
    if volts >= least or (mark == "." and 1e3 * volts < LEAST_CELL_V):
        return
    sample = pa.chunked_array([[value]])
    low, high = (change.scale * float(_numbers(sample, m)[0]) for m in (mark, _other(mark)))
    raise _refusal(name, column, value, mark, f" ({low:.6g} V or {high:.6g} V)")


def _numbers(text: pa.ChunkedArray, decimal: str) -> Floats:
    try:
        return as_floats(parse_numbers(text, decimal))
    except ValueError:
        # What is not a number is refused where the column is read.
        return np.array([np.inf])


def _other(mark: str) -> str:
    return "," if mark == "." else "."


def _refusal(name: str, column: Matched, value: str, mark: str, readings: str) -> UnreadableError:
    sign = "point" if mark == "." else "comma"
    return UnreadableError(
        f"{name}: {printable(value)!r} in column {printable(column.name)!r} may be a decimal "
        f"{sign} or a grouped thousand{readings}, and no other value settles it; state "
        f"`decimal` in a dialect file: {mark!r} where the {sign} parts decimals, "
        f"{_other(mark)!r} where it groups thousands",
        cause="ambiguous_decimal",
    )
