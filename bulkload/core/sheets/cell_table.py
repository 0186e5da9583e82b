"""A sheet of cells, understood: what goes to the specification, the batch and the cell."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bulkload.core.sheets.headers import IGNORED, SheetColumn, SheetHeader
from bulkload.core.sheets.quantities import NOTHING, unit_of
from bulkload.core.sheets.rows import (
    CellFault,
    SheetRows,
    UncomputedFormula,
    read_dates,
    read_quantities,
    text_of,
)
from bulkload.core.survey.dates import DateOrder

#: Rows that sum up others, by what stands where a cell's name would.
_TOTALS: Final = frozenset(
    {
        *("sum", "total", "mean", "average", "summe", "gesamt", "mittelwert", "durchschnitt"),
        *("std", "stdev", "somme", "moyenne", "suma", "promedio", "media", "min", "max"),
        *("合计", "平均", "anzahl", "count"),
    }
)
_RATINGS: Final = "spec.ratings."
_WINDOW: Final = re.compile(
    r"(?P<low>\d(?:[.,]\d+)?) ?V? ?(?:-|–|—|\.\.\.?|…|to|bis|a|à|~|/) ?"  # noqa: RUF001
    r"(?P<high>\d(?:[.,]\d+)?) ?V?\Z"
)
_MEASURED: Final = "measured_properties."
_CAPACITY: Final = "spec.ratings.capacity"
#: What a column of capacities is called that does not say whether it is rated or measured.
_OPEN_CAPACITY: Final = "capacity"


@dataclass(slots=True, kw_only=True)
class CellRecord:
    """What a sheet states of one cell."""

    name: str
    row: int
    spec: str = ""
    batch: str = ""
    channel: str = ""
    #: A second name of the cell, by which files may be called.
    alias: str = ""
    #: ``date_manufactured``, ``notes``, ``measured_properties``.
    payload: dict[str, Any] = field(default_factory=dict)
    #: What belongs to its specification, by path of keys.
    of_spec: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class CellTable:
    """A sheet of cells, understood as far as it can be."""

    cells: dict[str, CellRecord] = field(default_factory=dict)
    #: Payloads by name, ``name`` included.
    specifications: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[CellFault] = field(default_factory=list)
    #: What was decided on the way, one sentence each.
    remarks: list[str] = field(default_factory=list)


def read_cells(
    rows: Sequence[tuple[int, Sequence[object]]],
    header: SheetHeader,
    order: DateOrder | None = None,
) -> CellTable:
    """Understand the rows below a header; every cell that is not understood is a fault.

    ``rows`` are (row as shown, cells). ``order`` is the order of day and month as declared.
    """
    table = CellTable()
    columns = {column.field: column for column in header.columns if column.field != IGNORED}
    if "cell" not in columns:
        table.faults.append(
            CellFault(header.row + 1, "", "no column names the cells: give --map 'Column=cell'")
        )
        return table
    kept = _data_rows(rows, columns["cell"])
    sheet = SheetRows(kept, table.faults, table.remarks, order)
    records = _records(sheet, columns["cell"])
    for name, column in columns.items():
        if name != "cell":
            _read_column(sheet, column, records)
    table.cells = _unique(sheet, records)
    _place_capacities(table)
    _specifications(table)
    return table


def _data_rows(
    rows: Sequence[tuple[int, Sequence[object]]], cells: SheetColumn
) -> list[tuple[int, Sequence[object]]]:
    """Leave out blank rows, rows that sum up, and a row of units."""
    kept: list[tuple[int, Sequence[object]]] = []
    for number, row in rows:
        name = text_of(row[cells.index]) if cells.index < len(row) else ""
        if not any(text_of(cell) or isinstance(cell, UncomputedFormula) for cell in row):
            continue
        if name.casefold().strip(" :Ø") in _TOTALS:
            continue
        if not kept and not name and _is_units(row):
            continue
        kept.append((number, row))
    return kept


def _is_units(row: Sequence[object]) -> bool:
    filled = [cell for cell in row if text_of(cell)]
    return bool(filled) and all(
        isinstance(cell, str) and unit_of(cell) is not None for cell in filled
    )


def _records(sheet: SheetRows, column: SheetColumn) -> dict[int, CellRecord]:
    records: dict[int, CellRecord] = {}
    for number, row in sheet.rows:
        name = text_of(row[column.index]) if column.index < len(row) else ""
        if name:
            records[number] = CellRecord(name=name, row=number)
        else:
            sheet.fault(number, column.name, "is empty: name the cell, or empty the row")
    return records


def _read_column(sheet: SheetRows, column: SheetColumn, records: Mapping[int, CellRecord]) -> None:
    name = column.field
    if name == "date_manufactured":
        _read_dates(sheet, column, records)
    elif name == "spec.voltage_window":
        _read_windows(sheet, column, records)
    elif name.startswith((_RATINGS, _MEASURED)) or name == _OPEN_CAPACITY:
        _read_quantities(sheet, column, records)
    else:
        for row, cell in sheet.cells(column):
            text = text_of(cell)
            if row in records and text.casefold() not in NOTHING:
                _puttext_of(records[row], name, text)


def _puttext_of(record: CellRecord, name: str, text: str) -> None:
    if name == "notes":
        record.payload["notes"] = text
    elif name.startswith("spec."):
        record.of_spec[name.removeprefix("spec.")] = text
    else:
        setattr(record, name, text)


def _read_dates(sheet: SheetRows, column: SheetColumn, records: Mapping[int, CellRecord]) -> None:
    for row, day in read_dates(sheet, column):
        if row in records:
            records[row].payload["date_manufactured"] = day[:10]


def _read_quantities(
    sheet: SheetRows, column: SheetColumn, records: Mapping[int, CellRecord]
) -> None:
    for row, value in read_quantities(sheet, column):
        if row in records:
            _put_quantity(records[row], column.field, value)


def _read_windows(sheet: SheetRows, column: SheetColumn, records: Mapping[int, CellRecord]) -> None:
    """Read "2,5 - 4,2 V": the two limits of the voltage."""
    for row, cell in sheet.cells(column):
        found = _WINDOW.match(text_of(cell))
        if found is None:
            sheet.fault(row, column.name, "is not two voltages, such as 2.5-4.2 V")
            continue
        limits = sorted(float(found[name].replace(",", ".")) for name in ("low", "high"))
        if row in records:
            for name, value in zip(("voltage_min", "voltage_max"), limits, strict=True):
                records[row].of_spec[f"ratings.{name}"] = {"value": value, "unit": "V"}


def _put_quantity(record: CellRecord, name: str, value: dict[str, Any]) -> None:
    if name.startswith(_MEASURED):
        *above, last = name.removeprefix(_MEASURED).split(".")
        inner = record.payload.setdefault("measured_properties", {})
        for key in above:
            inner = inner.setdefault(key, {})
        inner[last] = value
    else:
        record.of_spec[name.removeprefix("spec.")] = value


def _unique(sheet: SheetRows, records: Mapping[int, CellRecord]) -> dict[str, CellRecord]:
    """Keep one row a cell; a second that states other things is a fault."""
    kept: dict[str, CellRecord] = {}
    for row, record in records.items():
        first = kept.setdefault(record.name, record)
        said = (record.spec, record.batch, record.payload, record.of_spec)
        if said != (first.spec, first.batch, first.payload, first.of_spec):
            sheet.fault(row, "", f"contradicts row {first.row} on {record.name!r}: keep one")
    return kept


def _place_capacities(table: CellTable) -> None:
    """Settle whether a bare "capacity" is rated (equal within a specification) or measured."""
    values: dict[str, set[tuple[float, str]]] = defaultdict(set)
    counts: dict[str, int] = defaultdict(int)
    for record in table.cells.values():
        found = record.of_spec.get(_OPEN_CAPACITY)
        if found is not None:
            values[record.spec].add((found["value"], found["unit"]))
            counts[record.spec] += 1
    if not values:
        return
    is_rated = all(len(found) == 1 for found in values.values()) or not any(values)
    for record in table.cells.values():
        found = record.of_spec.pop(_OPEN_CAPACITY, None)
        if found is not None and is_rated:
            record.of_spec.setdefault("ratings.capacity", found)
        elif found is not None:
            _put_quantity(record, f"{_MEASURED}cell.capacity", found)
    what = "equal within each specification: taken as rated" if is_rated else (
        "differs within a specification: taken as measured"
    )  # fmt: skip
    table.remarks.append(f"the capacity {what}")


def _specifications(table: CellTable) -> None:
    """Gather specifications; without a column for them, from groups of equal rows."""
    if not any(record.spec for record in table.cells.values()):
        _name_groups(table)
    rows: dict[str, list[CellRecord]] = defaultdict(list)
    for record in table.cells.values():
        if record.spec:
            rows[record.spec].append(record)
    for name, records in rows.items():
        payload: dict[str, Any] = {"name": name}
        for key in dict.fromkeys(key for record in records for key in record.of_spec):
            value = _agreed(table, name, key, records)
            if value is not None:
                _nest(payload, key.split("."), value)
        table.specifications[name] = payload


def _agreed(table: CellTable, spec: str, key: str, records: Sequence[CellRecord]) -> Any:
    stated = [(record.row, record.of_spec[key]) for record in records if key in record.of_spec]
    first_row, first = stated[0]
    for row, value in stated:
        if value != first:
            table.faults.append(
                CellFault(
                    row, "",
                    f"specification {spec!r} has a different {key} here ({_shown(value)}) than in "
                    f"row {first_row} ({_shown(first)}): make them equal, or give it another name",
                )
            )  # fmt: skip
            return None
    return first


def _name_groups(table: CellTable) -> None:
    """Propose a specification for each group of cells of which the same is stated."""
    groups: dict[str, list[CellRecord]] = defaultdict(list)
    for record in table.cells.values():
        if record.of_spec:
            groups[repr(sorted(record.of_spec.items()))].append(record)
    taken: dict[str, int] = {}
    for records in groups.values():
        name = _group_name(records[0].of_spec)
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:
            name = f"{name} ({taken[name]})"
        for record in records:
            record.spec = name
        table.remarks.append(
            f"specification {name!r} is proposed for {len(records)} cells of equal design"
        )


def _group_name(of_spec: Mapping[str, Any]) -> str:
    order = ("manufacturer", "cathode.material.name", "anode.material.name", "form_factor")
    words = [str(of_spec[key]) for key in order if key in of_spec]
    capacity = of_spec.get("ratings.capacity")
    if capacity is not None:
        words.append(f"{capacity['value']:g} {capacity['unit'].replace('.', '')}")
    return " ".join(words) or "cell"


def _nest(payload: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        payload = payload.setdefault(key, {})
    payload[keys[-1]] = value


def _shown(value: Any) -> str:
    return f"{value['value']:g} {value['unit']}" if isinstance(value, dict) else repr(value)
