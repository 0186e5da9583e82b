"""The repair loop: what a rejected file would pass with, and a retry with just that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import series, specification, sums, write
from tests.jobs import Jobs, event_names
from tests.official import judge_of
from tests.shell.test_accept import account


def replaced(table: pa.Table, **columns: np.ndarray) -> pa.Table:
    names = {"time": "Time [s]", "voltage": "Voltage [V]"}
    for name, values in columns.items():
        index = table.column_names.index(names[name])
        table = table.set_column(index, names[name], pa.array(values))
    return table


def late(table: pa.Table) -> pa.Table:
    return replaced(table, time=np.asarray(table["Time [s]"]) + 5.0)


def without_steps(table: pa.Table) -> pa.Table:
    labels = pa.array(np.asarray(table["Step count"]) + 7)
    return table.drop_columns(["Step count"]).append_column("Step from cycler", labels)


def jumping(table: pa.Table) -> pa.Table:
    voltage = np.asarray(table["Voltage [V]"]).copy()
    # A sample in the middle of each step is lost: the sign of the current stays plain.
    voltage[7::15] -= 1.7
    return replaced(table, voltage=voltage)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    specification(root / "spec")
    cell = root / "spec" / "cell"
    for number in range(3):
        write(cell / f"good {number}.csv", series(seed=number))
        write(cell / f"both {number}.csv", without_steps(late(series(seed=10 + number))))
    write(cell / "late.csv", late(series(seed=20)))
    write(cell / "jumps.csv", jumping(series(seed=30)))
    (cell / "no test.csv").write_text("not a test\n")
    return root


BOTH = (
    "  3 files: time does not start at zero, step count missing; "
    "would pass with --transform reset_time,set_step_count\n"
)
LATE = "  1 file: time does not start at zero; would pass with --transform reset_time\n"
JUMPS = "  1 file: voltage continuity; would pass with --skip-check voltage_continuity\n"


def test_check_names_all_findings_of_a_file_and_what_it_would_pass_with(
    jobs: Jobs, root: Path
) -> None:
    ended = jobs.command("check", "archive", "--workers", "1")
    assert ended.code == 3
    for line in (BOTH, LATE, JUMPS):
        assert line in ended.out, ended.out
    both = root / "spec" / "cell" / "both 0.csv"
    assert f"{both}: (1) " in ended.out
    assert " (2) " in ended.out
    # What could not be read is told as it was: nothing was tried on it.
    assert "rejected: unknown_format (1)" in ended.out
    shown = jobs.command("show", both)
    assert "would pass with:\n  --transform reset_time,set_step_count\n" in shown.out


def test_a_retry_gives_one_root_what_it_needs_and_changes_nothing_else(
    jobs: Jobs, studio: LocalStudio, root: Path, tmp_path: Path
) -> None:
    jobs.use(studio)
    first = jobs.upload("archive")
    assert (first.code, first.counts) == (3, {"created": 3, "rejected": 6}), first.out
    assert (
        "    bulkload retry job --cause time_does_not_start_at_zero+step_count_missing "
        "--transform reset_time,set_step_count\n"
    ) in first.out
    assert BOTH in jobs.command("status", "job").out
    rows = account(tmp_path / "job")
    assert rows["both 0.csv"]["remedy"] == "--transform reset_time,set_step_count"
    assert rows["both 0.csv"]["findings"].startswith("time_does_not_start_at_zero: ")
    assert "step_count_missing: " in rows["both 0.csv"]["findings"]
    before = {name: row.state for name, row in first.rows.items()}

    root_name = "time_does_not_start_at_zero+step_count_missing"
    retried = jobs.command(
        "retry", "job", "--cause", root_name, "--transform", "reset_time,set_step_count",
        "--workers", "1",
    )  # fmt: skip
    assert retried.code == 3
    assert "chosen by a retry: --transform reset_time,set_step_count (3 measurements)" in (
        retried.out
    )
    ended = type(first)(code=0, out="", err="", job=tmp_path / "job")
    after = {name: row.state for name, row in ended.rows.items()}
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"both 0", "both 1", "both 2"}
    assert event_names(tmp_path / "job", "late").count("SourceRejected") == 1
    with judge_of(studio) as judge:
        held = judge.by_key()["spec", "cell", "both 0"]
        found = sums(judge.time_series(held.id))
    assert found["Time [s]"] == pytest.approx(sums(series())["Time [s]"])
    assert account(tmp_path / "job")["both 0.csv"]["treatment"] == (
        "--transform reset_time,set_step_count"
    )

    page = (tmp_path / "job" / "report.html").read_text("utf-8")
    assert "1 file: voltage continuity; would pass with --skip-check voltage_continuity." in page
    assert "<code>--transform reset_time,set_step_count</code>: 3 measurements" in page
    jumps = jobs.command(
        "retry", "job", "--cause", "voltage_continuity", "--skip-check", "voltage_continuity",
        "--workers", "1",
    )  # fmt: skip
    assert jumps.code == 3
    assert {name for name, row in ended.rows.items() if row.state == "rejected"} == {
        "late",
        "no test",
    }


def test_what_a_retry_chose_holds_in_later_runs(
    jobs: Jobs, studio: LocalStudio, root: Path, tmp_path: Path
) -> None:
    jobs.use(studio)
    jobs.upload("archive")
    cause = ("--cause", "voltage_continuity")
    jobs.command(
        "retry", "job", *cause, "--skip-check", "voltage_continuity", "--workers", "1"
    )  # fmt: skip
    # It grows: the same command prepares it with what was chosen for it.
    write(root / "spec" / "cell" / "jumps.csv", jumping(series(rows=90, steps=6, seed=30)))
    again = jobs.upload("archive")
    assert again.rows["jumps"].state == "ready", again.out
    assert again.rows["jumps"].rows == 90
    assert "chosen by a retry: --skip-check voltage_continuity (1 measurement)" in again.out
    # A new file with the same fault is not meant.
    write(root / "spec" / "cell" / "jumps too.csv", jumping(series(seed=31)))
    assert jobs.upload("archive").rows["jumps too"].cause == "voltage_continuity"
    resumed = jobs.command("resume", "job", "--workers", "1")
    assert "voltage_continuity (1)" in resumed.out


def test_a_treatment_adds_up_and_can_be_forgotten(
    jobs: Jobs, studio: LocalStudio, root: Path, tmp_path: Path
) -> None:
    jobs.use(studio)
    first = jobs.upload("archive")
    name = "time_does_not_start_at_zero+step_count_missing"
    half = jobs.command("retry", "job", "--cause", name, "--transform", "reset_time")
    # What is missing is found beside what has been chosen.
    assert "step count missing; would pass with --transform set_step_count" in half.out
    forgotten = jobs.command("retry", "job", "--cause", "step_count_missing", "--as-planned")
    assert BOTH in forgotten.out
    assert "chosen by a retry" not in forgotten.out
    half = jobs.command("retry", "job", "--cause", name, "--transform", "reset_time")
    whole = jobs.command(
        "retry", "job", "--cause", "step_count_missing", "--transform", "set_step_count"
    )
    assert "chosen by a retry: --transform reset_time,set_step_count (3 measurements)" in whole.out
    assert first.rows["both 1"].state == "ready"


def test_a_retry_names_what_it_does_not_know(jobs: Jobs, studio: LocalStudio, root: Path) -> None:
    jobs.use(studio)
    jobs.upload("archive")
    ended = jobs.command("retry", "job", "--cause", "voltage_continuity+odd")
    assert ended.code == 2
    assert "time_does_not_start_at_zero+step_count_missing" in ended.err
    ended = jobs.command("retry", "job", "--transform", "set_sing")
    assert (ended.code, "unknown transform 'set_sing'" in ended.err) == (2, True)
    ended = jobs.command("retry", "job", "--skip-check", "odd")
    assert (ended.code, "unknown check: odd" in ended.err) == (2, True)
