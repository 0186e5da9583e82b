"""What names say: marks, dates and their order, cells, structure."""

from __future__ import annotations

import pytest

from bulkload.core.survey.cells import KnownCells
from bulkload.core.survey.dates import DateOrder, settle, whole_date
from bulkload.core.survey.marks import MarkKind, marks, temperature_of
from bulkload.core.survey.names import without
from bulkload.core.survey.structure import guess_cells


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LFP-03_RPT2_25degC", [("temperature", 25.0)]),
        ("A12_Cyc_-10C", [("temperature", -10.0)]),
        ("A12_m20degC", [("temperature", -20.0)]),
        ("cold_minus5°C", [("temperature", -5.0)]),
        ("T25C_x", [("temperature", 25.0)]),
        ("Temp45", [("temperature", 45.0)]),
        ("LG M50 deg - exp 2,2", []),
        ("Cell785_0p5C_25degC", [("rate", 0.5), ("temperature", 25.0)]),
        ("A_1C", [("rate", 1.0)]),
        ("A_10C", [("rate or temperature", 10.0)]),
        ("A_5P0PSI_P0C", []),
        ("A_C20", [("rate", 0.05)]),
        ("A_CH041", [("channel", "41")]),
        ("x_Ch_1-3", [("channel", "1-3")]),
        ("test_02_GCPL_C03", [("channel", "3")]),
        ("A_part2", [("part", 2.0)]),
        ("A Teil 3", [("part", 3.0)]),
        ("A_1of4", [("part", 1.0)]),
        ("RPT - Kopie", [("copy", " - Kopie")]),
        ("RPT (1)", [("copy", " (1)")]),
        ("RPT2 part of life", []),
    ],
)
def test_marks(name: str, expected: list[tuple[str, object]]) -> None:
    found = [(m.kind.value, m.text if m.number is None else m.number) for m in marks(name)]
    assert found == expected


@pytest.mark.parametrize(
    ("name", "moments"),
    [
        ("x_2023-01-10", ["2023-01-10"]),
        ("x_20230110_R0", ["2023-01-10"]),
        ("x_20230110143333_37", ["2023-01-10T14:33:33"]),
        ("2022-04-06 16_17_23 full set", ["2022-04-06T16:17:23"]),
        ("x_20231301", []),
        ("x_10.01.2023", ["2023-01-10", "2023-10-01"]),
        ("x_17.04.2023", ["2023-04-17"]),
        ("x_04-17-2023", ["2023-04-17"]),
        ("x 10Jan2023", ["2023-01-10"]),
        ("Form 3. März 2021", ["2021-03-03"]),
        ("2023年1月10日", ["2023-01-10"]),
        ("CS2_33_8_17_10", ["2010-08-17"]),
        ("x_230131_y", ["2023-01-31"]),
        ("serial 2818580185", []),
    ],
)
def test_dates(name: str, moments: list[str]) -> None:
    found = [mark for mark in marks(name) if mark.kind is MarkKind.DATE]
    assert [reading.moment for mark in found for reading in mark.readings] == moments


def readings(*texts: str) -> list[tuple[object, ...]]:
    return [mark.readings for text in texts if (mark := whole_date(text)) is not None]


def test_one_day_above_twelve_proves_the_order_of_all_that_are_written_alike() -> None:
    verdict = settle(readings("03.04.2023", "17.04.2023", "05.06.2023"))  # type: ignore[arg-type]
    assert verdict.order is DateOrder.DMY
    assert verdict.evidence == "day, month, year: 1 of 3 can only be read so"


def test_without_proof_the_order_stays_open() -> None:
    assert settle(readings("03.04.2023", "05.06.2023")).order is None  # type: ignore[arg-type]


def test_a_date_in_the_file_proves_the_order() -> None:
    verdict = settle(readings("03/04/2023", "05/06/2023"), [("2023-03-04",), ()])  # type: ignore[arg-type]
    assert verdict.order is DateOrder.MDY
    assert "1 of 2 agree with a date inside their file" in verdict.evidence


