"""A time series on its way to Studio: read, transform, validate, summarise, encode."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bulkload.core.campaign import summary_to_text
from bulkload.core.digest import content_digest
from bulkload.core.excerpt import excerpt, excerpt_to_text, outline
from bulkload.core.frame import Frame
from bulkload.core.issues import ExtraCode, Severity, ValidationIssue
from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.prepare_result import (
    ExtraChecks,
    Prepared,
    PrepareTask,
    Rejected,
    SourceStamp,
    StoredBefore,
)
from bulkload.core.remedies import Search, find_remedy
from bulkload.core.rule_names import TransformError
from bulkload.core.rules import check, not_finite
from bulkload.core.rules.extra_checks import check_extra
from bulkload.core.rules.file_summary import summarise_file
from bulkload.core.rules.transforms import TransformRecord, apply
from bulkload.core.steps import summarise_steps
from bulkload.core.terms import CURRENT, DATABASE, TIME, VOLTAGE
from bulkload.core.treatment import Treatment
from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, TimeSeries, load_dialects, read
from bulkload.readers.metadata import header_decisions, sendable
from bulkload.readers.reading import Format
from bulkload.sources.stamp import stamp
from bulkload.tables.frames import to_frame, to_table
from bulkload.tables.parquet import encode
from bulkload.worker.limits import (
    MAX_ISSUES,
    MAX_TOLD_ISSUES,
    REMEDY_ROWS,
    REMEDY_TIME_S,
    REMEDY_TRIES,
)
from bulkload.worker.spool import extension_path, steps_path


def prepare_time_series(task: PrepareTask) -> Prepared | Rejected:
    """Read, validate and encode a time series.

    Raises ``UnreadableError``, ``MissingExtraError`` and ``OSError``.
    """
    began = time.monotonic()
    path = Path(task.file)
    path.stat()
    series = _read(path, task)
    before = _read_from(series)
    if (changed := _changed_since(path, before)) is not None:
        return changed
    frame, table, records = _transformed(series.table, task)
    left_out = series.provenance.get("rows_left_out", 0)
    if (lost := _lost_rows(series, table.num_rows + left_out, task)) is not None:
        return lost
    data_type = task.job.data_type or series.provenance.get("data_type")
    steps, issues = _judged(frame, task, data_type)
    header = sendable(series.header, task.prepare_options.header_fields)
    provenance = _provenance(series, header, records)
    if errors := _errors(issues):
        rejected = _invalid(task.job, errors, before)
        found = _remedy(series.table, task, data_type, errors, began)
        return replace(
            rejected,
            remedy=found.remedy,
            tries=found.tries,
            rows=table.num_rows,
            rows_left_out=left_out,
            provenance=provenance,
            excerpt=_plotted(frame, errors, task),
        )
    prepared = Prepared(
        rows=table.num_rows,
        rows_left_out=left_out,
        columns=tuple(table.column_names),
        size_bytes=0,
        sha256="",
        content_digest=content_digest(frame),
        source=before,
        is_longer=_is_longer(table, task.stored),
        warnings=tuple(issues)[:MAX_ISSUES],
        header=header,
        summary=_campaign_summary(frame, steps, task, series.header),
        changes=tuple(record.name for record in records if record.is_changed),
        excerpt=_plotted(frame, issues, task) if task.plots_whole else "",
        provenance=provenance,
    )
    if task.spool_path is None:
        return prepared
    return _spooled(prepared, table, steps, task)


def _judged(
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


def _plotted(frame: Frame, issues: list[ValidationIssue], task: PrepareTask) -> str:
    """Return what a plot needs: all of the table where it was asked for, else an excerpt."""
    found = outline(frame, issues) if task.plots_whole else excerpt(frame, issues)
    return "" if found is None else excerpt_to_text(found)


def _errors(issues: Iterable[ValidationIssue]) -> list[ValidationIssue]:
    return [issue for issue in issues if issue.severity is Severity.ERROR]


def _remedy(
    table: pa.Table,
    task: PrepareTask,
    data_type: str | None,
    errors: list[ValidationIssue],
    began: float,
) -> Search:
    """Try on a rejected table what may let it pass, as far as the bounds allow; nothing is sent.

    ``began`` is when the file was taken up, in seconds of the monotonic clock.
    """
    rejected = time.monotonic()
    is_large = table.num_rows > REMEDY_ROWS or rejected - began > REMEDY_TIME_S

    def judge(treatment: Treatment) -> list[str] | None:
        tried = task.treated(treatment)
        try:
            frame, _ = apply(to_frame(table), tried.job.transforms)
            _, issues = _judged(frame, tried, data_type)
        except (TransformError, MemoryError):
            return None
        return [str(issue.code) for issue in _errors(issues)]

    def may_try(tries: int) -> bool:
        is_in_time = time.monotonic() - rejected < REMEDY_TIME_S
        return not is_large and tries < REMEDY_TRIES and is_in_time

    return find_remedy([str(one.code) for one in errors], judge, may_try)


def _provenance(
    series: TimeSeries, header: Mapping[str, Any], records: tuple[TransformRecord, ...]
) -> dict[str, Any]:
    """Return the reader's provenance with what became of its header, and the transforms."""
    of_header = [one.as_json() for one in header_decisions(series.header, header)]
    return {
        **series.provenance,
        "decisions": [*series.provenance.get("decisions", ()), *of_header],
        "transforms": [asdict(record) for record in records],
    }


