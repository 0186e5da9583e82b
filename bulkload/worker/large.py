"""A time series that is larger than the memory: written chunk by chunk, then judged from disk.

Chunks go into the Parquet file that will be sent, a row group at a time. The rules, the step
summary and the digest then read that file stretch by stretch. What a table in one piece would be
judged to be is what this one is (``tests/validation/test_stretches.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from bulkload.core.digest import content_digest
from bulkload.core.frame import Frame
from bulkload.core.groups import Groups
from bulkload.core.limiting import LimitName
from bulkload.core.prepare_result import MEMORY_LIMIT, Prepared, PrepareTask, Rejected
from bulkload.core.terms import STEP_COUNT
from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions
from bulkload.readers.content import beginning, content_size
from bulkload.readers.header_fields import sendable
from bulkload.readers.large import open_large
from bulkload.readers.reading import ChunkedSeries, NotInChunksError, ReadAgainError
from bulkload.readers.text import HEAD_BYTES
from bulkload.sources.stamp import quick_stamp
from bulkload.tables.frames import to_table
from bulkload.tables.parquet import encode, encode_chunks, stored_chunks
from bulkload.tables.stored import StoredFrame
from bulkload.worker.judging import (
    campaign_summary,
    errors_of,
    invalid,
    judged,
    plotted,
    provenance_of,
    source_stamp,
)
from bulkload.worker.limits import (
    BEAT_S,
    BYTES_A_VALUE,
    LEAST_FACTOR,
    LIBRARIES_BYTES,
    MAX_ISSUES,
    PARQUET_BYTES_A_VALUE,
    SMALL_BYTES,
    SMALLEST_BYTES,
    STEP_BYTES,
)
from bulkload.worker.spool import extension_path, steps_path
from bulkload.worker.spooling import hashed
from bulkload.worker.work_times import WORK

#: Called while a measurement is read that takes long because it is large.
Beat: TypeAlias = Callable[[], None]


def prepare_if_large(
    options: ReadOptions, task: PrepareTask, beat: Beat, *, is_large: bool = False
) -> Prepared | Rejected | None:
    """Prepare a file in chunks where it would not fit into the memory; None: read it whole.

    ``is_large`` says that it does not fit; None then means that it cannot be read in chunks.
    Raises ``UnreadableError`` for one that neither fits nor comes in chunks.
    """
    path, memory_bytes = Path(task.file), task.memory_bytes
    if memory_bytes is None or path.stat().st_size < SMALLEST_BYTES:
        return None
    size, needed = _whole_bytes(path)
    if needed <= memory_bytes and not is_large:
        return None
    try:
        return prepare_in_chunks(open_large(path, options), task, beat)
    except NotInChunksError as error:
        least = LIBRARIES_BYTES + size * LEAST_FACTOR
        if least <= memory_bytes:
            # It may fit: whether it does is seen while it is read.
            return None
        raise UnreadableError(
            f"{path.name}: {_mib(size)} of content need at least {_mib(least)} of memory in one "
            f"piece, and a reader process may use {_mib(memory_bytes)}; in chunks it cannot be "
            f"read, because {error}: allow more with --memory, or split the file",
            cause=MEMORY_LIMIT,
        ) from error


def _whole_bytes(path: Path) -> tuple[float, float]:
    """Return the bytes of a file's content, and the memory that it needs in one piece."""
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if not is_parquet:
        if path.stat().st_size < SMALL_BYTES:
            return path.stat().st_size, 0.0
        head, size = beginning(path, HEAD_BYTES), content_size(path)
        values = sum(map(head.count, (b",", b";", b"\t", b"\n"))) * size / max(len(head), 1)
        return size, LIBRARIES_BYTES + size + values * BYTES_A_VALUE
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        return path.stat().st_size, LIBRARIES_BYTES + path.stat().st_size * LEAST_FACTOR
    values = metadata.num_rows * metadata.num_columns
    return path.stat().st_size, LIBRARIES_BYTES + values * PARQUET_BYTES_A_VALUE


def out_of_memory(task: PrepareTask) -> str:
    """Return the sentence for a file of which the reading was refused an allocation."""
    memory = "" if task.memory_bytes is None else f" than {_mib(task.memory_bytes)}"
    return f"reading needed more memory{memory}; allow more with --memory, or split the file"


def too_large(reason: str, task: PrepareTask) -> str:
    """Return the sentence for a table of which a rule needs more than there is memory for."""
    memory = "" if task.memory_bytes is None else f" ({_mib(task.memory_bytes)} are allowed)"
    return (
        f"the table is larger than the memory{memory} and was judged in chunks, and {reason}; "
        "allow more with --memory, or split the measurement"
    )


