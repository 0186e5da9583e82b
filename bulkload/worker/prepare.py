"""Prepare one source in a worker: read, validate, encode; return a small record.

A defect of a reader, or of ours, must cost one file: everything that is raised becomes a
``Rejected`` that names the file. Nothing of the table leaves this process but the spool file.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from bulkload.archives.access import local_copy
from bulkload.core.address import file_name, is_elsewhere
from bulkload.core.frame import NeedsWholeError
from bulkload.core.plan_check import is_left_to_preparing
from bulkload.core.plan_items import UploadJob
from bulkload.core.prepare_result import (
    DISK_FULL,
    MEMORY_LIMIT,
    Prepared,
    PrepareTask,
    Rejected,
    SourceCopy,
    SourceStamp,
)
from bulkload.core.terms import MeasurementType
from bulkload.core.text import printable, shown
from bulkload.errors import BulkloadError, MissingExtraError, UnreadableError
from bulkload.sources.stamp import quick_stamp, stamp
from bulkload.worker.copies import copied, copy_at
from bulkload.worker.large import Beat, out_of_memory, too_large
from bulkload.worker.limits import ERROR_TEXT_CHARACTERS, MAX_HASHED_REJECTION_BYTES
from bulkload.worker.properties_and_files import prepare_file, prepare_properties
from bulkload.worker.time_series import prepare_time_series

#: Errors of a disk that takes nothing more. Not every system knows quotas.
_DISK_IS_FULL: Final = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


def prepare(task: PrepareTask, beat: Beat = lambda: None) -> Prepared | Rejected:
    """Prepare one measurement; every failure is an answer, none is raised.

    ``beat`` is called now and then while one is read that takes long because it is large.

    Side effects: writes ``task.spool_path`` where the answer is ``Prepared``.
    """
    if task.copy is not None:
        return _with_stamp(_prepared(task, beat), task.copy)
    if is_elsewhere(task.job.path):
        return _prepared_from_copy(task, beat)
    return _prepared(task, beat)


def _prepared_from_copy(task: PrepareTask, beat: Beat) -> Prepared | Rejected:
    """Prepare a source that is not a file of its own from a copy of it.

    Files that are sent as they are stay beside the spool file; any other copy goes at once.
    """
    path = task.job.path
    folder = None if task.spool_path is None else Path(task.spool_path).parent
    try:
        if task.job.type is MeasurementType.FILE and task.spool_path is not None:
            return prepare(replace(task, copy=copied(path, Path(task.spool_path))), beat)
        with local_copy(path, folder) as (local, stamp):
            return prepare(replace(task, copy=copy_at(local, stamp)), beat)
    except (BulkloadError, OSError) as error:
        return unfetched(task.job, error)


def unfetched(job: UploadJob, error: BulkloadError | OSError) -> Rejected:
    """Return what becomes of a source that cannot be copied to this machine."""
    if isinstance(error, OSError):
        return _of_disk(job, error)
    return Rejected(cause=error.cause, message=_named(job, str(error)))


def _with_stamp(answer: Prepared | Rejected, copy: SourceCopy) -> Prepared | Rejected:
    """State the source's own size and time, not those of its copy."""
    sha256 = "" if answer.source is None else answer.source.sha256
    source = SourceStamp(size_bytes=copy.size_bytes, mtime_ns=copy.stamp_ns, sha256=sha256)
    return replace(answer, source=source)


def _prepared(task: PrepareTask, beat: Beat) -> Prepared | Rejected:
    # Before it is read: what is written to the file later has not been validated.
    seen = quick_stamp(Path(task.file))
    answer = _unfit_name(task.job) or _prepared_or_rejected(task, beat)
    if isinstance(answer, Rejected) and answer.source is None and seen is not None:
        return replace(answer, source=_looked_at(Path(task.file), *seen))
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
        message=f"{job.place}: the name {shown(name)} holds a character that no name may "
        "hold; rename the file, or name the measurement in a manifest",
    )


def _prepared_or_rejected(task: PrepareTask, beat: Beat) -> Prepared | Rejected:
    try:
        return _PREPARERS[task.job.type](task, beat)
    except UnreadableError as error:
        return Rejected(cause=error.cause, message=_named(task.job, str(error)))
    except MissingExtraError as error:
        return Rejected(cause=error.cause, message=_named(task.job, str(error)))
    except OSError as error:
        return _of_disk(task.job, error)
    except NeedsWholeError as error:
        return Rejected(
            cause=MEMORY_LIMIT, message=f"{task.job.place}: {too_large(str(error), task)}"
        )
    except MemoryError:
        return Rejected(cause=MEMORY_LIMIT, message=f"{task.job.place}: {out_of_memory(task)}")
    # A reader may raise anything for a damaged file; the run must go on and say which file.
    except Exception as error:  # noqa: BLE001 - whatever it is, it becomes the file's rejection
        where = traceback.extract_tb(error.__traceback__)[-1]
        return Rejected(
            cause="reader_failed",
            message=f"{task.job.place}: reading failed with {type(error).__name__}: "
            f"{str(error)[:ERROR_TEXT_CHARACTERS]} ({Path(where.filename).name}:{where.lineno})",
        )


def _of_disk(job: UploadJob, error: OSError) -> Rejected:
    if error.errno in _DISK_IS_FULL:
        reason = f"the prepared file cannot be written: {error.strerror or error}"
        return Rejected(cause=DISK_FULL, message=f"{job.place}: {reason}")
    return Rejected(cause="unreadable_file", message=f"{job.place}: {_reason(error)}")


def _named(job: UploadJob, message: str) -> str:
    name = printable(file_name(job.path))
    if message.startswith(f"{name}:"):
        return job.place + message.removeprefix(name)
    return message if job.place in message else f"{job.place}: {message}"


def _reason(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "the file was planned and does not exist any more; restore it, or plan again"
        case PermissionError():
            return "no permission to read the file; grant it to the user who runs bulkload"
    return f"the file cannot be read: {error.strerror or error}"


_PREPARERS: Final[dict[MeasurementType, Callable[[PrepareTask, Beat], Prepared | Rejected]]] = {
    MeasurementType.TIME_SERIES: prepare_time_series,
    MeasurementType.PROPERTIES: lambda task, _: prepare_properties(task),
    MeasurementType.FILE: lambda task, _: prepare_file(task),
}
