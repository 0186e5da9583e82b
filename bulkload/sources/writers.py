"""Rows of a plan into a file, as a stream: .csv .xlsx .parquet .jsonl."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from bulkload.errors import PlanError
from bulkload.sources.columns import COLUMNS, FLAG_COLUMNS, NUMBER_COLUMNS, Cell

#: Rows of a Parquet row group: the most that are in memory at a time.
GROUP_ROWS: Final = 4096
#: Limits of the spreadsheet format.
MAX_SHEET_ROWS: Final = 1_048_576
MAX_SHEET_CELL_CHARACTERS: Final = 32_767
#: Characters that the readers of spreadsheets do not give back.
_NO_XML: Final = frozenset("\ufffe\uffff")
#: Column widths in characters: wide enough to read a name or a path, narrow enough to see both.
_WIDTHS: Final = {"measurement": 30, "path": 60, "notes": 40}
_WIDTH: Final = 14

Rows = Iterable[Mapping[str, Cell]]


def _write_csv(path: Path, rows: Rows) -> int:
    # The mark at the start tells spreadsheet programs that this is UTF-8. Lines end as in RFC
    # 4180: with another ending, the csv module would leave a lone carriage return unquoted.
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        count = 0
        for row in rows:
            writer.writerow([_as_text(row[column]) for column in COLUMNS])
            count += 1
    return count


def _as_text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return cell if isinstance(cell, str) else repr(cell)


def _write_jsonl(path: Path, rows: Rows) -> int:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        count = 0
        for row in rows:
            said = {column: cell for column, cell in row.items() if cell is not None}
            stream.write(json.dumps(said, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


def _write_parquet(path: Path, rows: Rows) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def kind(column: str) -> Any:
        if column in NUMBER_COLUMNS:
            return pa.float64()
        return pa.bool_() if column in FLAG_COLUMNS else pa.string()

    schema = pa.schema([(column, kind(column)) for column in COLUMNS])
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _groups(iter(rows)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count


def _groups(rows: Iterator[Mapping[str, Cell]]) -> Iterator[list[Mapping[str, Cell]]]:
    while group := list(islice(rows, GROUP_ROWS)):
        yield group


def _write_xlsx(path: Path, rows: Rows) -> int:
    import xlsxwriter

    # Rows go to disk as they come; text is never taken for a formula, a link or a number.
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(str(path), options) as workbook:
        sheet = workbook.add_worksheet("plan")
        for at, column in enumerate(COLUMNS):
            sheet.set_column(at, at, _WIDTHS.get(column, _WIDTH))
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, COLUMNS, workbook.add_format({"bold": True}))
        count = 0
        for count, row in enumerate(rows, start=1):
            if count >= MAX_SHEET_ROWS:
                raise PlanError(f"{path.name}: a sheet ends at {MAX_SHEET_ROWS} rows; write .csv")
            for at, column in enumerate(COLUMNS):
                _write_cell(sheet, count, at, row[column])
    return count


def _write_cell(sheet: Any, row: int, at: int, cell: Cell) -> None:
    match cell:
        case None:
            return
        case bool():
            sheet.write_boolean(row, at, cell)
        # The format stores 16 digits; a number that needs 17 is kept exact as text.
        case float() if float(f"{cell:.16G}") == cell:
            sheet.write_number(row, at, cell)
        case _:
            text = str(cell)
            if len(text) > MAX_SHEET_CELL_CHARACTERS or not _NO_XML.isdisjoint(text):
                raise PlanError(
                    f"row {row + 1}, column {COLUMNS[at]!r} has more than "
                    f"{MAX_SHEET_CELL_CHARACTERS} characters, or one that a spreadsheet cannot "
                    "hold: write .csv or .parquet"
                )
            sheet.write_string(row, at, text)


WRITERS: Final[Mapping[str, Callable[[Path, Rows], int]]] = {
    ".csv": _write_csv,
    ".xlsx": _write_xlsx,
    ".parquet": _write_parquet,
    ".jsonl": _write_jsonl,
}
