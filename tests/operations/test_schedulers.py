"""The examples of the page for operators are what cron, systemd, Slurm and Kubernetes take."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.conftest import ROOT
from tests.jobs import environment_of
from tests.manual.examples import blocks

PAGE = (ROOT / "bulkload" / "manual" / "operations.md").read_text("utf-8")
EXAMPLES = {block.file: block.text for block in blocks(PAGE) if block.file}
BIN = Path(sys.executable).parent


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder as /srv/lab, with an archive in which one file is bad."""
    archive(tmp_path / "lab" / "archive", rows=20)
    (tmp_path / "lab" / "archive" / "spec 0" / "cell 0" / "empty.csv").write_bytes(b"")
    return tmp_path / "lab"


def run_by_sh(command: str, studio: LocalStudio) -> subprocess.CompletedProcess[str]:
    """Run a command as cron does: by sh, with a short environment."""
    environment = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/")}
    return subprocess.run(
        ["sh", "-c", command],
        env=environment | environment_of(studio),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_line_of_the_crontab_runs_and_the_second_night_is_silent(
    lab: Path, studio: LocalStudio
) -> None:
    (line,) = EXAMPLES["crontab.txt"].splitlines()
    found = re.fullmatch(r"(?P<when>(?:[\d*,/-]+ ){5})(?P<command>[^%]+)", line)
    assert found is not None, "five fields, and no % in the command: cron takes it for a line end"
    command = found["command"].replace("/srv/lab", str(lab))
    first = run_by_sh(command, studio)
    assert first.returncode == 3, first.stderr
    assert first.stdout.startswith("jobs/archive: 4 new, 1 newly rejected; ")
    second = run_by_sh(command, studio)
    assert (second.returncode, second.stdout, second.stderr) == (3, "", "")


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)
def test_systemd_takes_the_service_and_its_timer(tmp_path: Path) -> None:
    for name in ("bulkload.service", "bulkload.timer"):
        # The program has to exist where the unit says.
        text = EXAMPLES[name].replace("/usr/local/bin/bulkload", str(BIN / "bulkload"))
        (tmp_path / name).write_text(text)
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.glob("bulkload.*")))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    complaints = [line for line in ended.stderr.splitlines() if "bulkload" in line]
    assert (ended.returncode, complaints) == (0, []), ended.stderr


def test_the_service_counts_3_as_done_and_does_not_repeat_what_needs_a_person() -> None:
    service = EXAMPLES["bulkload.service"]
    assert "SuccessExitStatus=3\n" in service
    assert "RestartPreventExitStatus=1 2 4\n" in service


def test_the_cron_job_of_kubernetes_is_yaml_whose_command_runs(
    lab: Path, studio: LocalStudio, tmp_path: Path
) -> None:
    job: dict[str, Any] = yaml.safe_load(EXAMPLES["job.yaml"])
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    spec = job["spec"]["jobTemplate"]["spec"]
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [1, 2, 4]
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    assert container["name"] == rule["onExitCodes"]["containerName"]
    assert container["command"] == ["sh", "-c"]
    (command,) = container["args"]
    for place, here in (
        ("/dev/termination-log", tmp_path / "termination-log"),
        ("/archive", lab / "archive"),
        ("/jobs", lab / "jobs"),
    ):
        command = command.replace(f" {place}", f" {here}")
    ended = run_by_sh(command, studio)
    # Finished, with something to look at: a success of the Job.
    assert ended.returncode == 0, ended.stderr
    message = (tmp_path / "termination-log").read_text()
    assert message.startswith("4 new, 1 newly rejected; ")
    assert message.endswith("exit code 3 (finished, something is rejected or failed)\n")
    # What needs a person stays what it is.
    refused = run_by_sh(command.replace(str(lab / "archive"), str(lab / "nothing")), studio)
    assert refused.returncode == 2
