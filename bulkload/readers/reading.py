"""What goes into a reader and what comes out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import pyarrow as pa

from bulkload.core.decisions import Decision
from bulkload.core.prepare_result import MEMORY_LIMIT
from bulkload.core.version import VERSION
from bulkload.errors import UnreadableError
from bulkload.readers.date_order import DateClues
from bulkload.readers.probe import Probe

#: What the voltage may be stated to be, where the file has the potentials of electrodes.
EWE: Final = "ewe"
EWE_ECE: Final = "ewe-ece"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What the user states about a file; None leaves it to the content."""

    #: Name of a reader or dialect, None for detection by content.
    reader: str | None = None
    #: The table within the file (sheet, channel), None where it holds one.
    member: str | None = None
    #: ``eis`` or ``ocp``; None for cycler data.
    data_type: str | None = None
    #: Lower and upper voltage limit of the cell in V, for values without a stated unit.
    voltage_window: tuple[float, float] | None = None
    #: Rated capacity of the cell in A.h, for currents without a stated unit.
    rated_capacity: float | None = None
    #: The day, or the month, comes first in dates such as 05/06/2024 that nothing else settles.
    day_first: bool | None = None
    #: ``ewe`` or ``ewe-ece``, where the file has the potentials of electrodes.
    voltage: str | None = None
    #: The user's own dialects, as ``load_dialects`` gives them: they are asked first.
    dialects: tuple[Format, ...] = ()
    #: What the file says of its dates beside its rows; ``read`` fills it in.
    clues: DateClues | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSeries:
    """One measurement's table in Ionworks columns and units, and where it comes from."""

    table: pa.Table
    #: What the file's own header says: start_time, protocol, test_setup, notes.
    header: Mapping[str, Any] = field(default_factory=dict)
    #: File, SHA-256, reader, version, dialect, encoding, and every decision as JSON has it.
    provenance: Mapping[str, Any] = field(default_factory=dict)
    #: What was decided or done on the way.
    decisions: tuple[Decision, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """The decisions, one sentence each."""
        return tuple(decision.detail for decision in self.decisions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one reader made of one file; :func:`bulkload.readers.read` stamps it."""

    table: pa.Table
    header: Mapping[str, Any] = field(default_factory=dict)
    #: Name of the variant of the format, where it has several.
    dialect: str | None = None
    #: What was decided or done on the way.
    decisions: tuple[Decision, ...] = ()
    #: Further facts for the provenance, such as the encoding.
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How a reader's signature fits a file."""

    #: What of it was found; empty: nothing.
    fits: tuple[str, ...] = ()
    #: What was not.
    lacks: tuple[str, ...] = ()

    @property
    def is_fit(self) -> bool:
        """All of the signature is there."""
        return bool(self.fits) and not self.lacks


class ChunkedSeries(Protocol):
    """A measurement whose table comes in chunks of one schema, in the order of its rows."""

    #: What the source's header says.
    header: Mapping[str, Any]

    def chunks(self) -> Iterator[pa.Table]:
        """Read the measurement from its beginning; raises ``ReadAgainError`` to be read anew."""

    def provenance(self) -> Mapping[str, Any]:
        """Return what ``TimeSeries.provenance`` is, once all chunks have been read."""


class NotInChunksError(UnreadableError):
    """A source cannot be read in chunks; the message says why, as half a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, cause=MEMORY_LIMIT)


class ReadAgainError(Exception):
    """What was read is void: a later row shows that a column has another type."""


class Format:
    """A reader: how it knows its files, and how it reads them."""

    #: What ``--reader`` calls it.
    name: str
    #: Its signature is in the first bytes, in the maker's own words: where it fits, no other can.
    is_decisive: bool = False

    @property
    def version(self) -> str:
        """The version of what does the reading."""
        return VERSION

    def sniff(self, probe: Probe) -> Evidence:
        """Hold the signature against the file."""
        raise NotImplementedError

    def resembles(self, probe: Probe) -> Evidence:
        """Say what of the signature is there, of a file of which nothing fits."""
        del probe
        return Evidence()

    def members(self, probe: Probe) -> Sequence[str]:
        """Name the tests in the file; one test has no name."""
        del probe
        return ()

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the file, or the member that the options name."""
        raise NotImplementedError
