"""Output that never stops the work: a stream whose writes neither wait nor fail.

A terminal can be paused (Ctrl-S), a pipe's reader can go away (``| head``), the disk behind a
redirection can be full. None of that may stall the run's event loop or end the run. Therefore
every text goes into a bounded queue, and a thread of its own writes it. What cannot be written
is dropped and counted.
"""

from __future__ import annotations

import io
import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

#: Text that may wait for a slow terminal, in bytes: some thousand screens. Beyond it, text is
#: dropped: a paused terminal must not cost memory without bound.
QUEUE_LIMIT_BYTES: Final = 4 * 2**20
#: Characters of a result that are queued at a time: with four bytes each they fit the queue.
WRITE_CHARACTERS: Final = QUEUE_LIMIT_BYTES // 4
#: How long the end of the process waits for text that is still queued, in seconds. A terminal
#: takes it in milliseconds; one that is paused takes nothing however long it is waited for.
DRAIN_LIMIT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class DroppedOutput:
    """What did not reach the terminal."""

    #: ``stdout`` or ``stderr``.
    stream: str
    size_bytes: int
    #: The system's error, empty where the queue was full.
    reason: str


class QueuedBytes(io.RawIOBase):
    """The binary side of a text stream; ``write`` queues and returns at once."""

    def __init__(self, stream: TextIO | None, queue: OutputQueue | None) -> None:
        super().__init__()
        self.queue = queue
        self._stream = stream

    def write(self, data: Buffer) -> int:
        """Queue bytes; they are dropped where the queue is full or the stream is broken."""
        copy = bytes(data)
        if self.queue is not None:
            self.queue.put(copy)
        return len(copy)

    def writable(self) -> bool:
        """Return True: what cannot be written is dropped."""
        return True

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor, as libraries that ask for the terminal's size need it."""
        if self._stream is None:
            raise io.UnsupportedOperation("the stream is closed")
        return self._stream.fileno()


class OutputQueue:
    """The texts that wait for one descriptor, and the thread that writes them."""

    def __init__(self, name: str, descriptor: int) -> None:
        self._name = name
        self._descriptor = descriptor
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_writing = False
        self._dropped_bytes = 0
        self._reason = ""
        self._changed = Condition()
        # A daemon: a write to a paused terminal must not keep the process alive.
        Thread(target=self._run, name=f"bulkload-{name}", daemon=True).start()

    def put(self, data: bytes) -> None:
        """Queue bytes, or drop them."""
        with self._changed:
            if self._reason or self._waiting_bytes + len(data) > QUEUE_LIMIT_BYTES:
                self._dropped_bytes += len(data)
                return
            self._waiting.append(data)
            self._waiting_bytes += len(data)
            self._changed.notify_all()

    def drain(self, limit_s: float) -> bool:
        """Wait until everything is written, no longer than ``limit_s``; return whether it is."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._waiting and not self._is_writing, limit_s
            )

    def dropped(self) -> DroppedOutput | None:
        """Return what was not written, None where everything was."""
        with self._changed:
            if not self._dropped_bytes:
                return None
            return DroppedOutput(self._name, self._dropped_bytes, self._reason)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                data = b"".join(self._waiting)
                self._waiting.clear()
                self._is_writing = True
            error = self._write(data)
            with self._changed:
                self._is_writing = False
                self._waiting_bytes -= len(data)
                if error is not None:
                    self._break_off(error, len(data))
                self._changed.notify_all()

    def _write(self, data: bytes) -> OSError | None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except OSError as error:
                return error
        return None

    def _break_off(self, error: OSError, size_bytes: int) -> None:
        self._reason = error.strerror or type(error).__name__
        self._dropped_bytes += size_bytes + sum(map(len, self._waiting))
        self._waiting.clear()
        self._waiting_bytes = 0


def write_whole(text: str) -> None:
    """Write a result to standard output, and wait for whoever takes it.

    Only for what a command prints when its work is done: unlike notices it must arrive whole,
    however slow the reader is. For a reader that is gone there is no wait.
    """
    stream = sys.stdout
    buffer = getattr(stream, "buffer", None)
    queue = buffer.queue if isinstance(buffer, QueuedBytes) else None
    for at in range(0, len(text), WRITE_CHARACTERS):
        stream.write(text[at : at + WRITE_CHARACTERS])
        # In short waits: a person who interrupts is heard.
        while queue is not None and not queue.drain(DRAIN_LIMIT_S):
            pass
    stream.flush()


def dropped_output() -> list[DroppedOutput]:
    """Return what of ``sys.stdout`` and ``sys.stderr`` was not written so far, by stream.

    Text that is still queued is waited for, at most ``DRAIN_LIMIT_S``: only then is it known.
    """
    buffers = [getattr(stream, "buffer", None) for stream in (sys.stdout, sys.stderr)]
    queues = {
        buffer.queue: None
        for buffer in buffers
        if isinstance(buffer, QueuedBytes) and buffer.queue is not None
    }
    for queue in queues:
        queue.drain(DRAIN_LIMIT_S)
    return [dropped for queue in queues if (dropped := queue.dropped()) is not None]


@contextmanager
def queued_output() -> Iterator[None]:
    """Put ``sys.stdout`` and ``sys.stderr`` behind queues for the length of the block.

    Where both are one terminal they share a queue, so that lines keep their order. At the end
    queued text is waited for at most ``DRAIN_LIMIT_S``.
    """
    before = sys.stdout, sys.stderr
    queues: dict[tuple[int, int], OutputQueue] = {}
    sys.stdout = _queued("stdout", before[0], queues)
    sys.stderr = _queued("stderr", before[1], queues)
    try:
        yield
    finally:
        for queue in queues.values():
            queue.drain(DRAIN_LIMIT_S)
        sys.stdout, sys.stderr = before


def _queued(name: str, stream: TextIO | None, queues: dict[tuple[int, int], OutputQueue]) -> TextIO:
    queue = None if stream is None else _queue_of(name, stream, queues)
    return io.TextIOWrapper(
        # A raw stream serves as a buffer: each text is passed on at once and whole.
        cast(Any, QueuedBytes(stream if queue is not None else None, queue)),
        encoding=(stream.encoding if stream is not None else None) or "utf-8",
        # Characters that the terminal's encoding lacks are escaped: no name makes it fail.
        errors="backslashreplace",
        write_through=True,
    )


def _queue_of(
    name: str, stream: TextIO, queues: dict[tuple[int, int], OutputQueue]
) -> OutputQueue | None:
    """Return the queue of a stream's descriptor, None where it is closed."""
    try:
        # What libraries wrote before is in the stream's own buffer.
        stream.flush()
        descriptor = stream.fileno()
        status = os.fstat(descriptor)
    except (OSError, ValueError):
        return None
    # Windows gives consoles and pipes no inode: there each stream has a queue of its own.
    key = (status.st_dev, status.st_ino) if status.st_ino else (-1, descriptor)
    if key not in queues:
        queues[key] = OutputQueue(name, descriptor)
    return queues[key]
