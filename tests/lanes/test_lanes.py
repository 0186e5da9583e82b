"""A job of several parts, run by lanes: real commands, real lanes and workers, a real Studio."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from bulkload.journal.lock import exclusive
from bulkload.journal.parts import part_folder, part_of, read_layout
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive, series, write
from tests.jobs import Jobs, StartStudio, job_rows, running, until
from tests.lanes.divided import account, assert_all_arrived, lanes_of, rows_of, summary

SOURCE = ["upload", "archive", "--job", "job"]
COMMAND = [*SOURCE, "--lanes", "2", "--parts", "4", "--workers", "2"]


def test_two_lanes_bring_each_measurement_once(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", specs=2, cells=4, measurements=3, rows=80)
    (tmp_path / "archive" / "no layout.csv").write_text("x", "utf-8")
    jobs.use(studio)
    ended = jobs.command(*COMMAND, "--go-on")
    assert ended.code == 3, ended.out + ended.err
    rows = rows_of(tmp_path / "job")
    assert {row.state for row in rows.values()} == {"ready"}
    for part in range(4):
        for row in job_rows(part_folder(tmp_path / "job", part)):
            assert part_of(Path(row.path).parent.parent.name, row.cell, 4) == part
    layout = read_layout(tmp_path / "job")
    assert layout is not None
    assert (layout.parts, layout.is_planned) == (4, True)
    found = summary(tmp_path / "job")
    assert found["planned"] == 25
    assert found["counts"] == {
        "created": 24, "existing": 0, "rejected": 1, "failed": 0, "skipped": 0,
    }  # fmt: skip
    assert found["causes"] == {"no_layout": 1}
    assert found["requests"] >= 24 * 3
    assert found["this_run"]["new"] == 24
    # The entry that belongs to no cell is in the first part, and once in the account.
    assert [row["path"] for row in account(tmp_path / "job") if row["cause"] == "no_layout"] == [
        str(tmp_path / "archive" / "no layout.csv")
    ]
    assert len(account(tmp_path / "job")) == 25
    (tmp_path / "archive" / "no layout.csv").unlink()
    before = studio.requests.total
    # As a kill after a part's last measurement leaves it.
    left = part_folder(tmp_path / "job", 1) / "spool"
    left.mkdir()
    (left / "1.parquet").write_bytes(b"delivered")
    again = jobs.command(*COMMAND)
    assert again.code == 0, again.out + again.err
    assert studio.requests.total == before, "a finished job asks nothing"
    assert_all_arrived(studio, tmp_path / "job", made)
    told = jobs.command("status", "job").out
    assert "4 parts: 4 done\n" in told
    assert "          24  created" in told


def test_a_grown_archive_goes_to_the_parts_that_have_its_cells(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", cells=3, measurements=1)
    jobs.use(studio)
    assert jobs.command(*COMMAND).code == 0
    for cell in range(3):
        write(tmp_path / "archive/spec 0" / f"cell {cell}" / "later.csv", series(seed=40 + cell))
    # The number of lanes is free from run to run; the number of parts need not be said again.
    ended = jobs.command("upload", "archive", "--job", "job", "--lanes", "1")
    assert ended.code == 0, ended.err
    assert summary(tmp_path / "job")["counts"]["created"] == 6
    assert summary(tmp_path / "job")["this_run"]["new"] == 3
    assert len(rows_of(tmp_path / "job")) == 6


def test_the_number_of_parts_is_fixed(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive", cells=2, measurements=1)
    jobs.use(studio)
    assert jobs.command(*COMMAND).code == 0
    refused = jobs.command("upload", "archive", "--job", "job", "--parts", "5")
    assert refused.code == 2
    assert "job was planned with 4 parts" in refused.err
    assert jobs.upload("archive", job="plain").code == 0
    refused = jobs.command("upload", "archive", "--job", "plain", "--parts", "2")
    assert refused.code == 2
    assert "plain was planned with 1 part" in refused.err
    # A job of one part is run as it always was, whatever the lanes.
    assert jobs.command("upload", "archive", "--job", "plain", "--lanes", "2").code == 0
    assert not (tmp_path / "plain" / "job.json").exists()


def test_names_that_two_sources_claim_are_found_in_their_part(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", cells=3, measurements=1)
    write(tmp_path / "archive/spec 0/cell 1/run 0.parquet", series(seed=44))
    jobs.use(studio)
    ended = jobs.command(*COMMAND)
    assert ended.code == 3, ended.out + ended.err
    assert summary(tmp_path / "job")["counts"]["created"] == 2
    assert summary(tmp_path / "job")["causes"] == {"duplicate_name": 2}


def test_a_plan_that_is_refused_sends_nothing(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", cells=2, measurements=1)
    for number in range(5):
        write(tmp_path / "archive" / f"stray {number}.csv", series())
    jobs.use(studio)
    before = studio.requests.total
    ended = jobs.command(*COMMAND)
    assert ended.code == 2
    assert "5 of 7 entries are in the way" in ended.err
    assert studio.requests.total == before
    layout = read_layout(tmp_path / "job")
    assert layout is not None
    assert not layout.is_planned


def test_another_run_on_the_job_or_on_one_of_its_parts_is_refused(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", cells=2, measurements=1)
    jobs.use(studio)
    (tmp_path / "job").mkdir()
    with exclusive(tmp_path / "job"):
        assert "another run is using job" in jobs.command(*COMMAND).err
    assert jobs.command(*COMMAND).code == 0
    with exclusive(part_folder(tmp_path / "job", 2)):
        ended = jobs.command(*COMMAND)
    assert ended.code == 2
    assert "another run is using" in ended.err
    assert "0002" in ended.err


@pytest.mark.timeout(600)
def test_a_lane_that_dies_is_replaced_and_its_part_goes_on(
    start_studio: StartStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", cells=4, measurements=4, rows=80)
    studio = start_studio(latency_s=0.05)
    with running(COMMAND, folder=tmp_path, studio=studio) as run:
        for kills in range(3):
            until(lambda: bool(lanes_of(run)), "a lane")
            seen = studio.requests.total
            until(lambda seen=seen: studio.requests.total > seen + 8, "requests")  # type: ignore[misc]
            lanes = lanes_of(run)
            if lanes:
                lanes[kills % len(lanes)].kill()
        ended = run.wait()
    assert ended.code == 0, ended.out + ended.err
    assert_all_arrived(studio, tmp_path / "job", made)


@pytest.mark.timeout(600)
def test_a_stop_lets_open_uploads_end_and_another_number_of_lanes_goes_on(
    start_studio: StartStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", cells=6, measurements=4, rows=80)
    studio = start_studio(latency_s=0.05)
    with running(COMMAND, folder=tmp_path, studio=studio) as run:
        until(lambda: studio.requests.total > 30, "requests")
        children = run.children()
        run.signal(signal.SIGTERM)
        ended = run.wait()
    assert ended.code == 143, ended.out + ended.err
    assert "stopping: no new files are started" in ended.err
    assert ended.out.splitlines()[-1].startswith("bulkload upload archive --job job")
    until(lambda: not any(child.is_running() for child in children), "children outlive the run")
    states = {row.state for row in rows_of(tmp_path / "job").values()}
    assert "planned" in states, "the stop came too late to show anything"
    assert not states & {"initiated", "stored"}, "an open upload was cut off"
    for lanes in ("3", "1"):
        with running([*SOURCE, "--lanes", lanes], folder=tmp_path, studio=studio) as run:
            ended = run.wait()
        assert ended.code == 0, ended.out + ended.err
    assert_all_arrived(studio, tmp_path / "job", made)


@pytest.mark.timeout(600)
def test_lanes_end_with_a_supervisor_that_is_killed(
    start_studio: StartStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", cells=4, measurements=4, rows=80)
    studio = start_studio(latency_s=0.05)
    with running(COMMAND, folder=tmp_path, studio=studio) as run:
        until(lambda: studio.requests.total > 20, "requests")
        children = run.children()
        assert len(lanes_of(run)) == 2
        run.process.kill()
        until(lambda: not any(one.is_running() for one in children), "children outlive it")
    with running(COMMAND, folder=tmp_path, studio=studio) as run:
        ended = run.wait()
    assert ended.code == 0, ended.out + ended.err
    assert_all_arrived(studio, tmp_path / "job", made)


def test_refused_credentials_in_one_lane_end_the_run(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", cells=4, measurements=1)
    jobs.use(studio)
    jobs.environment.setenv("IONWORKS_API_KEY", "not a key")
    ended = jobs.command(*COMMAND)
    assert ended.code == 4
    assert "rejected the credentials" in ended.out
    assert summary(tmp_path / "job")["exit_code"] == 4


def test_an_outage_in_one_lane_ends_the_run(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", cells=4, measurements=1)
    jobs.use(studio)
    studio.faults.add(FaultRule(kind=FaultKind.OUTAGE))
    ended = jobs.command(*COMMAND, "--outage-limit", "2s")
    assert ended.code == 5, ended.out + ended.err
    assert ended.out.splitlines()[-2] == "to resume:"
