"""Known and accepted: a mark with who, when and why, that holds as long as the file is the same."""

from __future__ import annotations

import csv
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bulkload.journal import FILE_NAME, Store
from bulkload.journal.acceptance import acceptances
from bulkload.journal.lock import exclusive
from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Ended, Jobs


@pytest.fixture
def job(jobs: Jobs, studio: LocalStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job of four good files, two that are no tests, and one that fits no layout."""
    root = tmp_path / "archive"
    archive(root, measurements=4, rows=20)
    cell = root / "spec 0" / "cell 0"
    for name in ("aborted 1", "aborted 2"):
        (cell / f"{name}.csv").write_text(f"not a test: {name}\n")
    (root / "notes.txt").write_text("a misfit")
    monkeypatch.setenv("LOGNAME", "anna")
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert (ended.code, ended.counts) == (3, {"created": 4, "rejected": 3}), ended.out
    return tmp_path / "job"


def account(job: Path) -> dict[str, dict[str, str]]:
    with (job / "account.csv").open(encoding="utf-8-sig", newline="") as file:
        return {Path(row["path"]).name: row for row in csv.DictReader(file)}


def aborted(jobs: Jobs, *words: str) -> Ended:
    return jobs.command("accept", "job", "--cause", "unknown_format", *words)


def test_the_night_after_ends_with_0_and_names_what_is_accepted(jobs: Jobs, job: Path) -> None:
    first = aborted(jobs, "--reason", "the operator aborted them")
    assert first.code == 0, first.err
    assert first.out == (
        "2 entries accepted:\n"
        f"  unknown_format: {job.parent}/archive/spec 0/cell 0/aborted 1.csv\n"
        f"  unknown_format: {job.parent}/archive/spec 0/cell 0/aborted 2.csv\n"
        "by anna: the operator aborted them\n"
        "1 rejected or failed entry is not accepted\n"
    )
    assert jobs.upload("archive").code == 3
    last = jobs.command("accept", "job", "archive/notes.txt", "--reason", "a note")
    assert last.out.endswith("by anna: a note\n0 rejected or failed entries are not accepted\n")
    ended = jobs.upload("archive")
    assert ended.code == 0, ended.out
    # The outcomes stay the five, and the accepted ones are named beside them.
    assert ended.counts == {"created": 4, "rejected": 3}
    assert ended.summary["accepted"] == {"unknown_format": 2, "no_layout": 1}
    assert "3  of the rejected and failed are known and accepted" in ended.out
    page = (job / "report.html").read_text("utf-8")
    assert "4 arrived, 3 did not, of which 3 are known and accepted" in page
    assert "2 known and accepted" in page
    status = jobs.command("status", "job").out
    assert "           3  of the rejected and failed are known and accepted\n" in status
    assert "unknown_format: 2 (2 accepted)\n" in status
    assert "the command was: bulkload upload" in status
    rows = account(job)
    for name, reason in (("aborted 1.csv", "the operator aborted them"), ("notes.txt", "a note")):
        assert rows[name]["outcome"] == "rejected"
        assert rows[name]["accepted_by"] == "anna"
        assert rows[name]["accepted_because"] == reason
        assert rows[name]["accepted"].startswith("20")
    assert rows["run 0.csv"]["accepted"] == ""


def test_a_mark_can_be_taken_back_and_stays_on_record(jobs: Jobs, job: Path) -> None:
    jobs.command("accept", "job", "archive/notes.txt", "--reason", "a note")
    aborted(jobs, "--reason", "aborted")
    assert jobs.upload("archive").code == 0
    undone = aborted(jobs, "--undo")
    assert undone.out.startswith("2 entries no longer accepted:\n")
    assert jobs.upload("archive").code == 3
    with Store(job / FILE_NAME, is_read_only=True) as store:
        marks = [(one.reason, one.ended_by, one.holds) for one in acceptances(store)]
    assert marks == [("a note", None, 1), ("aborted", "anna", 0), ("aborted", "anna", 0)]


def test_a_file_whose_content_changes_is_judged_anew(jobs: Jobs, job: Path) -> None:
    jobs.command("accept", "job", "archive/notes.txt", "--reason", "a note")
    aborted(jobs, "--reason", "aborted")
    file = job.parent / "archive" / "spec 0" / "cell 0" / "aborted 1.csv"
    text = file.read_text()
    # Only touched: it has the content that was accepted.
    os.utime(file, ns=(10**18, 10**18))
    assert jobs.upload("archive").code == 0
    file.write_text(text + "still not a test\n")
    ended = jobs.upload("archive")
    assert (ended.code, ended.summary["accepted"]) == (3, {"unknown_format": 1, "no_layout": 1})
    # A retry of what is unchanged keeps the other mark.
    assert jobs.command("retry", "job", "--cause", "unknown_format", "--workers", "1").code == 3
    assert ended.summary["accepted"] == {"unknown_format": 1, "no_layout": 1}
    # Another cause of the same file is another finding.
    (job.parent / "archive" / "spec 0" / "cell 0" / "aborted 2.csv").write_text("")
    assert jobs.upload("archive").summary["accepted"] == {"no_layout": 1}
    file.write_text(text)
    assert jobs.upload("archive").summary["accepted"] == {"unknown_format": 1, "no_layout": 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--reason", "x"), "name what is accepted: --cause CAUSE, or files"),
        (("--cause", "no_layout"), "say why with --reason TEXT"),
        (("--cause", "no_layout", "--reason", "  "), "say why with --reason TEXT"),
        (("--cause", "no_layout", "--reason", "x" * 1001), "has 1,001 characters; at most 1,000"),
        (("--cause", "odd", "--reason", "x"), "its causes: no_layout, unknown_format"),
        (("run 0", "--reason", "x"), "no rejected or failed entry"),
        (("--cause", "no_layout", "--undo"), "what is named (1 entry) is not accepted"),
    ],
)
def test_what_cannot_be_accepted_is_said_and_changes_nothing(
    jobs: Jobs, job: Path, words: tuple[str, ...], message: str
) -> None:
    ended = jobs.command("accept", "job", *words)
    assert ended.code == 2
    assert message in ended.err
    with Store(job / FILE_NAME, is_read_only=True) as store:
        assert not list(acceptances(store))


def test_nothing_is_accepted_while_a_run_is_at_work(jobs: Jobs, job: Path) -> None:
    with exclusive(job):
        ended = aborted(jobs, "--reason", "x")
    assert ended.code == 2
    assert "another run is using" in ended.err


def test_a_journal_of_version_2_is_read_and_taken_on(jobs: Jobs, job: Path) -> None:
    with closing(sqlite3.connect(job / FILE_NAME)) as old:
        old.executescript(
            "DROP VIEW accepted_job; DROP VIEW accepted_entry; DROP TABLE acceptance; "
            "DROP TABLE treatment; PRAGMA user_version=2;"
        )
    # Only reading leaves it as it is.
    assert "2  rejected" not in jobs.command("status", "job").out
    with closing(sqlite3.connect(job / FILE_NAME)) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (2,)
    assert aborted(jobs, "--reason", "aborted").code == 0
    with closing(sqlite3.connect(job / FILE_NAME)) as new:
        assert new.execute("PRAGMA user_version").fetchone() == (3,)
    assert jobs.upload("archive").summary["accepted"] == {"unknown_format": 2}


def test_files_that_are_known_do_not_hold_up_the_few_that_are_good(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    archive(root, measurements=2, rows=20)
    for number in range(3):
        (root / f"stray {number}.csv").write_text("a stray")
    jobs.use(studio)
    refused = jobs.upload("archive")
    assert refused.code == 2
    assert "3 of 5 entries are in the way" in refused.err
    assert jobs.command("accept", "job", "--cause", "no_layout", "--reason", "ours").code == 0
    ended = jobs.upload("archive")
    assert (ended.code, ended.counts) == (0, {"created": 2, "rejected": 3}), ended.err


def test_a_job_of_several_parts_is_accepted_retried_and_packed_as_one(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    archive(root, cells=4, measurements=2, rows=20)
    for number in range(4):
        (root / "spec 0" / f"cell {number}" / "bad.csv").write_text(f"not a test: {number}\n")
    jobs.use(studio)
    first = jobs.upload("archive", "--parts", "3", "--quiet")
    assert first.code == 3
    assert first.out.startswith("job: 12 new, 4 newly rejected; 12 planned: 8 created, 4 rejected;")
    accepted = jobs.command("accept", "job", "--cause", "unknown_format", "--reason", "known")
    assert accepted.out.startswith("4 entries accepted:\n"), accepted.err
    assert accepted.out.endswith("0 rejected or failed entries are not accepted\n")
    again = jobs.upload("archive", "--quiet")
    assert again.code == 0, again.out + again.err
    assert again.out.startswith("job: 4 newly accepted; 12 planned: 8 created, 4 rejected;")
    assert again.summary["accepted"] == {"unknown_format": 4}
    packed = jobs.command("pack", "job", "--out", "pack.zip")
    assert packed.code == 0, packed.err
    checked = jobs.command("verify", "pack.zip")
    assert checked.out.endswith("8 measurements compared with Studio, 160 rows: 0 differences\n")
