"""The spool's bound: a slow Studio must not fill the disk with prepared files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from bulkload.core.prepare_result import SourceCopy
from bulkload.engine.pipeline import Pipeline
from bulkload.worker.spool import Spool, extension_path, steps_path

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def is_let_in(spool: Spool) -> bool:
    """Return whether a worker is let in without a change of the spool."""
    is_in = False

    async def prepare() -> None:
        nonlocal is_in
        await spool.wait_for_room()
        is_in = True

    async with anyio.create_task_group() as group:
        group.start_soon(prepare)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    return is_in


async def test_no_file_is_prepared_while_the_spool_is_at_its_limit(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", limit_bytes=100)
    spool.add(1, 99)
    assert await is_let_in(spool)
    spool.add(2, 1)
    assert not await is_let_in(spool)
    spool.remove(2)
    assert await is_let_in(spool)


async def test_who_waits_for_room_goes_on_when_there_is_some(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", limit_bytes=100)
    let_in: list[str] = []

    async def prepare(name: str) -> None:
        await spool.wait_for_room()
        let_in.append(name)

    spool.add(1, 60)
    spool.add(2, 60)
    async with anyio.create_task_group() as group:
        group.start_soon(prepare, "a")
        group.start_soon(prepare, "b")
        await anyio.wait_all_tasks_blocked()
        assert let_in == []
        # A job that holds nothing gives no room.
        spool.remove(3)
        await anyio.wait_all_tasks_blocked()
        assert let_in == []
        spool.remove(1)
        await anyio.wait_all_tasks_blocked()
        assert sorted(let_in) == ["a", "b"]


async def test_no_remote_source_is_copied_while_the_spool_is_at_its_limit(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", limit_bytes=100)
    fetched: list[object] = []

    async def fetch(context: object, spool_path: Path) -> SourceCopy:
        fetched.append((context, spool_path))
        return SourceCopy(path="copy", size_bytes=1, stamp_ns=1)

    # What the stage has of its pipeline.
    pipeline: Any = SimpleNamespace(
        _parts=SimpleNamespace(spool=spool), _fetcher=SimpleNamespace(fetch=fetch)
    )
    send, jobs = anyio.create_memory_object_stream[Any](1)
    copies, receive = anyio.create_memory_object_stream[Any](1)
    context = SimpleNamespace(id=7, copy=None)
    spool.add(1, 100)
    async with anyio.create_task_group() as group, receive:
        group.start_soon(Pipeline._fetch_all, pipeline, jobs, copies)
        async with send:
            await send.send(context)
        await anyio.wait_all_tasks_blocked()
        assert fetched == []
        spool.remove(1)
        assert await receive.receive() is context
    assert fetched == [(context, spool.path(7))]


async def test_a_limit_that_grows_lets_in_who_waits(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", limit_bytes=100)
    spool.add(1, 100)
    assert not await is_let_in(spool)
    async with anyio.create_task_group() as group:
        group.start_soon(spool.wait_for_room)
        await anyio.wait_all_tasks_blocked()
        spool.grow(limit_bytes=200)


async def test_a_jobs_files_go_with_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", limit_bytes=100)
    path = spool.path(7)
    assert path == tmp_path / "spool" / "7.parquet"
    for one in (path, steps_path(path), extension_path(path)):
        one.write_bytes(b"rows")
    other = spool.path(8)
    other.write_bytes(b"rows")
    spool.remove(7)
    assert sorted((tmp_path / "spool").iterdir()) == [other]
    spool.close()
    assert not (tmp_path / "spool").exists()
