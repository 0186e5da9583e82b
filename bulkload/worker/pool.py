"""Child processes that prepare files, each of which may be lost without losing the run.

A child prepares one file at a time. It is killed, and replaced, when a file takes longer than
``time_limit_s`` or the child's memory passes ``memory_limit_bytes``; a child that dies by
itself (a crash in a library, the system out of memory) is replaced too, and its file gets one
more chance before it is refused. Whatever happens costs that file only.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import anyio
import psutil
from anyio.abc import Process

from bulkload.core.prepare_result import Prepared, PrepareTask, Rejected
from bulkload.worker.child import HEADER, encode_message

#: How often a busy child's memory is looked at: it can outgrow its limit by what it
#: allocates in this time, before the operating system steps in.
MEMORY_POLL_S: Final = 0.25

#: How often a file may kill its child before it is refused.
MAX_DEATHS: Final = 2

#: Largest answer a child may give. Records are small; anything else is not ours.
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024

#: One computing thread a child: as many children as cores already use all of them.
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
    """Where files are prepared."""

    async def prepare(self, task: PrepareTask) -> Prepared | Rejected:
        """Prepare one file; never raises for what the file does."""


class _DiedError(Exception):
    """The child went away; the message says how."""


class _Worker:
    """One child process and the conversation with it."""

    def __init__(self, process: Process, stderr_path: Path) -> None:
        self.process = process
        self._stderr_path = stderr_path
        #: What has come of an answer.
        self._arrived = bytearray()
        #: Made once: making one asks the system for more than its memory does. None where the
        #: child is gone already.
        self._seen: psutil.Process | None = None
        with suppress(psutil.NoSuchProcess):
            self._seen = psutil.Process(process.pid)

    @classmethod
    async def start(cls, stderr_path: Path) -> _Worker:
        with stderr_path.open("wb") as stderr:
            process = await anyio.open_process(
                [sys.executable, "-X", "faulthandler", "-m", "bulkload.worker.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=os.environ | _ONE_THREAD,
                # Ctrl-C is for the parent: it decides how the run ends.
                start_new_session=True,
            )
        return cls(process, stderr_path)

    async def give(self, task: PrepareTask) -> None:
        """Send a task; ``_DiedError`` where nobody takes it."""
        assert self.process.stdin is not None
        try:
            await self.process.stdin.send(encode_message(task))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise _DiedError(await self._exit_reason()) from error

    async def answer(self) -> Prepared | Rejected:
        """Wait for the answer; ``_DiedError`` where none comes. Loses nothing when cancelled."""
        assert self.process.stdout is not None
        try:
            while (size := self._answer_size()) > len(self._arrived):
                self._arrived += await self.process.stdout.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise _DiedError(await self._exit_reason()) from error
        body = self._arrived[HEADER.size : size]
        del self._arrived[:size]
        answer = pickle.loads(body)  # noqa: S301 - our own child, over our own pipe
        assert isinstance(answer, Prepared | Rejected)
        return answer

    def _answer_size(self) -> int:
        """Return the length of an answer, header included, as far as it is known."""
        if len(self._arrived) < HEADER.size:
            return HEADER.size
        size: int = HEADER.unpack_from(self._arrived)[0]
        if size > MAX_ANSWER_BYTES:
            raise _DiedError("the reader process gave an answer that is not one")
        return HEADER.size + size

    async def _exit_reason(self) -> str:
        code = await self.process.wait()
        how = f"ended with code {code}"
        if code < 0:
            how = f"was ended by signal {signal.Signals(-code).name}"
        last_words = self._stderr_path.read_text("utf-8", errors="replace").strip()[-300:]
        return f"the reader process {how}" + (f" ({last_words})" if last_words else "")

    def memory_bytes(self) -> int:
        """Return the child's resident memory, zero once it is gone."""
        try:
            return 0 if self._seen is None else int(self._seen.memory_info().rss)
        except psutil.Error:
            return 0

    async def end(self) -> None:
        """Kill the child and wait until it is gone."""
        with anyio.CancelScope(shield=True):
            if self.process.returncode is None:
                self.process.kill()
            await self.process.wait()
            await self.process.aclose()


