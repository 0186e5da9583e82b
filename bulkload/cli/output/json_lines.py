"""The records within what ``--json`` prints (``json_documents``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemLine:
    """A problem of a plan."""

    #: Path, or row of a manifest.
    where: str
    #: Word of the rule; `bulkload help problems` has them.
    rule: str
    #: What is wrong and what to do.
    message: str
    #: `error`, or `warning`, which stops nothing.
    severity: str
    #: What it concerns: `entry`, `metadata` or `plan`.
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LostLine:
    """An entry that cannot be sent."""

    #: Path, or row of a manifest.
    path: str
    #: Word of the cause; `bulkload help causes` has them.
    cause: str
    #: What is wrong and what to do.
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLine:
    """The process of a part, as `live.json` has it."""

    #: Folder of the part; that of the job where it has one part.
    folder: str
    #: `alive`, `paused`, `dead` (gone without having ended its run) or `ended`.
    liveness: str
    #: Its last state: the fields of `live.json`.
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceLine:
    """A measurement that is not in Studio as it was expected."""

    #: Specification, cell and measurement.
    key: str
    #: Its id in Studio.
    measurement_id: str
    #: Its source.
    path: str
    #: How it differs, or why it cannot be compared.
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateLine:
    """A reader whose signature fits a file, or nearly does."""

    #: Its name, as `--reader` takes it.
    reader: str
    #: What of its signature was found.
    fits: Sequence[str]
    #: What was not.
    lacks: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedFile:
    """A file and what it is by its content."""

    #: The file as it was named.
    path: str
    #: Its reader, null where none or several fit.
    reader: str | None
    #: How sure that is, or what settles it; or why the file cannot be opened.
    reason: str
    #: Readers that fit.
    candidates: Sequence[CandidateLine]
    #: Readers that nearly do.
    near: Sequence[CandidateLine]
    #: The tests in the file, where it holds several.
    members: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSection:
    """A section of what is shown."""

    #: What is shown as its title.
    name: str
    #: Its facts, each as it is shown.
    lines: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownItem:
    """A test of a file, or a measurement of a job."""

    #: Name of the test or the measurement, empty for a file with one test.
    title: str
    #: Source, columns, findings, verdict and so on, as far as there are any.
    sections: Sequence[ShownSection]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyedFile:
    """A file of an archive and what is proposed for it."""

    #: Below the source, with `/`.
    path: str
    #: Size in bytes.
    size_bytes: int
    #: What it is: data, metadata and so on.
    kind: str
    #: Reader whose signature fits, empty for none.
    reader: str
    #: Whether to upload it, null where a person has to say.
    upload: bool | None
    #: Why it is left out, empty where it is not.
    rule: str
    #: Proposed specification.
    spec: str
    #: Proposed cell.
    cell: str
    #: Proposed name of the measurement.
    measurement: str
    #: `open`, `likely` or `sure`.
    sureness: str
    #: What speaks for the proposal.
    evidence: Sequence[str]
    #: What speaks against it.
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLine:
    """A record of Studio that the job made."""

    #: `cell_measurement`, `cell_instance`, `cell_batch` or `cell_specification`.
    kind: str
    #: Its id in Studio.
    id: str
    #: Its name.
    name: str
    #: Why it is left, empty where it was deleted.
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """The journal of a part."""

    #: Its file.
    path: str
    #: What is wrong with it; empty where it is intact.
    faults: Sequence[str]
