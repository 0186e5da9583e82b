"""One file, or one measurement, with everything that is known of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkload.localstudio import LocalStudio
from tests.jobs import Jobs
from tests.shell.test_changes import arbin, gamry, lab, lines_of

__all__ = ["lab"]


def test_a_file_with_its_evidence_changes_and_header(jobs: Jobs, tmp_path: Path) -> None:
    path = gamry(tmp_path / "run.DTA")
    ended = jobs.command("show", path, "--no-strict")
    assert ended.code == 0, ended.out + ended.err
    lines = lines_of(ended.out)
    assert f"{path}: gamry (its signature fits and no other does)" in lines
    assert any(line.startswith("fits: gamry: ") for line in lines)
    assert any("SHA-256" in line for line in lines)
    assert "40 rows" in lines
    assert any(line.startswith("Voltage [V]") for line in lines)
    assert any(line.startswith("current negated (fit of the voltage, 40 rows): ") for line in lines)
    sent, kept = ended.out.split("header fields not sent (--header-fields sends them):")
    assert "  cycler: Gamry" in sent
    assert kept.startswith("\n  notes: ask Ada\n")
    assert "verdict:\n  fit to be uploaded" in ended.out
    # Asked for, the note is among what is sent.
    asked = jobs.command("show", path, "--no-strict", "--header-fields", "notes")
    assert "header fields not sent" not in asked.out


def test_a_file_that_cannot_be_sent_names_its_rows(jobs: Jobs, tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    rows = [f"{time},{3.7 - 0.01 * at},1.0,0" for at, time in enumerate([0, 10, 20, 15, 40])]
    path.write_text(
        "Time [s],Voltage [V],Current [A],Step count\n" + "\n".join(rows) + "\n", "utf-8"
    )
    ended = jobs.command("show", path)
    assert ended.code == 3
    assert "error time_not_monotonic: " in ended.out
    assert "row_index 3" in ended.out
    assert "verdict:\n  rejected: time_not_monotonic" in ended.out


def test_what_is_no_known_file_is_said(jobs: Jobs, tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Ada,\nthe cell is fine.\n", "utf-8")
    assert jobs.command("show", path).code == 3
    gone = jobs.command("show", "gone.csv")
    assert gone.code == 2
    assert "name its job with --job" in gone.err
    lonely = jobs.command("show", path, "--studio")
    assert lonely.code == 2
    assert "--studio needs --job" in lonely.err


def test_what_a_file_holds_moves_no_cursor(jobs: Jobs, tmp_path: Path) -> None:
    path = arbin(tmp_path / "run.csv", extra="Re\x1b[2Jmark")
    ended = jobs.command("show", path, "--no-strict")
    assert "\x1b" not in ended.out


@pytest.mark.parametrize("asked", ["name", "names", "id", "path"])
def test_a_measurement_of_a_job(jobs: Jobs, studio: LocalStudio, lab: Path, asked: str) -> None:
    jobs.use(studio)
    ended = jobs.upload(lab, "--no-strict", "--transform", "reset_time,set_capacity")
    assert ended.code == 0, ended.out + ended.err
    row = ended.rows["two"]
    assert row.measurement_id is not None
    word = {
        "name": "two",
        "names": "spec / cell / two",
        "id": row.measurement_id,
        "path": str(lab / "spec" / "cell" / "two.csv"),
    }[asked]
    shown = jobs.command("show", word, "--job", "job", "--studio")
    assert shown.code == 0, shown.out + shown.err
    lines = lines_of(shown.out)
    assert lines[0] == "spec / cell / two"
    assert "read by arbin 0.1.0 (Arbin table)" in lines
    assert any(line.startswith("times set apart (values, 1 row): ") for line in lines)
    assert "reset_time: nothing to change" in lines
    assert "set_capacity: nothing to change" in lines
    assert "state:\n  ready" in shown.out
    history = [line.rpartition(" ")[2] for line in lines if " UTC  " in line]
    assert history[0] == "SourcePrepared"
    assert history[-1] == "ProcessingReady"
    assert f"id: {row.measurement_id}" in lines
    assert "names the same source as the journal" in lines


def test_a_measurement_that_is_gone_from_studio_or_unknown(
    jobs: Jobs, studio: LocalStudio, lab: Path
) -> None:
    jobs.use(studio)
    assert jobs.upload(lab, "--no-strict").code == 0
    assert jobs.command("rollback", "job", "--yes").code == 0
    shown = jobs.command("show", "two", "--job", "job", "--studio")
    assert shown.code == 3
    assert "no longer holds" in shown.out
    unknown = jobs.command("show", "five", "--job", "job")
    assert unknown.code == 2
    assert "holds no measurement with the name, the id or the file five" in unknown.err
