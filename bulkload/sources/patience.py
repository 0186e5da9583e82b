"""Opening, listing and reading of sources, where it can be abandoned.

A share that went away, or a pipe where a file should be, never answers, and nothing in a process
can end such a call. So it is made in a thread of its own: what does not answer in time is named
and left behind with its thread, and the rest goes on.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from bulkload.errors import PlanError
from bulkload.sources.limits import MAX_STUCK, PATIENCE_POLL_S, PATIENCE_S

T = TypeVar("T")
R = TypeVar("R")


class StuckError(OSError):
    """Something of a source did not answer."""

    def __init__(self) -> None:
        super().__init__(
            errno.ETIMEDOUT,
            f"it did not answer for {PATIENCE_S:g} s, the limit; it may be a pipe, or on a share "
            "that went away",
        )


class _Helper(threading.Thread):
    """Does a list of acts, one after the other."""

    def __init__(self) -> None:
        super().__init__(name="bulkload-source", daemon=True)
        self.tasks: SimpleQueue[tuple[Callable[[Any], Any], Sequence[Any]]] = SimpleQueue()
        self.done: SimpleQueue[None] = SimpleQueue()
        #: Answers so far, and when the act under way began.
        self.answers: list[Any] = []
        self.began = 0.0
        self.abandoned = threading.Event()

    def run(self) -> None:
        """Work until abandoned."""
        while not self.abandoned.is_set():
            act, items = self.tasks.get()
            for item in items:
                self.began = time.monotonic()
                answer: object
                try:
                    answer = act(item)
                # It is raised again where the answer is taken.
                except Exception as error:  # noqa: BLE001
                    answer = _Raised(error)
                if self.abandoned.is_set():
                    return
                self.answers.append(answer)
            self.done.put(None)


class _Raised:
    def __init__(self, error: Exception) -> None:
        self.error = error


class Patience:
    """Does what may never end, for one thread that waits for it."""

    def __init__(self) -> None:
        self._helper: _Helper | None = None
        self._stuck = 0

    def one(self, act: Callable[[], R]) -> R:
        """Return what an act returns, or raise what it raises; ``StuckError`` for no answer."""
        (answer,) = self._each(lambda _: act(), [None])
        if isinstance(answer, _Raised):
            raise answer.error
        found: R = answer
        return found

    def each(self, act: Callable[[T], R], items: Sequence[T]) -> list[R | Exception]:
        """Return for each item what the act returned, or the error that it raised."""
        return [
            answer.error if isinstance(answer, _Raised) else answer
            for answer in self._each(act, items)
        ]

    def _each(self, act: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        found: list[Any] = []
        while len(found) < len(items):
            helper = self._helper = self._helper or _started()
            helper.answers = []
            helper.began = time.monotonic()
            helper.tasks.put((act, items[len(found) :]))
            while True:
                try:
                    helper.done.get(timeout=PATIENCE_POLL_S)
                except Empty:
                    if time.monotonic() - helper.began < PATIENCE_S:
                        continue
                    helper.abandoned.set()
                    self._helper = None
                    found += [*helper.answers, _Raised(StuckError())]
                    self._count_stuck()
                else:
                    found += helper.answers
                break
        return found

    def _count_stuck(self) -> None:
        self._stuck += 1
        if self._stuck >= MAX_STUCK:
            raise PlanError(
                f"{MAX_STUCK} files or folders of the source did not answer for {PATIENCE_S:g} s "
                "each; see whether its share can be reached, and run again"
            )


def _started() -> _Helper:
    helper = _Helper()
    helper.start()
    return helper


_local: Final = threading.local()


def patience() -> Patience:
    """Return the patience of this thread."""
    found = getattr(_local, "patience", None)
    if found is None:
        found = _local.patience = Patience()
    assert isinstance(found, Patience)
    return found