def test_an_order_that_a_date_cannot_have_is_not_declared_away() -> None:
    verdict = settle(readings("17.04.2023"), declared=DateOrder.MDY)  # type: ignore[arg-type]
    assert verdict.order is DateOrder.DMY


def test_mixed_orders_settle_nothing() -> None:
    assert settle(readings("17.04.2023", "04.17.2023")).order is None  # type: ignore[arg-type]


KNOWN = KnownCells(["CC-004", "CC-014", "LFP18650_01", "N21-A1", "P03", "7", "A 1-2"])


@pytest.mark.parametrize(
    ("path", "cells"),
    [
        (("JS", "20210130 cc4 cyc part1"), ["CC-004"]),
        (("x", "CC-014_Form"), ["CC-014"]),
        (("x", "CC-0145_Form"), []),
        (("x", "lfp18650_1_RPT"), ["LFP18650_01"]),
        (("x", "lfp18650_12_RPT"), []),
        (("N21-A1", "N21-A1_rate"), ["N21-A1", "N21-A1"]),
        (("x", "n21-a12 rate"), []),
        (("x", "test 7"), []),
        (("x", "Zelle 7 Form"), ["7"]),
        (("7", "Form"), ["7"]),
        (("x", "P03 and CC-004"), ["P03", "CC-004"]),
        (("x", "A_1_2 x"), ["A 1-2"]),
        (("x", "MP03_x"), []),
    ],
)
def test_cells_of_a_sheet(path: tuple[str, ...], cells: list[str]) -> None:
    assert [one.name for one in KNOWN.find(path)] == cells


def test_names_that_the_sheet_writes_alike_are_not_chosen_between() -> None:
    (found,) = KnownCells(["A-1-2", "A1-2", "A_1_2"]).find(["A 1 2 x"])
    assert found.others == ("A1-2", "A_1_2")


def test_the_cell_without_a_sheet_is_the_series_of_folders() -> None:
    paths = [
        ("data", cell, f"{cell}_{test}")
        for cell in ("LFP-01", "LFP-02", "LFP-03")
        for test in ("RPT1", "RPT2")
    ]
    found = guess_cells(paths)
    assert [found[index].name for index in range(6)] == [path[1] for path in paths]
    assert all(guess.is_sure for guess in found.values())


def test_the_cell_without_a_sheet_is_the_field_that_numbers_cells() -> None:
    paths = [
        ("all", f"{test}_{cell}_run") for cell in ("K1", "K2", "K3") for test in ("form", "life")
    ]
    found = guess_cells(paths)
    assert {guess.name for guess in found.values()} == {"K1", "K2", "K3"}
    assert not any(guess.is_sure for guess in found.values())


def test_a_lone_name_tells_no_cell() -> None:
    assert guess_cells([("misc", "measurement final")]) == {}


@pytest.mark.parametrize(
    ("text", "removed", "left"),
    [
        ("LFP-03_RPT2_25degC", [(0, 6), (12, 18)], "RPT2"),
        ("20210130 cc4 cyc part1", [(0, 8), (9, 12)], "cyc part1"),
        ("a_X_b", [(2, 3)], "a_b"),
        ("X", [(0, 1)], ""),
        ("RPT2", [], "RPT2"),
    ],
)
def test_what_is_left_of_a_name(text: str, removed: list[tuple[int, int]], left: str) -> None:
    assert without(text, removed) == left


@pytest.mark.parametrize(
    ("text", "degrees"),
    [("25", 25.0), ("-10C", -10.0), ("25degC", 25.0), ("m5", -5.0), ("RT", None), ("900", None)],
)
def test_the_temperature_that_a_layout_reads(text: str, degrees: float | None) -> None:
    assert temperature_of(text) == degrees
