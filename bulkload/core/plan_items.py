"""The unit of work: one measurement to be uploaded, and what is known of its parents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bulkload.core.issues import Severity
from bulkload.core.terms import DATABASE, JobKey, MeasurementType


@dataclass(frozen=True, kw_only=True)
class Checks:
    """How a measurement is validated. None means: not stated, take the run's or the ratings."""

    strict: bool | None = None
    skip_checks: frozenset[str] = frozenset()
    #: Nominal capacity in A.h.
    rated_capacity: float | None = None
    #: Lower and upper voltage limit in V.
    voltage_window: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class UploadJob:
    """One measurement's upload, as the plan states it. Small, picklable, JSON-able."""

    key: JobKey
    type: MeasurementType = MeasurementType.TIME_SERIES
    #: Path of the source: a file, or for type ``file`` also a folder of files.
    path: str
    #: Where the plan states the job: a row of a manifest or the key in a database, else the path.
    #: For messages only.
    origin: str = field(default="", compare=False)
    #: The table within the source (sheet, channel), None where it holds one.
    member: str | None = None
    #: Reader named by the user, None for detection by content.
    reader: str | None = None
    data_type: str | None = None
    #: Order of day and month, and voltage of three electrodes, as ``PrepareOptions`` has them.
    day_first: bool | None = None
    voltage: str | None = None
    #: Transforms asked for, in their order: nothing else is repaired.
    transforms: tuple[str, ...] = ()
    #: Name of the batch of the cell, None for none.
    batch: str | None = None
    #: Metadata of the measurement: protocol, test_setup, start_time, end_time, notes, tags.
    metadata: Mapping[str, Any] = field(default_factory=dict)
    checks: Checks = Checks()
    #: Whether the plan found the name free in Studio: one that is taken since is not reused.
    expects_new: bool = field(default=False, compare=False)

    @property
    def place(self) -> str:
        """What messages name as the source: its table and key in a database, else its path."""
        return self.origin if self.reader == DATABASE else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class CellMetadata:
    """What ``cell.*`` beside the data says of a cell: the instance's payload without its name."""

    spec: str
    cell: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """A cell specification's payload (``name`` included), and where it was found."""

    name: str
    payload: Mapping[str, Any]
    origin: str


class Scope(StrEnum):
    """What a problem concerns, and so what it stops."""

    #: One entry: it is rejected, and the others go.
    ENTRY = "entry"
    #: A file of metadata or specifications: the entries that need it are rejected by themselves.
    METADATA = "metadata"
    #: The whole plan: nothing is sent, unless the user asks to go on.
    PLAN = "plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something in the way of a plan, or of one entry of it."""

    #: The path (or row of a manifest) that it concerns.
    where: str
    #: Stable word, such as ``duplicate_name`` or ``specification_missing``.
    rule: str
    message: str
    #: A warning is shown and stops nothing.
    severity: Severity = Severity.ERROR
    scope: Scope = Scope.ENTRY


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """An entry that a rule leaves out on purpose, with the rule."""

    where: str
    rule: str


#: What a source yields, in any order but each specification before its first job.
PlanItem = UploadJob | Specification | CellMetadata | Problem | Skip
