"""What a plan of a database is made of, and the facts that it leaves for the proof."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

#: What a session leaves for the proof, beside the measurements' files.
FACTS_NAME: Final = "migration.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """A cell and the specification it is of."""

    name: str
    specification: str
    batch: str | None
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMeasurement:
    """A measurement to be migrated."""

    where: str
    cell: PlannedCell
    name: str
    #: The measurement's file, or the file of data that its row names.
    path: Path
    is_file: bool
    start_time: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """An entry that a filter leaves out."""

    where: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFault:
    """What is in the way; ``is_warning`` where the plan can go on."""

    where: str
    rule: str
    message: str
    is_warning: bool = False


Planned = PlannedMeasurement | LeftOut | PlanFault


@dataclass(slots=True, kw_only=True)
class SourceFacts:
    """What the proof needs beside the measurements: the source as it was."""

    url: str
    version: str
    snapshot_id: str
    snapshot_time: str
    configuration_sha256: str
    profile: str | None
    queries: Mapping[str, str]
    mapping: Mapping[str, Any]
    order: Sequence[str]
    tables: dict[str, int] = field(default_factory=dict)
    left_out: list[dict[str, Any]] = field(default_factory=list)
    rows_planned: int = 0
    #: Rows of the tables of samples that neither a measurement nor what is left out claims;
    #: below zero where rows are claimed twice.
    unaccounted: int = 0
    #: Why there are some, where the user says so.
    unclaimed: str = ""
    exceptions: list[str] = field(default_factory=list)


def write_facts(folder: Path, facts: SourceFacts) -> None:
    """Write the facts of a plan beside its measurements' files."""
    unfinished = folder / f"{FACTS_NAME}.unfinished"
    unfinished.write_text(json.dumps(asdict(facts), indent=1, ensure_ascii=False), "utf-8")
    unfinished.replace(folder / FACTS_NAME)


def read_facts(folder: Path) -> SourceFacts | None:
    """Return the facts of the last plan that was made, None where none was ended."""
    path = folder / FACTS_NAME
    return SourceFacts(**json.loads(path.read_text("utf-8"))) if path.is_file() else None
