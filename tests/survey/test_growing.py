"""Next week's files in a plan that a person has corrected, and habits that need a second look."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from bulkload.core.survey.cells import KnownCells
from tests.archives import series, write
from tests.jobs import Jobs
from tests.survey.test_lifelike import edit, rows_of, sheets
from tests.survey.test_survey import one_of

HEADER = "Zelle;Bezeichnung;Los;Kapazität (mAh);Umin [V];Umax [V]\n"


def lab(root: Path) -> None:
    """Write a first week: channels and days as folders, and cells that a short name stands for."""
    lines = "".join(f"Zelle {n:02d};NMC coin;L{n % 2};2;2,5;4,2\n" for n in range(1, 7))
    (root / "cells.csv").write_text(HEADER + lines, "utf-8")
    for n in range(1, 7):
        path = root / "lab" / f"Kanal_{n + 8:02d}" / f"Z{n}_HPPC_mh_2024-03-12.csv"
        write(path, series(seed=n))
    write(root / "lab" / "2024-04-08" / "KL" / "zelle01 ocv 40grad.csv", series(seed=20))
    write(root / "lab" / "for Anna.csv", series(seed=30))


def next_week(root: Path) -> None:
    write(root / "lab" / "2024-04-15" / "KL" / "zelle01 ocv 40grad.csv", series(seed=40))
    write(root / "lab" / "2024-04-15" / "KL" / "zelle03 special.csv", series(seed=41))
    # Before the file that the plan has, so that the survey alone would take that for the copy.
    write(root / "lab" / "2024-04-01" / "KL" / "zelle01 ocv 40grad.csv", series(seed=20))


def settle(row: dict[str, Any]) -> dict[str, Any]:
    if row["path"].endswith("for Anna.csv"):
        return {"cell": "Zelle 03", "measurement": "special"}
    if row["path"].endswith("ocv 40grad.csv"):
        return {"measurement": "resting"}
    return {}


def test_the_rows_that_a_person_corrected_stay_and_new_files_are_added(
    jobs: Jobs, tmp_path: Path
) -> None:
    lab(tmp_path)
    first = jobs.command("survey", "lab", "--cells", "cells.csv", "--out", "plan.xlsx")
    assert first.code == 3, first.out + first.err
    assert "'Bezeichnung' as spec" in " ".join(first.out.split())
    assert "{channel}/{cell}_{measurement}_{date}.*: 6 of 6 paths fit" in first.out
    channels = {row["path"]: row for row in rows_of(sheets(tmp_path / "plan.xlsx")["plan"])}
    short = channels["lab/Kanal_09/Z1_HPPC_mh_2024-03-12.csv"]
    assert (short["cell"], short["spec"], short["channel"]) == ("Zelle 01", "NMC coin", "9")
    assert (short["sureness"], short["warnings"]) == (
        "likely", "Z1 is taken for the cell 'Zelle 01'",
    )  # fmt: skip

    assert edit(tmp_path / "plan.xlsx", settle) == 3
    before = sheets(tmp_path / "plan.xlsx")
    next_week(tmp_path)
    again = jobs.command("survey", "plan.xlsx", "lab", "--cells", "cells.csv", "--out", "plan.xlsx")
    assert again.code == 3, again.out + again.err
    assert "8 rows of the plan stay as they are; the new ones are:" in again.out
    after = sheets(tmp_path / "plan.xlsx")
    assert after["plan"][: len(before["plan"])] == before["plan"]
    assert after["specifications"] == before["specifications"]
    assert after["cells"] == before["cells"]
    new = {row["path"]: row for row in rows_of(after["plan"])[len(before["plan"]) - 1 :]}
    assert set(new) == {
        "lab/2024-04-01/KL/zelle01 ocv 40grad.csv",
        "lab/2024-04-15/KL/zelle01 ocv 40grad.csv",
        "lab/2024-04-15/KL/zelle03 special.csv",
    }
    copy = new["lab/2024-04-01/KL/zelle01 ocv 40grad.csv"]
    assert (copy["upload"], copy["rule"]) == ("no", "copy")
    assert copy["copy_of"] == "2024-04-08/KL/zelle01 ocv 40grad.csv"
    added = new["lab/2024-04-15/KL/zelle01 ocv 40grad.csv"]
    assert (added["upload"], added["cell"], added["start_time"]) == (
        "yes", "Zelle 01", "2024-04-15",
    )  # fmt: skip
    clash = new["lab/2024-04-15/KL/zelle03 special.csv"]
    assert (clash["upload"], clash["sureness"]) == ("", "open")
    assert "the plan has this name already, for 'lab/for Anna.csv'" in clash["warnings"]


def test_a_plan_that_is_there_is_kept_beside_the_new_one(jobs: Jobs, tmp_path: Path) -> None:
    lab(tmp_path)
    jobs.command("survey", "lab", "--cells", "cells.csv", "--out", "plan.csv")
    before = (tmp_path / "plan.csv").read_bytes()
    again = jobs.command("survey", "lab", "--out", "plan.csv")
    assert "plan.csv existed, and is now plan.before.csv" in " ".join(again.out.split())
    assert (tmp_path / "plan.before.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plan.csv", "--out", "plan.csv"), "bulkload survey plan.csv FOLDER --out plan.csv"),
        (("plan.csv", "lab"), "bulkload survey plan.csv FOLDER --out plan.csv"),
        (("cells.csv", "lab", "--out", "plan.csv"), "cells.csv has no column 'path'"),
    ],
)
def test_what_cannot_be_surveyed_again_is_a_sentence(
    jobs: Jobs, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    lab(tmp_path)
    with (tmp_path / "plan.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "cell"], ["lab/for Anna.csv", "Zelle 03"]])
    before = (tmp_path / "plan.csv").read_bytes()
    ended = jobs.command("survey", *words)
    assert ended.code == 2
    assert said in ended.err
    assert (tmp_path / "plan.csv").read_bytes() == before


def test_a_short_name_counts_where_every_name_has_one() -> None:
    found = one_of("a/Z1_x.csv", "a/Z2_x.csv", "a/Z3_x.csv", cells="Zelle1 Zelle2 Zelle3")
    assert [one.cell for one in found] == ["Zelle1", "Zelle2", "Zelle3"]
    # A rate is no cell, nor is what two cells could be called.
    rates = one_of("a/C1_x.csv", "a/C2_x.csv", "a/C3_x.csv", cells="Cell1 Cell2 Cell3")
    assert [one.cell for one in rates] == ["", "", ""]
    known = KnownCells(["Zelle 1", "Zink 1", "Zelle 2"])
    assert known.abbreviated("Z1") is None
    assert known.abbreviated("Ze1") == "Zelle 1"
    assert known.abbreviated("Z2b") is None
