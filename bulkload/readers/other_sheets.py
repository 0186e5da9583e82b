"""What the other sheets of a workbook hold: sensors by record are joined, the rest is named.

Some cyclers write a test's voltage and current into one sheet and its temperatures into another.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.core.text import printable
from bulkload.readers.auxiliary import keep_channel, values_at
from bulkload.readers.channels import Channel, channel
from bulkload.readers.dialect import RECORD, Kind
from bulkload.readers.raw_columns import Floats, Raw
from bulkload.readers.units import Heading, conversion, split_heading
from bulkload.readers.workbook import Book, SheetGrid

#: What sheets call the number of a record, folded.
RECORDS: Final = frozenset(
    (
        *("data point", "datapoint", "record", "record id", "record number", "record index"),
        *("rec", "pt", "数据序号", "记录序号", "记录号", "序号"),
    )
)
#: What they call the time of the test where no record is numbered.
TIMES: Final = frozenset(("test time", "total time", "测试时间", "总时间"))
_KEYS: Final = RECORDS | TIMES


def join_sheets(raw: Raw, book: Book, tests: AbstractSet[str]) -> None:
    """Add the sensors of the other sheets to the rows, and name the sheets that add none.

    ``tests`` are the sheets that hold tests of their own.
    """
    others = [name for name in book.names if name not in tests]
    left_out = [name for name in others if not _join(raw, book, name)]
    if left_out:
        raw.decide(
            DecisionCode.TABLES_LEFT_OUT,
            f"{len(left_out)} other sheets of the workbook left out",
            evidence="other sheets",
            columns=[printable(name) for name in left_out],
        )


def _join(raw: Raw, book: Book, sheet: str) -> bool:
    """Join one sheet; return whether it added a column."""
    for index, row in enumerate(book.head(sheet)):
        texts = (cell for cell in row if isinstance(cell, str) and cell)
        if not any(split_heading(text).base in _KEYS for text in texts):
            continue
        headings = [split_heading(str(cell)) for cell in row]
        key = _key(raw, headings)
        if key is None:
            continue
        grid = book.grid(raw.name, sheet, index)
        sensors = [i for i, heading in enumerate(headings) if _is_sensor(grid, i, heading)]
        if not sensors or grid.is_empty:
            continue
        return _add(raw, grid, headings, key, sensors)
    return False


def _key(raw: Raw, headings: list[Heading]) -> tuple[int, str] | None:
    """Return the column that tells to which row a record belongs, and the rows' own."""
    for names, target in ((RECORDS, RECORD), (TIMES, terms.TIME)):
        for index, heading in enumerate(headings):
            if heading.base in names and target in raw.columns:
                return index, target
    return None


def _is_sensor(grid: SheetGrid, index: int, heading: Heading) -> bool:
    unit = heading.unit or grid.units[index]
    return unit is not None and isinstance(
        channel(grid.names[index], heading, unit, slash=False), Channel
    )


def _add(
    raw: Raw, grid: SheetGrid, headings: list[Heading], key: tuple[int, str], sensors: list[int]
) -> bool:
    index, target = key
    fetched = grid.fetch(dict.fromkeys((index, *sensors), Kind.NUMBER))
    at = np.asarray(fetched[index], dtype=np.float64)
    if target == terms.TIME:
        change = conversion(terms.TIME, headings[index].unit or grid.units[index] or "")
        if change is None:
            return False
        at = at * change.scale
    rows: Floats = np.asarray(raw.columns[target], dtype=np.float64)
    if len(np.unique(at)) < len(at) or not np.isin(rows, at).any():
        # Numbers that stand twice, or of another test, say nothing of these rows.
        return False
    for sensor in sensors:
        values = values_at(rows, at, np.asarray(fetched[sensor], dtype=np.float64))
        unit = headings[sensor].unit or grid.units[sensor]
        name = grid.names[sensor].partition("(")[0].partition("[")[0].strip() or grid.names[sensor]
        raw.uses.append(keep_channel(raw, name, unit, values))
    return True
