"""What a run may take of what it shares with others: it grows when one of them ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bulkload.settings import RunLimits


class Share:
    """The share of one run, which may grow while it runs and never shrinks."""

    def __init__(self) -> None:
        self._limits: RunLimits | None = None
        self._take: Callable[[RunLimits], None] | None = None

    def grow(self, limits: RunLimits) -> None:
        """Give the run larger limits: now, or when its work begins."""
        self._limits = limits
        if self._take is not None:
            self._take(limits)

    @contextmanager
    def taken_by(self, take: Callable[[RunLimits], None]) -> Iterator[None]:
        """Have ``take`` called with larger limits for the length of the block."""
        if self._limits is not None:
            take(self._limits)
        self._take = take
        try:
            yield
        finally:
            self._take = None
