"""Neware: BTSDA flat exports as text or workbook, in English or Chinese."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bulkload.core import terms
from bulkload.readers.dialect import (
    MODE,
    RECORD,
    STEP_TIME,
    TIMESTAMP,
    ColumnRule,
    Dialect,
    Kind,
    Sign,
)
from bulkload.readers.header_fields import grouped, with_iso_start
from bulkload.readers.raw_columns import Raw
from bulkload.readers.table_format import TableFormat
from bulkload.readers.workbook import Book

#: BTS 5 to 7 and BTS 8 (BTSDA) name the same columns differently; both are in English or Chinese.
DATES: Final = (
    *("datetime", "absolute time", "date", "realtime", "real time", "date time"),
    *("绝对时间", "日期", "系统时间", "真实时间", "记录时间", "实际时间"),
)
RECORDS: Final = (
    *("datapoint", "record index", "record id", "record number", "record no"),
    *("数据序号", "记录序号", "记录号"),
)
STEPS: Final = (
    *("step index", "step id", "step", "steps", "step no", "step number"),
    *("工步号", "工步序号", "步次"),
)
CYCLES: Final = (
    *("cycle index", "cycle id", "cycle", "cycle no", "cycle number"),
    *("循环号", "循环序号", "循环"),
)
MODES: Final = ("step type", "step name", "status", "state", "工步类型", "工步名称", "状态")
STEP_TIMES: Final = ("time", "relative time", "step time", "时间", "相对时间")
_TOTAL: Final = ("total time", "cumulative time", "test time", "总时间", "累计时间", "测试时间")

FLAT: Final = Dialect(
    name="BTSDA table",
    cycler="Neware",
    signature=(
        (*STEPS, "step type", "工步类型"),
        ("current", "cur", "电流"),
        ("voltage", "电压"),
        (*DATES, *_TOTAL),
        RECORDS,
    ),
    columns=(
        ColumnRule(RECORD, RECORDS),
        ColumnRule(TIMESTAMP, DATES, kind=Kind.TIMESTAMP),
        ColumnRule(terms.CURRENT, ("current", "cur", "电流")),
        ColumnRule(terms.VOLTAGE, ("voltage", "电压")),
        ColumnRule(terms.STEP_FROM_CYCLER, STEPS),
        ColumnRule(terms.CYCLE_FROM_CYCLER, CYCLES),
        ColumnRule(terms.TEMPERATURE, ("temperature 1", "temperature", "温度"), unit="C"),
        ColumnRule(MODE, MODES, kind=Kind.TEXT),
        ColumnRule(terms.TIME, _TOTAL, kind=Kind.DURATION),
        # Only looked at where the dates jump by an hour, or are too coarse.
        ColumnRule(STEP_TIME, STEP_TIMES, kind=Kind.TEXT),
    ),
    sign=Sign.CHARGE_POSITIVE,
    time_from_timestamps=True,
)

_INFO_LABELS: Final = {
    "process name": "procedure",
    "step file": "procedure",
    "channel": "channel_number",
    "equipment": "instrument",
    "device": "instrument",
    "start time": "start_time",
    "remark": "notes",
    "remarks": "notes",
    "builder": "operator",
    "p/n": "barcode_comment",
}


def _book(book: Book, sheet: str) -> dict[str, Any]:
    """Read labels with their value beside them, or below them in a row of labels."""
    found: dict[str, Any] = {}
    for name in book.names:
        if name == sheet or name.strip().lower() not in {"info", "unit", "test"}:
            continue
        rows = book.head(name)
        for index, row in enumerate(rows):
            below = rows[index + 1] if index + 1 < len(rows) else ()
            _labels_of_row(row, below, found)
    return grouped(with_iso_start(found))


def _labels_of_row(row: Sequence[Any], below: Sequence[Any], found: dict[str, Any]) -> None:
    keys = {
        index: key
        for index, cell in enumerate(row)
        if isinstance(cell, str) and (key := _INFO_LABELS.get(cell.strip().rstrip(":").lower()))
    }
    is_heading = len(keys) >= 3
    for index, key in keys.items():
        source = below if is_heading else row[1:]
        value = source[index] if index < len(source) else ""
        if value not in ("", "-") and key not in found:
            found[key] = int(value) if isinstance(value, float) and value.is_integer() else value


def prepare(raw: Raw) -> None:
    """Leave out rows that the cycler stamped before its clock was set (January 1970)."""
    stamps = raw.texts.get(TIMESTAMP)
    if stamps is None:
        return
    unset = np.array([_UNSET.match(str(v or "")) is not None for v in stamps.to_pylist()[:1]])
    if unset.any():
        flags = np.array([_UNSET.match(str(v or "")) is not None for v in stamps.to_pylist()])
        if not flags.all():
            raw.leave_out(flags, "rows stamped January 1970", evidence="timestamps of the rows")


_UNSET: Final = re.compile(r"^\s*1970[-/.]0?1[-/.]")

FORMAT: Final = TableFormat(name="neware", dialects=(FLAT,), book=_book, prepare=prepare)