def prepare_in_chunks(series: ChunkedSeries, task: PrepareTask, beat: Beat) -> Prepared | Rejected:
    """Write a measurement chunk by chunk, and judge what was written."""
    if names := task.job.transforms or task.prepare_options.transforms:
        raise UnreadableError(
            f"{task.job.place}: {too_large(f'the transform {names[0]} needs all rows', task)}",
            cause=MEMORY_LIMIT,
        )
    before = quick_stamp(Path(task.file))
    with _place(task) as path:
        rows = _written(series, path, _at_most_each(beat, BEAT_S))
        if quick_stamp(Path(task.file)) != before:
            return Rejected(
                cause="source_changing",
                message=f"{task.job.place}: the file changed while it was read; wait until nothing "
                "writes to it, and run again",
            )
        beat()
        with StoredFrame(path) as frame:
            assert frame.rows == rows
            answer = _judged_from_disk(frame, series, task, path)
        if isinstance(answer, Rejected):
            path.unlink()
        return answer


@contextmanager
def _place(task: PrepareTask) -> Iterator[Path]:
    """Give the path of the Parquet file: the spool's, or one that is gone with the block."""
    if task.spool_path is not None:
        yield Path(task.spool_path)
        return
    with TemporaryDirectory(prefix="bulkload-") as folder:
        yield Path(folder) / "table.parquet"


def _written(series: ChunkedSeries, path: Path, beat: Beat) -> int:
    def beaten() -> Iterator[pa.Table]:
        for chunk in series.chunks():
            beat()
            yield chunk

    while True:
        try:
            return encode_chunks(beaten(), path)
        except ReadAgainError:
            continue


def _judged_from_disk(
    frame: StoredFrame, series: ChunkedSeries, task: PrepareTask, path: Path
) -> Prepared | Rejected:
    WORK.enter(LimitName.VALIDATING)
    _check_steps(frame, task)
    facts = series.provenance()
    source, left_out = source_stamp(facts), facts.get("rows_left_out", 0)
    steps, issues = judged(frame, task, task.job.data_type or facts.get("data_type"))
    header = sendable(series.header, task.prepare_options.header_fields)
    provenance = provenance_of(facts, series.header, header, ())
    if errors := errors_of(issues):
        return replace(
            invalid(task.job, errors, source),
            rows=frame.rows,
            rows_left_out=left_out,
            provenance=provenance,
            excerpt=plotted(frame, errors, task),
        )
    prepared = Prepared(
        rows=frame.rows,
        rows_left_out=left_out,
        columns=frame.names,
        size_bytes=0,
        sha256="",
        content_digest=content_digest(frame),
        source=source,
        is_longer=_is_longer(path, frame.rows, task),
        warnings=tuple(issues)[:MAX_ISSUES],
        header=header,
        summary=campaign_summary(frame, steps, task, series.header),
        excerpt=plotted(frame, issues, task) if task.plots_whole else "",
        provenance=provenance,
    )
    if task.spool_path is None:
        return prepared
    if task.prepare_options.stores_steps and steps is not None:
        encode(to_table(steps), steps_path(path))
    if prepared.is_longer:
        assert task.stored is not None
        encode_chunks(stored_chunks(path, task.stored.rows), extension_path(path))
    spool = hashed(path)
    return replace(prepared, size_bytes=spool.size_bytes, sha256=spool.sha256, md5=spool.md5)


def _check_steps(frame: Frame, task: PrepareTask) -> None:
    """Refuse a table of more steps than there is memory for their summary."""
    if task.memory_bytes is None or not frame.is_numeric(STEP_COUNT):
        return
    steps = len(Groups.in_column(frame, STEP_COUNT))
    needed = LIBRARIES_BYTES + steps * STEP_BYTES
    if needed > task.memory_bytes:
        reason = f"the summary of its {steps:,} steps needs about {_mib(needed)}"
        raise UnreadableError(f"{task.job.place}: {too_large(reason, task)}", cause=MEMORY_LIMIT)


def _is_longer(path: Path, rows: int, task: PrepareTask) -> bool:
    stored = task.stored
    if stored is None or rows <= stored.rows:
        return False
    with StoredFrame(path, rows=stored.rows) as beginning:
        return content_digest(beginning) == stored.content_digest


def _at_most_each(beat: Beat, seconds: float) -> Beat:
    """Return a beat that is heard at most so often."""
    last = time.monotonic()

    def heard() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            beat()

    return heard


def _mib(size: float) -> str:
    return f"{size / 2**20:,.0f} MiB"
