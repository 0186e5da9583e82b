"""Virtual time: hours of waiting pass in no time, in the order in which they would have passed.

The event loop itself keeps the time: where nothing is ready to run, it jumps to the next
timer instead of waiting for it. Everything that waits through the loop (``asyncio.sleep``,
anyio's deadlines, aiohttp's time-outs) is in virtual time without knowing it.

::

    virtual_run(main)                       # main() runs in virtual time from zero
    clock = VirtualClock()                  # inside: the Clock that reads that loop
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")

#: Wall-clock time at which virtual time starts.
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
#: Real seconds that sockets are given before time jumps: on loopback an answer is there at once,
#: a busy machine may hand it over a little later.
SOCKET_GRACE_S = 0.002
#: Real seconds without any event or timer after which a test hangs for ever.
DEADLOCK_S = 30.0


class DeadlockError(RuntimeError):
    """Nothing is ready, nothing is timed: no task can ever run again."""


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that moves virtual time on instead of waiting for it."""

    def __init__(self, grace_s: float) -> None:
        super().__init__()
        self.time = 0.0
        #: Calls handed to the loop's executor, and anyio's count of the same.
        self.in_executor = 0
        self.anyio_threads: anyio.CapacityLimiter | None = None
        self._grace_s = grace_s

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if timeout is None or self._in_threads():
            # A thread takes real time: virtual time stands still until it is done.
            ready = super().select(DEADLOCK_S)
            if not ready:
                raise DeadlockError(f"no event within {DEADLOCK_S:.0f} real seconds")
            return ready
        ready = super().select(min(self._grace_s, timeout))
        if not ready:
            self.time += timeout
        return ready

    def _in_threads(self) -> bool:
        in_anyio = 0 if self.anyio_threads is None else self.anyio_threads.borrowed_tokens
        return self.in_executor > 0 or in_anyio > 0


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is virtual and starts at zero."""

    def __init__(self, *, socket_grace_s: float = SOCKET_GRACE_S) -> None:
        self._jumping = _JumpingSelector(socket_grace_s)
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._jumping.time

    def watch_threads(self, limiter: anyio.CapacityLimiter) -> None:
        """Let time stand still while anyio runs anything in a thread."""
        self._jumping.anyio_threads = limiter

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run in a thread; virtual time stands still until it is done."""
        self._jumping.in_executor += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _future: Future[Any] | asyncio.Future[Any]) -> None:
        self._jumping.in_executor -= 1


class VirtualClock:
    """The ``Clock`` of a ``VirtualTimeLoop``; usable only inside it."""

    def now(self) -> datetime:
        """Return the virtual wall-clock time."""
        return EPOCH + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(max(seconds, 0.0))


def virtual_run(
    main: Callable[[], Coroutine[Any, Any, T]], *, socket_grace_s: float = SOCKET_GRACE_S
) -> T:
    """Run ``main()`` to its end in virtual time and give what it returns."""

    def make_loop() -> VirtualTimeLoop:
        return VirtualTimeLoop(socket_grace_s=socket_grace_s)

    async def watched() -> T:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.watch_threads(anyio.to_thread.current_default_thread_limiter())
        return await main()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(watched())
