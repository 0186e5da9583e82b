"""A planned job whose parts are run by tasks of a scheduler, on one disk or on several."""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest

from bulkload.journal.lock import exclusive
from bulkload.journal.parts import part_folder
from bulkload.localstudio import LocalStudio
from tests.archives import archive, series, write
from tests.jobs import Jobs, Running, StartStudio, job_rows, running, until
from tests.lanes.divided import assert_all_arrived, rows_of
from tests.official import judge_of
from tests.report.serving import asked

PLAN = ("plan", "archive", "--job", "job", "--parts", "4")


def shard(number: int, count: int = 2, job: str = "job") -> list[str]:
    return ["upload", job, "--shard", f"{number}/{count}", "--lanes", "1", "--workers", "1"]


def test_shards_run_their_own_parts_and_together_the_whole_job(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", specs=2, cells=4, measurements=2)
    jobs.use(studio)
    planned = jobs.command(*PLAN)
    assert planned.code == 0, planned.err
    assert "16 measurements in 4 parts" in planned.out
    assert studio.requests.total == 0
    first = jobs.command(*shard(0), "--summary", "first.json")
    assert first.code == 0, first.out + first.err
    for part in range(4):
        states = {row.state for row in job_rows(part_folder(tmp_path / "job", part))}
        assert states <= ({"ready"} if part % 2 == 0 else {"planned"})
    told = jobs.command("status", "job").out
    assert "NOT DONE" not in told
    assert "2 done, 2 open" in told
    assert jobs.command(*shard(1)).code == 0
    before = studio.requests.total
    assert jobs.command(*shard(1)).code == 0
    assert studio.requests.total == before, "a finished shard asks nothing"
    # The account of the whole job is written by a run that sees all of it, and asks nothing.
    whole = jobs.command("upload", "archive", "--job", "job", "--lanes", "1")
    assert whole.code == 0, whole.out + whole.err
    assert studio.requests.total == before
    assert_all_arrived(studio, tmp_path / "job", made)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["upload", "archive", "--shard", "0/2"], "takes the folder of a planned job"),
        (["upload", "job", "--shard", "2/2"], "K from 0 to N-1"),
        (["upload", "job", "--shard", "half"], "K from 0 to N-1"),
        (["upload", "job", "--shard", "0/2", "--no-strict"], "as it was planned"),
        (["upload", "job", "--shard", "0/2", "--project", "p"], "as it was planned"),
        (["plan", "archive", "--parts", "4"], "give both --parts and --job"),
        (["plan", "archive", "--parts", "5", "--job", "job"], "planned with 4 parts"),
    ],
)
def test_what_cannot_be_run_as_a_shard_is_told(
    words: list[str], said: str, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", cells=3, measurements=1)
    jobs.use(studio)
    assert jobs.command(*PLAN).code == 0
    ended = jobs.command(*words)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())


