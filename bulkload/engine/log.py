"""The run's log: one JSON object a line, an event name and fields. The terminal is a view."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Final, Self, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

from bulkload.client.http.events import Exchanged, WireEvent
from bulkload.core.lifecycle import Attempting, Event
from bulkload.engine.jobs import JobContext
from bulkload.errors import DiskError

FILE_NAME: Final = "log.jsonl"


class LogFile:
    """A log on disk, open for appending. A line that cannot be written ends the run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, text: str) -> None:
        """Append a text; ``DiskError`` where the disk does not take it whole."""
        data = text.encode()
        try:
            written = self._file.write(data)
        except OSError as error:
            raise DiskError(f"the log {self._path} cannot be written: {error.strerror}") from error
        if written != len(data):
            raise DiskError(f"the log {self._path} cannot be written: No space left on device")

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


def _fields(event: Event | WireEvent) -> dict[str, object]:
    return {field.name: getattr(event, field.name) for field in fields(event)}
