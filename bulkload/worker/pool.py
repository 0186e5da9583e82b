"""Worker processes that prepare files, each of which may be lost without losing the run.

A worker prepares one file at a time. It is killed, and replaced, when a file takes longer than
``time_limit_s`` or the worker's memory passes ``memory_limit_bytes``; a worker that dies by
itself (a crash in a library, the system out of memory) is replaced too. Its file, and one that
needs more memory than its share, is tried once more alone before it is rejected. Whatever
happens costs that file only.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import anyio
import psutil

from bulkload.core.prepare_result import MEMORY_LIMIT, Prepared, PrepareTask, Rejected, StillReading
from bulkload.core.systems import system_of
from bulkload.worker.limits import (
    MAX_ANSWER_BYTES,
    MEMORY_POLL_S,
    STDERR_TAIL_CHARACTERS,
)
from bulkload.worker.process import HEADER, encode_message

_SYSTEM: Final = system_of(sys.platform)

#: One computing thread a worker: as many workers as cores already use all of them.
_ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """What one file may cost."""

    workers: int
    time_limit_s: float
    memory_limit_bytes: int


class Preparer(Protocol):
    """Prepares files."""

    async def prepare(self, task: PrepareTask) -> Prepared | Rejected:
        """Prepare one file; never raises for what the file does."""

    def grow(self, limits: PoolLimits) -> None:
        """Use more workers from now on."""


class _WorkerDiedError(Exception):
    """The worker ended; the message is its exit reason."""

    def __init__(self, exit_reason: str, *, is_killed: bool = False) -> None:
        super().__init__(exit_reason)
        #: Whether it was ended by SIGKILL, which is what a system out of memory sends.
        self.is_killed = is_killed


class _Worker:
    """One worker process and the pipes to it."""

    def __init__(self, process: asyncio.subprocess.Process, stderr_path: Path) -> None:
        self.process = process
        self._stderr_path = stderr_path
        #: When its memory was looked at, in seconds of the monotonic clock.
        self._looked_at = 0.0
        #: Length in bytes of the answer whose header has arrived.
        self._announced: int | None = None
        #: Created once: creating one costs more system calls than reading the memory. None where
        #: the worker has ended already.
        self._observed: psutil.Process | None = None
        with suppress(psutil.NoSuchProcess):
            self._observed = psutil.Process(process.pid)

    @classmethod
    async def start(cls, stderr_path: Path) -> _Worker:
        with stderr_path.open("wb") as stderr:
            # anyio's streams around the same pipes would cost more than the pipes.
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-X", "faulthandler", "-m", "bulkload.worker.process"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=os.environ | _ONE_THREAD,
                # Ctrl-C is for the parent: it decides how the run ends.
                start_new_session=_SYSTEM.has_sessions,
                creationflags=_SYSTEM.creation_flags,
            )
        return cls(process, stderr_path)

    def send(self, task: PrepareTask) -> None:
        """Send a task to a worker that has none. One that has ended gives no answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(encode_message(task))

    async def answer(self) -> Prepared | Rejected | StillReading:
        """Wait for the answer, or for a sign that it takes longer.

        Raises ``_WorkerDiedError`` where the worker ends first. Loses nothing when cancelled.
        """
        assert self.process.stdout is not None
        try:
            if self._announced is None:
                header = await self.process.stdout.readexactly(HEADER.size)
                self._announced = int(HEADER.unpack(header)[0])
                if self._announced > MAX_ANSWER_BYTES:
                    raise _WorkerDiedError("the reader process gave an answer that cannot be read")
            body = await self.process.stdout.readexactly(self._announced)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise await self._died() from error
        self._announced = None
        answer = pickle.loads(body)  # noqa: S301 - our own worker, over our own pipe
        assert isinstance(answer, Prepared | Rejected | StillReading)
        return answer

    async def _died(self) -> _WorkerDiedError:
        """Wait for the worker's end and return it as an error."""
        code = await self.process.wait()
        return _WorkerDiedError(self._exit_reason(code), is_killed=code == -9)

    def _exit_reason(self, code: int) -> str:
        how = f"ended with code {code}"
        if code < 0:
            how = f"was ended by signal {signal.Signals(-code).name}"
        stderr = self._stderr_path.read_text("utf-8", errors="replace").strip()
        stderr_tail = stderr[-STDERR_TAIL_CHARACTERS:]
        return f"the reader process {how}" + (f" ({stderr_tail})" if stderr_tail else "")

    def memory_bytes(self) -> int:
        """Return the worker's resident memory in bytes, zero once it has ended."""
        try:
            return 0 if self._observed is None else int(self._observed.memory_info().rss)
        except psutil.Error:
            return 0

    def is_seen_above(self, limit_bytes: int) -> bool:
        """Return whether the worker has more memory than that; looks at most every so often.

        Most files are read between two looks: a look for each would cost more than its answer.
        """
        now = time.monotonic()
        if now - self._looked_at < MEMORY_POLL_S:
            return False
        self._looked_at = now
        return self.memory_bytes() > limit_bytes

    async def end(self) -> None:
        """Kill the worker and wait until it has ended."""
        with anyio.CancelScope(shield=True):
            with suppress(ProcessLookupError):
                self.process.kill()
            assert self.process.stdin is not None
            self.process.stdin.close()
            await self.process.wait()


