"""A sheet of tests, understood: what goes to each measurement, and how its file is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bulkload.core.path_layout import split_suffix
from bulkload.core.sheets.headers import IGNORED, SheetColumn, SheetHeader
from bulkload.core.sheets.quantities import NOTHING
from bulkload.core.sheets.rows import (
    CellFault,
    SheetRows,
    UncomputedFormula,
    read_dates,
    read_quantities,
    text_of,
)
from bulkload.core.survey.cells import canonical
from bulkload.core.survey.dates import DateOrder
from bulkload.core.survey.proposal import StatedTest

#: Units in which a field of a measurement is stated -> factor.
_IN_AH: Final = {"A.h": 1.0, "mA.h": 1e-3, "uA.h": 1e-6}
_IN_V: Final = {"V": 1.0, "mV": 1e-3}
_FACTORS: Final[Mapping[str, Mapping[str, float]]] = {
    "rated_capacity": _IN_AH,
    "voltage_min": _IN_V,
    "voltage_max": _IN_V,
    "ambient_temperature_degc": {"degC": 1.0},
}
_NAMES: Final = ("path", "spec", "cell", "batch", "measurement")


@dataclass(slots=True, kw_only=True)
class TestTable:
    """A sheet of tests, and how to find a file's row in it."""

    records: list[StatedTest] = field(default_factory=list)
    faults: list[CellFault] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    _by_file: dict[str, list[StatedTest]] = field(default_factory=dict)
    _by_name: dict[tuple[object, ...], list[StatedTest]] = field(default_factory=dict)

    def index(self) -> None:
        """Index the records by file name and by cell and measurement."""
        by_file: dict[str, list[StatedTest]] = defaultdict(list)
        by_name: dict[tuple[object, ...], list[StatedTest]] = defaultdict(list)
        for record in self.records:
            if path := record.names.get("path"):
                by_file[file_key(path)].append(record)
            elif "cell" in record.names and "measurement" in record.names:
                by_name[name_key(record.names["cell"], record.names["measurement"])].append(record)
        self._by_file, self._by_name = by_file, by_name
        for records in (*by_file.values(), *by_name.values()):
            for record in records[1:]:
                message = f"is about the same test as row {records[0].row}: keep one"
                self.faults.append(CellFault(record.row, "", message))

    def of(self, path: str, cell: str, measurement: str) -> StatedTest | None:
        """Return the row about a file, known by its name, or by its cell and measurement."""
        found = self._by_file.get(file_key(path)) or self._by_name.get(name_key(cell, measurement))
        return found[0] if found else None


def file_key(path: str) -> str:
    """Return what files are compared by: the name alone, without ending and case."""
    return split_suffix(path.replace("\\", "/").rpartition("/")[2])[0].casefold().strip()


def name_key(cell: str, measurement: str) -> tuple[object, ...]:
    """Return what tests are compared by where no file is named."""
    return canonical(cell), canonical(measurement)


def read_tests(
    rows: Sequence[tuple[int, Sequence[object]]],
    header: SheetHeader,
    order: DateOrder | None = None,
) -> TestTable:
    """Understand the rows below a header; every cell that is not understood is a fault."""
    table = TestTable()
    columns = {column.field: column for column in header.columns if column.field != IGNORED}
    if "path" not in columns and not {"cell", "measurement"} <= set(columns):
        table.faults.append(
            CellFault(
                header.row + 1, "",
                "no column names the files, nor do two name cell and measurement: give --map "
                "'Column=path'",
            )
        )  # fmt: skip
        return table
    kept = [(number, row) for number, row in rows if _says(row)]
    sheet = SheetRows(kept, table.faults, table.remarks, order)
    records = {number: StatedTest(row=number) for number, _ in kept}
    for column in columns.values():
        _read_column(sheet, column, records)
    table.records = list(records.values())
    for record in table.records:
        _check_window(table, record)
    table.index()
    return table


def _says(row: Iterable[object]) -> bool:
    return any(text_of(cell) or isinstance(cell, UncomputedFormula) for cell in row)


def _read_column(sheet: SheetRows, column: SheetColumn, records: Mapping[int, StatedTest]) -> None:
    name = column.field
    if name in ("start_time", "end_time"):
        for row, moment in read_dates(sheet, column):
            records[row].fields[name] = moment
    elif name in _FACTORS:
        _read_number(sheet, column, records)
    else:
        for row, cell in sheet.cells(column):
            text = text_of(cell)
            if text.casefold() in NOTHING:
                continue
            if name in _NAMES:
                records[row].names[name] = text
            else:
                _TEXTS[name](records[row].fields, text)


def _read_number(sheet: SheetRows, column: SheetColumn, records: Mapping[int, StatedTest]) -> None:
    # A column of temperatures that states no unit is in °C: its field says so.
    if column.field == "ambient_temperature_degc" and not column.unit:
        column = SheetColumn(
            index=column.index, name=column.name, field=column.field, unit="degC", how=column.how
        )
    factors = _FACTORS[column.field]
    for row, value in read_quantities(sheet, column):
        factor = factors.get(value["unit"])
        if factor is None:
            sheet.fault(row, column.name, f"is in {value['unit']}; state it in {min(factors)}")
        elif column.field == "ambient_temperature_degc":
            records[row].fields.setdefault("protocol", {})[column.field] = value["value"]
        else:
            records[row].fields[column.field] = value["value"] * factor


def _check_window(table: TestTable, record: StatedTest) -> None:
    low = record.fields.pop("voltage_min", None)
    high = record.fields.pop("voltage_max", None)
    if low is not None and high is not None and low < high:
        record.fields["voltage_window"] = (low, high)
    elif low is not None or high is not None:
        table.faults.append(
            CellFault(record.row, "", "states no voltage window: a lower and an upper voltage in V")
        )


def _in_protocol(fields: dict[str, Any], text: str) -> None:
    fields.setdefault("protocol", {})["name"] = text


def _in_setup(key: str) -> Callable[[dict[str, Any], str], None]:
    def put(fields: dict[str, Any], text: str) -> None:
        value: object = int(text) if key == "channel_number" and text.isdigit() else text
        fields.setdefault("test_setup", {})[key] = value

    return put


def _tags(fields: dict[str, Any], text: str) -> None:
    fields["tags"] = [word.strip() for word in text.replace(",", ";").split(";") if word.strip()]


def _plain(key: str) -> Callable[[dict[str, Any], str], None]:
    def put(fields: dict[str, Any], text: str) -> None:
        fields[key] = text

    return put


_TEXTS: Final[Mapping[str, Callable[[dict[str, Any], str], None]]] = {
    "protocol": _in_protocol,
    "cycler": _in_setup("cycler"),
    "channel": _in_setup("channel_number"),
    "operator": _in_setup("operator"),
    "tags": _tags,
    "notes": _plain("notes"),
    "data_type": _plain("data_type"),
}
