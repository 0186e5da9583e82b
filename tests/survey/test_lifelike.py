"""A lab's archive goes in by a survey, one edit of a spreadsheet and one upload.

The archive is made by ``scripts/make_lifelike_archive.py``, which knows the truth about each path
and nothing of the survey. Every name, cell, day and temperature in Studio is compared with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook

import bulkload
from bulkload.localstudio import LocalStudio
from scripts.make_lifelike_archive import make as make_archive
from tests.conftest import SHARED_DATA
from tests.jobs import Jobs

#: The least share of files whose proposal must be right, and the most cells a person may fill in.
RIGHT_SHARE = 0.95
MOST_EDITS = 10
#: Cells of the archive: a quarter of the lab's, so that the test takes seconds.
CELLS = 24

Truth = Mapping[str, Mapping[str, Any]]
FIELDS = ("spec", "cell", "batch", "measurement", "start_time", "ambient_temperature_degc")


def make(folder: Path, cells: int, seed: int) -> Truth:
    data = SHARED_DATA if SHARED_DATA.is_dir() else None
    make_archive(folder, data=data, cells=cells, seed=seed)
    truth: Truth = json.loads((folder / "truth.json").read_text("utf-8"))
    return truth


def sheets(path: Path) -> dict[str, list[list[Any]]]:
    with CalamineWorkbook.from_path(str(path)) as book:
        return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def rows_of(plan: list[list[Any]]) -> list[dict[str, Any]]:
    header, *rows = plan
    return [dict(zip(header, row, strict=True)) for row in rows]


def stated(truth: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row of the plan must hold for a path that is uploaded."""
    return {
        "spec": truth["spec"],
        "cell": truth["cell"],
        "batch": truth["batch"],
        "measurement": truth["measurement"],
        "start_time": truth["date"],
        "ambient_temperature_degc": truth["temperature_degc"],
    }


def held(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {field: row[field] for field in FIELDS}
    found["start_time"] = str(row["start_time"])[:10]
    degrees = row["ambient_temperature_degc"]
    found["ambient_temperature_degc"] = None if degrees == "" else degrees
    return found


def is_right(row: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    wanted = "yes" if truth["upload"] else "no"
    if row["upload"] != wanted:
        return False
    return held(row) == stated(truth) if truth["upload"] else row["rule"] == truth["why"]


def edit(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """Open a plan as a person would, change cells of its rows, save it; return how many."""
    book, count = sheets(path), 0
    header = book["plan"][0]
    for row in book["plan"][1:]:
        for column, value in change(dict(zip(header, row, strict=True))).items():
            row[header.index(column)] = value
            count += 1
    with xlsxwriter.Workbook(str(path), {"strings_to_numbers": False}) as written:
        for name, rows in book.items():
            sheet = written.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
    return count


def person(truth: Truth) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what a person does who looks only at the rows that ask for it."""

    def change(row: dict[str, Any]) -> dict[str, Any]:
        if row["sureness"] != "open" and row["upload"]:
            return {}
        known = truth[row["path"].removeprefix("archive/")]
        done: dict[str, Any] = {}
        if not row["upload"]:
            done["upload"] = "yes" if known["upload"] else "no"
        if known["upload"] and not row["cell"]:
            done["cell"] = known["cell"]
        degrees = known["temperature_degc"]
        if degrees is not None and row["ambient_temperature_degc"] == "":
            done["ambient_temperature_degc"] = degrees
        return done

    return change


@pytest.mark.timeout(300)
def test_an_archive_goes_in_by_a_survey_one_edit_and_an_upload(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    truth = make(tmp_path, CELLS, seed=7)
    surveyed = jobs.command(
        "survey", "archive", "--cells", "Zelluebersicht.xlsx", "--out", "plan.xlsx"
    )
    assert surveyed.code == 3, surveyed.out + surveyed.err  # a person has to settle something
    rows = rows_of(sheets(tmp_path / "plan.xlsx")["plan"])
    by_path = {row["path"].removeprefix("archive/"): row for row in rows}
    assert set(by_path) == set(truth)
    wrong = [path for path, row in by_path.items() if not is_right(row, truth[path])]
    assert len(wrong) <= (1 - RIGHT_SHARE) * len(truth), wrong
    assert [path for path in wrong if not by_path[path]["warnings"]] == []

    edits = edit(tmp_path / "plan.xlsx", person(truth))
    assert 0 < edits <= MOST_EDITS
    jobs.use(studio)
    uploaded = jobs.upload("plan.xlsx")
    assert uploaded.code == 0, uploaded.out + uploaded.err
    sent = {path: one for path, one in truth.items() if one["upload"]}
    assert uploaded.counts == {"created": len(sent), "skipped": len(truth) - len(sent)}
    assert any("!/" in path for path in sent)
    verified = jobs.command("verify", "job", "--all")
    assert verified.code == 0, verified.out + verified.err
    held_there = in_studio(studio)
    expected = {
        (one["spec"], one["cell"], one["measurement"]): (
            one["batch"],
            # Where the name states no day the file's own header fills it.
            one["date"] or one["begun"] or None,
            one["temperature_degc"],
        )
        for one in sent.values()
    }
    assert set(held_there) == set(expected)
    for one in sent.values():
        key = (one["spec"], one["cell"], one["measurement"])
        if one["begun"] is None:
            # A real file: what its header states is the readers' matter.
            held_there[key] = (held_there[key][0], expected[key][1], held_there[key][2])
    assert held_there == expected


def in_studio(studio: LocalStudio) -> dict[tuple[str, str, str], tuple[Any, Any, Any]]:
    """Return what Studio holds: batch, day and temperature by names."""
    found: dict[tuple[str, str, str], tuple[Any, Any, Any]] = {}
    with bulkload.Studio(
        api_key=studio.api_key, base_url=studio.url, project_id=studio.project_id
    ) as client:
        for spec in client.cell_spec.list():
            batches = {batch.id: batch.name for batch in client.cell_batch.list(spec.id)}
            for cell in client.cell_instance.list(spec.id):
                for one in client.cell_measurement.list(cell.id):
                    protocol = (one.model_extra or {}).get("protocol") or {}
                    day = one.start_time[:10] if one.start_time else None
                    found[spec.name, cell.name, one.name] = (
                        batches.get(cell.batch_id or ""), day,
                        protocol.get("ambient_temperature_degc"),
                    )  # fmt: skip
    return found
