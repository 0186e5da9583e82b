"""Everything that readers guessed or changed stands in the terminal, before and after sending."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bulkload.cli.output.console import change_line
from bulkload.journal.report import Change, DecisionEvidence
from bulkload.localstudio import LocalStudio
from tests.archives import specification
from tests.jobs import Jobs
from tests.official import judge_of


def gamry(path: Path) -> Path:
    """Write a made-up Gamry discharge: its header names a person, its current is negative."""
    rows = [f"\t{i}\t{i}\t{3.7 - i / 50:.2f}\t-0.5\t-1.8\t25.5\t..........." for i in range(40)]
    lines = [
        "EXPLAIN",
        "TAG\tPWR800_DISCHARGE",
        "TITLE\tLABEL\tA cell\tTest &Identifier",
        "DATE\tLABEL\t12/17/2019\tDate",
        "TIME\tLABEL\t16:24:35\tTime",
        "PSTAT\tPSTAT\tIFC1010-1\tPotentiostat",
        "NOTES\tNOTES\t1\t&Notes...",
        "\task Ada",
        f"CURVE\tTABLE\t{len(rows)}",
        "\tPt\tT\tVf\tIm\tPwr\tTemp\tOver",
        "\t#\ts\tV vs. Ref.\tA\tW\tdeg C\tbits",
        *rows,
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def arbin(path: Path, *, repeated: int = 0, extra: str = "") -> Path:
    """Write a made-up Arbin table: a charge and a discharge of 20 rows each, 60 s apart.

    ``repeated`` rows have the time of the row before; ``extra`` names a column of text.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "Data_Point,Test_Time(s),Step_Index,Cycle_Index,Current(A),Voltage(V)"
    lines = [head + (f",{extra}" if extra else "")]
    for row in range(40):
        time = 60 * (row - (1 if 0 < row <= repeated else 0))
        is_charge = row < 20
        volts = 3.0 + 0.02 * row if is_charge else 3.4 - 0.02 * (row - 20)
        amperes = 1.0 if is_charge else -1.0
        line = f"{row + 1},{time},{1 if is_charge else 2},1,{amperes},{volts:.3f}"
        lines.append(line + (",as it was" if extra else ""))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """An archive of two dialects: four files, one of them with times that repeat."""
    folder = specification(tmp_path / "lab" / "spec").parent
    arbin(folder / "cell" / "one.csv")
    arbin(folder / "cell" / "two.csv", repeated=1)
    arbin(folder / "cell" / "three.csv")
    gamry(folder / "cell" / "four.DTA")
    return tmp_path / "lab"


ACCOUNT = [
    "decided or changed while reading:",
    "current negated in 3 files (format), 1 (fit of the voltage), 160 rows",
    "header fields left out in 1 file (personal or local): notes (1)",
    (
        "header fields sent in 4 files (header): "
        "cycler (4), instrument (1), protocol (1), start_time (1), test_name (1)"
    ),
]


def test_check_tells_every_guess_and_change_in_the_terminal(jobs: Jobs, lab: Path) -> None:
    ended = jobs.command("check", lab, "--no-strict", "--workers", "1")
    lines = lines_of(ended.out)
    assert set(ACCOUNT) <= set(lines), ended.out
    (apart,) = (line for line in lines if line.startswith("times set apart"))
    assert apart.startswith("times set apart in 1 file (values)")
    # What the values settled is shown with a file; what the format lays down is not.
    assert any("two.csv: 1 repeated times set apart" in line for line in lines), ended.out
    assert [line for line in lines if "positive current was charge" in line] == [
        f"{lab}/spec/cell/four.DTA: positive current was charge (fit of the voltage): negated"
    ]


def test_header_fields_that_are_asked_for_are_sent(
    jobs: Jobs, studio: LocalStudio, lab: Path
) -> None:
    jobs.use(studio)
    ended = jobs.upload(lab, "--no-strict", "--header-fields", "notes")
    assert ended.code == 0, ended.out + ended.err
    assert "header fields left out" not in ended.out
    assert "notes (1)" in ended.out
    with judge_of(studio) as judge:
        notes = {held.record.name: held.record.notes for held in judge.measurements()}
    assert notes == {"one": None, "two": None, "three": None, "four": "ask Ada"}


