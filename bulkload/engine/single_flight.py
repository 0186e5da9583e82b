"""Do a thing once, however many callers ask for it at the same time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import anyio

from bulkload.errors import TerminalError


class SingleFlight:
    """Runs an act once a key and remembers its answer.

    A terminal error is an answer too: it is raised again without another request. A transient
    failure is not remembered.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._answers: OrderedDict[object, str] = OrderedDict()
        self._locks: dict[object, anyio.Lock] = {}
        self._errors: OrderedDict[object, TerminalError] = OrderedDict()

    def known(self, key: object) -> str | None:
        """Return the remembered answer."""
        return self._answers.get(key)

    def remember(self, key: object, answer: str) -> None:
        """Keep an answer learned elsewhere."""
        self._answers[key] = answer
        while len(self._answers) > self._capacity:
            self._answers.popitem(last=False)

    async def get(self, key: object, act: Callable[[], Awaitable[str]]) -> str:
        """Return the answer for a key; the first caller acts, the others wait for it."""
        if (known := self._answers.get(key)) is not None:
            return known
        lock = self._locks.setdefault(key, anyio.Lock())
        try:
            async with lock:
                if (answer := self._answers.get(key)) is None:
                    answer = await self._ask(key, act)
                return answer
        finally:
            if not lock.statistics().tasks_waiting and not lock.locked():
                self._locks.pop(key, None)

    async def _ask(self, key: object, act: Callable[[], Awaitable[str]]) -> str:
        if (known := self._errors.get(key)) is not None:
            raise known
        try:
            answer = await act()
        except TerminalError as error:
            self._errors[key] = error
            while len(self._errors) > self._capacity:
                self._errors.popitem(last=False)
            raise
        self.remember(key, answer)
        return answer


@contextmanager
def one_error() -> Iterator[None]:
    """Let a group of exceptions leave the block as the first of its members."""
    try:
        yield
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
