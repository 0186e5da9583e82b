"""What a table is judged to be, and what is said of it: in one piece or stretch by stretch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np

from bulkload.core.campaign import summary_to_text
from bulkload.core.excerpt import excerpt, excerpt_to_text, outline
from bulkload.core.frame import Frame
from bulkload.core.groups import blocks
from bulkload.core.issues import ExtraCode, Severity, ValidationIssue
from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.prepare_result import ExtraChecks, PrepareTask, Rejected, SourceStamp
from bulkload.core.rules import check, not_finite
from bulkload.core.rules.extra_checks import check_extra
from bulkload.core.rules.file_summary import summarise_file
from bulkload.core.rules.transforms import TransformRecord
from bulkload.core.steps import summarise_steps
from bulkload.core.terms import CURRENT, TIME, VOLTAGE
from bulkload.readers.header_fields import header_decisions
from bulkload.worker.limits import MAX_ISSUES, MAX_SHOWN_ISSUES


def judged(
    frame: Frame, task: PrepareTask, data_type: str | None
) -> tuple[Frame | None, list[ValidationIssue]]:
    """Return the step summary, where the checks need it, and all that the checks find."""
    steps = (
        _steps(frame, task.checks)
        if task.checks.strict or task.prepare_options.stores_steps
        else None
    )
    issues = check(
        frame,
        strict=bool(task.checks.strict),
        data_type=data_type,
        steps=steps,
        rated_capacity=task.checks.rated_capacity,
        voltage_window=task.checks.voltage_window,
        skip_checks=task.checks.skip_checks,
        start_time=task.job.metadata.get("start_time"),
        end_time=task.job.metadata.get("end_time"),
        now=datetime.now(UTC),
    )
    issues += _infinities(frame, issues)
    return steps, issues + _extra_issues(frame, task, data_type)


def plotted(frame: Frame, issues: list[ValidationIssue], task: PrepareTask) -> str:
    """Return what a plot needs: all of the table where it was asked for, else an excerpt."""
    found = outline(frame, issues) if task.plots_whole else excerpt(frame, issues)
    return "" if found is None else excerpt_to_text(found)


def errors_of(issues: Iterable[ValidationIssue]) -> list[ValidationIssue]:
    """Return the findings that keep a table from being sent."""
    return [issue for issue in issues if issue.severity is Severity.ERROR]


def _steps(frame: Frame, checks: Checks) -> Frame | None:
    """Return the step summary, None for a table that has no steps: the checks say why."""
    try:
        return summarise_steps(frame, checks.rated_capacity)
    except (ValueError, TypeError):
        return None


def campaign_summary(
    frame: Frame, steps: Frame | None, task: PrepareTask, header: Mapping[str, Any]
) -> str | None:
    """Return what the campaign checks need to know, as JSON; None where they are not asked for."""
    if task.prepare_options.extra_checks is ExtraChecks.OFF:
        return None
    stated = task.job.metadata.get("start_time") or header.get("start_time")
    name = task.job.key.measurement
    return summary_to_text(summarise_file(frame, name, _moment(stated), steps))


def _moment(text: object) -> datetime | None:
    """Return a moment with its zone; None for one without, which nothing can be compared with."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _infinities(frame: Frame, found: list[ValidationIssue]) -> list[ValidationIssue]:
    """Return an error for a measured infinity, which the vendor's rules let pass."""
    if any(issue.code == ExtraCode.VALUE_NOT_FINITE for issue in found):
        return []
    names = [
        name
        for name in (TIME, VOLTAGE, CURRENT)
        if frame.is_numeric(name) and _has_infinity(frame, name)
    ]
    return [not_finite(tuple(names))] if names else []


def _has_infinity(frame: Frame, name: str) -> bool:
    return any(
        bool(np.isinf(frame.values_in(name, low, high)).any()) for low, high in blocks(frame.rows)
    )


def _extra_issues(frame: Frame, task: PrepareTask, data_type: str | None) -> list[ValidationIssue]:
    wanted = task.prepare_options.extra_checks
    if wanted is ExtraChecks.OFF:
        return []
    return check_extra(
        frame,
        data_type=data_type,
        rated_capacity=task.checks.rated_capacity,
        voltage_window=task.checks.voltage_window,
        as_errors=wanted is ExtraChecks.ERROR,
    )


def provenance_of(
    provenance: Mapping[str, Any],
    stated: Mapping[str, Any],
    header: Mapping[str, Any],
    records: tuple[TransformRecord, ...],
) -> dict[str, Any]:
    """Return the reader's provenance with what became of its header, and the transforms."""
    of_header = [one.as_json() for one in header_decisions(stated, header)]
    return {
        **provenance,
        "decisions": [*provenance.get("decisions", ()), *of_header],
        "transforms": [asdict(record) for record in records],
    }


def source_stamp(provenance: Mapping[str, Any]) -> SourceStamp:
    """Return the stamp of the very bytes that were parsed."""
    return SourceStamp(
        size_bytes=provenance["size_bytes"],
        mtime_ns=provenance["mtime_ns"],
        sha256=provenance["sha256"],
    )


def invalid(job: UploadJob, errors: list[ValidationIssue], source: SourceStamp) -> Rejected:
    """Return the rejection of a table that broke rules."""
    shown = [str(one) for one in errors[:MAX_SHOWN_ISSUES]]
    if len(shown) > 1:
        shown = [f"({number}) {text}" for number, text in enumerate(shown, start=1)]
    more = len(errors) - len(shown)
    return Rejected(
        cause=str(errors[0].code),
        message=f"{job.place}: {' '.join(shown)}{f' (and {more} more findings)' if more else ''}",
        issues=tuple(errors[:MAX_ISSUES]),
        source=source,
    )
