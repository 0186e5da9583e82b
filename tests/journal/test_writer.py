"""What is handed to the writer together, and what takes effect once it is on disk."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from bulkload.core.lifecycle import Failed, JobState
from bulkload.core.plan_items import UploadJob
from bulkload.core.terms import JobKey
from bulkload.errors import JournalError
from bulkload.journal import FILE_NAME, Parent, Store
from bulkload.journal.codec import job_to_text
from bulkload.journal.journal import Journal, Write, commit, open_journal
from bulkload.journal.limits import GATHER_S, MAX_GROUP
from tests.simulation.virtual_clock import virtual_run

#: Seconds after which a test that waits for a write has waited for one that never comes.
pytestmark = pytest.mark.timeout(10)
FAILED = Failed(cause="permission", message="not yours")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A journal with one run and two jobs."""
    path = tmp_path / FILE_NAME
    with Store(path) as store:
        store.begin_run("bulkload upload", {}, 0.0)
        for name in "ab":
            job = UploadJob(key=JobKey("s", "c", name), path=name)
            store.add_job(1, job, job_to_text(job), "options")
        yield path


# -- What is on disk takes effect -------------------------------------------------------------


def test_each_kind_of_write_is_on_disk_when_it_returns(path: Path) -> None:
    spec = Parent("cell_specification", "s1", "s", None, "now")
    other = Parent("cell_instance", "i1", "c", "s1", None)

    async def main() -> None:
        async with open_journal(path, 1, lambda: 42.0) as journal:
            assert await journal.append(1, FAILED) is JobState.FAILED
            await journal.keep_parent(spec)
            await journal.keep_parent(other)
            await journal.keep_raw_data("ff", "r1")
            await journal.drop_parent("cell_instance", "i1")
            assert journal.reader.history(1) == [(42.0, "Failed")]
            assert journal.reader.parents() == [spec]
            assert journal.reader.runs_of_parents() == {("cell_specification", "s1"): 1}
            assert journal.reader.raw_data_id("ff") == "r1"

    anyio.run(main)


def test_what_was_written_takes_effect_though_its_sender_was_cancelled(path: Path) -> None:
    noted: list[JobState] = []

    async def main() -> None:
        async with open_journal(path, 1, lambda: 0.0) as journal:
            sender = asyncio.create_task(journal.append(1, FAILED, then=noted.append))
            await asyncio.sleep(0)
            sender.cancel()
            await journal.append(2, FAILED)
            assert sender.cancelled()

    anyio.run(main)
    assert noted == [JobState.FAILED]


def test_all_is_on_disk_and_the_writer_has_ended_when_the_journal_is_closed(path: Path) -> None:
    async def main() -> None:
        with anyio.CancelScope() as scope:
            async with open_journal(path, 1, lambda: 0.0) as journal:
                sender = asyncio.create_task(journal.append(1, FAILED))
                await asyncio.sleep(0)
                # As a run that is stopped does it.
                scope.cancel()
        assert "journal" not in [thread.name for thread in threading.enumerate()]
        with Store(path, is_read_only=True) as reader:
            assert reader.history(1) == [(0.0, "Failed")]
        assert await sender is JobState.FAILED

    anyio.run(main)


def test_what_an_effect_raises_is_the_senders(path: Path) -> None:
    def fail(_: JobState) -> None:
        raise ZeroDivisionError

    async def main() -> None:
        async with open_journal(path, 1, lambda: 0.0) as journal:
            with pytest.raises(ZeroDivisionError):
                await journal.append(1, FAILED, then=fail)
            assert journal.reader.history(1) == [(0.0, "Failed")]

    anyio.run(main)


def test_what_could_not_be_written_takes_no_effect(path: Path) -> None:
    noted: list[JobState] = []

    async def main() -> None:
        async with open_journal(path, 1, lambda: 0.0) as journal:

            async def append(job: int) -> None:
                with pytest.raises(JournalError, match="no such table"):
                    await journal.append(job, FAILED, then=noted.append)

            journal.reader._connection.execute("DROP TABLE event")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(append, 1)
                tasks.start_soon(append, 2)

    anyio.run(main)
    assert noted == []


