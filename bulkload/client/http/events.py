"""Events of the wire: each attempt and each decision, as a small record.

Progress counts them, the log writes their class as the event name and their fields beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

Service = Literal["api", "storage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """One attempt is over, well or badly."""

    service: Service
    method: str
    #: The path with its ids left out; the host for storage.
    endpoint: str
    #: HTTP status, None where no answer came.
    status: int | None
    #: ``cause`` of the error, None for a success.
    cause: str | None
    seconds: float
    bytes_sent: int
    bytes_received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """An attempt failed and another one follows."""

    service: Service
    endpoint: str
    cause: str
    #: Attempts made so far.
    attempts: int
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriesExhausted:
    """A call that might have succeeded later is not repeated any more."""

    service: Service
    endpoint: str
    cause: str
    attempts: int
    reason: str


#: Why a retry waited that the client held back by itself.
BUDGET_EMPTY: Final = "the retry budget was empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """Requests wait as an endpoint asked, or a retry waited for the budget."""

    service: Service
    endpoint: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChanged:
    """A controller moved: ``window`` (calls in flight), ``rate`` (calls a second), ``streams``."""

    service: Service
    level: Literal["window", "rate", "streams"]
    value: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfReach:
    """A service does not answer: sent at once, then once a minute."""

    service: Service
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A service answers again, after that many seconds."""

    service: Service
    seconds: float


WireEvent = Exchanged | Retrying | RetriesExhausted | Paused | LevelChanged | OutOfReach | Recovered
#: Hears each event, in the event loop: it must not block.
Observer = Callable[[WireEvent], None]


def unobserved(_event: WireEvent) -> None:
    """Ignore an event."""
