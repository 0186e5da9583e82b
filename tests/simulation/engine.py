"""The whole engine in one thread and one process: threads and workers run in line.

Everything else is the real thing: `run.run_job` with its pipeline, the client with its caller,
limiters, retry and gates, the journal's SQLite file, the lock, the account.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread

from bulkload.client.delivery import Delivery
from bulkload.client.http.access import Access
from bulkload.client.http.caller import Caller
from bulkload.client.http.wire import Transport
from bulkload.client.storage.storage import Storage
from bulkload.core.flow.retry_budget import RetryBudget
from bulkload.core.lifecycle import (
    Event,
    Initiated,
    JobState,
    ProcessingReady,
    RolledBack,
    Stored,
)
from bulkload.core.prepare_result import Prepared, PrepareTask, Rejected
from bulkload.core.terms import JobKey
from bulkload.journal import JobRow, Store
from bulkload.journal.journal import Journal, Write, commit, release
from bulkload.journal.limits import GATHER_S
from bulkload.sources.stamp import stamp
from bulkload.worker.pool import PoolLimits
from bulkload.worker.spool import extension_path
from tests.simulation.contents import Content
from tests.simulation.faulty_wire import (
    FaultInjector,
    FaultyStore,
    FaultyTransport,
    inject_by_chance,
)
from tests.simulation.world import World, WorldClock

T = TypeVar("T")


class InlineJournal(Journal):
    """The journal without its thread.

    Groups are committed on the loop. A crash may fall before a commit, or between a commit and
    the moment its senders are notified.
    """

    def __init__(
        self, path: Path, run: int, now: Callable[[], float], world: World, judge: EventJudge
    ) -> None:
        super().__init__(path, run, now)
        self._world = world
        self._judge = judge
        self._writer = Store(path)
        # The simulated crash is the process's, not the machine's: no flush is needed for it.
        self._writer._connection.execute("PRAGMA synchronous=OFF")

    async def append(
        self, job: int, *happened: Event, then: Callable[[JobState], None] | None = None
    ) -> JobState:
        """Append events; compare what they claim with the Studio."""
        state = await super().append(job, *happened, then=then)
        for event in happened:
            self._judge.check(self.reader, job, event)
        return state

    async def _write(
        self, act: Callable[[Store], Any], then: Callable[[Any], None] | None = None
    ) -> Any:
        await self._world.step()
        write = Write(act, then)
        if self._batch is None:
            self._batch = []
            delay_s = self._world.chance.uniform(0.0, GATHER_S)
            asyncio.get_running_loop().call_later(delay_s, self._flush)
        self._batch.append(write)
        await write.done
        if write.error is not None:
            raise write.error
        return write.result

    def _flush(self) -> None:
        batch, self._batch = self._batch, None
        assert batch is not None
        if self._world.tick():
            return
        commit(self._writer, [batch])
        if not self._world.tick():
            release([batch])

    def close(self) -> None:
        """Close both connections."""
        self._writer.close()
        self.reader.close()


class EventJudge:
    """Compares each event of the journal with the Studio, at the moment it is written."""

    def __init__(self, world: World, contents: Mapping[JobKey, Content]) -> None:
        self._world = world
        self._contents = contents

    def check(self, store: Store, job: int, event: Event) -> None:
        """Check an event that is on disk now."""
        self._world.studio.process()
        match event:
            case Initiated():
                self._require(event.measurement_id not in self._world.studio.records, job, event)
            case Stored():
                row = store.get_job(job)
                self._require(self._holds(row, row.measurement_id), job, event)
            case ProcessingReady():
                row = store.get_job(job)
                record = self._world.studio.records.get(str(row.measurement_id))
                is_there = record is not None and self._world.studio.status(record) == "ready"
                self._require(is_there and self._holds(row, row.measurement_id), job, event)

            case RolledBack():
                row = store.get_job(job)
                is_gone = str(row.measurement_id) not in self._world.studio.records
                self._require(is_gone, job, event)

    def _holds(self, row: JobRow, measurement_id: str | None) -> bool:
        stored = self._world.studio.objects.get(f"{measurement_id}/time_series.parquet")
        return self._contents[row.key].is_in(stored)

    def _require(self, is_so: bool, job: int, event: Event) -> None:  # noqa: FBT001
        if not is_so:
            self._world.report_violation(
                f"job {job}: the journal says {event}, and the Studio does not"
            )


class MemoryPool:
    """Prepares from memory, in some virtual time."""

    def __init__(self, world: World, contents: Mapping[JobKey, Content]) -> None:
        self._world = world
        self._contents = contents
        self._preparing = 0

    def grow(self, limits: PoolLimits) -> None:
        """Have any number of workers as before: who prepares bounds them."""

    async def prepare(self, task: PrepareTask) -> Prepared | Rejected:
        """Write the spool file of a measurement."""
        self._preparing += 1
        self._world.prepares(self._preparing)
        try:
            return await self._prepare(task)
        finally:
            self._preparing -= 1

    async def _prepare(self, task: PrepareTask) -> Prepared | Rejected:
        await self._world.step()
        await asyncio.sleep(self._world.chance.expovariate(20.0))
        content = self._contents[task.job.key]
        if content.is_bad:
            return Rejected(cause="unreadable", message=f"{task.job.path}: bad by design")
        assert task.spool_path is not None
        spool, stored = Path(task.spool_path), task.stored
        self._watch_spool(spool.parent)
        _write(spool, content.data)
        earlier = content.earlier
        is_longer = (
            stored is not None
            and earlier is not None
            and stored.content_digest == earlier.content_digest
        )
        if is_longer:
            _write(extension_path(spool), content.new_rows)
        return Prepared(
            rows=content.rows,
            columns=content.columns,
            size_bytes=len(content.data),
            sha256=content.sha256,
            md5=hashlib.md5(content.data, usedforsecurity=False).hexdigest(),
            content_digest=content.content_digest,
            source=stamp(Path(task.job.path)),
            is_longer=is_longer,
        )

    def _watch_spool(self, folder: Path) -> None:
        """Note how many files are in the spool when another one is to be written."""
        waiting = sum(path.stem.isdecimal() for path in folder.glob("*.parquet"))
        self._world.spooled(waiting)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldDelivery(Delivery):
    """Wire of a world, under the client's real caller and storage."""

    world: World
    inject: FaultInjector = inject_by_chance

    def open(self, access: Access) -> tuple[Transport, Caller, Storage]:
        """Set up the ways to the API and to storage as ``Delivery`` does."""
        clock, budget = WorldClock(self.world), RetryBudget()
        transport = FaultyTransport(self.world, self.inject)
        caller = Caller(
            transport,
            access,
            clock=clock,
            observer=self.observer,
            chance=self.world.chance.random,
            policy=self.policy,
            budget=budget,
            connections=self.connections,
            outage_limit_s=self.outage_limit_s,
        )
        storage = Storage(
            clock=clock,
            observer=self.observer,
            chance=self.world.chance.random,
            policy=self.policy,
            budget=budget,
            streams=self.streams,
            outage_limit_s=self.outage_limit_s,
            http=FaultyStore(self.world, self.inject, connections=self.streams),
        )
        return transport, caller, storage


@dataclass(frozen=True, slots=True)
class InLine:
    """Opens the journal and the pool of a run without a thread or a process."""

    world: World
    contents: Mapping[JobKey, Content]

    @asynccontextmanager
    async def open_journal(
        self, path: Path, run: int, now: Callable[[], float]
    ) -> AsyncIterator[Journal]:
        """Stand in for ``journal.open_journal``."""
        journal = InlineJournal(path, run, now, self.world, EventJudge(self.world, self.contents))
        try:
            yield journal
        finally:
            journal.close()

    @asynccontextmanager
    async def open_pool(self, _limits: PoolLimits, _stderr_dir: Path) -> AsyncIterator[MemoryPool]:
        """Stand in for ``pool.open_pool``."""
        yield MemoryPool(self.world, self.contents)


@contextmanager
def threads_in_line() -> Iterator[None]:
    """Run calls to threads at once: the order in which two threads end is not reproducible."""
    real = anyio.to_thread.run_sync

    async def run_sync(act: Callable[..., T], *args: Any, **_: Any) -> T:
        return act(*args)

    anyio.to_thread.run_sync = run_sync  # type: ignore[assignment]
    try:
        yield
    finally:
        anyio.to_thread.run_sync = real