def test_a_group_without_writes_is_no_transaction(path: Path) -> None:
    with Store(path, is_read_only=True) as reader:
        # It could not begin one.
        commit(reader, [[], []])


# -- What is handed over together --------------------------------------------------------------


class Gathering:
    """A journal without a writer, in virtual time."""

    def __init__(self, path: Path) -> None:
        self.journal = Journal(path, 1, lambda: 0.0)
        self.handed_over: list[list[Write] | None] = []
        #: Cancelled by the loop in the end.
        self.writes: list[asyncio.Future[JobState]] = []

    def write(self, count: int = 1) -> None:
        """Begin to write so many."""
        for _ in range(count):
            self.writes.append(asyncio.ensure_future(self.journal.append(1, FAILED)))

    async def sizes(self, after_s: float = 0.0) -> list[int]:
        """Return the sizes of the batches that were handed over since it was asked last."""
        await asyncio.sleep(after_s)
        # What is to happen now happens in the turns of the loop without time between.
        for _ in range(3):
            await asyncio.sleep(0)
        found: list[int] = []
        while True:
            try:
                batch = self.journal._queue.get_nowait()
            except queue.Empty:
                return found
            found.append(-1 if batch is None else len(batch))


def test_the_writes_of_one_turn_are_handed_over_together_and_at_once(path: Path) -> None:
    async def main() -> None:
        await asyncio.sleep(1.0)
        gathering = Gathering(path)
        gathering.write(3)
        assert await gathering.sizes() == [3]
        assert asyncio.get_running_loop().time() == 1.0
        gathering.journal.close()

    virtual_run(main, socket_grace_s=0.0)


def test_what_comes_soon_after_is_gathered_for_some_milliseconds(path: Path) -> None:
    async def main() -> None:
        await asyncio.sleep(1.0)
        gathering = Gathering(path)
        gathering.write()
        assert await gathering.sizes() == [1]
        gathering.write(2)
        assert await gathering.sizes(GATHER_S * 0.6) == []
        gathering.write(3)
        assert await gathering.sizes(GATHER_S * 0.3) == []
        assert await gathering.sizes(GATHER_S * 0.2) == [5]
        # What comes after a rest does not wait.
        await asyncio.sleep(GATHER_S * 1.1)
        gathering.write()
        assert await gathering.sizes() == [1]
        gathering.journal.close()

    virtual_run(main, socket_grace_s=0.0)


def test_a_full_batch_does_not_wait(path: Path) -> None:
    async def main() -> None:
        await asyncio.sleep(1.0)
        gathering = Gathering(path)
        gathering.write()
        assert await gathering.sizes() == [1]
        gathering.write(2 * MAX_GROUP + 1)
        assert await gathering.sizes() == [MAX_GROUP, MAX_GROUP]
        assert await gathering.sizes(GATHER_S * 1.1) == [1]
        gathering.journal.close()

    virtual_run(main, socket_grace_s=0.0)


def test_what_is_gathered_is_handed_over_before_the_end(path: Path) -> None:
    async def main() -> None:
        await asyncio.sleep(1.0)
        gathering = Gathering(path)
        gathering.write()
        assert await gathering.sizes() == [1]
        gathering.write(2)
        await asyncio.sleep(0)
        gathering.journal.close()
        assert await gathering.sizes() == [2, -1]

    virtual_run(main, socket_grace_s=0.0)


def test_a_group_is_what_waits_up_to_its_limit(path: Path) -> None:
    async def main() -> None:
        journal = Journal(path, 1, lambda: 0.0)

        def batch(size: int) -> list[Write]:
            return [Write(lambda _: None) for _ in range(size)]

        one, two, three = batch(100), batch(MAX_GROUP - 100), batch(1)
        for item in (one, two, three, None):
            journal._queue.put(item)
        assert journal._next_group() == ([one, two], True)
        assert journal._next_group() == ([three], False)
        for item in (one, three):
            journal._queue.put(item)
        assert journal._next_group() == ([one, three], True)
        journal._queue.put(None)
        assert journal._next_group() == ([], False)
        journal.reader.close()

    virtual_run(main, socket_grace_s=0.0)
