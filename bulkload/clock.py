"""Time as a parameter: code that waits or stamps takes a ``Clock``."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

import anyio


class Clock(Protocol):
    """What the shell knows of time."""

    def now(self) -> datetime:
        """Give the wall-clock time, with its zone."""

    def monotonic(self) -> float:
        """Give seconds that never run backwards, from any start."""

    async def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass; other tasks run meanwhile."""


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """Give the wall-clock time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give the seconds of the machine's monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        await anyio.sleep(max(seconds, 0.0))
