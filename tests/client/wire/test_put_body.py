"""What is stored, block by block: here, when the wire breaks off while a thread reads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import anyio
import anyio.to_thread
import pytest

from bulkload.client.storage.body import Sending
from bulkload.client.storage.limits import BLOCK_BYTES

#: Longest that a test waits for another thread, in seconds.
PATIENCE_S = 30.0


class SlowBody:
    """A body whose every block waits until it is let go, as on a disk that hangs."""

    size_bytes = 3 * BLOCK_BYTES
    sha256 = None
    md5 = None

    def __init__(self) -> None:
        self.is_read = threading.Event()
        self.let_go = threading.Event()
        self.is_closed = threading.Event()

    def blocks(self, start: int, stop: int) -> Iterator[bytes]:
        """Read from ``start`` to ``stop``."""
        try:
            for _ in range(start, stop, BLOCK_BYTES):
                self.is_read.set()
                assert self.let_go.wait(PATIENCE_S)
                yield bytes(BLOCK_BYTES)
        finally:
            self.is_closed.set()


def test_a_wire_that_breaks_off_leaves_the_reading_thread_alone() -> None:
    # aiohttp cancels the task that sends a body as soon as the store hangs up. To close the
    # generator then, while a thread runs it, is an error at best, and at worst a crash.
    body = SlowBody()

    async def send() -> None:
        async for _ in Sending(body, lambda _: None).blocks(lambda: None):
            raise AssertionError("no block was let go")

    async def break_off() -> None:
        task = asyncio.get_running_loop().create_task(send())
        assert await anyio.to_thread.run_sync(body.is_read.wait, PATIENCE_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not body.is_closed.is_set()
        body.let_go.set()
        assert await anyio.to_thread.run_sync(body.is_closed.wait, PATIENCE_S)

    anyio.run(break_off)
