"""Children that die, hang or grow: each costs its own file, and the pool goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.prepare_result import Prepared, PrepareTask, Rejected
from bulkload.core.terms import JobKey
from bulkload.worker.pool import Pool, PoolLimits, open_pool
from tests.archives import series, write
from tests.jobs import is_reader, until

# The large files are written once.
pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("pool")]

MIB = 2**20
#: A file that keeps a child busy for a good while: some seconds of text to be parsed.
LONG_ROWS = 3_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def task(path: Path) -> PrepareTask:
    job = UploadJob(key=JobKey("spec", "cell", path.stem), path=str(path))
    return PrepareTask(job=job, checks=Checks(strict=True), spool_path=None)


@pytest.fixture
def good(tmp_path: Path) -> PrepareTask:
    return task(write(tmp_path / "good.csv", series()))


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> PrepareTask:
    """A file that takes a child long, and much memory."""
    return task(write(tmp_path_factory.mktemp("big") / "big.csv", series(rows=LONG_ROWS)))


@pytest.fixture(scope="module")
def growing(endless: PrepareTask) -> PrepareTask:
    """A file whose decimal commas are proved by all its values: it is read in one piece."""
    path = Path(endless.job.path)
    text = path.read_bytes().replace(b",", b";").replace(b".", b",")
    written = path.with_name("growing.csv")
    written.write_bytes(text)
    return task(written)


@asynccontextmanager
async def pool_of(
    folder: Path, *, workers: int = 1, time_s: float = 60.0, memory: int = 4096 * MIB
) -> AsyncIterator[Pool]:
    limits = PoolLimits(workers=workers, time_limit_s=time_s, memory_limit_bytes=memory)
    async with open_pool(limits, folder) as pool:
        yield pool
    assert not readers(), "children outlive the pool"


def readers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if is_reader(child)]


async def busy_reader() -> psutil.Process:
    """Return the child once it is at work: its start is over and it uses its core."""
    with anyio.fail_after(60):
        while True:
            for child in readers():
                try:
                    if child.memory_info().rss > 250 * MIB:
                        return child
                except psutil.NoSuchProcess:
                    continue
            await anyio.sleep(0.002)


async def gone(child: psutil.Process) -> None:
    """Wait until a child is gone; its end is left to the pool to take note of.

    ``psutil`` would do so itself while it waits, and the pool would not learn how it ended.
    """
    with anyio.fail_after(60), suppress(psutil.NoSuchProcess):
        while child.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110 - nothing tells of it
            await anyio.sleep(0.002)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that will hold the number of each child that is started."""
    start = asyncio.create_subprocess_exec
    born: list[int] = []

    async def counting(*words: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await start(*words, **options)
        born.append(process.pid)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", counting)
    return born


async def test_many_files_go_through_few_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    born = counted(monkeypatch)
    tasks = [task(write(tmp_path / f"{n}.csv", series(seed=n))) for n in range(12)]
    answers: list[Prepared | Rejected] = []

    async def prepare(one: PrepareTask) -> None:
        answers.append(await pool.prepare(one))

    async with pool_of(tmp_path, workers=2) as pool:
        async with anyio.create_task_group() as group:
            for one in tasks:
                group.start_soon(prepare, one)
        assert {child.pid for child in readers()} == set(born)
    assert len(born) == 2
    assert all(isinstance(answer, Prepared) for answer in answers)
    assert len({answer.content_digest for answer in answers if isinstance(answer, Prepared)}) == 12


async def test_a_child_is_started_when_a_file_needs_it(
    tmp_path: Path, good: PrepareTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    born = counted(monkeypatch)
    async with pool_of(tmp_path, workers=4) as pool:
        assert not born
        for _ in range(3):
            assert isinstance(await pool.prepare(good), Prepared)
        assert len(born) == 1, "one file at a time needs one child"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
async def test_a_child_that_dies_once_costs_nothing(tmp_path: Path, endless: PrepareTask) -> None:
    answers: list[Prepared | Rejected] = []

    async def prepare() -> None:
        answers.append(await pool.prepare(endless))

    async with pool_of(tmp_path) as pool, anyio.create_task_group() as group:
        group.start_soon(prepare)
        victim = await busy_reader()
        victim.kill()
        await gone(victim)
    assert isinstance(answers[0], Prepared)
    assert answers[0].rows == LONG_ROWS


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
async def test_a_file_that_kills_its_child_again_is_refused_and_the_pool_goes_on(
    tmp_path: Path, endless: PrepareTask, good: PrepareTask
) -> None:
    answers: list[Prepared | Rejected] = []

    async def prepare() -> None:
        answers.append(await pool.prepare(endless))

    async with pool_of(tmp_path) as pool:
        async with anyio.create_task_group() as group:
            group.start_soon(prepare)
            for _ in range(2):
                victim = await busy_reader()
                os.kill(victim.pid, signal.SIGSEGV)
                await gone(victim)
        refused = answers[0]
        assert isinstance(refused, Rejected)
        assert refused.cause == "reader_died"
        assert "big.csv" in refused.message
        assert "SIGSEGV" in refused.message
        assert isinstance(await pool.prepare(good), Prepared)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
async def test_a_child_that_hangs_is_ended_at_the_time_limit(
    tmp_path: Path, endless: PrepareTask, good: PrepareTask
) -> None:
    answers: list[Prepared | Rejected] = []

    async def prepare() -> None:
        answers.append(await pool.prepare(endless))

    async with pool_of(tmp_path, time_s=60.0) as pool:
        # On a busy machine the start of a worker takes longer than this test means to wait.
        assert isinstance(await pool.prepare(good), Prepared)
        patient, pool._limits = pool._limits, replace(pool._limits, time_limit_s=4.0)
        async with anyio.create_task_group() as group:
            group.start_soon(prepare)
            hung = readers()[0]
            hung.suspend()
        refused = answers[0]
        assert isinstance(refused, Rejected)
        assert refused.cause == "time_limit"
        assert "big.csv" in refused.message
        assert "4 s" in refused.message
        assert not hung.is_running()
        pool._limits = patient
        assert isinstance(await pool.prepare(good), Prepared)


async def test_a_child_that_outgrows_its_memory_is_ended(
    tmp_path: Path, growing: PrepareTask, good: PrepareTask
) -> None:
    async with pool_of(tmp_path, memory=330 * MIB) as pool:
        refused = await pool.prepare(growing)
        assert isinstance(refused, Rejected)
        assert refused.cause == "memory_limit"
        assert "growing.csv" in refused.message
        assert "330 MiB" in refused.message
        assert "--memory" in refused.message
        assert isinstance(await pool.prepare(good), Prepared)


async def test_a_large_file_is_tried_alone_with_the_memory_of_all(
    tmp_path: Path, growing: PrepareTask
) -> None:
    async with pool_of(tmp_path, workers=4, memory=330 * MIB) as pool:
        answer = await pool.prepare(growing)
    assert isinstance(answer, Prepared)
    assert answer.rows == LONG_ROWS


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
async def test_a_reader_that_the_system_kills_twice_speaks_of_memory_first(
    tmp_path: Path, endless: PrepareTask
) -> None:
    answers: list[Prepared | Rejected] = []

    async def prepare() -> None:
        answers.append(await pool.prepare(endless))

    async with pool_of(tmp_path) as pool, anyio.create_task_group() as group:
        group.start_soon(prepare)
        for _ in range(2):
            victim = await busy_reader()
            victim.kill()
            await gone(victim)
    refused = answers[0]
    assert isinstance(refused, Rejected)
    assert refused.cause == "reader_died"
    assert "SIGKILL, twice; most likely the system ran out of memory" in refused.message
    assert "export it again" not in refused.message


async def test_a_cancelled_wait_ends_the_child_and_nothing_hangs(
    tmp_path: Path, endless: PrepareTask
) -> None:
    async with pool_of(tmp_path) as pool, anyio.create_task_group() as group:
        group.start_soon(pool.prepare, endless)
        await busy_reader()
        group.cancel_scope.cancel()
    assert not readers()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
async def test_an_idle_child_that_died_is_replaced(tmp_path: Path, good: PrepareTask) -> None:
    async with pool_of(tmp_path) as pool:
        assert isinstance(await pool.prepare(good), Prepared)
        idle = readers()[0]
        idle.kill()
        await gone(idle)
        assert isinstance(await pool.prepare(good), Prepared)


async def test_a_child_that_dies_at_its_birth_is_replaced(
    tmp_path: Path, good: PrepareTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, and gone, before its parent has so much as looked at it."""
    start, born = asyncio.create_subprocess_exec, 0

    async def stillborn(*words: Any, **options: Any) -> asyncio.subprocess.Process:
        nonlocal born
        born += 1
        process = await start(*words, **options)
        if born == 1:
            process.kill()
            await process.wait()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", stillborn)
    async with pool_of(tmp_path) as pool:
        assert isinstance(await pool.prepare(good), Prepared)
    assert born == 2


async def test_what_a_library_prints_does_not_reach_the_answers(
    tmp_path: Path, good: PrepareTask
) -> None:
    """A child's first descriptor leads to its error file, whatever writes to it."""
    async with pool_of(tmp_path) as pool:
        assert isinstance(await pool.prepare(good), Prepared)
        child = readers()[0]
        if sys.platform == "linux":
            target = await anyio.Path(f"/proc/{child.pid}/fd/1").readlink()
            assert target.name == "worker-0.stderr"
        assert isinstance(await pool.prepare(good), Prepared)


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has loaded is in /proc")
async def test_a_child_loads_no_pandas_for_a_file_that_needs_none(
    tmp_path: Path, good: PrepareTask
) -> None:
    async with pool_of(tmp_path) as pool:
        assert isinstance(await pool.prepare(good), Prepared)
        loaded = await anyio.Path(f"/proc/{readers()[0].pid}/maps").read_text("utf-8")
    assert "/pyarrow/" in loaded
    assert "/pandas/" not in loaded


FRAMES = """
import pyarrow as pa
from bulkload.worker.arrow import leave_pandas_out
leave_pandas_out()
frame = pa.table({"a": [1, 2]}).to_pandas()
print(pa.Table.from_pandas(frame).to_pydict(), pa.array(frame["a"]).to_pylist())
"""


def test_a_reader_that_needs_pandas_has_it() -> None:
    import subprocess

    made = subprocess.run(
        [sys.executable, "-c", FRAMES], capture_output=True, text=True, check=True
    )
    assert made.stdout == "{'a': [1, 2]} [1, 2]\n"


def test_a_child_ends_with_its_parent_even_in_the_midst_of_a_file(
    tmp_path: Path, endless: PrepareTask
) -> None:
    import pickle
    import subprocess

    from bulkload.worker.process import encode_message

    child = subprocess.Popen(
        [sys.executable, "-m", "bulkload.worker.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert pickle.loads(encode_message(endless)[4:]) == endless
    child.stdin.write(encode_message(endless))
    child.stdin.flush()
    process = psutil.Process(child.pid)
    until(lambda: process.memory_info().rss > 250 * MIB, "the child is at work")
    child.stdin.close()
    assert child.wait(10) == 0
    child.stdout.close()


@pytest.mark.parametrize(("workers", "memory", "more"), [(4, 512, 3), (4, 1024, 3), (4, 256, 1)])
async def test_a_pool_grows_by_what_the_memory_has_room_for(
    tmp_path: Path, workers: int, memory: int, more: int
) -> None:
    limits = PoolLimits(workers=1, time_limit_s=60.0, memory_limit_bytes=512 * MIB)
    async with open_pool(limits, tmp_path) as pool:
        pool.grow(replace(limits, workers=workers, memory_limit_bytes=memory * MIB))
        async with AsyncExitStack() as held:
            slots = [await held.enter_async_context(pool._slot()) for _ in range(1 + more)]
            assert len(set(slots)) == 1 + more
            with anyio.move_on_after(0) as blocked:
                await held.enter_async_context(pool._slot())
            assert blocked.cancelled_caught, "more workers than that"
