"""Transforms on request, extra checks, stated readers, tests inside a workbook."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import xlsxwriter

from bulkload.journal import FILE_NAME
from bulkload.journal.database import connect
from bulkload.localstudio import LocalStudio
from tests.archives import series, specification, sums, write, write_json
from tests.jobs import Jobs
from tests.official import judge_of


def reversed_sign(table: pa.Table) -> pa.Table:
    index = table.column_names.index("Current [A]")
    return table.set_column(index, "Current [A]", pc.negate(table.column("Current [A]")))


def in_millivolts(table: pa.Table) -> pa.Table:
    index = table.column_names.index("Voltage [V]")
    return table.set_column(index, "Voltage [V]", pc.multiply(table.column("Voltage [V]"), 1000.0))


def one_cell(root: Path, **tables: pa.Table) -> Path:
    specification(root / "spec")
    for name, table in tables.items():
        write(root / "spec" / "cell" / f"{name}.csv", table)
    return root


def test_nothing_is_repaired_unless_it_is_asked_for(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    one_cell(tmp_path / "archive", run=reversed_sign(series()))
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.counts == {"rejected": 1}
    assert ended.rows["run"].cause == "current_sign_reversed"
    ended = jobs.upload("archive", "--transform", "set_sign")
    assert ended.counts == {"created": 1}, ended.out
    assert "changed on request: set_sign (1 measurement)" in ended.out
    with judge_of(studio) as judge:
        (held,) = judge.measurements()
        assert sums(judge.time_series(held.id)) == pytest.approx(sums(series()))


def test_a_transform_can_be_stated_beside_one_file(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = one_cell(tmp_path / "archive", bad=reversed_sign(series()), good=series(seed=1))
    write_json(root / "spec" / "cell" / "bad.meta.json", {"transforms": ["set_sign"]})
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.counts == {"created": 2}, ended.out
    with closing(connect((ended.job or tmp_path) / FILE_NAME, is_read_only=True)) as reader:
        told = {
            row["measurement"]: json.loads(row["payload"])["provenance"]
            for row in reader.execute(
                "SELECT measurement, event.payload FROM event JOIN job ON job.id = event.job "
                "WHERE name='SourcePrepared'"
            )
        }
    assert [one["name"] for one in json.loads(told["bad"])["transforms"]] == ["set_sign"]
    assert json.loads(told["good"])["transforms"] == []
    assert json.loads(told["bad"])["reader"] == "ionworks"


def test_a_manifest_states_transforms_and_a_wrong_one_is_named(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    one_cell(tmp_path / "archive", run=reversed_sign(series()))
    manifest = tmp_path / "plan.csv"
    line = "spec,cell,run,archive/spec/cell/run.csv,{}\n"
    manifest.write_text(
        "spec,cell,measurement,path,transforms\n" + line.format("set_sing"), "utf-8"
    )
    jobs.use(studio)
    ended = jobs.upload(manifest)
    assert ended.code == 2
    assert "set_sing" in ended.err
    assert "set_sign" in ended.err
    manifest.write_text(
        "spec,cell,measurement,path,transforms\n" + line.format("set_sign"), "utf-8"
    )
    assert jobs.upload(manifest).counts == {"created": 1}


def test_an_unknown_transform_ends_before_anything_is_read(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    one_cell(tmp_path / "archive", run=series())
    jobs.use(studio)
    ended = jobs.upload("archive", "--transform", "make_it_right")
    assert ended.code == 2
    assert "make_it_right" in ended.err
    assert studio.requests.total == 0


@pytest.mark.parametrize(
    ("wanted", "counts"),
    [("warn", {"created": 1}), ("error", {"rejected": 1}), ("off", {"created": 1})],
)
def test_extra_checks_warn_refuse_or_keep_quiet(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, wanted: str, counts: dict[str, int]
) -> None:
    one_cell(tmp_path / "archive", run=in_millivolts(series()))
    jobs.use(studio)
    ended = jobs.upload("archive", "--no-strict", "--extra-checks", wanted)
    assert ended.counts == counts
    assert ("warned:" in ended.out) == (wanted == "warn")


def test_each_sheet_of_a_workbook_is_a_measurement(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    specification(root / "spec")
    (root / "spec" / "cell").mkdir()
    columns = (
        *("Data_Point", "Test_Time(s)", "Date_Time", "Step_Time(s)", "Step_Index", "Cycle_Index"),
        *("Current(A)", "Voltage(V)", "Charge_Capacity(Ah)", "Discharge_Capacity(Ah)"),
        *("Charge_Energy(Wh)", "Discharge_Energy(Wh)"),
    )
    with xlsxwriter.Workbook(root / "spec" / "cell" / "two.xlsx") as book:
        for sheet, current in (("Channel_1-001", 0.5), ("Channel_1-002", 0.6)):
            page = book.add_worksheet(sheet)
            page.write_row(0, 0, columns)
            for row in range(40):
                charge = current * 10 * row / 3600
                values = (row + 1, 10.0 * row, 45000 + row / 8640, 10.0 * row, 1, 1, current)
                page.write_row(row + 1, 0, (*values, 3.3 + charge, charge, 0, 3.4 * charge, 0))
    planned = jobs.command("plan", "archive")
    assert "2 measurements of 1 cell" in planned.out
    jobs.use(studio)
    ended = jobs.upload("archive", "--no-strict")
    assert ended.counts == {"created": 2}, ended.out
    with judge_of(studio) as judge:
        held = judge.by_key()
        means = {
            key[2]: float(np.mean(np.asarray(judge.time_series(one.id).column("Current [A]"))))
            for key, one in held.items()
        }
    assert means == pytest.approx({"two Channel_1-001": -0.5, "two Channel_1-002": -0.6})


def test_what_the_files_of_a_cell_show_together_is_reported_and_never_in_the_way(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    one_cell(tmp_path / "archive", run=series(rows=200), copy=series(rows=200))
    checked = jobs.command("check", "archive", "--workers", "1")
    assert checked.code == 0
    assert "noticed: same_data (1)" in checked.out
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.counts == {"created": 2}
    assert "noticed: same_data (1)" in ended.out
    assert "spec / cell" in ended.out
