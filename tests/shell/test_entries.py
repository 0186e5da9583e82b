"""What concerns one entry is the outcome of that entry: the good is never refused for the bad."""

from __future__ import annotations

import csv
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bulkload.journal import FILE_NAME
from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Jobs


def rejections(job: Path) -> dict[str, str]:
    """Return cause by file name of the entries that the plan rejected."""
    with closing(sqlite3.connect(job / FILE_NAME)) as reader:
        rows = reader.execute("SELECT location, cause FROM rejection").fetchall()
    return {Path(location).name: cause for location, cause in rows}


def test_a_misfit_a_photo_and_a_copy_do_not_hold_up_the_good_files(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    archive(root, cells=3, measurements=13, rows=20)
    cell = root / "spec 0" / "cell 0"
    (root / "notes.txt").write_text("a misfit")
    (root / "spec 0" / "IMG_2034.jpg").write_bytes(b"a photo")
    shutil.copy(cell / "run 0.csv", cell / "run 0.txt")
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.code == 3, ended.out + ended.err
    assert ended.counts == {"created": 39, "rejected": 2, "skipped": 1}
    assert ended.summary["planned"] == 42
    assert ended.summary["causes"] == {"no_layout": 2, "same_content": 1}
    assert rejections(tmp_path / "job") == {"notes.txt": "no_layout", "IMG_2034.jpg": "no_layout"}
    assert "rejected: no_layout (2)" in ended.out
    with (tmp_path / "job" / "account.csv").open(encoding="utf-8-sig", newline="") as file:
        account = list(csv.DictReader(file))
    assert len(account) == 42
    assert {row["outcome"] for row in account} == {"created", "rejected", "skipped"}
    assert {row["in_plan"] for row in account} == {"yes"}
    # Nothing of it is tried again, and the account stays whole.
    asked = studio.requests.total
    again = jobs.upload("archive")
    assert (again.code, again.counts) == (3, ended.counts)
    assert studio.requests.total == asked
    assert "rejected" in jobs.command("status", "job").out


def test_of_two_that_claim_one_name_neither_is_sent(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    archive(root, measurements=4, rows=20)
    cell = root / "spec 0" / "cell 0"
    shutil.copy(cell / "run 1.csv", cell / "run 0.txt")
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.code == 3, ended.out + ended.err
    assert ended.counts == {"created": 3, "rejected": 2}
    assert ended.summary["causes"] == {"duplicate_name": 2}
    assert ended.rows["run 0"].state == "rejected"
    assert "run 0.txt" in ended.rows["run 0"].message
    # Once one of them is gone, the other goes.
    (cell / "run 0.txt").unlink()
    assert jobs.upload("archive").counts == {"created": 4}


def test_more_than_half_in_the_way_is_refused_until_asked_to_go_on(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    archive(root, measurements=2, rows=20)
    for name in ("a", "b", "c"):
        for number in range(3):
            (root / f"cell_{name}_{number}.csv").write_text("Time [s]\n")
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.code == 2
    assert "9 of 11 entries are in the way, more than half" in ended.err
    assert "bulkload survey" in ended.err
    assert studio.requests.total == 0
    ended = jobs.upload("archive", "--go-on")
    assert (ended.code, ended.counts) == (3, {"created": 2, "rejected": 9})


def test_what_patterns_leave_out_bears_its_rule(jobs: Jobs, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    archive(root, cells=2, measurements=3, rows=20)
    (root / ".bulkloadignore").write_text("# kept by the lab\nrun 1.*\n")
    (root / "spec 0" / "cell 1" / ".bulkloadignore").write_text("!run 1.csv\n")
    ended = jobs.command(
        "plan", "archive", "--exclude", "**/cell 0/run 0*", "--exclude", "*.parquet",
        "--out", "plan.jsonl",
    )  # fmt: skip
    assert ended.code == 0, ended.out + ended.err
    text = (tmp_path / "plan.jsonl").read_text("utf-8")
    assert text.count("\n") == 2
    assert "run 0.csv" in text
    assert "run 1.csv" in text
    # `exclude` names a path from the source: a pattern with a slash is anchored there.
    left = jobs.command("plan", "archive", "--include", "run 2*", "--exclude", "/spec 0/cell 0")
    assert "1 measurement of 1 cell" in left.out


@pytest.mark.parametrize(
    ("name", "text", "root"),
    [
        ("specs.toml", "[[spec]\n", "line 1: not valid TOML"),
        (
            "specs.json",
            '{"spec 0": {"ratngs": {}}, "spec 1": {"ratings": {}}}',
            "line 1: key 'ratngs' is not known; did you mean 'ratings'?",
        ),
        ("specs.csv", "name,capacity\nspec 0,5\n", "needs its unit, as in 'capacity [A.h]'"),
        ("specs.csv", "name,capacity [A.h]\nspec 0,five\n", "row 2, column 'capacity [A.h]'"),
    ],
)
def test_the_consequences_of_one_wrong_line_are_one_line(
    jobs: Jobs, tmp_path: Path, name: str, text: str, root: str
) -> None:
    archive(tmp_path / "archive", cells=6, measurements=6, rows=20)
    (tmp_path / "archive" / "spec 0" / "spec.json").unlink()
    (tmp_path / name).write_text(text)
    ended = jobs.command("plan", "archive", "--specs", name)
    assert ended.code == 2
    lines = ended.out.splitlines()
    first = next(at for at, line in enumerate(lines) if root in line)
    told = [at for at, line in enumerate(lines) if "its specification is not known" in line]
    assert len(told) == 1
    assert first < told[0]
    assert f"for '{name}' has an error; correct that file first (36 entries)" in lines[told[0]]
    assert len(lines) <= 9, ended.out
