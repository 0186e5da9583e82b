"""Write the rows of a plan to a file, as a stream: .csv .xlsx .parquet .jsonl."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from bulkload.core.text import shown
from bulkload.errors import PlanError
from bulkload.sources.columns import COLUMNS, FLAG_COLUMNS, NUMBER_COLUMNS, Cell

#: Rows of a Parquet row group: the most that are in memory at a time.
GROUP_ROWS: Final = 4096
#: Limits of the spreadsheet format.
MAX_SHEET_ROWS: Final = 1_048_576
MAX_SHEET_CELL_CHARACTERS: Final = 32_767
#: Characters that spreadsheet readers do not return.
_NO_XML: Final = frozenset("\ufffe\uffff")
#: Column widths in characters: wide enough to read a name or a path, narrow enough to see both.
_WIDTHS: Final = {"measurement": 30, "path": 60, "notes": 40, "evidence": 50, "warnings": 50}
_WIDTH: Final = 14

Rows = Iterable[Mapping[str, Cell]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A further sheet of a workbook."""

    columns: Sequence[str]
    rows: Sequence[Mapping[str, Cell]]


def write_table(
    path: Path,
    rows: Rows,
    columns: Sequence[str] = COLUMNS,
    sheets: Mapping[str, Sheet] | None = None,
) -> int:
    """Write rows in the form that the path's ending names; return their number.

    ``sheets`` go into a workbook beside the rows, and into files beside any other form:
    ``plan.csv`` has its cells in ``plan.cells.csv``.

    Side effects: each file appears, or replaces an older one, when its last row is written.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise PlanError(f"{path}: the ending must be one of {', '.join(WRITERS)}")
    is_workbook = path.suffix.lower() == ".xlsx"
    for name, sheet in ({} if is_workbook else sheets or {}).items():
        beside = companion(path, name)
        _in_place(beside, lambda new, one=sheet: _write_csv(new, one.rows, one.columns))  # type: ignore[misc]
    if is_workbook:
        return _in_place(path, lambda new: _write_xlsx(new, rows, columns, sheets))
    return _in_place(path, lambda new: writer(new, rows, columns))


def companion(path: Path, name: str) -> Path:
    """Return where a plan that is no workbook has a further sheet."""
    return path.with_name(f"{path.stem}.{name}.csv")


def _in_place(path: Path, write: Callable[[Path], int]) -> int:
    unfinished = path.with_name(f".{path.stem}.unfinished{path.suffix}")
    try:
        count = write(unfinished)
        unfinished.replace(path)
    except UnicodeEncodeError as error:
        text = shown(error.object.strip())
        raise PlanError(
            f"{path}: {text} holds a name that is not valid UTF-8; rename it"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def _write_csv(path: Path, rows: Rows, columns: Sequence[str] = COLUMNS) -> int:
    # The mark at the start tells spreadsheet programs that this is UTF-8. Lines end as in RFC
    # 4180: with another ending, the csv module would leave a lone carriage return unquoted.
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\r\n")
        writer.writerow(columns)
        count = 0
        for row in rows:
            writer.writerow([_as_text(row.get(column)) for column in columns])
            count += 1
    return count


def _as_text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return cell if isinstance(cell, str) else repr(cell)


def _write_jsonl(path: Path, rows: Rows, columns: Sequence[str] = COLUMNS) -> int:
    del columns
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        count = 0
        for row in rows:
            stated = {column: cell for column, cell in row.items() if cell is not None}
            stream.write(json.dumps(stated, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


def _write_parquet(path: Path, rows: Rows, columns: Sequence[str] = COLUMNS) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def kind(column: str) -> Any:
        if column in NUMBER_COLUMNS:
            return pa.float64()
        return pa.bool_() if column in FLAG_COLUMNS else pa.string()

    schema = pa.schema([(column, kind(column)) for column in columns])
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _groups(iter(rows)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count


def _groups(rows: Iterator[Mapping[str, Cell]]) -> Iterator[list[Mapping[str, Cell]]]:
    while group := list(islice(rows, GROUP_ROWS)):
        yield group


def _write_xlsx(
    path: Path,
    rows: Rows,
    columns: Sequence[str] = COLUMNS,
    sheets: Mapping[str, Sheet] | None = None,
) -> int:
    import xlsxwriter

    # Rows go to disk as they come; text is never taken for a formula, a link or a number.
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(str(path), options) as workbook:
        count = _write_sheet(workbook, path, "plan", columns, rows)
        for name, sheet in (sheets or {}).items():
            _write_sheet(workbook, path, name, sheet.columns, sheet.rows)
    return count


def _write_sheet(workbook: Any, path: Path, name: str, columns: Sequence[str], rows: Rows) -> int:
    sheet = workbook.add_worksheet(name)
    for at, column in enumerate(columns):
        sheet.set_column(at, at, _WIDTHS.get(column, _WIDTH))
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, columns, workbook.add_format({"bold": True}))
    count = 0
    for count, row in enumerate(rows, start=1):
        if count >= MAX_SHEET_ROWS:
            raise PlanError(f"{path.name}: a sheet holds at most {MAX_SHEET_ROWS} rows; write .csv")
        for at, column in enumerate(columns):
            _write_cell(sheet, count, at, row.get(column), column)
    if columns:
        sheet.autofilter(0, 0, count, len(columns) - 1)
    return count


def _write_cell(sheet: Any, row: int, at: int, cell: Cell, column: str) -> None:
    match cell:
        case None:
            return
        case bool():
            sheet.write_boolean(row, at, cell)
        # The format stores 16 digits; a number that needs 17 is kept exact as text.
        case int():
            sheet.write_number(row, at, cell)
        case float() if float(f"{cell:.16G}") == cell:
            sheet.write_number(row, at, cell)
        case _:
            text = str(cell)
            if len(text) > MAX_SHEET_CELL_CHARACTERS or not _NO_XML.isdisjoint(text):
                raise PlanError(
                    f"row {row + 1}, column {column!r} has more than "
                    f"{MAX_SHEET_CELL_CHARACTERS} characters, or one that a spreadsheet cannot "
                    "hold: write .csv or .parquet"
                )
            sheet.write_string(row, at, text)


WRITERS: Final[Mapping[str, Callable[[Path, Rows, Sequence[str]], int]]] = {
    ".csv": _write_csv,
    ".xlsx": _write_xlsx,
    ".parquet": _write_parquet,
    ".jsonl": _write_jsonl,
}
