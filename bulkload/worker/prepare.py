"""Prepare one source in a worker: read, validate, encode; return a small record.

A defect of a reader, or of ours, must cost one file: everything that is raised becomes a
``Rejected`` that names the file. Nothing of the table leaves this process but the spool file.
"""

from __future__ import annotations

import errno
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import pyarrow as pa

from bulkload.core.plan_check import is_left_to_preparing
from bulkload.core.plan_items import UploadJob
from bulkload.core.prepare_result import (
    DISK_FULL,
    MEMORY_LIMIT,
    Prepared,
    PrepareTask,
    Rejected,
    SourceStamp,
)
from bulkload.core.terms import MeasurementType
from bulkload.core.text import shown
from bulkload.errors import MissingExtraError, UnreadableError
from bulkload.sources.stamp import quick_stamp, stamp
from bulkload.worker.limits import ERROR_TEXT_CHARACTERS, MAX_HASHED_REJECTION_BYTES
from bulkload.worker.properties_and_files import prepare_file, prepare_properties
from bulkload.worker.time_series import prepare_time_series

#: Errors of a disk that takes nothing more. Not every system knows quotas.
_DISK_IS_FULL: Final = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


def use_one_thread() -> None:
    """Keep this process to one computing thread: there is a process for each core already."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def prepare(task: PrepareTask) -> Prepared | Rejected:
    """Prepare one measurement; every failure is an answer, none is raised.

    Side effects: writes ``task.spool_path`` where the answer is ``Prepared``.
    """
    # Before it is read: what is written to the file later has not been validated.
    seen = quick_stamp(Path(task.job.path))
    answer = _unfit_name(task.job) or _prepared_or_rejected(task)
    if isinstance(answer, Rejected) and answer.source is None and seen is not None:
        return replace(answer, source=_looked_at(Path(task.job.path), *seen))
    return answer


def _looked_at(path: Path, size_bytes: int, mtime_ns: int) -> SourceStamp:
    """Return the stamp of a source that could not be read; hashed where it is still the same."""
    if size_bytes <= MAX_HASHED_REJECTION_BYTES:
        with suppress(OSError):
            found = stamp(path)
            if (found.size_bytes, found.mtime_ns) == (size_bytes, mtime_ns):
                return found
    return SourceStamp(size_bytes=size_bytes, mtime_ns=mtime_ns, sha256="")


def _unfit_name(job: UploadJob) -> Rejected | None:
    name = job.key.measurement
    if not is_left_to_preparing(name):
        return None
    return Rejected(
        cause="control_character",
        message=f"{job.path}: the name {shown(name)} holds a character that no name may "
        "hold; rename the file, or name the measurement in a manifest",
    )


def _prepared_or_rejected(task: PrepareTask) -> Prepared | Rejected:
    try:
        return _PREPARERS[task.job.type](task)
    except UnreadableError as error:
        return Rejected(cause=error.cause, message=_named(task.job, str(error)))
    except MissingExtraError as error:
        return Rejected(cause=error.cause, message=_named(task.job, str(error)))
    except OSError as error:
        if error.errno in _DISK_IS_FULL:
            reason = f"the prepared file cannot be written: {error.strerror or error}"
            return Rejected(cause=DISK_FULL, message=f"{task.job.path}: {reason}")
        return Rejected(cause="unreadable_file", message=f"{task.job.path}: {_reason(error)}")
    except MemoryError:
        return Rejected(
            cause=MEMORY_LIMIT, message=f"{task.job.path}: not enough memory to read it"
        )
    # A reader may raise anything for a damaged file; the run must go on and say which file.
    except Exception as error:  # noqa: BLE001 - whatever it is, it becomes the file's rejection
        where = traceback.extract_tb(error.__traceback__)[-1]
        return Rejected(
            cause="reader_failed",
            message=f"{task.job.path}: reading failed with {type(error).__name__}: "
            f"{str(error)[:ERROR_TEXT_CHARACTERS]} ({Path(where.filename).name}:{where.lineno})",
        )


def _named(job: UploadJob, message: str) -> str:
    name = Path(job.path).name
    if message.startswith(f"{name}:"):
        return job.path + message.removeprefix(name)
    return message if job.path in message else f"{job.path}: {message}"


def _reason(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "the file was planned and does not exist any more; restore it, or plan again"
        case PermissionError():
            return "no permission to read the file; grant it to the user who runs bulkload"
    return f"the file cannot be read: {error.strerror or error}"


_PREPARERS: Final = {
    MeasurementType.TIME_SERIES: prepare_time_series,
    MeasurementType.PROPERTIES: prepare_properties,
    MeasurementType.FILE: prepare_file,
}
