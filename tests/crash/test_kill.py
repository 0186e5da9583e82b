"""SIGKILL at moments of one upload, started again each time, until it is done.

The moments are drawn from a seed and printed. Each is a number of requests that the server has
seen, and a few milliseconds more: so that every run is killed in the midst of its work on a slow
machine and on a fast one. The first moments lie before any request: start, plan, first look.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import psutil
import pytest

from bulkload.journal import FILE_NAME, LOG_NAME, find
from bulkload.journal.check import check_journal
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive, sums
from tests.jobs import Running, StartStudio, event_names, is_reader, running, until
from tests.official import judge_of

#: Kills of an upload; the moments of one are not those of the other.
KILLS = 5
#: The kills come within so many requests: half of what an upload of the archive takes without one,
#: about five a measurement.
REQUESTS = 150

COMMAND = ["upload", "archive", "--job", "job", "--workers", "2"]


def moments(seed: int) -> list[tuple[int, float]]:
    """Draw when to kill: after how many requests, and how many seconds later."""
    chance = random.Random(seed)
    after = sorted(chance.randrange(REQUESTS) for _ in range(KILLS - 2))
    early = [(0, chance.uniform(0.2, 2.0)) for _ in range(2)]
    return early + [(count, chance.uniform(0.0, 0.03)) for count in after]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("form", "is_plain", "seed"), [(FILE_NAME, False, 20261122), (LOG_NAME, True, 20261123)]
)
def test_killed_five_times_an_upload_still_brings_each_measurement_once(
    form: str, *, is_plain: bool, seed: int, start_studio: StartStudio, tmp_path: Path
) -> None:
    """With the journal of a disk, and with that of a network file system; on either loop."""
    keep(tmp_path / "job" / form)
    loop = plain_loop(tmp_path / "loop") if is_plain else {}
    made = archive(tmp_path / "archive", specs=3, cells=4, measurements=5, rows=200)
    studio = start_studio(latency_s=0.02, processing_s=0.2)
    readers: list[psutil.Process] = []
    killed = 0
    for count, delay_s in moments(seed):
        with running(COMMAND, folder=tmp_path, studio=studio, environment=loop) as run:
            readers += kill_at(run, studio, count, delay_s)
            killed += run.process.returncode < 0
            moment = f"{studio.requests.total} requests (drawn: {count} and {delay_s * 1e3:.0f} ms)"
            print(f"seed {seed}: killed after {moment}")  # noqa: T201
    assert killed == KILLS, "the upload was over before the last moment: lower REQUESTS"
    until(lambda: not any(is_reader(one) for one in readers), "children outlive their parent")

    with running(COMMAND, folder=tmp_path, studio=studio, environment=loop) as run:
        ended = run.wait()
        assert not run.children()
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": len(made)}
    assert ended.summary["rows"] == sum(table.num_rows for table in made.values())
    assert not (tmp_path / "job" / "spool").exists()
    assert {row.state for row in ended.rows.values()} == {"ready"}
    assert find(tmp_path / "job") == tmp_path / "job" / form
    assert list(check_journal(tmp_path / "job" / form)) == []
    with judge_of(studio) as judge:
        held = judge.by_key()
        assert set(held) == set(made)
        assert len(judge.client.cell_spec.list()) == 3
        for key, table in made.items():
            assert held[key].record.processing_status == "ready"
            assert sums(judge.time_series(held[key].id)) == sums(table)
    assert_finished_job_asks_nothing(studio, tmp_path)


def keep(journal: Path) -> None:
    """Let a folder's journal be of this form: one that is not begun decides it."""
    journal.parent.mkdir()
    journal.touch()


def plain_loop(folder: Path) -> dict[str, str]:
    """Return an environment whose uvloop, where it is installed, is asyncio's own loop."""
    folder.mkdir()
    (folder / "uvloop.py").write_text("from asyncio import new_event_loop\n", "utf-8")
    return {"PYTHONPATH": str(folder)}


def kill_at(run: Running, studio: LocalStudio, count: int, delay_s: float) -> list[psutil.Process]:
    """Kill a run without warning; return the children that it leaves behind."""
    until(
        lambda: studio.requests.total >= count or run.process.poll() is not None,
        f"{count} requests",
    )
    # Not a wait for something: the delay is what makes the moment a random one.
    time.sleep(delay_s)
    readers = run.readers()
    run.process.kill()
    run.process.wait()
    return readers


def assert_finished_job_asks_nothing(studio: LocalStudio, folder: Path) -> None:
    before = studio.requests.total
    with running(COMMAND, folder=folder, studio=studio) as run:
        assert run.wait().code == 0
    assert studio.requests.total == before


@pytest.mark.parametrize("endpoint", ["measurement.initiate", "storage.put", "measurement.confirm"])
def test_killed_between_an_act_and_its_answer_the_next_run_finds_its_own_work(
    endpoint: str, start_studio: StartStudio, tmp_path: Path
) -> None:
    """The act is done and its answer never arrives: the worst moment of each act."""
    made = archive(tmp_path / "archive", measurements=1)
    studio = start_studio()
    rule = FaultRule(kind=FaultKind.SILENCE, endpoint=endpoint, seconds=60.0, times=1)
    active = studio.faults.add(rule)
    with running(COMMAND, folder=tmp_path, studio=studio) as run:
        until(lambda: active.struck == 1, endpoint)
        # The work behind the silence is done when its intent is journaled and storage or record
        # have it; the kill may come a little before that, which the next run must withstand.
        run.process.kill()
        run.process.wait()
    assert "Attempting" in event_names(tmp_path / "job", "run 0")
    with running(COMMAND, folder=tmp_path, studio=studio) as run:
        ended = run.wait()
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": 1}
    with judge_of(studio) as judge:
        (held,) = judge.measurements()
        assert held.key in made
        assert sums(judge.time_series(held.id)) == sums(made[held.key])
