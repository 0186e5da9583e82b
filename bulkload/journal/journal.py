"""The journal as the run sees it: one writer thread, group commit, reads beside it.

``append`` returns when the event is on disk. What one turn of the event loop writes is handed to
the writer together; what follows at once is gathered for some milliseconds, and what arrives
while a commit is under way shares the next one. So the cost of a flush, and of waking the writer,
is divided among the jobs in flight.
A failed commit (disk full) fails every event of its group and all later ones: nothing is
acted upon that was not written.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from bulkload.core.lifecycle import Event, JobState
from bulkload.journal import events
from bulkload.journal.limits import GATHER_S, MAX_GROUP
from bulkload.journal.rows import Parent
from bulkload.journal.store import Store


class Write:
    """A write on its way to the disk; ``done`` is what its sender waits for."""

    __slots__ = ("_then", "act", "done", "error", "result")

    def __init__(
        self, act: Callable[[Store], Any], then: Callable[[Any], None] | None = None
    ) -> None:
        """``then`` is called with the result once it is on disk, in the loop."""
        self.act = act
        self._then = then
        self.result: Any = None
        self.error: Exception | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def finish(self) -> None:
        """Let what was written take effect, also where its sender was cancelled meanwhile."""
        if self.error is None and self._then is not None:
            try:
                self._then(self.result)
            except Exception as error:  # noqa: BLE001 - the sender must get it, not the loop
                self.error = error
        if not self.done.done():
            self.done.set_result(None)


#: Writes that are handed over together.
Batch = list[Write]


class Journal:
    """Appends events and reads beside it; opened by ``open_journal``."""

    def __init__(self, path: Path, run: int, now: Callable[[], float]) -> None:
        self.run = run
        self._now = now
        self._path = path
        self.reader = Store(path)
        self._queue: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        #: What is gathered for the writer, None while nothing is.
        self._batch: Batch | None = None
        #: When the last batch was handed over, in seconds of the loop's clock.
        self._handed_over_at = 0.0

    async def append(
        self, job: int, *happened: Event, then: Callable[[JobState], None] | None = None
    ) -> JobState:
        """Make events durable, all or none, and return the job's new state.

        ``then`` is called with it as soon as they are on disk: also where the caller is cancelled
        before it hears of it.
        """
        at = self._now()
        state: JobState = await self._write(
            lambda store: events.append(store, self.run, job, at, *happened), then
        )
        return state

    async def keep_parent(self, parent: Parent) -> None:
        """Record a parent that this run created."""
        await self._write(lambda store: store.put_parent(self.run, parent))

    async def keep_raw_data(self, sha256: str, raw_data_id: str) -> None:
        """Record which raw file in Studio holds these bytes."""
        await self._write(lambda store: store.put_raw_data(sha256, raw_data_id))

    async def drop_parent(self, kind: str, parent_id: str) -> None:
        """Forget a parent that was deleted."""
        await self._write(lambda store: store.drop_parent(kind, parent_id))

    async def _write(
        self, act: Callable[[Store], Any], then: Callable[[Any], None] | None = None
    ) -> Any:
        write = Write(act, then)
        batch = self._batch
        if batch is None:
            batch = self._batch = []
            self._gather()
        batch.append(write)
        if len(batch) == MAX_GROUP:
            self._hand_over()
        await write.done
        if write.error is not None:
            raise write.error
        return write.result

    def _gather(self) -> None:
        """See to it that the batch is handed over: once a turn of the loop, and not too often.

        What comes after a rest does not wait; what comes at once after another waits for more.
        """
        loop = asyncio.get_running_loop()
        wait_s = self._handed_over_at + GATHER_S - loop.time()
        if wait_s <= 0:
            loop.call_soon(self._hand_over)
        else:
            loop.call_later(wait_s, self._hand_over)

    def _hand_over(self) -> None:
        if self._batch is not None:
            self._handed_over_at = asyncio.get_running_loop().time()
            self._queue.put(self._batch)
            self._batch = None

    def close(self) -> None:
        """Ask the writer to end after what is queued; close the reader."""
        self._hand_over()
        self._queue.put(None)
        self.reader.close()

    def write_until_closed(self, loop: asyncio.AbstractEventLoop) -> None:
        """Commit what is queued, group by group: the body of the writer thread."""
        with Store(self._path) as store:
            is_open = True
            while is_open:
                group, is_open = self._next_group()
                commit(store, group)
                if group:
                    loop.call_soon_threadsafe(release, group)

    def _next_group(self) -> tuple[list[Batch], bool]:
        group: list[Batch] = []
        item = self._queue.get()
        while item is not None:
            group.append(item)
            if sum(map(len, group)) >= MAX_GROUP:
                return group, True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, True
        return group, False


def commit(store: Store, group: list[Batch]) -> None:
    """Make a group of batches durable together, or record in each write why it is not."""
    writes = [write for batch in group for write in batch]
    if not writes:
        return
    try:
        with store.transaction():
            for write in writes:
                write.result = write.act(store)
    except Exception as error:  # noqa: BLE001 - whatever it is, the senders must get it
        for write in writes:
            write.error = error


def release(group: list[Batch]) -> None:
    """Let what a group wrote take effect, and its senders go on."""
    for batch in group:
        for write in batch:
            write.finish()


@asynccontextmanager
async def open_journal(path: Path, run: int, now: Callable[[], float]) -> AsyncIterator[Journal]:
    """Open a journal for a run that ``Store.begin_run`` has begun."""
    journal = Journal(path, run, now)
    loop = asyncio.get_running_loop()
    thread = threading.Thread(
        target=journal.write_until_closed, args=(loop,), name="journal", daemon=True
    )
    thread.start()
    try:
        yield journal
    finally:
        journal.close()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(thread.join)