def test_a_plan_that_was_cut_short_is_not_run(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", cells=6, measurements=1)
    jobs.use(studio)
    (tmp_path / "job/parts/0002").mkdir(parents=True)
    with exclusive(tmp_path / "job/parts/0002"):
        assert jobs.command(*PLAN).code == 2
    ended = jobs.command(*shard(0))
    assert ended.code == 2
    assert "its planning was cut short" in ended.err
    assert jobs.command(*PLAN).code == 0
    assert jobs.command(*shard(0, 1)).code == 0


def shown_at(run: Running) -> list[str]:
    """Return the addresses of page and metrics, which a run says first."""
    assert run.process.stderr is not None
    lines = [run.process.stderr.readline() for _ in range(2)]
    assert [line.partition(": ")[0] for line in lines] == ["page", "metrics"]
    return [line.partition(": ")[2].strip() for line in lines]


@pytest.mark.timeout(600)
def test_two_machines_refuse_each_other_part_by_part(
    start_studio: StartStudio, jobs: Jobs, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", cells=8, measurements=2)
    studio = start_studio(latency_s=0.2)
    jobs.use(studio)
    assert jobs.command(*PLAN).code == 0
    words = [*shard(0, 1), "--metrics", "0", "--page"]
    with running(words, folder=tmp_path, studio=studio) as one:
        page, metrics = shown_at(one)
        until(lambda: studio.requests.total > 3, "requests")
        assert asked(page)[0] == 200
        # The metrics are those of all parts of the shard.
        assert "\nbulkload_entries_planned 16.0\n" in asked(metrics)[2]
        other = jobs.command(*shard(0, 1))
        first = one.wait()
    assert not (tmp_path / "job/metrics.prom").exists(), "no shard sees the whole job"
    # The other ran what was free, and left the part under way to the first.
    assert first.code in (0, 5), first.out + first.err
    assert other.code in (0, 5), other.out + other.err
    assert "another run is using" in other.out + first.out
    again = jobs.command("upload", "archive", "--job", "job", "--lanes", "1")
    assert again.code == 0, again.out + again.err
    assert_all_arrived(studio, tmp_path / "job", made)


@pytest.mark.timeout(600)
def test_a_preempted_shard_is_started_again_and_goes_on(
    start_studio: StartStudio, jobs: Jobs, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", cells=6, measurements=3)
    studio = start_studio(latency_s=0.05)
    jobs.use(studio)
    assert jobs.command(*PLAN).code == 0
    for how in (signal.SIGTERM, signal.SIGKILL):
        seen = studio.requests.total
        with running(shard(0, 1), folder=tmp_path, studio=studio) as run:
            until(lambda seen=seen: studio.requests.total > seen + 12, "requests")  # type: ignore[misc]
            children = run.children()
            run.signal(how)
            assert run.wait().code in (143, -9)
            until(lambda c=children: not any(one.is_running() for one in c), "children")  # type: ignore[misc]
    assert jobs.command(*shard(0, 1)).code == 0
    assert jobs.command("upload", "archive", "--job", "job").code == 0
    assert_all_arrived(studio, tmp_path / "job", made)


def test_parts_run_without_a_common_disk_are_merged(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", specs=2, cells=4, measurements=2)
    jobs.use(studio)
    assert jobs.command(*PLAN).code == 0
    for number, machine in enumerate(("a", "b")):
        shutil.copytree(tmp_path / "job", tmp_path / machine)
        assert jobs.command(*shard(number, job=machine)).code == 0
    merged = jobs.command("merge", "job", "a", "b")
    assert merged.code == 0, merged.err
    assert Counter(row.state for row in rows_of(tmp_path / "job").values()) == {"ready": 16}
    again = jobs.command("merge", "job", "a", "b", "--json")
    assert json.loads(again.out)["parts"] == {"there already": 8}
    new = jobs.command("merge", "new", "b", "a")
    assert new.code == 0, new.err
    assert Counter(row.state for row in rows_of(tmp_path / "new").values()) == {"ready": 16}
    before = studio.requests.total
    assert jobs.command("upload", "archive", "--job", "job", "--lanes", "1").code == 0
    assert studio.requests.total == before
    assert_all_arrived(studio, tmp_path / "job", made)
    assert jobs.command("verify", "new", "--all").code == 0


def test_a_part_that_was_run_twice_apart_is_refused(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", cells=5, measurements=1)
    jobs.use(studio)
    assert jobs.command(*PLAN).code == 0
    for machine in ("a", "b"):
        shutil.copytree(tmp_path / "job", tmp_path / machine)
        assert jobs.command(*shard(0, job=machine)).code == 0
    assert jobs.command("merge", "job", "a").code == 0
    refused = jobs.command("merge", "job", "b")
    assert refused.code == 2
    assert "was run in both job and b" in refused.err
    with judge_of(studio) as judge:
        assert max(Counter(one.key for one in judge.measurements()).values()) == 1


def test_parts_of_another_job_or_count_are_refused(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", cells=3, measurements=1)
    archive(tmp_path / "second", cells=3, measurements=1)
    write(tmp_path / "second/spec 0/cell 0/more.csv", series(seed=9))
    jobs.use(studio)
    assert jobs.command(*PLAN).code == 0
    assert jobs.command("plan", "archive", "--job", "five", "--parts", "5").code == 0
    assert jobs.command("plan", "second", "--job", "other", "--parts", "4").code == 0
    assert jobs.upload("second", job="plain").code == 0
    (tmp_path / "empty").mkdir()
    shutil.copy(tmp_path / "job" / "job.json", tmp_path / "empty")
    nothing = jobs.command("merge", "job")
    assert (nothing.code, "name the folders" in nothing.err) == (2, True)
    for wrong, said in (
        ("five", "of another job"),
        ("other", "of another job"),
        ("plain", "not the folder of a job of several parts"),
        ("job", "the others are to be merged into"),
        ("empty", "holds no part of the job: copy its part folders too"),
    ):
        refused = jobs.command("merge", "job", wrong)
        assert refused.code == 2
        assert said in refused.err
