"""What a worker's time goes to is told apart: waiting, and each part of the computing."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path

import anyio

from bulkload.core.limiting import LimitName
from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.prepare_result import Prepared, PrepareTask, Rejected
from bulkload.core.terms import JobKey
from bulkload.worker.pool import PoolLimits, open_pool
from bulkload.worker.work_times import WorkTimes
from tests.archives import archive


def compute() -> None:
    sum(math.sqrt(number) for number in range(200_000))


def test_computing_counts_for_its_part() -> None:
    times = WorkTimes()
    times.enter(LimitName.VALIDATING)
    compute()
    times.enter(LimitName.ENCODING)
    taken = times.taken()
    assert taken[LimitName.VALIDATING] > taken.get(LimitName.ENCODING, 0.0)
    assert set(taken) <= {
        LimitName.DISK, LimitName.PARSING, LimitName.VALIDATING, LimitName.ENCODING
    }  # fmt: skip


def test_waiting_for_what_is_read_is_the_disk() -> None:
    """A pipe whose writer takes its time is a slow disk to who reads it."""
    reading, writing = os.pipe()
    times = WorkTimes()
    timer = threading.Timer(0.2, os.close, [writing])
    timer.start()
    os.read(reading, 1)
    taken = times.taken()
    timer.join()
    os.close(reading)
    assert taken[LimitName.DISK] > 0.1
    assert taken[LimitName.DISK] > taken[LimitName.PARSING]


def test_a_new_file_begins_anew() -> None:
    times = WorkTimes()
    compute()
    first = sum(times.taken().values())
    times.begin()
    assert sum(times.taken().values()) < first


def test_a_worker_says_what_its_time_went_to(tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=1)
    good = next((tmp_path / "archive").rglob("run 0.*"))
    bad = good.with_name("bad.csv")
    bad.write_text("a,b\n1,2\n", "utf-8")

    async def prepared(path: Path) -> Prepared | Rejected:
        limits = PoolLimits(workers=1, time_limit_s=600.0, memory_limit_bytes=2**30)
        job = UploadJob(key=JobKey("S", "c", "m"), path=str(path))
        spool = str(tmp_path / "1.parquet")
        async with open_pool(limits, tmp_path) as pool:
            return await pool.prepare(PrepareTask(job=job, checks=Checks(), spool_path=spool))

    for path, kind in ((good, Prepared), (bad, Rejected)):
        answer = anyio.run(prepared, path)
        assert isinstance(answer, kind)
        assert sum(answer.work_s.values()) > 0
    assert {LimitName.PARSING} <= set(answer.work_s)
