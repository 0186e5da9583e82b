"""A spreadsheet is read as it looks, or it is said where it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from bulkload.localstudio import LocalStudio
from tests.archives import RATINGS, series, write, write_json
from tests.jobs import Ended, Jobs

HEADER = ("spec", "cell", "measurement", "path")


@pytest.fixture
def lab(jobs: Jobs, studio: LocalStudio) -> Jobs:
    """Four files, and a specification."""
    for at in range(4):
        write(jobs.folder / f"run{at}.csv", series(rows=20, seed=at))
    write_json(jobs.folder / "specs.json", [{"name": "NMC", "ratings": RATINGS}])
    jobs.use(studio)
    return jobs


def book(path: Path, change: Callable[[Any, Any], None]) -> None:
    """Write a manifest of the four files, changed."""
    with xlsxwriter.Workbook(str(path)) as workbook:
        sheet = workbook.add_worksheet("plan")
        fill(sheet)
        change(workbook, sheet)


def fill(sheet: Any, first: int = 0) -> None:
    sheet.write_row(0, 0, HEADER)
    for at in range(4):
        sheet.write_row(at + 1, 0, ("NMC", "A", f"run {first + at}", f"run{at}.csv"))


def planned(lab: Jobs) -> tuple[Ended, str]:
    ended = lab.command("plan", "plan.xlsx", "--specs", "specs.json")
    return ended, " ".join(ended.out.split())


def test_hidden_rows_are_named_and_planned(lab: Jobs) -> None:
    def hide(_: Any, sheet: Any) -> None:
        sheet.set_row(2, None, None, {"hidden": True})
        sheet.set_row(4, None, None, {"hidden": True})

    book(lab.folder / "plan.xlsx", hide)
    ended, said = planned(lab)
    assert "2 rows are hidden by hand and are planned like the others: rows 3, 5;" in said
    assert "4 measurements" in said
    assert ended.code == 0
    # What is hidden is not uploaded without a word either.
    uploaded = lab.upload("plan.xlsx", "--specs", "specs.json")
    assert "2 rows are hidden" in " ".join(uploaded.out.split())


def test_rows_that_a_filter_hides_are_named(lab: Jobs) -> None:
    def narrow(_: Any, sheet: Any) -> None:
        sheet.autofilter(0, 0, 4, 3)
        sheet.filter_column(2, "x == run*")
        for row in (2, 3, 4):
            sheet.set_row(row, None, None, {"hidden": True})

    book(lab.folder / "plan.xlsx", narrow)
    assert "3 rows are hidden by a filter or by hand" in planned(lab)[1]


def test_hidden_columns_are_named(lab: Jobs) -> None:
    book(
        lab.folder / "plan.xlsx",
        lambda _, sheet: sheet.set_column(1, 1, None, None, {"hidden": True}),
    )
    assert "columns B are hidden and are read like the others" in planned(lab)[1]


def test_a_further_sheet_with_the_same_columns_is_named(lab: Jobs) -> None:
    def more(workbook: Any, _: Any) -> None:
        fill(workbook.add_worksheet("more"), 10)
        workbook.add_worksheet("notes").write(0, 0, "nothing of this kind")

    book(lab.folder / "plan.xlsx", more)
    said = planned(lab)[1]
    assert "the sheet 'more' has the columns of a manifest, comes after 'plan', and is not" in said
    assert "notes" not in said


def test_a_hidden_first_sheet_is_not_what_is_read(lab: Jobs) -> None:
    with xlsxwriter.Workbook(str(lab.folder / "plan.xlsx")) as workbook:
        old, new = workbook.add_worksheet("old"), workbook.add_worksheet("new")
        fill(old, 50)
        fill(new)
        new.activate()
        new.set_first_sheet()
        old.hide()
    _, said = planned(lab)
    assert "the sheet 'old' has the columns of a manifest, is hidden, and is not read" in said
    ended = lab.upload("plan.xlsx", "--specs", "specs.json")
    assert sorted(ended.rows) == ["run 0", "run 1", "run 2", "run 3"]


@pytest.mark.parametrize(
    ("formula", "value", "says"),
    [
        ("=NA()", "#N/A", "column 'measurement' shows #N/A, an error of the spreadsheet"),
        ('=A1&"x"', "", "column 'measurement' holds a formula without a value: open the sheet"),
    ],
)
def test_cells_that_hold_no_value_are_not_called_empty(
    lab: Jobs, formula: str, value: str, says: str
) -> None:
    book(
        lab.folder / "plan.xlsx",
        lambda _, sheet: sheet.write_formula(2, 2, formula, None, value),
    )
    ended, said = planned(lab)
    assert f"row 3, {says}" in said
    assert "3 measurements" in said
    assert ended.code == 3


def test_a_row_of_nothing_but_errors_is_a_row(lab: Jobs) -> None:
    def spoil(_: Any, sheet: Any) -> None:
        for column in range(4):
            sheet.write_formula(3, column, "=NA()", None, "#N/A")

    book(lab.folder / "plan.xlsx", spoil)
    assert "row 4, column 'spec' shows #N/A" in planned(lab)[1]


def test_a_sheet_of_specifications_names_its_errors_too(lab: Jobs) -> None:
    with xlsxwriter.Workbook(str(lab.folder / "specs.xlsx")) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ("name", "capacity [A.h]", "voltage_min [V]", "voltage_max [V]"))
        sheet.write_row(1, 0, ("NMC", 2.0, 2.5, 4.3))
        sheet.write_formula(1, 1, "=NA()", None, "#N/A")
    book(lab.folder / "plan.xlsx", lambda *_: None)
    ended = lab.command("plan", "plan.xlsx", "--specs", "specs.xlsx")
    assert "shows #N/A, an error of the spreadsheet" in " ".join(ended.out.split())
