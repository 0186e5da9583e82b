"""The other commands: help, check, plan, status, retry, demo."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pyarrow.compute as pc
import pytest

from bulkload import __version__
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive, series, write
from tests.jobs import Jobs, StartStudio, event_names, running, until

COMMANDS = ("demo", "studio", "plan", "check", "upload", "retry", "status")


def test_help_names_every_command(jobs: Jobs) -> None:
    ended = jobs.command("--help")
    assert ended.code == 0
    for command in COMMANDS:
        assert command in ended.out
    assert jobs.command("--version").out.strip() == __version__


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_each_of_its_options(command: str, jobs: Jobs) -> None:
    ended = jobs.command(command, "--help")
    assert ended.code == 0
    assert "Usage" in ended.out
    lines = [line for line in ended.out.splitlines() if line.strip().startswith("--")]
    assert all(len(line.split(None, 1)) == 2 for line in lines)


def test_help_loads_no_heavy_library(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from bulkload.cli import run; run(['--help']); "
        "print(sorted({'pyarrow', 'aiohttp', 'pandas', 'ionworksdata'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_check_gives_the_verdict_that_upload_would(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=3)
    (tmp_path / "archive/spec 0/cell 0/run 0.csv").write_bytes(b"")
    checked = jobs.command("check", "archive", "--workers", "1")
    jobs.use(studio)
    uploaded = jobs.upload("archive")
    assert checked.code == uploaded.code == 3
    verdict = [
        line for line in uploaded.out.splitlines() if "rejected: " in line or "run 0" in line
    ]
    assert verdict
    assert all(line in checked.out for line in verdict)


def test_plan_says_what_is_in_the_way_and_writes_the_rest(jobs: Jobs, tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=2)
    (tmp_path / "archive" / "stray.csv").write_bytes(b"x")
    ended = jobs.command("plan", "archive", "--out", "plan.csv")
    assert ended.code == 3
    assert "stray.csv" in ended.out + ended.err
    assert "2 measurements of 1 cell in 1 specification" in ended.out
    assert (tmp_path / "plan.csv").read_text("utf-8").count("\n") == 3


def test_status_tells_of_a_run_in_progress_and_of_its_end(
    jobs: Jobs, start_studio: StartStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=3)
    (tmp_path / "archive/spec 0/cell 0/run 0.csv").write_bytes(b"")
    studio = start_studio()
    stuck = studio.faults.add(
        FaultRule(kind=FaultKind.PROCESSING_STUCK, endpoint="processing", seconds=2.0)
    )
    words = ["upload", "archive", "--job", "job", "--workers", "1"]
    with running(words, folder=tmp_path, studio=studio) as run:
        until(lambda: stuck.struck == 2, "two in processing")
        during = jobs.command("status", "job")
        assert during.code == 0
        assert "in progress" in during.out
        assert "2  not done" in during.out
        assert "1  rejected" in during.out
        assert run.wait().code == 3
    after = jobs.command("status", "job")
    assert "has ended" in after.out
    assert "2  created" in after.out
    assert "0  not done" in after.out
    assert "empty_file: 1" in after.out
    assert "to resume: bulkload upload archive --job job" in after.out


def test_status_of_a_job_that_is_done_does_not_ask_for_more(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive")
    jobs.use(studio)
    assert jobs.upload("archive").code == 0
    assert "to resume" not in jobs.command("status", "job").out


def test_retry_takes_up_one_cause_and_leaves_the_rest(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=4)
    cell = tmp_path / "archive" / "spec 0" / "cell 0"
    (cell / "run 0.csv").write_bytes(b"")
    (cell / "run 1.csv").write_bytes(b"nothing that anybody knows\n")
    jobs.use(studio)
    first = jobs.upload("archive")
    causes = first.summary["causes"]
    assert set(causes) >= {"empty_file"}
    other = next(cause for cause in causes if cause != "empty_file")
    write(cell / "run 0.csv", series())
    write(cell / "run 1.csv", series(seed=1))
    ended = jobs.command("retry", "job", "--cause", "empty_file")
    # The code is the job's: what the retry was not asked for is still rejected.
    assert ended.code == 3, ended.out + ended.err
    rows = first.rows
    assert rows["run 0"].state == "ready"
    assert (rows["run 1"].state, rows["run 1"].cause) == ("rejected", other)
    assert jobs.command("retry", "job", "--cause", "nonsense").code == 2
    assert jobs.command("retry", "job").code == 0
    assert first.rows["run 1"].state == "ready"
    asked = studio.requests.total
    assert jobs.command("retry", "job").code == 0
    assert studio.requests.total == asked


def test_a_retry_treats_files_as_the_upload_did(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    path = tmp_path / "archive" / "spec 0" / "cell 0" / "run 0.csv"
    path.write_bytes(b"")
    jobs.use(studio)
    first = jobs.upload("archive", "--transform", "set_sign", "--attach-raw", "--no-strict")
    assert first.counts == {"created": 1, "rejected": 1}
    reversed_sign = series()
    at = reversed_sign.column_names.index("Current [A]")
    negative = pc.negate(reversed_sign["Current [A]"])
    write(path, reversed_sign.set_column(at, "Current [A]", negative))
    assert jobs.command("rollback", "job", "--yes").code == 0
    ended = jobs.command("retry", "job")
    assert ended.code == 0, ended.out + ended.err
    # Without the transform it would have been refused, without the option no file attached.
    assert "set_sign" in ended.out
    assert "RawAttached" in event_names(tmp_path / "job", "run 0")
    # The same upload again finds nothing changed.
    asked = studio.requests.total
    assert (
        jobs.upload("archive", "--transform", "set_sign", "--attach-raw", "--no-strict").code == 0
    )
    assert studio.requests.total == asked


def test_the_job_folder_bears_the_whole_name_of_a_folder(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "tests.2023")
    archive(tmp_path / "tests.2024")
    jobs.use(studio)
    for name in ("tests.2023", "tests.2024"):
        assert jobs.command("upload", name, "--workers", "1").code == 0
    assert {path.name for path in (tmp_path / ".bulkload").iterdir()} == {
        "tests.2023",
        "tests.2024",
    }


def test_the_demo_shows_the_whole_job_and_leaves_nothing_running(tmp_path: Path) -> None:
    with running(["demo", "--folder", "demo"], folder=tmp_path, job="demo/job") as run:
        ended = run.wait()
        assert not run.children()
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": 49, "existing": 1, "rejected": 5, "skipped": 1}
    assert "summary.json" in ended.out
    demo = str(tmp_path / "demo")
    leftovers = [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline"])
        if any(demo in word for word in process.info["cmdline"] or ())
    ]
    assert leftovers == []
    assert not (tmp_path / "demo" / "job" / "spool").exists()


def test_local_keeps_its_studio_for_the_next_command(jobs: Jobs, tmp_path: Path) -> None:
    made = archive(tmp_path / "archive", measurements=2)
    words = ["upload", "archive", "--local", "studio", "--workers", "1"]
    first = jobs.command(*words, "--job", "one")
    assert first.code == 0, first.out + first.err
    second = jobs.command(*words, "--job", "two")
    assert second.code == 0
    summary = json.loads((tmp_path / "two" / "summary.json").read_text("utf-8"))
    assert summary["counts"]["existing"] == len(made)
    # The port is another in each run: it is the folder that names the target.
    assert jobs.command(*words, "--job", "one").code == 0
