"""Asynchronous methods for callers that do not await: one loop, in a thread of its own.

``blocking`` and ``lazy`` make a method of a synchronous class out of one of an asynchronous
class. Names, arguments and types are those of the original: nothing is written twice.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from anyio.from_thread import start_blocking_portal

from bulkload.client.api.lists import Listing

P = ParamSpec("P")
T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own. It ends with its last user, or with Python."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._portal = self._stack.enter_context(start_blocking_portal("asyncio"))
        self._close = weakref.finalize(self, self._stack.close)

    def run(self, act: Callable[[], Awaitable[T]]) -> T:
        """Await an act there. An interruption here cancels it there."""
        future = self._portal.start_task_soon(act)
        try:
            return future.result()
        finally:
            future.cancel()

    def at_end(self, act: Callable[[], Awaitable[None]]) -> None:
        """Have an act awaited before the loop ends."""
        self._stack.callback(self._portal.call, act)

    def close(self) -> None:
        """End the loop; ending it twice is once."""
        self._close()


class Proxied:
    """Stands for an asynchronous object, reached through its loop."""

    def __init__(self, target: object, loop: Loop) -> None:
        self.target = target
        self.loop = loop


class LazyRecords(Generic[T]):
    """A list that is fetched as it is read, to be used as a list.

    Iterating fetches page by page; ``len``, a negative index and ``items`` fetch the rest.
    ``total`` is the server's count of all matches.
    """

    def __init__(self, listing: Listing[T], loop: Loop) -> None:
        self._listing = listing
        self._loop = loop

    @property
    def items(self) -> list[T]:
        """All records."""
        # Not list(self): that would ask for the length first, which asks for the items.
        return [record for record in self]  # noqa: C416

    @property
    def count(self) -> int:
        """How many records there are."""
        return len(self)

    @property
    def total(self) -> int:
        """The server's count of all matches, whatever the limit."""
        return self._loop.run(self._listing.total)

    def __iter__(self) -> Iterator[T]:
        index = 0
        while self._reach(index):
            yield self._listing.fetched[index]
            index += 1

    def __len__(self) -> int:
        return len(self.items)

    def __bool__(self) -> bool:
        return self._reach(0)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, int) and index >= 0:
            if not self._reach(index):
                raise IndexError(f"no record {index}: the list is shorter")
            return self._listing.fetched[index]
        return self.items[index]

    def _reach(self, index: int) -> bool:
        if index < len(self._listing.fetched):
            return True
        return self._loop.run(functools.partial(self._listing.reach, index))

    def __repr__(self) -> str:
        return f"LazyRecords({self.items!r}, total={self.total})"


class _Blocking(Generic[P, T]):
    """A method that awaits its original in the portal's loop."""

    def __init__(self, original: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> None:
        self._original = original
        self.__doc__ = original.__doc__

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...

    @overload
    def __get__(self, instance: Proxied, owner: type[Any]) -> Callable[P, T]: ...

    def __get__(self, instance: Proxied | None, owner: type[Any]) -> Self | Callable[P, T]:
        if instance is None:
            return self
        original = self._original

        @functools.wraps(original)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return instance.loop.run(lambda: original(instance.target, *args, **kwargs))

        return call


class _Lazy(Generic[P, T]):
    """A method that gives the listing of its original as a list."""

    def __init__(self, original: Callable[Concatenate[Any, P], Listing[T]]) -> None:
        self._original = original
        self.__doc__ = original.__doc__

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...

    @overload
    def __get__(self, instance: Proxied, owner: type[Any]) -> Callable[P, LazyRecords[T]]: ...

    def __get__(
        self, instance: Proxied | None, owner: type[Any]
    ) -> Self | Callable[P, LazyRecords[T]]:
        if instance is None:
            return self
        original = self._original

        @functools.wraps(original)
        def call(*args: P.args, **kwargs: P.kwargs) -> LazyRecords[T]:
            return LazyRecords(original(instance.target, *args, **kwargs), instance.loop)

        return call


def blocking(
    original: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> _Blocking[P, T]:
    """Make a method that blocks out of one that is awaited."""
    return _Blocking(original)


def lazy(original: Callable[Concatenate[Any, P], Listing[T]]) -> _Lazy[P, T]:
    """Make a method that gives a list out of one that gives a listing."""
    return _Lazy(original)
