"""The run's log: one JSON object a line, an event name and fields. The terminal is a view."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from itertools import count
from pathlib import Path
from typing import Final, Self, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

from bulkload.client.http.events import Exchanged, WireEvent
from bulkload.core.lifecycle import Attempting, Event
from bulkload.engine.jobs import JobContext
from bulkload.engine.limits import LOG_LIMIT_BYTES
from bulkload.errors import DiskError

FILE_NAME: Final = "log.jsonl"

#: Events of the log that are neither a job's nor the wire's: their fields, and what they mean.
OTHER_EVENTS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "run.started": (("command", "planned"), "A run begins to deliver its plan"),
    "journal.torn_record_removed": (
        ("bytes",), "The end of a record that a crash had cut short was removed"
    ),
    "backlog.limit": (("value",), "How many measurements Studio may have waiting changed"),
    "terminal.output_dropped": (
        ("stream", "size_bytes", "reason"), "Text that the terminal did not take"
    ),
}  # fmt: skip


#: Fields that have another name in the log, whose lines have a ``level`` of their own; and those
#: that it does not have: thousands of numbers that are no reading matter.
_NAMES: Final = {"level": "control", "excerpt": ""}


class LogFile:
    """A log on disk, open for appending. A line that cannot be written ends the run.

    Beyond ``LOG_LIMIT_BYTES`` it goes on in a new file; the full one is kept beside it as
    ``log.1.jsonl.gz`` and so on, compressed when the run ends: nothing is lost.
    """

    def __init__(self, path: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._full: list[Path] = []
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        for path in self._full:
            # A log that cannot be compressed stays as it is.
            with suppress(OSError):
                with path.open("rb") as full, gzip.open(f"{path}.gz", "wb", 6) as packed:
                    shutil.copyfileobj(full, packed)
                path.unlink()

    def write(self, text: str) -> None:
        """Append a text; ``DiskError`` where the disk does not take it whole."""
        data = text.encode()
        try:
            if self._size_bytes + len(data) > self._limit_bytes and self._size_bytes:
                self._begin_anew()
            written = self._file.write(data)
        except OSError as error:
            raise DiskError(f"the log {self._path} cannot be written: {error.strerror}") from error
        if written != len(data):
            raise DiskError(f"the log {self._path} cannot be written: No space left on device")
        self._size_bytes += len(data)

    def _open(self) -> None:
        self._file = self._path.open("ab", buffering=0)
        self._size_bytes = self._file.tell()

    def _begin_anew(self) -> None:
        self._file.close()
        names = (self._path.with_suffix(f".{n}{self._path.suffix}") for n in count(1))
        full = next(one for one in names if not one.exists() and not Path(f"{one}.gz").exists())
        self._path.replace(full)
        self._full.append(full)
        self._open()

    def flush(self) -> None:
        """Return at once: each text is with the operating system when it is written."""


def open_log(path: Path, **bound: object) -> tuple[FilteringBoundLogger, LogFile]:
    """Open a log for appending, with ``bound`` in every line. The caller closes the file."""
    file = LogFile(path)
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, file)),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    ).bind(**bound)
    return logger, file


class LogWatcher:
    """Writes what happens to jobs and on the wire into the log.

    A single exchange and the intent before an act are not lines of the log: they would bury
    what a person looks for.
    """

    def __init__(self, logger: FilteringBoundLogger) -> None:
        self._logger = logger

    def on_event(self, context: JobContext, event: Event) -> None:
        """Write an event of a job."""
        if not isinstance(event, Attempting):
            self._logger.info(
                type(event).__name__, job=context.id, key=str(context.job.key), **_fields(event)
            )

    def on_wire(self, event: WireEvent) -> None:
        """Write a decision of delivery."""
        if not isinstance(event, Exchanged):
            self._logger.info(type(event).__name__, **_fields(event))

    def on_backlog_limit(self, limit: int) -> None:
        """Write how many measurements Studio may have waiting from now on."""
        self._logger.info("backlog.limit", value=limit)


def _fields(event: Event | WireEvent) -> dict[str, object]:
    """Return the fields of an event, without those that only the journal needs."""
    named = ((_NAMES.get(field.name, field.name), field.name) for field in fields(event))
    return {name: getattr(event, field) for name, field in named if name}
