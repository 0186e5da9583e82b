"""A time series on its way to Studio: read, transform, validate, summarise, encode."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from bulkload.core.digest import content_digest
from bulkload.core.frame import Frame
from bulkload.core.issues import ValidationIssue
from bulkload.core.limiting import LimitName
from bulkload.core.prepare_result import (
    MEMORY_LIMIT,
    Prepared,
    PrepareTask,
    Rejected,
    SourceStamp,
    StoredBefore,
)
from bulkload.core.remedies import Search, find_remedy
from bulkload.core.rule_names import TransformError
from bulkload.core.rules.transforms import TransformRecord, apply
from bulkload.core.terms import DATABASE, JOINED
from bulkload.core.treatment import Treatment
from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, TimeSeries, load_dialects, read
from bulkload.readers.header_fields import sendable
from bulkload.readers.joined import read_joined
from bulkload.readers.reading import Format, NotInChunksError
from bulkload.tables.frames import to_frame, to_table
from bulkload.tables.parquet import encode
from bulkload.worker.judging import (
    campaign_summary,
    errors_of,
    invalid,
    judged,
    plotted,
    provenance_of,
    source_stamp,
)
from bulkload.worker.large import (
    Beat,
    out_of_memory,
    prepare_if_large,
    prepare_in_chunks,
    too_large,
)
from bulkload.worker.limits import (
    DATABASE_ROW_BYTES,
    LIBRARIES_BYTES,
    MAX_ISSUES,
    REMEDY_ROWS,
    REMEDY_TIME_S,
    REMEDY_TRIES,
)
from bulkload.worker.spool import extension_path, steps_path
from bulkload.worker.spooling import write_spool
from bulkload.worker.work_times import WORK


def prepare_time_series(task: PrepareTask, beat: Beat) -> Prepared | Rejected:
    """Read, validate and encode a time series; ``beat`` is called while a large one is read.

    Raises ``UnreadableError``, ``MissingExtraError`` and ``OSError``.
    """
    path = Path(task.file)
    path.stat()
    if (answer := _prepare_if_large(path, task, beat)) is not None:
        return answer
    try:
        return _prepare_whole(path, task)
    except MemoryError:
        # What it takes was estimated too low, and the system refused the rest.
        pass
    answer = _prepare_if_large(path, task, beat, is_large=True)
    if answer is None:
        raise UnreadableError(out_of_memory(task), cause=MEMORY_LIMIT)
    return answer


def _prepare_if_large(
    path: Path, task: PrepareTask, beat: Beat, *, is_large: bool = False
) -> Prepared | Rejected | None:
    """Prepare in chunks what would not fit; None for what is read whole, or cannot be cut."""
    if task.job.reader == DATABASE:
        return _prepare_if_many_rows(path, task, beat, is_large=is_large)
    if task.job.reader == JOINED:
        return None
    return prepare_if_large(_read_options(task), task, beat, is_large=is_large)


def _prepare_whole(path: Path, task: PrepareTask) -> Prepared | Rejected:
    began = time.monotonic()
    series = _read(path, task)
    WORK.enter(LimitName.VALIDATING)
    before = source_stamp(series.provenance)
    if (changed := _changed_since(path, before)) is not None:
        return changed
    frame, table, records = _transformed(series.table, task)
    left_out = series.provenance.get("rows_left_out", 0)
    if (lost := _lost_rows(series, table.num_rows + left_out, task)) is not None:
        return lost
    data_type = task.job.data_type or series.provenance.get("data_type")
    steps, issues = judged(frame, task, data_type)
    header = sendable(series.header, task.prepare_options.header_fields)
    provenance = provenance_of(series.provenance, series.header, header, records)
    if errors := errors_of(issues):
        rejected = invalid(task.job, errors, before)
        found = _remedy(series.table, task, data_type, errors, began)
        return replace(
            rejected,
            remedy=found.remedy,
            tries=found.tries,
            rows=table.num_rows,
            rows_left_out=left_out,
            provenance=provenance,
            excerpt=plotted(frame, errors, task),
        )
    WORK.enter(LimitName.ENCODING)
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
        summary=campaign_summary(frame, steps, task, series.header),
        changes=tuple(record.name for record in records if record.is_changed),
        excerpt=plotted(frame, issues, task) if task.plots_whole else "",
        provenance=provenance,
    )
    if task.spool_path is None:
        return prepared
    return _spooled(prepared, table, steps, task)


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
            _, issues = judged(frame, tried, data_type)
        except (TransformError, MemoryError):
            return None
        return [str(issue.code) for issue in errors_of(issues)]

    def may_try(tries: int) -> bool:
        is_in_time = time.monotonic() - rejected < REMEDY_TIME_S
        return not is_large and tries < REMEDY_TRIES and is_in_time

    return find_remedy([str(one.code) for one in errors], judge, may_try)


def _prepare_if_many_rows(
    path: Path, task: PrepareTask, beat: Beat, *, is_large: bool
) -> Prepared | Rejected | None:
    """Prepare a database's measurement in chunks where it would not fit; None: read it whole."""
    # Only here: a worker that reads files does not load it.
    from bulkload.databases.reading import open_measurement

    series = open_measurement(path, is_strict=bool(task.checks.strict))
    needed = LIBRARIES_BYTES + series.rows * DATABASE_ROW_BYTES
    if not is_large and (task.memory_bytes is None or needed <= task.memory_bytes):
        return None
    try:
        return prepare_in_chunks(series, task, beat)
    except NotInChunksError as error:
        raise UnreadableError(too_large(str(error), task), cause=error.cause) from error


def _read(path: Path, task: PrepareTask) -> TimeSeries:
    if task.job.reader == DATABASE:
        from bulkload.databases.reading import read_measurement

        return read_measurement(path, is_strict=bool(task.checks.strict))
    if task.job.reader == JOINED:
        return read_joined(path, replace(_read_options(task), reader=None))
    return read(path, _read_options(task))


def _lost_rows(series: TimeSeries, rows: int, task: PrepareTask) -> Rejected | None:
    """Reject a table that lost or gained rows on its way from the file without a record of it."""
    read_rows = series.provenance.get("rows_read", series.table.num_rows)
    if rows == read_rows:
        return None
    return Rejected(
        cause="rows_lost",
        message=f"{task.job.place}: {read_rows:,} rows were read, and {rows:,} are accounted for; "
        "this is a bug in bulkload",
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
        raise UnreadableError(f"{task.job.place}: {error}", cause="transform_failed") from error
    is_changed = any(record.is_changed for record in records)
    return frame, to_table(frame) if is_changed else table, records


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
    spool = write_spool(table, path)
    if task.prepare_options.stores_steps and steps is not None:
        encode(to_table(steps), steps_path(path))
    if prepared.is_longer:
        assert task.stored is not None
        encode(table.slice(task.stored.rows), extension_path(path))
    return replace(prepared, size_bytes=spool.size_bytes, sha256=spool.sha256, md5=spool.md5)


def _changed_since(path: Path, before: SourceStamp) -> Rejected | None:
    status = path.stat()
    if (status.st_size, status.st_mtime_ns) == (before.size_bytes, before.mtime_ns):
        return None
    return Rejected(
        cause="source_changing",
        message=f"{path}: the file changed while it was read ({before.size_bytes} bytes, then "
        f"{status.st_size}); wait until nothing writes to it, and run again",
    )
