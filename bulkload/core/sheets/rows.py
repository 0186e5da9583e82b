"""The rows of a sheet, cell by cell: texts, dates and quantities, and what is wrong with them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bulkload.core.sheets.headers import SheetColumn
from bulkload.core.sheets.quantities import (
    NOTHING,
    NotUnderstoodError,
    StatedQuantity,
    proves_comma,
    read_quantity,
)
from bulkload.core.survey.dates import DateMark, DateOrder, settle, whole_date

#: A cell's voltage in V: between them a bare number can be nothing else.
_VOLTS: Final = (0.3, 10.0)
VOLTAGES: Final = frozenset(
    f"spec.ratings.{name}" for name in ("voltage_min", "voltage_max", "nominal_voltage")
) | {"measured_properties.cell.open_circuit_voltage"}


class UncomputedFormula:
    """A cell with a formula whose value no program has computed."""

    def __str__(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class CellFault:
    """A cell of a sheet that was not understood; row as a spreadsheet shows it."""

    row: int
    column: str
    #: Completes the sentence "row <row>, column <column> ...".
    message: str


@dataclass(slots=True)
class SheetRows:
    """The rows below a header, and what is found wrong with them."""

    rows: Sequence[tuple[int, Sequence[object]]]
    faults: list[CellFault]
    remarks: list[str]
    order: DateOrder | None

    def cells(self, column: SheetColumn) -> Iterator[tuple[int, object]]:
        """Yield the cells of a column that say something, with their rows."""
        for number, row in self.rows:
            cell = row[column.index] if column.index < len(row) else None
            if isinstance(cell, UncomputedFormula):
                self.fault(
                    number, column.name,
                    "holds a formula without a value: open the sheet in a spreadsheet program, "
                    "let it compute, and save it",
                )  # fmt: skip
            elif isinstance(cell, str) and cell.startswith("#") and cell.endswith(("!", "A", "?")):
                self.fault(number, column.name, f"holds the error {cell}")
            elif text_of(cell):
                yield number, cell

    def fault(self, row: int, column: str, message: str) -> None:
        """Note a cell that was not understood."""
        self.faults.append(CellFault(row, column, message))


def text_of(cell: object) -> str:
    """Return a cell as text: a spreadsheet holds 1.0 where a person wrote 1."""
    if cell is None or isinstance(cell, UncomputedFormula):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return " ".join(str(cell).split())


def read_dates(sheet: SheetRows, column: SheetColumn) -> Iterator[tuple[int, str]]:
    """Yield the dates of a column in ISO form, their order declared or proved by the column."""
    marks: list[tuple[int, DateMark]] = []
    for row, cell in sheet.cells(column):
        if isinstance(cell, dt.datetime) and cell.time() != dt.time():
            yield row, cell.isoformat(timespec="seconds")
        elif isinstance(cell, dt.date):
            yield row, cell.isoformat()[:10]
        elif text_of(cell).casefold() not in NOTHING:
            mark = whole_date(text_of(cell))
            if mark is None:
                sheet.fault(row, column.name, "is not a date")
            else:
                marks.append((row, mark))
    verdict = settle([mark.readings for _, mark in marks], declared=sheet.order)
    for row, mark in marks:
        moments = {reading.moment for reading in mark.readings}
        chosen = {one.moment for one in mark.readings if one.order is verdict.order}
        if len(chosen or moments) == 1:
            yield row, (chosen or moments).pop()
        else:
            sheet.fault(
                row, column.name,
                f"can be {' or '.join(sorted(moments))}: give --day-first or --month-first",
            )  # fmt: skip


def read_quantities(sheet: SheetRows, column: SheetColumn) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the numbers of a column as ``{"value", "unit"}``; what has no unit is a fault."""
    cells = list(sheet.cells(column))
    comma = proves_comma(cell for _, cell in cells)
    if comma is None:
        comma = proves_comma(cell for _, row in sheet.rows for cell in row)
    for row, cell in cells:
        try:
            quantity = read_quantity(cell, comma_is_decimal=comma)
            if quantity is None:
                continue
            value = with_unit(quantity, column)
        except NotUnderstoodError as error:
            sheet.fault(row, column.name, str(error))
            continue
        if quantity.is_about:
            sheet.remarks.append(
                f"row {row}, column {column.name!r}: {text_of(cell)!r} is taken as "
                f"{value['value']:g} {value['unit']}"
            )
        yield row, value


def with_unit(quantity: StatedQuantity, column: SheetColumn) -> dict[str, Any]:
    """Return a number with its unit: its own, its column's, or V where it can be nothing else."""
    unit = quantity.unit or column.unit
    if not unit and column.field in VOLTAGES and _VOLTS[0] <= abs(quantity.value) <= _VOLTS[1]:
        unit = "V"
    if not unit:
        raise NotUnderstoodError(
            f"has no unit, nor has its column: give --map '{column.name}={column.field} [unit]'"
        )
    return {"value": quantity.value, "unit": unit}
