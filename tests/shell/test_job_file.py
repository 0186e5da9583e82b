"""A job as a file: ``bulkload upload bulkload.toml`` needs no other option, nor does its resume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bulkload
from bulkload.errors import JobFileError
from bulkload.localstudio import LocalStudio
from tests.archives import RATINGS, archive, series, write
from tests.jobs import Jobs

JOB = """\
job = "jobs/year"
specs = "specs.json"

[target]
local = "studio"

[options]
strict = false
skip_check = ["time_gaps"]
transform = ["set_sign", "reset_time"]
existing = "verify"

[limits]
workers = 1

[[source]]
path = "data"
layout = "{cell}_{measurement}.*"

[[defaults]]
match = "*RPT*"
protocol = "RPT"
"""


def lab(folder: Path) -> Path:
    """Make a folder of two tests, specifications beside it, and a file of the job."""
    write(folder / "lab" / "data" / "c1_RPT.csv", series(seed=1))
    write(folder / "lab" / "data" / "c2_life.csv", series(seed=2))
    (folder / "lab" / "specs.json").write_text(json.dumps({"name": "S", "ratings": RATINGS}))
    (folder / "lab" / "bulkload.toml").write_text(JOB)
    return folder / "lab" / "bulkload.toml"


def test_a_job_file_is_all_that_a_run_and_its_resume_need(jobs: Jobs, tmp_path: Path) -> None:
    path = lab(tmp_path)
    planned = jobs.command("plan", path)
    assert planned.code == 0, planned.out + planned.err
    assert "2 measurements of 2 cells in 1 specification" in planned.out
    ended = jobs.command("upload", path)
    job = tmp_path / "lab" / "jobs" / "year"
    assert ended.code == 0, ended.out + ended.err
    summary = json.loads((job / "summary.json").read_text("utf-8"))
    assert summary["counts"]["created"] == 2
    write(tmp_path / "lab" / "data" / "c2_RPT.csv", series(seed=3))
    again = jobs.command("resume", job)
    assert again.code == 0, again.out + again.err
    assert "1 new" in again.out
    shown = jobs.command("show", "S / c2 / RPT", "--job", job)
    assert "RPT" in shown.out
    verified = jobs.command("verify", job, "--all")
    assert verified.code == 0, verified.out


def test_options_on_the_command_line_go_before_those_of_the_file(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    path = lab(tmp_path)
    path.write_text(path.read_text("utf-8").replace("[options]", "[options]\nquiet = true"))
    wrong = jobs.command("upload", path)
    assert wrong.code == 2
    assert "line 8: key 'options.quiet' is not known" in wrong.err
    lab(tmp_path)
    jobs.use(studio)
    ended = jobs.command("upload", path, "--job", "mine", "--local", "other", "--strict")
    assert ended.code == 0, ended.out + ended.err
    assert (tmp_path / "mine" / "summary.json").exists()
    assert (tmp_path / "other").is_dir()
    assert not (tmp_path / "lab" / "studio").exists()


def test_python_takes_the_options_of_a_job_file(tmp_path: Path) -> None:
    path = lab(tmp_path)
    planned = bulkload.plan(path)
    assert sorted(planned["cell"]) == ["c1", "c2"]
    table = bulkload.upload(path)
    assert table.attrs["exit_code"] == 0
    assert table.attrs["job"] == str(tmp_path / "lab" / "jobs" / "year")
    assert (tmp_path / "lab" / "studio").is_dir()
    path.write_text(JOB.replace("strict", "strit"))
    with pytest.raises(JobFileError, match="did you mean 'strict'"):
        bulkload.check(path)
    with pytest.raises(TypeError, match="unknown option 'layot'"):
        bulkload.plan(tmp_path / "lab" / "data", layot="{measurement}.*")


def test_wrong_options_are_named_together_with_everything_else(jobs: Jobs, tmp_path: Path) -> None:
    path = lab(tmp_path)
    text = path.read_text("utf-8").replace('existing = "verify"', 'existing = "verfy"')
    path.write_text(text.replace("strict = false", "strit = false").replace("cell", "cel"))
    for command in ("plan", "check", "upload"):
        ended = jobs.command(command, path)
        assert ended.code == 2
        assert "has 3 errors" in ended.err
        assert "line 8: key 'options.strit' is not known; did you mean 'strict'?" in ended.err
        assert """line 11: key 'options.existing': invalid value "verfy" for --existing""" in (
            ended.err
        )
        assert "line 18: key 'source.layout'" in ended.err
    assert jobs.command("plan", path, path).code == 2


@pytest.mark.parametrize("name", ["archive", "plan.csv"])
def test_a_source_of_a_job_file_is_any_source(jobs: Jobs, tmp_path: Path, name: str) -> None:
    archive(tmp_path / "archive", rows=20)
    jobs.command("plan", "archive", "--out", "plan.csv")
    (tmp_path / "specs.json").write_text(json.dumps({"spec 0": {"ratings": RATINGS}}))
    (tmp_path / "job.toml").write_text(f'specs = "specs.json"\n[[source]]\npath = "{name}"\n')
    ended = jobs.command("plan", "job.toml")
    assert ended.code == 0, ended.out + ended.err
    assert "3 measurements of 1 cell in 1 specification" in ended.out