def _read(path: Path, task: PrepareTask) -> TimeSeries:
    if task.job.reader == DATABASE:
        # Only here: a worker that reads files does not load it.
        from bulkload.databases.reading import read_measurement

        return read_measurement(path, is_strict=bool(task.checks.strict))
    return read(path, _read_options(task))


def _lost_rows(series: TimeSeries, rows: int, task: PrepareTask) -> Rejected | None:
    """Reject a table that lost or gained rows on its way from the file without a record of it."""
    read_rows = series.provenance.get("rows_read", series.table.num_rows)
    if rows == read_rows:
        return None
    return Rejected(
        cause="rows_lost",
        message=f"{task.job.path}: {read_rows:,} rows were read, and {rows:,} are accounted for; "
        "this is a defect of bulkload",
    )


def _transformed(
    table: pa.Table, task: PrepareTask
) -> tuple[Frame, pa.Table, tuple[TransformRecord, ...]]:
    """Make the transforms that were asked for; without one the table stays what was read."""
    frame = to_frame(table)
    names = task.job.transforms or task.prepare_options.transforms
    if not names:
        return frame, table, ()
    try:
        frame, records = apply(frame, names)
    except TransformError as error:
        raise UnreadableError(f"{task.job.path}: {error}", cause="transform_failed") from error
    is_changed = any(record.is_changed for record in records)
    return frame, to_table(frame) if is_changed else table, records


def _campaign_summary(
    frame: Frame, steps: Frame | None, task: PrepareTask, header: Mapping[str, Any]
) -> str | None:
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
        if frame.is_numeric(name) and np.isinf(frame.values(name)).any()
    ]
    return [not_finite(tuple(names))] if names else []


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


def _read_from(series: TimeSeries) -> SourceStamp:
    """Return the stamp of the very bytes that were parsed."""
    source = series.provenance
    return SourceStamp(
        size_bytes=source["size_bytes"], mtime_ns=source["mtime_ns"], sha256=source["sha256"]
    )


def _read_options(task: PrepareTask) -> ReadOptions:
    options = task.prepare_options
    dialects = options.dialects
    return ReadOptions(
        reader=task.job.reader or options.reader,
        member=task.job.member,
        data_type=task.job.data_type,
        day_first=options.day_first if task.job.day_first is None else task.job.day_first,
        voltage=task.job.voltage or options.voltage,
        voltage_window=task.checks.voltage_window,
        rated_capacity=task.checks.rated_capacity,
        dialects=() if dialects is None else _dialects(dialects),
    )


@lru_cache(1)
def _dialects(path: str) -> tuple[Format, ...]:
    return load_dialects(Path(path))


def _steps(frame: Frame, checks: Checks) -> Frame | None:
    """Return the step summary, None for a table that has no steps: the checks say why."""
    try:
        return summarise_steps(frame, checks.rated_capacity)
    except (ValueError, TypeError):
        return None


def _is_longer(table: pa.Table, stored: StoredBefore | None) -> bool:
    if stored is None or table.num_rows <= stored.rows:
        return False
    beginning = to_frame(table.slice(0, stored.rows))
    return content_digest(beginning) == stored.content_digest


def _spooled(
    prepared: Prepared, table: pa.Table, steps: Frame | None, task: PrepareTask
) -> Prepared:
    assert task.spool_path is not None
    path = Path(task.spool_path)
    encode(table, path)
    if task.prepare_options.stores_steps and steps is not None:
        encode(to_table(steps), steps_path(path))
    if prepared.is_longer:
        assert task.stored is not None
        encode(table.slice(task.stored.rows), extension_path(path))
    spool = stamp(path)
    return replace(prepared, size_bytes=spool.size_bytes, sha256=spool.sha256)


def _invalid(job: UploadJob, errors: list[ValidationIssue], source: SourceStamp) -> Rejected:
    told = [str(one) for one in errors[:MAX_TOLD_ISSUES]]
    if len(told) > 1:
        told = [f"({number}) {text}" for number, text in enumerate(told, start=1)]
    more = len(errors) - len(told)
    return Rejected(
        cause=str(errors[0].code),
        message=f"{job.path}: {' '.join(told)}{f' (and {more} more findings)' if more else ''}",
        issues=tuple(errors[:MAX_ISSUES]),
        source=source,
    )


def _changed_since(path: Path, before: SourceStamp) -> Rejected | None:
    status = path.stat()
    if (status.st_size, status.st_mtime_ns) == (before.size_bytes, before.mtime_ns):
        return None
    return Rejected(
        cause="source_changing",
        message=f"{path}: the file changed while it was read ({before.size_bytes} bytes, then "
        f"{status.st_size}); wait until nothing writes to it, and run again",
    )
