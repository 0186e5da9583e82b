"""The worker process: takes prepare tasks from standard input, answers on standard output.

Run as ``python -m bulkload.worker.process``. A message is a length of four bytes (big endian) and a
pickle of a record of ``core/prepare_result.py``; both ends are ours, and nothing else can write
to the pipes. What a library prints must not reach the answers: descriptor 1 is pointed at
standard error before any reader is imported. When the parent process ends, standard input ends
and the worker exits at once, even in the middle of a file.
"""

from __future__ import annotations

import gc
import os
import pickle
import queue
import struct
import sys
import threading
from dataclasses import replace
from typing import BinaryIO, Final

HEADER: Final = struct.Struct(">I")


def read_message(stream: BinaryIO) -> object | None:
    """Return the next message, None where the stream has ended."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    body = stream.read(HEADER.unpack(header)[0])
    message: object = pickle.loads(body)  # noqa: S301 - only our parent writes to this pipe
    return message


def encode_message(message: object) -> bytes:
    """Return a message as bytes for the pipe."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body


def take_answers() -> BinaryIO:
    """Take standard output for the answers and give libraries standard error instead."""
    descriptor = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(descriptor, "wb")


def _receive(tasks: queue.SimpleQueue[object]) -> None:
    while (task := read_message(sys.stdin.buffer)) is not None:
        tasks.put(task)
    # The parent has ended, or ends us: nothing waits for the current file.
    os._exit(0)


def main() -> None:
    """Prepare one task after another until standard input ends."""
    answers = take_answers()
    tasks: queue.SimpleQueue[object] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(tasks,), daemon=True).start()
    # What is loaded stays: looking for garbage in it takes an eighth of the time of the start.
    gc.disable()
    from bulkload.core.prepare_result import PrepareTask, StillReading
    from bulkload.worker.arrow import leave_pandas_out, use_one_thread
    from bulkload.worker.memory import hold_to
    from bulkload.worker.prepare import prepare
    from bulkload.worker.work_times import WORK

    use_one_thread()
    leave_pandas_out()
    gc.freeze()
    gc.enable()

    def say(message: object) -> None:
        answers.write(encode_message(message))
        answers.flush()

    while True:
        task = tasks.get()
        assert isinstance(task, PrepareTask)
        hold_to(task.memory_bytes)
        WORK.begin()
        answer = prepare(task, beat=lambda: say(StillReading()))
        say(replace(answer, work_s=WORK.taken()))


if __name__ == "__main__":
    main()