class Pool:
    """A fixed number of children; ``prepare`` waits for a free one."""

    def __init__(self, limits: PoolLimits, stderr_dir: Path) -> None:
        self._limits = limits
        self._stderr_dir = stderr_dir
        self._idle_send, self._idle_receive = anyio.create_memory_object_stream[_Worker](
            limits.workers
        )
        self._children: dict[int, _Worker] = {}

    async def _add(self, slot: int) -> _Worker:
        child = await _Worker.start(self._stderr_dir / f"worker-{slot}.stderr")
        self._children[slot] = child
        return child

    async def prepare(self, task: PrepareTask) -> Prepared | Rejected:
        """Prepare one file in a child; never raises for what the file does."""
        words = ""
        for _ in range(MAX_DEATHS):
            child = await self._living()
            try:
                answer = await self._watched(child, task)
            except _DiedError as error:
                words = str(error)
                await self._hand_back(child)
            else:
                await self._hand_back(child)
                return answer
        return Rejected(
            cause="reader_died",
            message=f"{task.job.path}: {words}, {MAX_DEATHS} times; the file is left out: "
            "check that it is whole, or export it again",
        )

    async def _living(self) -> _Worker:
        """Wait for a child that lives: one that died idle is not this file's fault."""
        child = await self._idle_receive.receive()
        while child.process.returncode is not None:
            await self._hand_back(child)
            child = await self._idle_receive.receive()
        return child

    async def _hand_back(self, child: _Worker) -> None:
        """Make the child, or its replacement where it is gone, free for the next task."""
        if child.process.returncode is not None:
            slot = next(slot for slot, one in self._children.items() if one is child)
            with anyio.CancelScope(shield=True):
                await child.end()
                child = await self._add(slot)
        self._idle_send.send_nowait(child)

    async def _watched(self, child: _Worker, task: PrepareTask) -> Prepared | Rejected:
        """Have a child prepare a file; the child is ended where that takes too long or too much."""
        limits = self._limits
        is_answered = False
        try:
            with anyio.move_on_after(limits.time_limit_s):
                await child.give(task)
                # Nothing tells of memory as it grows: looking is the only way.
                while child.memory_bytes() <= limits.memory_limit_bytes:
                    with anyio.move_on_after(MEMORY_POLL_S):
                        answer = await child.answer()
                        is_answered = True
                        return answer
                return _over_memory(task, limits.memory_limit_bytes)
            return _over_time(task, limits.time_limit_s)
        finally:
            # Its answer, if it has one, is nobody's now.
            if not is_answered:
                await child.end()

    async def _open(self) -> None:
        for slot in range(self._limits.workers):
            self._idle_send.send_nowait(await self._add(slot))

    async def _close(self) -> None:
        for child in self._children.values():
            await child.end()
        self._idle_send.close()
        self._idle_receive.close()


def _over_time(task: PrepareTask, limit_s: float) -> Rejected:
    return Rejected(
        cause="time_limit",
        message=f"{task.job.path}: reading took longer than {limit_s:g} s and was stopped; "
        "the file may be damaged: check it, or export it again",
    )


def _over_memory(task: PrepareTask, limit_bytes: int) -> Rejected:
    return Rejected(
        cause="memory_limit",
        message=f"{task.job.path}: reading needed more than {limit_bytes / 2**20:.0f} MiB and was "
        "stopped; allow more with --memory, or split the file",
    )


@asynccontextmanager
async def open_pool(limits: PoolLimits, stderr_dir: Path) -> AsyncIterator[Pool]:
    """Start the children, and end them with the block.

    Side effects: one ``worker-N.stderr`` file a child in ``stderr_dir``.
    """
    pool = Pool(limits, stderr_dir)
    try:
        await pool._open()  # noqa: SLF001 - opened and closed by its own module
        yield pool
    finally:
        await pool._close()  # noqa: SLF001 - opened and closed by its own module