def test_a_header_field_that_nobody_knows_is_refused(jobs: Jobs, lab: Path) -> None:
    ended = jobs.command("check", lab, "--header-fields", "notes, name of the cat")
    assert ended.code == 2
    assert "nameofthecat: not a field that is held back" in ended.err
    assert "barcode_comment, notes, operator, source_file_path" in ended.err


def test_upload_tells_it_too_and_the_transforms(jobs: Jobs, studio: LocalStudio, lab: Path) -> None:
    jobs.use(studio)
    ended = jobs.upload(lab, "--no-strict", "--transform", "reset_time")
    assert ended.code == 0, ended.out + ended.err
    assert set(ACCOUNT) <= set(lines_of(ended.out)), ended.out
    assert jobs.command("account", "job", "--out", "account.jsonl").code == 0
    account = (jobs.folder / "account.jsonl").read_text("utf-8").splitlines()
    changes = {one["measurement"]: one["changes"] for one in map(json.loads, account)}
    assert "current_negated: positive current was charge (fit of the voltage)" in changes["four"]
    assert "times_set_apart: 1 repeated times set apart" in changes["two"]
    assert "times_set_apart" not in changes["one"]
    # The same command again prepares nothing, and its account is that of the same plan.
    again = jobs.upload(lab, "--no-strict", "--transform", "reset_time")
    assert set(ACCOUNT) <= set(lines_of(again.out)), again.out


def test_a_line_counts_files_rows_and_columns() -> None:
    def evidence(name: str, files: int, rows: int = 0) -> DecisionEvidence:
        return DecisionEvidence(evidence=name, files=files, rows=rows, example="")

    negated = Change(
        code="current_negated", by_evidence=(evidence("format", 1100), evidence("voltage fit", 3))
    )
    assert change_line(negated) == "current negated in 1,100 files (format), 3 (voltage fit)"
    columns = Change(
        code="columns_left_out",
        by_evidence=(
            replace(evidence("text", 2), columns=(("Remark", 2), ("Range", 1)), more_columns=1),
        ),
    )
    assert change_line(columns) == (
        "columns left out in 2 files (text): Remark (2), Range (1) and 1 more"
    )
    rows = Change(code="rows_left_out", by_evidence=(evidence("no value", 1, 7),))
    assert change_line(rows) == "rows left out in 1 file (no value), 7 rows"
    dates = Change(code="day_first", by_evidence=(evidence("running time", 15),))
    assert change_line(dates) == "day first taken in 15 files (running time)"
    # A journal of a later bulkload may hold a word that this one does not know.
    assert change_line(Change(code="a_word", by_evidence=(evidence("", 1),))) == "a word in 1 file"


def test_what_was_decided_about_a_rejected_file_is_said_too(
    jobs: Jobs, studio: LocalStudio, lab: Path
) -> None:
    """Whether the reader or the cell is at fault shows in what the reader decided."""
    narrow = ("--voltage-window", "3.0,3.01")
    checked = jobs.command("check", lab, *narrow)
    assert checked.code == 3
    assert ACCOUNT[1] in lines_of(checked.out), checked.out
    jobs.use(studio)
    ended = jobs.upload(lab, *narrow)
    assert ended.code == 3
    assert set(ended.counts) == {"rejected"}
    assert ACCOUNT[1] in lines_of(ended.out), ended.out
    assert jobs.command("account", "job", "--out", "account.jsonl").code == 0
    account = (jobs.folder / "account.jsonl").read_text("utf-8").splitlines()
    changes = {one["measurement"]: one["changes"] for one in map(json.loads, account)}
    assert "current_negated: positive current was charge (laid down by" in changes["one"]
    for asked in (("four", "--job", "job"), (lab / "spec/cell/four.DTA", *narrow)):
        shown = jobs.command("show", *asked)
        assert shown.code == 3
        assert "current negated (fit of the voltage, 40 rows): " in shown.out
        assert "read by gamry" in shown.out