class Pool:
    """A bounded number of workers; ``prepare`` waits for a free one.

    A worker is started when a file needs it: a job with nothing to do starts none, and one of
    three files starts three, whatever the cores.
    """

    def __init__(self, limits: PoolLimits, stderr_dir: Path) -> None:
        self._limits = limits
        self._stderr_dir = stderr_dir
        #: Slot -> its worker, where one was started.
        self._workers: dict[int, _Worker] = {}
        #: The free slots; the one used last is taken first, so that few files need few workers.
        self._idle = list(reversed(range(limits.workers)))
        self._free = anyio.Semaphore(limits.workers, fast_acquire=True)
        #: Held by the one file that has all workers: two that collect them would wait for ever.
        self._alone = anyio.Lock()

    def grow(self, limits: PoolLimits) -> None:
        """Use more workers from now on, as many as the memory has room for.

        What one worker may take stays as it is: files are being read with it.
        """
        total_bytes = limits.workers * limits.memory_limit_bytes
        fitting = total_bytes // self._limits.memory_limit_bytes
        workers = range(self._limits.workers, min(limits.workers, fitting))
        self._idle[:0] = reversed(workers)
        for _ in workers:
            self._free.release()
        self._limits = replace(self._limits, workers=max(self._limits.workers, workers.stop))

    async def prepare(self, task: PrepareTask) -> Prepared | Rejected:
        """Prepare one file in a worker; never raises for what the file does.

        A file that needs more than a worker's share of the memory, or whose worker died, is
        tried once more while no other file is read: the fault may have been the others'.
        """
        async with self._slot() as slot:
            try:
                worker = await self._worker(slot)
                answer = await self._watched(worker, task, self._limits.memory_limit_bytes)
            except _WorkerDiedError:
                answer = None
        if answer is None or (self._limits.workers > 1 and _needs_memory(answer)):
            return await self._prepare_alone(task)
        return answer

    async def _prepare_alone(self, task: PrepareTask) -> Prepared | Rejected:
        """Prepare a file with all workers' memory, while every other worker rests."""
        async with self._alone, AsyncExitStack() as taken:
            # The pool may grow meanwhile: what it grows by is not this file's.
            workers = self._limits.workers
            slots = [await taken.enter_async_context(self._slot()) for _ in range(workers)]
            limit_bytes = self._limits.memory_limit_bytes * workers
            try:
                return await self._watched(await self._worker(slots[0]), task, limit_bytes)
            except _WorkerDiedError as error:
                return _died(task, error, limit_bytes)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[int]:
        """Hold a free slot for the length of the block."""
        async with self._free:
            slot = self._idle.pop()
            try:
                yield slot
            finally:
                self._idle.append(slot)

    async def _worker(self, slot: int) -> _Worker:
        """Return the worker of a slot: one that died idle is not the next file's fault."""
        while True:
            worker = self._workers.get(slot)
            if worker is not None and worker.process.returncode is None:
                return worker
            # A start that is broken off would leave a process that is not in the pool's list.
            with anyio.CancelScope(shield=True):
                if worker is not None:
                    await worker.end()
                place = self._stderr_dir / f"worker-{slot}.stderr"
                self._workers[slot] = await _Worker.start(place)

    async def _watched(
        self, worker: _Worker, task: PrepareTask, memory_limit_bytes: int
    ) -> Prepared | Rejected:
        """Have a worker prepare a file; end the worker where that takes too much time or memory."""
        limit_s = self._limits.time_limit_s
        is_answered = False
        try:
            worker.send(replace(task, memory_bytes=memory_limit_bytes))
            deadline = anyio.current_time() + limit_s
            # The system reports no growth of memory: it has to be polled, and so is the time.
            while not worker.is_seen_above(memory_limit_bytes):
                wait_s = min(MEMORY_POLL_S, deadline - anyio.current_time())
                if wait_s <= 0:
                    return _over_time(task, limit_s)
                with anyio.move_on_after(wait_s):
                    answer = await worker.answer()
                    if not isinstance(answer, StillReading):
                        is_answered = True
                        return answer
                    deadline = anyio.current_time() + limit_s
            return _over_memory(task, memory_limit_bytes)
        finally:
            # An answer that it may still give belongs to no task.
            if not is_answered:
                await worker.end()

    async def _close(self) -> None:
        for worker in self._workers.values():
            await worker.end()


def _needs_memory(answer: Prepared | Rejected) -> bool:
    return isinstance(answer, Rejected) and answer.cause == MEMORY_LIMIT


def _died(task: PrepareTask, error: _WorkerDiedError, limit_bytes: int) -> Rejected:
    """Return the rejection of a file whose worker died twice, the second time alone."""
    if error.is_killed:
        advice = (
            "most likely the system ran out of memory, though no other file was read and "
            f"{limit_bytes / 2**20:.0f} MiB were granted: give the job more memory, or lower "
            "--memory to what it may use"
        )
    else:
        advice = "the file is left out: check that it is whole, or export it again"
    return Rejected(cause="reader_died", message=f"{task.job.place}: {error}, twice; {advice}")


def _over_time(task: PrepareTask, limit_s: float) -> Rejected:
    return Rejected(
        cause="time_limit",
        message=f"{task.job.place}: reading took longer than {limit_s:g} s and was stopped; "
        "the file may be damaged: check it, or export it again",
    )


def _over_memory(task: PrepareTask, limit_bytes: int) -> Rejected:
    return Rejected(
        cause=MEMORY_LIMIT,
        message=f"{task.job.place}: reading needed more than {limit_bytes / 2**20:.0f} MiB and was "
        "stopped; allow more with --memory, or split the file",
    )


@asynccontextmanager
async def open_pool(limits: PoolLimits, stderr_dir: Path) -> AsyncIterator[Pool]:
    """Give workers to who prepares files, and end them with the block.

    Side effects: one ``worker-N.stderr`` file a worker in ``stderr_dir``.
    """
    pool = Pool(limits, stderr_dir)
    try:
        yield pool
    finally:
        await pool._close()  # noqa: SLF001 - closed by its own module
