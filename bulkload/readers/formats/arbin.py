"""Arbin: MITS Pro exports in both header spellings, workbooks, and tables dumped from a .res."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from bulkload.core import terms
from bulkload.readers.dialect import RECORD, TIMESTAMP, ColumnRule, Dialect, Kind, Sign
from bulkload.readers.header_fields import grouped, with_iso_start
from bulkload.readers.table_format import TableFormat
from bulkload.readers.workbook import Book

#: MITS stores SI units; its exports state others in the header.
COLUMNS: Final = (
    ColumnRule(RECORD, ("data point",)),
    ColumnRule(TIMESTAMP, ("date time", "datetime"), kind=Kind.TIMESTAMP),
    ColumnRule(terms.TIME, ("test time",), unit="s", kind=Kind.DURATION),
    ColumnRule(terms.VOLTAGE, ("voltage",), unit="V"),
    ColumnRule(terms.CURRENT, ("current",), unit="A"),
    ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle index",)),
    ColumnRule(terms.STEP_FROM_CYCLER, ("step index",)),
    ColumnRule(terms.CHARGE_CAPACITY, ("charge capacity",), unit="Ah"),
    ColumnRule(terms.DISCHARGE_CAPACITY, ("discharge capacity",), unit="Ah"),
    ColumnRule(terms.CHARGE_ENERGY, ("charge energy",), unit="Wh"),
    ColumnRule(terms.DISCHARGE_ENERGY, ("discharge energy",), unit="Wh"),
    ColumnRule(
        terms.TEMPERATURE,
        ("surface temp", "aux temperature 1", "aux temperature", "temperature"),
        unit="C",
    ),
)

TABLE: Final = Dialect(
    name="Arbin table",
    cycler="Arbin",
    signature=(("test time",), ("step index",), ("data point", "cycle index"), ("current",)),
    columns=COLUMNS,
    sign=Sign.CHARGE_POSITIVE,
)


_INFO_LABELS: Final = {
    "channel": "channel_number",
    "start datetime": "start_time",
    "schedule file name": "procedure",
    "creator": "operator",
    "comments": "notes",
    "software version": "software_version",
    "serial number": "cycler_serial_number",
}


def _book(book: Book, sheet: str) -> dict[str, Any]:
    """Read the info sheet: a row of labels and, below, a row for each channel."""
    for name in book.names:
        if name.strip().lower() not in {"info", "global_info"}:
            continue
        rows = book.head(name)
        for labels, values in pairwise(rows):
            keys = [
                _INFO_LABELS.get(str(cell).strip().lower().replace("_", " ")) for cell in labels
            ]
            if "channel_number" in keys and "start_time" in keys:
                found = {key: cell for key, cell in zip(keys, values, strict=False) if key}
                found["test_name"] = next((c for c in rows[1] if isinstance(c, str) and c), None)
                return grouped(with_iso_start(found))
    del sheet
    return {}


FORMAT: Final = TableFormat(name="arbin", dialects=(TABLE,), book=_book)
