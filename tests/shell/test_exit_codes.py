"""What a scheduler branches on: each exit code, and what a person is told with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive, series, write, write_json
from tests.jobs import Ended, Jobs, StartStudio


def resumes_with(ended: Ended, *words: str) -> None:
    """The last line of an unfinished run is the command that goes on with it."""
    last = ended.out.rstrip("\n").splitlines()[-1]
    assert last.startswith("bulkload upload archive")
    for word in words:
        assert word in last


def test_0_all_created_or_existing(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive")
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.code == ended.summary["exit_code"] == 0
    assert "bulkload upload" not in ended.out


USAGE = {
    "no such option": (["upload", "archive", "--colour", "red"], "--colour"),
    "no such command": (["uplaod", "archive"], "uplaod"),
    "no source": (["upload"], "source"),
    "no such source": (["upload", "nowhere"], "nowhere"),
    "not a source": (["upload", "archive/spec 0/cell 0/run 0.csv"], "manifest"),
    "a layout with a mistake": (["upload", "archive", "--layout", "{cell}/{nonsense}"], "nonsense"),
    "an unknown check": (["upload", "archive", "--skip-check", "everything"], "everything"),
    "a voltage window": (["upload", "archive", "--voltage-window", "4.2,2.5"], "window"),
    "a size": (["upload", "archive", "--memory", "much"], "much"),
    "no workers": (["upload", "archive", "--workers", "0"], "--workers"),
    "a word of existing": (["upload", "archive", "--existing", "perhaps"], "perhaps"),
    "no job folder": (["status", "nowhere"], "nowhere"),
    "no job to retry": (["retry", "nowhere"], "nowhere"),
}


@pytest.mark.parametrize("case", USAGE)
def test_2_a_mistake_in_the_command_is_told_and_leaves_nothing(
    case: str, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive")
    jobs.use(studio)
    words, said = USAGE[case]
    ended = jobs.command(*words)
    assert ended.code == 2, ended.out + ended.err
    assert said in ended.err + ended.out
    assert "Traceback" not in ended.err
    assert studio.requests.total == 0
    assert not list(tmp_path.rglob("spool"))


def test_2_without_credentials_nothing_is_read_and_the_variable_is_named(
    jobs: Jobs, tmp_path: Path
) -> None:
    archive(tmp_path / "archive")
    ended = jobs.upload("archive")
    assert ended.code == 2
    assert "IONWORKS_API_KEY" in ended.err


def test_2_without_a_project_the_job_folder_is_not_bound_to_none(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive")
    jobs.use(studio)
    jobs.environment.delenv("IONWORKS_PROJECT_ID")
    ended = jobs.upload("archive")
    assert ended.code == 2
    assert "IONWORKS_PROJECT_ID" in ended.err
    assert "Traceback" not in ended.err
    jobs.use(studio)
    assert jobs.upload("archive").code == 0


def test_2_a_demo_is_not_made_among_other_things(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").write_bytes(b"x")
    ended = jobs.command("demo", "--folder", "used")
    assert ended.code == 2
    assert "not an empty folder" in ended.err
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["file"]
    onto_a_file = jobs.command("demo", "--folder", "used/file")
    assert onto_a_file.code == 2
    assert "Traceback" not in onto_a_file.err


def test_2_a_plan_that_cannot_be_carried_out_names_each_place(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive")
    root = tmp_path / "archive"
    (root / "stray.csv").write_bytes(b"x")
    (root / "no spec" / "cell").mkdir(parents=True)
    (root / "no spec" / "cell" / "run.csv").write_bytes(b"x")
    (root / "spec 0" / "cell 0" / "run 0.parquet").write_bytes(b"x")
    write_json(root / "spec 0" / "cell 1" / "cell.json", {"colour": "red"})
    write(root / "spec 0" / "cell 1" / "run.csv", series())
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.code == 2
    for said in ("stray.csv", "no_layout", "specification_missing", "duplicate_name", "colour"):
        assert said in ended.err
    assert "nothing was sent" in ended.err
    assert studio.requests.total == 0
    # Mended, the same command goes through.
    (root / "stray.csv").unlink()
    (root / "no spec" / "cell" / "run.csv").unlink()
    (root / "spec 0" / "cell 0" / "run 0.parquet").unlink()
    (root / "spec 0" / "cell 1" / "cell.json").unlink()
    assert jobs.upload("archive").code == 0


def test_3_finished_and_something_was_rejected(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive")
    bad = tmp_path / "archive" / "spec 0" / "cell 0" / "run 1.csv"
    bad.write_bytes(b"")
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.code == ended.summary["exit_code"] == 3
    assert "rejected: empty_file (1)" in ended.out
    assert str(bad) in ended.out
    quiet = jobs.upload("archive", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (3, "", "")


def test_4_refused_credentials_stop_the_run(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=5)
    jobs.use(studio)
    jobs.environment.setenv("IONWORKS_API_KEY", "not-the-key")
    ended = jobs.upload("archive")
    assert ended.code == ended.summary["exit_code"] == 4
    assert "credentials" in ended.out
    assert "not-the-key" not in ended.out + ended.err
    resumes_with(ended, "--job", "job")
    assert ended.summary["counts"] == dict.fromkeys(ended.summary["counts"], 0)
    jobs.use(studio)
    assert jobs.upload("archive").counts == {"created": 5}


def test_3_a_key_that_may_only_read_fails_at_its_first_act(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=3)
    jobs.use(studio)
    jobs.environment.setenv("IONWORKS_API_KEY", studio.read_only_key)
    ended = jobs.upload("archive")
    assert ended.code == ended.summary["exit_code"] == 3
    assert ended.counts == {"failed": 3}
    assert ended.summary["causes"] == {"permission": 3}
    assert studio.requests.by_endpoint["spec.create"] == 1


def test_5_a_server_out_of_reach_past_the_limit(
    jobs: Jobs, start_studio: StartStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=3)
    studio = start_studio()
    outage = studio.faults.add(FaultRule(kind=FaultKind.OUTAGE))
    jobs.use(studio)
    ended = jobs.upload("archive", "--outage-limit", "1s")
    assert ended.code == ended.summary["exit_code"] == 5
    resumes_with(ended, "--outage-limit 1s")
    assert ended.summary["counts"]["created"] == 0
    studio.faults.remove(outage)
    assert jobs.upload("archive").counts == {"created": 3}


def test_5_a_server_that_goes_down_in_mid_run_costs_what_was_in_hand(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", measurements=8)
    jobs.use(studio)
    rule = FaultRule(kind=FaultKind.OUTAGE, endpoint="storage.put")
    # The first two are stored; from the third on nothing answers.
    for nth in range(3, 200):
        studio.faults.add(FaultRule(kind=FaultKind.RESET_BEFORE, endpoint=rule.endpoint, nth=nth))
    ended = jobs.upload("archive", "--outage-limit", "1s", "--connections", "1")
    assert ended.code == ended.summary["exit_code"] == 5
    assert ended.summary["counts"]["created"] == 2
    studio.faults.clear()
    assert jobs.upload("archive").counts == {"created": len(made)}


def test_5_a_deadline_stops_the_run_and_the_next_one_goes_on(
    jobs: Jobs, start_studio: StartStudio, tmp_path: Path
) -> None:
    from datetime import datetime, timedelta

    archive(tmp_path / "archive", measurements=3)
    studio = start_studio()
    silent = FaultRule(kind=FaultKind.SILENCE, endpoint="storage.put", seconds=100.0)
    studio.faults.add(silent)
    jobs.use(studio)
    soon = datetime.now().astimezone() + timedelta(seconds=3)
    ended = jobs.upload("archive", "--until", soon.isoformat(timespec="seconds"))
    assert ended.code == ended.summary["exit_code"] == 5
    assert "bulkload upload archive" in ended.out.splitlines()[-1]
    # The deadline has passed: the command that goes on does not name it.
    assert soon.isoformat(timespec="seconds") not in ended.out.splitlines()[-1]
    studio.faults.clear()
    assert jobs.upload("archive").counts == {"created": 3}


def test_an_unfinished_run_says_what_has_no_outcome_yet(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=3)
    jobs.use(studio)
    studio.faults.add(FaultRule(kind=FaultKind.OUTAGE))
    ended = jobs.upload("archive", "--outage-limit", "1s")
    assert "NOT DONE: 3 of 3 entries have no outcome yet" in ended.out
    summary = json.loads((tmp_path / "job" / "summary.json").read_text("utf-8"))
    assert sum(summary["counts"].values()) < summary["planned"]
