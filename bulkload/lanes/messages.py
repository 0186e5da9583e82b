"""What the supervisor and a lane say to each other, over the lane's standard input and output.

A message is a length and a pickle, as between a run and its workers (``worker/process.py``): both
ends are ours, and nothing else can write to the pipes.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import ByteReceiveStream
from anyio.streams.buffered import BufferedByteReceiveStream

from bulkload.core.snapshot import RunSnapshot
from bulkload.core.tally import ExitCode, RunReport
from bulkload.engine.target import RunningStudio, Target
from bulkload.errors import BulkloadError
from bulkload.lanes.request import LanesRequest
from bulkload.settings import RunLimits, RunSettings
from bulkload.worker.process import HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSetup:
    """The first message to a lane: what holds for all parts that it will run."""

    job_dir: Path
    target: Target
    settings: RunSettings
    command: str
    #: The local Studio that stands in for the target, None where the environment leads to it.
    studio: RunningStudio | None

    @classmethod
    def of(cls, request: LanesRequest) -> LaneSetup:
        """Return what the lanes of a request need."""
        return cls(
            job_dir=request.job_dir,
            target=request.target,
            settings=request.settings,
            command=request.command,
            studio=request.studio,
        )


@dataclass(frozen=True, slots=True)
class RunPart:
    """Run a part within these limits."""

    part: int
    limits: RunLimits


@dataclass(frozen=True, slots=True)
class NewShare:
    """Take so much from now on, in the part under way too: another lane has ended."""

    limits: RunLimits


@dataclass(frozen=True, slots=True)
class StopPart:
    """Stop: at first the intake, with so many seconds for what is open; a second time at once."""

    code: ExitCode
    reason: str
    grace_s: float


@dataclass(frozen=True, slots=True)
class PartState:
    """How far the part under way is."""

    part: int
    snapshot: RunSnapshot
    #: The longest delivery so far, in seconds.
    longest_delivery_s: float


@dataclass(frozen=True, slots=True)
class PartEnded:
    """A part came to the end of its run."""

    part: int
    report: RunReport
    #: Messages of what is newly rejected or failed, the first ones.
    lost: tuple[str, ...]
    #: Why it stopped before its end, empty where it did not.
    stopped_because: str


@dataclass(frozen=True, slots=True)
class PartRefused:
    """A part cannot be run: its journal is in use or damaged, or the settings are wrong."""

    part: int
    error: BulkloadError


#: What a lane says.
Answer = PartState | PartEnded | PartRefused


class Answers:
    """Reads what a lane says, message by message."""

    def __init__(self, stream: ByteReceiveStream) -> None:
        self._stream = BufferedByteReceiveStream(stream)

    async def next(self) -> Answer | None:
        """Return the next message, None where the lane has ended."""
        try:
            header = await self._stream.receive_exactly(HEADER.size)
            body = await self._stream.receive_exactly(HEADER.unpack(header)[0])
        except (anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError):
            return None
        message: Answer = pickle.loads(body)  # noqa: S301 - our own lane, over our own pipe
        return message
