"""A test in several files becomes one measurement; a joint that does not fit is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa

from bulkload.localstudio import LocalStudio
from tests.archives import series, specification, write
from tests.jobs import Jobs
from tests.official import judge_of

HEADER = "spec,cell,measurement,path,start_time,continues\n"
FIRST = "S,c,test,a.csv,2024-01-01T00:00:00+00:00,\n"
#: 60 rows of 10 s: the next part begins a minute after the last row.
SECOND = ",,,b.csv,2024-01-01T00:10:50+00:00,a.csv\n"


def halves(folder: Path) -> tuple[pa.Table, pa.Table]:
    """Write a test as two files whose time, steps and cycles begin anew."""
    specification(folder, name="S")
    first, second = series(rows=60, seed=1), series(rows=40, seed=1)
    write(folder / "a.csv", first)
    write(folder / "b.csv", second)
    return first, second


def test_two_files_become_one_measurement(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> None:
    first, second = halves(tmp_path)
    (tmp_path / "plan.csv").write_text(HEADER + FIRST + SECOND)
    jobs.use(studio)
    ended = jobs.upload("plan.csv")
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": 1, "skipped": 1}
    assert ended.summary["causes"] == {"joined": 1}
    with judge_of(studio) as judge:
        (held,) = judge.measurements()
        table = judge.time_series(held.id)
    assert held.key == ("S", "c", "test")
    assert table.num_rows == 100
    time = table["Time [s]"].to_numpy()
    assert np.array_equal(time[:60], first["Time [s]"].to_numpy())
    assert np.array_equal(time[60:], second["Time [s]"].to_numpy() + 650.0)
    steps = table["Step count"].to_numpy()
    assert steps[59] == 3
    assert steps[60] == 4
    assert "parts joined" in ended.out
    assert "'b.csv' begins 60 s after 'a.csv' ends; step counts shifted by 4" in ended.out
    # Nothing changed: nothing is done again. A third part: the open test is extended.
    asked = studio.requests.total
    assert jobs.upload("plan.csv").code == 0
    assert studio.requests.total == asked
    write(tmp_path / "c.csv", series(rows=20, seed=1))
    (tmp_path / "plan.csv").write_text(
        HEADER + FIRST + SECOND + ",,,c.csv,2024-01-01T00:20:00+00:00,b.csv\n"
    )
    grown = jobs.upload("plan.csv")
    assert grown.code == 0, grown.out + grown.err
    assert grown.summary["this_run"]["grown"] == 1
    with judge_of(studio) as judge:
        (same,) = judge.measurements()
        assert same.id == held.id
        assert judge.time_series(same.id).num_rows == 120
    assert jobs.command("verify", "job", "--all").code == 0


def test_a_joint_that_does_not_fit_is_one_entry_s_outcome(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    halves(tmp_path)
    write(tmp_path / "good.csv", series(seed=3))
    (tmp_path / "plan.csv").write_text(
        HEADER + FIRST + ",,,b.csv,2024-01-01T00:01:00+00:00,a.csv\nS,c,good,good.csv,,\n"
    )
    jobs.use(studio)
    ended = jobs.upload("plan.csv")
    assert ended.code == 3
    assert ended.counts == {"created": 1, "rejected": 1, "skipped": 1}
    assert ended.summary["causes"] == {"joint_does_not_fit": 1, "joined": 1}
    assert "'b.csv' begins 530 s before 'a.csv' ends: they overlap" in ended.rows["test"].message


def test_statements_that_lead_nowhere_are_named(jobs: Jobs, tmp_path: Path) -> None:
    halves(tmp_path)
    for name in "cdef":
        write(tmp_path / f"{name}.csv", series(seed=4))
    rows = (
        FIRST + SECOND + "S,c,x,c.csv,,nothing.csv\nS,c,y,d.csv,,a.csv\n"
        "S,c,z,e.csv,,f.csv\nS,c,w,f.csv,,e.csv\n"
    )
    (tmp_path / "plan.csv").write_text(HEADER + rows)
    ended = jobs.command("plan", "plan.csv")
    assert "not_joined (4)" in ended.out
    assert "which no row of this manifest names" in ended.out
    assert "does too" in ended.out
    assert "a row that no first file of a test leads to" in ended.out


def test_a_test_with_a_part_in_the_way_is_not_sent(jobs: Jobs, tmp_path: Path) -> None:
    halves(tmp_path)
    (tmp_path / "b.csv").unlink()
    (tmp_path / "plan.csv").write_text(HEADER + FIRST + SECOND)
    ended = jobs.command("plan", "plan.csv")
    assert ended.code == 2
    assert "is one of 2 files of a test, and the row of" in ended.out
    other = ",other,,b.csv,,a.csv\n"
    halves(tmp_path)
    (tmp_path / "plan.csv").write_text(HEADER + FIRST + other)
    assert (
        "is a test of 'S / other' and continues one of 'S / c'"
        in jobs.command("plan", "plan.csv").out
    )


def test_a_written_plan_has_a_row_for_each_file(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    halves(tmp_path)
    (tmp_path / "plan.csv").write_text(HEADER + FIRST + SECOND)
    assert jobs.command("plan", "plan.csv", "--out", "again.csv").code == 0
    with (tmp_path / "again.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(Path(row["path"]).name, Path(row["continues"]).name) for row in rows] == [
        ("a.csv", ""),
        ("b.csv", "a.csv"),
    ]
    jobs.use(studio)
    ended = jobs.upload("again.csv")
    assert ended.counts == {"created": 1, "skipped": 1}, ended.out + ended.err
