"""``--json``: one object on standard output, whole, whoever reads it; the exit code as without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from bulkload.cli.output.terminal import QUEUE_LIMIT_BYTES, queued_output, write_whole
from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Ended, Jobs


@pytest.fixture
def job(jobs: Jobs, studio: LocalStudio) -> Jobs:
    """An archive of two good files and a bad one, uploaded."""
    jobs.use(studio)
    archive(jobs.folder / "archive", measurements=2)
    good = next((jobs.folder / "archive").rglob("*.csv"))
    good.with_name("bad.csv").write_text("a,b\n1,2\n", "utf-8")
    assert jobs.upload("archive").code == 3
    return jobs


def document(ended: Ended) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.out)
    assert found["format"] == 1
    assert found["exit_code"] == ended.code
    return found


def test_status(job: Jobs) -> None:
    found = document(job.command("status", "job", "--json"))
    assert found["counts"] == {
        "created": 2, "existing": 0, "rejected": 1, "failed": 0, "skipped": 0
    }  # fmt: skip
    assert (found["planned"], found["not_done"]) == (3, 0)
    assert found["causes"] == {"unknown_format": 1}
    assert found["command"].startswith("bulkload upload archive --job job")
    assert found["rows"]["ended"]["created"] == found["rows"]["read"]
    (process,) = found["processes"]
    assert process["liveness"] == "ended"
    assert process["state"]["exit_code"] == 3


def test_plan_and_check(job: Jobs) -> None:
    planned = document(job.command("plan", "archive", "--json"))
    assert (planned["measurements"], planned["cells"], planned["problems"]) == (3, 1, [])
    checked = document(job.command("check", "archive", "--workers", "1", "--json"))
    assert (checked["planned"], checked["fit"], checked["exit_code"]) == (3, 2, 3)
    (lost,) = checked["rejected"]
    assert lost["cause"] == "unknown_format"
    assert Path(lost["path"]).name == "bad.csv"
    assert lost["message"].startswith(lost["path"])


def test_a_plan_that_cannot_be_sent_says_why(job: Jobs) -> None:
    (job.folder / "archive").rename(job.folder / "wrong")
    found = document(job.command("plan", "wrong", "--layout", "{cell}/{measurement}.*", "--json"))
    assert found["exit_code"] == 2
    assert found["refusal"]
    assert found["problems"][0]["rule"]


def test_detect_and_show(job: Jobs) -> None:
    bad = next((job.folder / "archive").rglob("bad.csv"))
    good = bad.with_name("run 0.csv")
    detected = document(job.command("detect", good, bad, "--json"))
    assert detected["exit_code"] == 3
    assert [file["path"] for file in detected["files"]] == [str(good), str(bad)]
    assert detected["files"][0]["reader"]
    assert detected["files"][1]["reader"] is None
    shown = document(job.command("show", good, "--json"))
    assert shown["file"]["reader"] == detected["files"][0]["reader"]
    sections = {one["name"]: one["lines"] for one in shown["items"][0]["sections"]}
    assert sections["verdict"] == ["fit to be uploaded"]
    of_job = document(job.command("show", good, "--job", "job", "--json"))
    assert of_job["file"] is None
    assert of_job["items"][0]["title"].endswith("run 0")


def test_survey_and_account_and_journal(job: Jobs) -> None:
    surveyed = document(job.command("survey", "archive", "--json"))
    names = {Path(file["path"]).name for file in surveyed["files"]}
    assert {"run 0.csv", "bad.csv"} <= names
    assert {file["sureness"] for file in surveyed["files"]} <= {"open", "likely", "sure"}
    written = document(job.command("account", "job", "--out", "account.jsonl", "--json"))
    assert (written["entries"], written["out"]) == (3, "account.jsonl")
    checked = document(job.command("journal", "check", "job", "--json"))
    assert [one["faults"] for one in checked["journals"]] == [[]]


def test_compare(job: Jobs) -> None:
    compared = document(job.command("compare", "archive", "--workers", "1", "--json"))
    assert compared["counts"]["equal"] == 2
    assert sum(compared["counts"].values()) == len(compared["entries"]) == 3
    equal = [one for one in compared["entries"] if one["mark"] == "="]
    assert {one["measurement"] for one in equal} == {"run 0", "run 1"}
    assert compared["exit_code"] == 3
    refused = document(
        job.command("compare", "archive", "--layout", "{cell}/{measurement}.*", "--json")
    )
    assert (refused["exit_code"], refused["entries"]) == (2, [])
    assert "no entry fits" in refused["statement"]


def test_upload_and_resume_and_retry(job: Jobs) -> None:
    again = document(job.command("upload", "archive", "--job", "job", "--workers", "1", "--json"))
    assert again["summary"] == json.loads((job.folder / "job" / "summary.json").read_text("utf-8"))
    assert again["summary"]["counts"]["created"] == 2
    (lost,) = again["lost"]
    assert (lost["cause"], Path(lost["path"]).name) == ("unknown_format", "bad.csv")
    assert (again["refusal"], again["problem_count"], again["stopped_because"]) == ("", 0, "")
    assert again["statement"].endswith("exit code 3 (finished, something is rejected or failed)")
    resumed = document(job.command("resume", "job", "--workers", "1", "--json", "--quiet"))
    assert resumed["command"] == "bulkload resume job --workers 1 --json --quiet"
    retried = document(job.command("retry", "job", "--workers", "1", "--json"))
    assert [one["cause"] for one in retried["lost"]] == ["unknown_format"]
    dry = document(job.command("upload", "archive", "--workers", "1", "--dry-run", "--json"))
    assert (dry["planned"], dry["fit"]) == (3, 2)
    wrong = ("--layout", "{cell}/{measurement}.*", "--job", "other", "--json")
    refused = document(job.command("upload", "archive", *wrong))
    assert (refused["exit_code"], refused["summary"], refused["lost"]) == (2, None, [])
    assert refused["refusal"]
    assert refused["problems"]


def test_accept_and_pack_and_the_check_of_a_pack(job: Jobs) -> None:
    cause = ("--cause", "unknown_format", "--json")
    accepted = document(job.command("accept", "job", *cause, "--reason", "aborted"))
    assert [Path(one["path"]).name for one in accepted["entries"]] == ["bad.csv"]
    assert (accepted["not_accepted"], accepted["reason"]) == (0, "aborted")
    undone = document(job.command("accept", "job", *cause, "--undo"))
    assert (len(undone["entries"]), undone["not_accepted"], undone["reason"]) == (1, 1, "")
    written = document(job.command("pack", "job", "--out", "pack.zip", "--json"))
    checked = document(job.command("verify", "pack.zip", "--json"))
    assert (checked["digest"], checked["problems"]) == (written["digest"], [])
    assert (checked["compared_with"], checked["compared"]) == ("Studio", 2)
    assert checked["differences"] == []
    pack = job.folder / "pack.zip"
    pack.write_bytes(pack.read_bytes().replace(b"about.json", b"about.jsom"))
    damaged = document(job.command("verify", "pack.zip", "--json"))
    assert (damaged["exit_code"], damaged["compared"], damaged["compared_with"]) == (3, 0, "")
    assert damaged["problems"]


def test_verify_and_rollback(job: Jobs) -> None:
    verified = document(job.command("verify", "job", "--all", "--json"))
    assert (verified["compared"], verified["differences"], verified["exit_code"]) == (2, [], 0)
    assert job.command("rollback", "job", "--json").code == 2
    deleted = document(job.command("rollback", "job", "--yes", "--json"))
    kinds = [one["kind"] for one in deleted["deleted"]]
    assert kinds == ["cell_measurement"] * 2 + ["cell_instance", "cell_specification"]
    assert deleted["left"] == []
    again = document(job.command("rollback", "job", "--yes", "--json"))
    assert (again["deleted"], again["exit_code"]) == ([], 0)


def test_a_result_larger_than_the_queue_arrives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notices may be dropped for a reader that is slow; a result may not."""
    reading, writing = os.pipe()
    text = "ä" * QUEUE_LIMIT_BYTES + "\n"
    arrived: list[bytes] = []

    def read() -> None:
        with os.fdopen(reading, "rb") as file:
            arrived.append(file.read())

    reader = threading.Thread(target=read)
    with os.fdopen(writing, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        with queued_output():
            reader.start()
            write_whole(text)
    reader.join()
    assert arrived[0].decode("utf-8") == text


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
def test_a_result_that_nobody_takes_ends_nothing(job: Jobs) -> None:
    status = f"{sys.executable} -m bulkload status job --json"
    ended = subprocess.run(
        ["bash", "-c", status + " | true; exit ${PIPESTATUS[0]}"],
        cwd=job.folder, check=False, capture_output=True,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, b"")
