"""Sheets as people keep them: numbers, headers, cells, tests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest

from bulkload.core.sheets.cell_table import CellTable, read_cells
from bulkload.core.sheets.headers import find_header
from bulkload.core.sheets.quantities import NotUnderstoodError, read_quantity
from bulkload.core.sheets.rows import UncomputedFormula
from bulkload.core.sheets.test_table import read_tests
from bulkload.core.survey.dates import DateOrder


@pytest.mark.parametrize(
    ("cell", "value", "unit"),
    [
        ("1,9 mg/cm2", 1.9, "mg/cm**2"),
        ("1.9 mg cm-2", 1.9, "mg/cm**2"),
        ("1,9 mg/cm²", 1.9, "mg/cm**2"),
        ("ca. 2", 2.0, ""),
        ("≈3.2 V", 3.2, "V"),
        ("2000 mAh", 2000.0, "mA.h"),
        ("25 °C", 25.0, "degC"),
        ("−20 °C", -20.0, "degC"),  # noqa: RUF001
        ("1.234,5 g", 1234.5, "g"),
        ("1,234.5 g", 1234.5, "g"),
        ("1 500 mAh", 1500.0, "mA.h"),
        ("1'500", 1500.0, ""),
        ("3,7 ± 0,1 V", 3.7, "V"),
        ("0,123 g", 0.123, "g"),
        ("12 µm", 12.0, "um"),
        (3, 3.0, ""),
    ],
)
def test_numbers_as_people_write_them(cell: object, value: float, unit: str) -> None:
    found = read_quantity(cell)
    assert found is not None
    assert (found.value, found.unit) == (value, unit)


@pytest.mark.parametrize("cell", ["1,234", "2x", "heavy", "1,2,3", True])
def test_numbers_that_are_not_understood(cell: object) -> None:
    with pytest.raises(NotUnderstoodError):
        read_quantity(cell)


@pytest.mark.parametrize("cell", ["", "-", "n/a", "k.A.", "?", " "])
def test_cells_that_say_nothing(cell: str) -> None:
    assert read_quantity(cell) is None


@pytest.mark.parametrize(
    ("names", "fields"),
    [
        (
            ["Zellname", "Charge", "Nennkapazität [mAh]", "Masse (g)", "Herstelldatum"],
            ["cell", "batch", "spec.ratings.capacity", "measured_properties.cell.mass",
             "date_manufactured"],
        ),
        (
            ["Nom de la cellule", "Lot", "Capacité nominale", "Poids", "Remarques"],
            ["cell", "batch", "spec.ratings.capacity", "measured_properties.cell.mass", "notes"],
        ),
        (
            ["Celda", "Lote", "Capacidad nominal", "Peso", "Observaciones"],
            ["cell", "batch", "spec.ratings.capacity", "measured_properties.cell.mass", "notes"],
        ),
        (
            ["电池编号", "批次", "额定容量", "质量", "备注"],
            ["cell", "batch", "spec.ratings.capacity", "measured_properties.cell.mass", "notes"],
        ),
        (
            ["Cell ID", "Batch No.", "Rated capacity / mAh", "Weight [g]", "Comments"],
            ["cell", "batch", "spec.ratings.capacity", "measured_properties.cell.mass", "notes"],
        ),
    ],
)  # fmt: skip
def test_columns_are_proposed_by_name(names: list[str], fields: list[str]) -> None:
    header = find_header([["Our cells"], [], names], {}, is_tests=False)
    assert header is not None
    assert header.row == 2
    assert [column.field for column in header.columns] == fields


def table(*rows: Sequence[object], stated: dict[str, str] | None = None) -> CellTable:
    header = find_header(rows, stated or {}, is_tests=False)
    assert header is not None
    below = [(number, row) for number, row in enumerate(rows, start=1)][header.row + 1 :]
    return read_cells(below, header)


def test_what_belongs_to_specification_batch_and_cell_goes_there() -> None:
    found = table(
        ["Zellübersicht"],
        ["Zellname", "Zelltyp", "Charge", "Nennkap. [mAh]", "U min", "Masse", "Herstelldatum"],
        ["Z1", "A", "L1", 2000, "2,5 V", "1,9 g", dt.date(2021, 3, 5)],
        ["", "", "", "", "", "", ""],
        ["Z2", "A", "L1", "2000", 2.5, "ca. 2 g", "17.03.2021"],
        ["Summe", "", "", "", "", 3.9, ""],
    )
    assert found.faults == []
    assert found.specifications == {
        "A": {
            "name": "A",
            "ratings": {
                "capacity": {"value": 2000.0, "unit": "mA.h"},
                "voltage_min": {"value": 2.5, "unit": "V"},
            },
        }
    }
    assert found.cells["Z1"].batch == "L1"
    assert found.cells["Z1"].payload == {
        "measured_properties": {"cell": {"mass": {"value": 1.9, "unit": "g"}}},
        "date_manufactured": "2021-03-05",
    }
    assert found.cells["Z2"].payload["date_manufactured"] == "2021-03-17"
    assert found.remarks == ["row 5, column 'Masse': 'ca. 2 g' is taken as 2 g"]


def test_each_cell_that_is_not_understood_is_named_all_at_once() -> None:
    found = table(
        ["Cell", "Type", "Rated capacity", "Weight", "Made"],
        ["A1", "X", "2 Ah", "heavy", "03.04.2021"],
        ["A2", "X", "3 Ah", 5, "05.06.2021"],
        ["", "X", "", "", ""],
        ["A3", "X", "2 Ah", UncomputedFormula(), "soon"],
    )
    told = sorted((fault.row, fault.column, fault.message.split(":")[0]) for fault in found.faults)
    assert told == [
        (2, "Made", "can be 2021-03-04 or 2021-04-03"),
        (2, "Weight", "is not a number with a unit"),
        (
            3,
            "",
            "specification 'X' has a different ratings.capacity here (3 A.h) than in row 2 (2 A.h)",
        ),
        (3, "Made", "can be 2021-05-06 or 2021-06-05"),
        (3, "Weight", "has no unit, nor has its column"),
        (4, "Cell", "is empty"),
        (5, "Made", "is not a date"),
        (5, "Weight", "holds a formula without a value"),
    ]


def test_a_capacity_that_differs_within_a_specification_is_measured() -> None:
    found = table(
        ["Zelle", "Typ", "Kapazität [mAh]"], ["a", "X", 2001.5], ["b", "X", 1998], ["c", "X", 2003]
    )
    assert found.specifications == {"X": {"name": "X"}}
    assert found.cells["a"].payload == {
        "measured_properties": {"cell": {"capacity": {"value": 2001.5, "unit": "mA.h"}}}
    }
    assert found.remarks == ["the capacity differs within a specification: taken as measured"]


def test_specifications_are_proposed_from_groups_of_equal_rows() -> None:
    found = table(
        ["cell", "cathode", "form factor", "rated capacity [Ah]"],
        ["a", "NMC622", "CR2032", 0.002],
        ["b", "NMC622", "CR2032", 0.002],
        ["c", "LFP", "18650", 1.5],
    )
    assert {name: one.spec for name, one in found.cells.items()} == {
        "a": "NMC622 CR2032 0.002 Ah",
        "b": "NMC622 CR2032 0.002 Ah",
        "c": "LFP 18650 1.5 Ah",
    }
    assert found.specifications["LFP 18650 1.5 Ah"]["form_factor"] == "18650"


def test_a_person_maps_what_names_do_not_tell() -> None:
    found = table(
        ["Ident", "Spalte B", "Foo"],
        ["x", "L7", "y"],
        stated={"Ident": "cell", "Spalte B": "batch", "Foo": "-"},
    )
    assert found.cells["x"].batch == "L7"


def test_a_cell_that_stands_twice_with_other_content_is_named() -> None:
    found = table(["cell", "batch"], ["a", "1"], ["a", "2"], ["b", "1"], ["b", "1"])
    assert [(fault.row, fault.message) for fault in found.faults] == [
        (3, "contradicts row 2 on 'a': keep one")
    ]


def test_a_row_of_units_below_the_header_is_no_cell() -> None:
    found = table(["cell", "weight [g]"], ["", "g"], ["a", 2])
    assert list(found.cells) == ["a"]


def test_a_sheet_of_tests() -> None:
    rows: list[Sequence[object]] = [
        ["Dateiname", "Temperatur", "Datum", "Bediener", "Kanal", "Protokoll", "Nennkapazität"],
        ["A_1.csv", "25 °C", "17.04.2023", "JS", 7, "RPT", "2000 mAh"],
        ["A_2.csv", 45, "03.04.2023", "-", "", "", ""],
    ]
    header = find_header(rows, {}, is_tests=True)
    assert header is not None
    found = read_tests([(2, rows[1]), (3, rows[2])], header)
    assert found.faults == []
    first = found.of("lab/x/a_1.csv", "", "")
    assert first is not None
    assert first.fields == {
        "protocol": {"ambient_temperature_degc": 25.0, "name": "RPT"},
        "start_time": "2023-04-17",
        "test_setup": {"operator": "JS", "channel_number": 7},
        "rated_capacity": 2.0,
    }
    second = found.of("A_2.nda", "", "")
    assert second is not None
    assert second.fields == {
        "protocol": {"ambient_temperature_degc": 45.0},
        "start_time": "2023-04-03",
    }


def test_the_declared_order_settles_dates() -> None:
    rows: list[Sequence[object]] = [["file", "date"], ["a.csv", "03.04.2023"]]
    header = find_header(rows, {}, is_tests=True)
    assert header is not None
    found = read_tests([(2, rows[1])], header, DateOrder.MDY)
    assert found.records[0].fields == {"start_time": "2023-03-04"}
