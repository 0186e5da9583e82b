"""The journal as the run sees it: one writer thread, group commit, reads beside it.

``append`` returns when the event is on disk. Events that arrive while a commit is under way
wait for the next one and share it, so the cost of a flush is divided among the jobs in flight.
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
from bulkload.journal.limits import MAX_GROUP
from bulkload.journal.rows import Parent
from bulkload.journal.store import Store


class Write:
    """A write on its way to the disk, and the event that its sender waits for."""

    __slots__ = ("act", "done", "error", "result")

    def __init__(self, act: Callable[[Store], Any]) -> None:
        self.act = act
        self.done = anyio.Event()
        self.result: Any = None
        self.error: Exception | None = None


class Journal:
    """Appends events and reads beside it; opened by ``open_journal``."""

    def __init__(self, path: Path, run: int, now: Callable[[], float]) -> None:
        self.run = run
        self._now = now
        self._path = path
        self.reader = Store(path)
        self._queue: queue.SimpleQueue[Write | None] = queue.SimpleQueue()

    async def append(self, job: int, *happened: Event) -> JobState:
        """Make events durable, all or none, and return the job's new state."""
        at = self._now()
        state: JobState = await self._write(
            lambda store: events.append(store, self.run, job, at, *happened)
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

    async def _write(self, act: Callable[[Store], Any]) -> Any:
        write = Write(act)
        self._queue.put(write)
        # A cancelled sender must still know whether its event was written: the wait is short.
        with anyio.CancelScope(shield=True):
            await write.done.wait()
        if write.error is not None:
            raise write.error
        return write.result

    def close(self) -> None:
        """Ask the writer to end after what is queued; close the reader."""
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

    def _next_group(self) -> tuple[list[Write], bool]:
        group: list[Write] = []
        item = self._queue.get()
        while item is not None:
            group.append(item)
            if len(group) == MAX_GROUP:
                return group, True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, True
        return group, False


def commit(store: Store, group: list[Write]) -> None:
    """Make a group of writes durable together, or record in each why it is not."""
    if not group:
        return
    try:
        with store.transaction():
            for write in group:
                write.result = write.act(store)
    except Exception as error:  # noqa: BLE001 - whatever it is, the senders must get it
        for write in group:
            write.error = error


def release(group: list[Write]) -> None:
    """Let the senders of a group go on."""
    for write in group:
        write.done.set()


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
