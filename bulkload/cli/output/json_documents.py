"""What ``--json`` prints: one object a command. The manual has these fields as tables.

Fields are only added; ``FORMAT`` is raised where one changes its meaning or goes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, Final

from cyclopts import Parameter

from bulkload.cli.output.help_format import OUTPUT
from bulkload.cli.output.json_lines import (
    DetectedFile,
    DifferenceLine,
    JournalLine,
    LostLine,
    ProblemLine,
    ProcessLine,
    RecordLine,
    ShownItem,
    SurveyedFile,
)
from bulkload.cli.output.terminal import write_whole
from bulkload.core.plan_items import Problem

FORMAT: Final = 1

#: The option of every command that can print its result for a machine.
AsJson = Annotated[bool, Parameter(name="--json", negative=(), group=OUTPUT)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDocument:
    """``bulkload plan --json``."""

    #: Entries that would be sent.
    measurements: int
    #: Cells that they belong to.
    cells: int
    #: Specifications of these cells.
    specifications: int
    #: Entries that a rule leaves out.
    skipped: int
    #: What Studio has of it, by specification, where a target was named; null where not.
    studio: Mapping[str, Any] | None
    #: All problems counted; `problems` names at most the first 1,000.
    problem_count: int
    #: What is in the way.
    problems: Sequence[ProblemLine]
    #: What stops nothing, and may be a mistake.
    warnings: Sequence[ProblemLine]
    #: Why nothing of the plan may be sent, empty where the rest of it may.
    refusal: str
    #: The file that the plan was written to, null for none.
    out: str | None
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDocument:
    """``bulkload check --json``."""

    #: Entries of the plan, without those that a rule leaves out.
    planned: int
    #: Measurements that can be sent as they are.
    fit: int
    #: Entries that a rule leaves out.
    skipped: int
    #: Word of the cause to number of entries.
    causes: Mapping[str, int]
    #: Every entry that cannot be sent.
    rejected: Sequence[LostLine]
    #: What stops nothing, and may be a mistake.
    warnings: Sequence[ProblemLine]
    #: Why nothing of the plan may be sent, empty where the rest of it may.
    refusal: str
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDocument:
    """``bulkload status --json``."""

    #: The job's folder.
    job: str
    #: The command that resumes the job.
    command: str
    #: Entries of the plan.
    planned: int
    #: Outcome to number of entries: created, existing, rejected, failed, skipped.
    counts: Mapping[str, int]
    #: Entries without an outcome.
    not_done: int
    #: Word of the cause to number of entries.
    causes: Mapping[str, int]
    #: The same for those that are known and accepted.
    accepted: Mapping[str, int]
    #: Rows that were read, and how they ended.
    rows: Mapping[str, Any]
    #: Parts of the job that are not in the folder.
    missing_parts: Sequence[str]
    #: Each part that ever ran, and its process.
    processes: Sequence[ProcessLine]
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyDocument:
    """``bulkload verify --json``."""

    #: Measurements that the job stands for.
    total: int
    #: Those of them that were read back.
    compared: int
    #: Rows that were compared.
    rows: int
    #: Measurements that are not as expected.
    differences: Sequence[DifferenceLine]
    #: Measurements that were in Studio before the job, and were not compared.
    existing_not_compared: int
    #: The result in a sentence, with what a sample proves.
    statement: str
    #: Seed of the sample.
    seed: int
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectDocument:
    """``bulkload detect --json``."""

    #: The files in the order in which they were named.
    files: Sequence[DetectedFile]
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowDocument:
    """``bulkload show --json``."""

    #: What was asked for.
    what: str
    #: What the file is by its content, null for a measurement of a job.
    file: DetectedFile | None
    #: The tests of the file, or the measurements of that name.
    items: Sequence[ShownItem]
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyDocument:
    """``bulkload survey --json``."""

    #: Every file that was found.
    files: Sequence[SurveyedFile]
    #: Layout to number of paths that fit it, of folders in which there is a choice.
    layouts: Sequence[Mapping[str, Any]]
    #: The plan that was written, null for none.
    out: str | None
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDocument:
    """``bulkload account --json``."""

    #: Entries that were written.
    entries: int
    #: The file.
    out: str
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackDocument:
    """``bulkload rollback --json``."""

    #: Records that were deleted.
    deleted: Sequence[RecordLine]
    #: Records that were left.
    left: Sequence[RecordLine]
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalDocument:
    """``bulkload journal check --json``."""

    #: The journal of each part.
    journals: Sequence[JournalLine]
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareDocument:
    """``bulkload compare --json``."""

    #: Result to number of measurements.
    counts: Mapping[str, int]
    #: Every measurement, with the columns that `--out` writes.
    entries: Sequence[Mapping[str, Any]]
    #: The counts in a sentence, or why nothing was compared.
    statement: str
    #: The table that was written, null for none.
    out: str | None
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDocument:
    """``bulkload upload --json``, ``resume --json``, ``retry --json``."""

    #: The job's folder.
    job: str
    #: The command that resumes the job.
    command: str
    #: What `summary.json` has; null where the plan cannot be run.
    summary: Mapping[str, Any] | None
    #: Every entry of the plan that is rejected or failed, accepted ones too.
    lost: Sequence[LostLine]
    #: How the run ended, in a line.
    statement: str
    #: Why it stopped before its end, empty where it did not.
    stopped_because: str
    #: All problems of the plan counted; `problems` names at most the first 1,000.
    problem_count: int
    #: What is in the way.
    problems: Sequence[ProblemLine]
    #: What stops nothing, and may be a mistake.
    warnings: Sequence[ProblemLine]
    #: Why the plan cannot be run, empty where it was.
    refusal: str
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptDocument:
    """``bulkload accept --json``."""

    #: The entries that are accepted now, with `--undo` those that no longer are.
    entries: Sequence[LostLine]
    #: Rejected and failed entries that are not accepted, of the whole job.
    not_accepted: int
    #: Who accepted them, or took it back.
    by: str
    #: Why, empty with `--undo`.
    reason: str
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackDocument:
    """``bulkload pack --json``."""

    #: The pack that was written.
    out: str
    #: Files in it.
    files: int
    #: The digest over all of it.
    digest: str
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackCheckDocument:
    """``bulkload verify PACK --json``."""

    #: What is wrong with the pack itself; where anything is, nothing was compared.
    problems: Sequence[str]
    #: The digest over all of it, empty where the pack is not whole.
    digest: str
    #: What it was compared with, Studio or a folder of sources; empty for nothing.
    compared_with: str
    #: Measurements that could be compared.
    total: int
    #: Those of them that were.
    compared: int
    #: Rows that were compared.
    rows: int
    #: Measurements of which the pack does not know what they hold.
    unknown: int
    #: What differs.
    differences: Sequence[str]
    #: Exit code of the command.
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeDocument:
    """``bulkload merge --json``."""

    #: The job's folder.
    job: str
    #: What became of the parts to their number.
    parts: Mapping[str, int]
    #: Parts of the job that are not in the folder.
    missing_parts: Sequence[str]
    #: Exit code of the command.
    exit_code: int


Document = (
    AcceptDocument | AccountDocument | CheckDocument | CompareDocument | DetectDocument
    | JournalDocument | MergeDocument | PackCheckDocument | PackDocument | PlanDocument
    | RollbackDocument | RunDocument | ShowDocument | StatusDocument | SurveyDocument
    | VerifyDocument
)  # fmt: skip


def print_document(document: Document) -> int:
    """Print a document as one JSON object on standard output; return its exit code."""
    text = json.dumps({"format": FORMAT, **plain(document)}, ensure_ascii=False, indent=2)
    write_whole(text + "\n")
    return document.exit_code


def plain(value: Any) -> Any:
    """Return records, mappings and sequences as JSON's objects and arrays."""
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(one) for one in value]
    return value


def problem_lines(problems: Sequence[Problem]) -> list[ProblemLine]:
    """Return problems of a plan as JSON has them."""
    return [
        ProblemLine(
            where=one.where,
            rule=str(one.rule),
            message=one.message,
            severity=str(one.severity),
            scope=str(one.scope),
        )
        for one in problems
    ]
