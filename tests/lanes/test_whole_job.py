"""What is asked of a job of several parts is answered for all of them together."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from bulkload.journal.parts import part_folders
from bulkload.localstudio import LocalStudio
from tests.archives import archive, series, write
from tests.jobs import Jobs
from tests.lanes.divided import account, assert_all_arrived, rows_of, summary
from tests.official import judge_of

COMMAND = ("upload", "archive", "--job", "job", "--parts", "3", "--lanes", "1", "--workers", "1")


def test_every_command_sees_the_whole_job(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> None:
    made = archive(tmp_path / "archive", specs=2, cells=3, measurements=2)
    bad = tmp_path / "archive/spec 1/cell 2/broken.csv"
    bad.write_text("Time [s],Voltage [V]\n1,2\n", "utf-8")
    jobs.use(studio)
    references = ("--references", "references.csv", "--summary", "own.json")
    ended = jobs.command(*COMMAND, *references)
    assert ended.code == 3, ended.out + ended.err
    assert json.loads((tmp_path / "own.json").read_text("utf-8")) == summary(tmp_path / "job")
    with (tmp_path / "references.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 12

    told = jobs.command("status", "job").out
    assert "          12  created" in told
    assert "           1  rejected" in told
    cause = rows_of(tmp_path / "job")[str(bad)].cause
    assert jobs.command("status", "job", "--list", cause).out.count("\n") == 1
    assert jobs.command("account", "job", "--out", "all.jsonl").out.startswith("13 entries")
    shown = jobs.command("show", "run 1", "--job", "job")
    assert shown.out.count("ProcessingReady") == 6
    intact = jobs.command("journal", "check", "job")
    assert (intact.code, intact.out.count("is intact")) == (0, 3)
    verified = jobs.command("verify", "job", "--all")
    assert verified.code == 0, verified.out + verified.err
    assert "12" in verified.out
    rows = account(tmp_path / "job")
    assert sum(row["verify_result"] == "equal" for row in rows) == 12

    # What was wrong is put right, and only that is tried again.
    write(bad, series(seed=49))
    requests = studio.requests.by_endpoint["measurement.initiate"]
    retried = jobs.command("retry", "job", "--cause", cause, "--workers", "1")
    assert retried.code == 0, retried.out + retried.err
    assert studio.requests.by_endpoint["measurement.initiate"] == requests + 1
    assert summary(tmp_path / "job")["counts"]["created"] == 13
    write(tmp_path / "archive/spec 0/cell 0/later.csv", series(seed=48))
    resumed = jobs.command("resume", "job", "--lanes", "2", "--workers", "1")
    assert resumed.code == 0, resumed.out + resumed.err
    made = {
        **made,
        ("spec 1", "cell 2", "broken"): series(seed=49),
        ("spec 0", "cell 0", "later"): series(seed=48),
    }
    assert_all_arrived(studio, tmp_path / "job", made)
    # A finished job says what is new once, also for parts that no lane had to run.
    assert "recovered" not in jobs.command("resume", "job").out

    refused = jobs.command("rollback", "job", "--run", "1", "--yes")
    assert refused.code == 2
    assert "several parts" in refused.err
    undone = jobs.command("rollback", "job", "--yes")
    assert undone.code == 0, undone.out
    with judge_of(studio) as judge:
        assert judge.measurements() == []
        assert list(judge.client.cell_spec.list()) == []
    again = jobs.command("resume", "job", "--workers", "1")
    assert again.code == 0, again.out + again.err
    assert_all_arrived(studio, tmp_path / "job", made)


def test_a_part_that_is_missing_is_told_and_never_counted_as_done(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", specs=1, cells=6, measurements=1)
    jobs.use(studio)
    assert jobs.command(*COMMAND).code == 0
    gone = part_folders(tmp_path / "job")[1]
    gone.rename(tmp_path / "elsewhere")
    told = jobs.command("status", "job").out
    assert "NOT COUNTED: 1 part not in this folder (0001)" in told
    refused = jobs.command("verify", "job")
    assert refused.code == 2
    assert "0001" in refused.err
