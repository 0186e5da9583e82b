"""A plan with a target looks at Studio, carries what a rerun needs, and names what has drifted."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import RATINGS, archive, series, specification, write, write_json
from tests.jobs import Jobs
from tests.official import judge_of

CELL = Path("archive/spec 0/cell 0")


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return {row["measurement"]: row for row in csv.DictReader(stream)}


def test_a_plan_says_what_is_there_and_what_would_be_created(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", cells=2, measurements=3)
    jobs.use(studio)
    assert jobs.upload("archive", "--exclude", "cell 1/", job="first").code == 0
    write(tmp_path / CELL / "run 1.csv", series(rows=61, seed=1))
    specification(tmp_path / "archive" / "LG")
    write(tmp_path / "archive" / "LG" / "new" / "m.csv", series(seed=8))
    before = studio.requests.total
    planned = jobs.command("plan", "archive", "--project", studio.project_id, "--out", "p.csv")
    assert planned.code == 0, planned.out + planned.err
    # Two specifications by name, the cells of the one that is there, and its cell's measurements.
    assert studio.requests.total - before == 4
    assert "LG: new, 1 cell (1 new), 1 measurement (1 new)" in planned.out
    assert "spec 0: 2 cells (1 new), 6 measurements (3 new)" in planned.out
    assert "in Studio already: 2 equal by hash, 1 differing" in planned.out
    assert "would be created: 1 specification, 2 cells, 4 measurements" in planned.out
    told = re.search(r"about ([\d,]+) requests, ([\d.]+) MB to read", planned.out)
    assert told is not None
    rows = rows_of(tmp_path / "p.csv")
    assert {name: row["in_studio"] for name, row in rows.items()} == {
        "run 0": "new", "run 1": "new", "run 2": "new", "m": "new",
    }  # fmt: skip
    with (tmp_path / "p.csv").open(encoding="utf-8-sig", newline="") as stream:
        found = [row["in_studio"] for row in csv.DictReader(stream) if row["cell"] == "cell 0"]
    assert found == ["equal", "differing", "equal"]
    # What was foretold is what it takes, as far as it can be known.
    before = studio.requests.total
    assert jobs.upload("archive", job="second").code == 0
    assert (studio.requests.total - before) == pytest.approx(int(told[1]), rel=0.35)


def test_a_plan_without_a_target_asks_nobody(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive")
    jobs.use(studio)
    before = studio.requests.total
    ended = jobs.command("plan", "archive", "--out", "plan.csv")
    assert studio.requests.total == before
    assert "in Studio already" not in ended.out
    assert "in_studio" not in rows_of(tmp_path / "plan.csv")["run 0"]


def test_a_local_studio_that_is_not_there_yet_is_not_made(jobs: Jobs, tmp_path: Path) -> None:
    archive(tmp_path / "archive")
    ended = jobs.command("plan", "archive", "--local", "studio")
    assert ended.code == 0, ended.err
    assert "would be created: 1 specification, 1 cell, 3 measurements" in ended.out
    assert not (tmp_path / "studio").exists()


def test_records_that_failed_or_are_in_processing_are_named(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    jobs.use(studio)
    studio.faults.add(FaultRule(kind=FaultKind.PROCESSING_FAILED, endpoint="processing", times=1))
    jobs.upload("archive", job="first")
    ended = jobs.command("plan", "archive", "--project", studio.project_id)
    assert "1 equal by hash, 1 failed there" in ended.out


@pytest.mark.parametrize("form", ["plan.xlsx", "plan.csv", "plan.jsonl", "plan.parquet"])
def test_a_plan_carries_all_that_its_upload_needs(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, form: str
) -> None:
    """Specifications, cells and options: neither ``--specs`` nor ``--transform`` again."""
    specs = {
        "S": {"ratings": RATINGS, "form_factor": "21700", "notes": "two\nlines"},
        "T": {
            "ratings": RATINGS,
            "cathode": {"material": {"name": "NMC", "grades": ["a", "b"]}},
            "source": {"doi": "x", "list": [1, 2.5]},
        },
    }
    write_json(tmp_path / "specs.json", specs)
    cell: dict[str, Any] = {
        "batch": "B1",
        "date_manufactured": "2024-01-31",
        "measured_properties": {"mass": {"value": 46.5, "unit": "g"}, "odd": {"list": [1]}},
    }
    write_json(tmp_path / "archive" / "S" / "c1" / "cell.json", cell)
    table = series(seed=1)
    flipped = table.set_column(2, "Current [A]", [[-one.as_py() for one in table["Current [A]"]]])
    write(tmp_path / "archive" / "S" / "c1" / "m.csv", flipped)
    write(tmp_path / "archive" / "T" / "c2" / "n.csv", series(seed=2))
    planned = jobs.command(
        "plan", "archive", "--specs", "specs.json", "--transform", "set_sign", "--out", form
    )
    assert planned.code == 0, planned.out + planned.err
    (tmp_path / "specs.json").unlink()
    (tmp_path / "archive" / "S" / "c1" / "cell.json").unlink()
    jobs.use(studio)
    ended = jobs.upload(form)
    assert ended.code == 0, ended.out + ended.err
    with judge_of(studio) as judge:
        held = judge.by_key()
        specifications = {one.name: one for one in judge.client.cell_spec.list()}
        instance = judge.client.cell_instance.get(
            held["S", "c1", "m"].record.cell_instance_id
        ).model_dump()
        current = judge.time_series(held["S", "c1", "m"].id)["Current [A]"][0].as_py()
    assert specifications["S"].model_dump()["notes"] == "two\nlines"
    assert specifications["T"].model_dump()["source"]["list"] == [1, 2.5]
    assert instance["measured_properties"] == cell["measured_properties"]
    assert str(instance["date_manufactured"]).startswith("2024-01-31")
    assert current == table["Current [A]"][0].as_py()
    # With the files beside the data back in place, both say the same.
    write_json(tmp_path / "specs.json", specs)
    again = jobs.command("plan", form, "--specs", "specs.json")
    assert again.code == 0, again.out + again.err


def test_a_plan_names_what_it_was_made_from(jobs: Jobs, tmp_path: Path) -> None:
    archive(tmp_path / "archive")
    write_json(tmp_path / "specs.json", {"spec 0": {"ratings": RATINGS}})
    jobs.command("plan", "archive", "--specs", "specs.json", "--out", "plan.xlsx")
    with CalamineWorkbook.from_path(str(tmp_path / "plan.xlsx")) as book:
        rows = book.get_sheet_by_name("made_from").to_python()
    made = {(what, Path(str(name)).name): value for what, name, value in rows[1:]}
    assert made["source", "archive"] == "folder"
    assert re.match(r"\d+ bytes, SHA-256 [0-9a-f]{64}", str(made["file", "specs.json"]))
    assert ("made", "command") in made


def test_what_has_changed_since_is_named_and_not_sent(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=5)
    jobs.use(studio)
    jobs.command("plan", "archive", "--project", studio.project_id, "--out", "plan.csv")
    write(tmp_path / CELL / "run 1.csv", series(rows=70, seed=1))
    # Somebody else takes a name.
    other = tmp_path / "other" / "spec 0" / "cell 0"
    other.mkdir(parents=True)
    shutil.copy(tmp_path / "archive/spec 0/spec.json", other.parent / "spec.json")
    write(other / "run 2.csv", series(seed=50))
    assert jobs.upload("other", job="other_job").code == 0
    ended = jobs.upload("plan.csv")
    assert ended.code == 3, ended.out + ended.err
    assert ended.counts == {"created": 3, "rejected": 2}
    assert ended.summary["causes"] == {"source_drifted": 1, "name_taken_since": 1}
    assert "'run 1.csv' has changed" in ended.out or "run 1.csv' has changed since" in ended.out
    assert "now it has" in ended.rows["run 2"].message
    planned = jobs.command("plan", "plan.csv")
    assert planned.code == 3
    assert "source_drifted (1)" in planned.out
    asked = jobs.upload("plan.csv", "--accept-drift", job="second")
    assert asked.code == 0, asked.out + asked.err
    assert asked.counts == {"created": 1, "existing": 4}


def test_the_same_plan_again_resumes_its_own_job(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=3)
    jobs.use(studio)
    jobs.command("plan", "archive", "--project", studio.project_id, "--out", "plan.xlsx")
    assert jobs.upload("plan.xlsx").counts == {"created": 3}
    again = jobs.upload("plan.xlsx")
    assert (again.code, again.counts) == (0, {"created": 3})
    assert json.loads((tmp_path / "job" / "summary.json").read_text())["requests"] == 0
