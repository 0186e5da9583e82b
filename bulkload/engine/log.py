"""The run's log: one JSON object a line, an event name and fields. The terminal is a view."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import time
from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import count
from pathlib import Path
from typing import Any, Final, Self, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

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
        #: Lines of this turn of the event loop, and why earlier ones could not be written.
        self._lines: list[str] = []
        self._error: DiskError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self._write_lines()
        finally:
            self._file.close()
            self._pack()
        # What ends the run anyway is not to be hidden by its log.
        if kind is None and self._error is not None:
            raise self._error

    def line(self, text: str) -> None:
        """Append a line; those of one turn of the event loop are written together.

        Raises ``DiskError`` where this line, or an earlier one, cannot be written.
        """
        if self._error is not None:
            raise self._error
        self._lines.append(text)
        if len(self._lines) > 1:
            return
        try:
            asyncio.get_running_loop().call_soon(self._write_lines)
        except RuntimeError:
            # Outside of a run there is no turn to wait for.
            self._write_lines()
            if self._error is not None:
                raise self._error from None

    #: What the logger calls, by the level of the line; which level it is stands in the line.
    info = warning = error = line

    def _write_lines(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            try:
                self.write("\n".join(lines) + "\n")
            except DiskError as error:
                # No caller waits for this turn: the next line, or the end of the log, raises it.
                self._error = error

    def _pack(self) -> None:
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


def open_log(path: Path, **bound: object) -> tuple[FilteringBoundLogger, LogFile]:
    """Open a log for appending, with ``bound`` in every line. The caller closes the file."""
    file = LogFile(path)
    logger: FilteringBoundLogger = structlog.wrap_logger(
        file,
        processors=[_rendered],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    ).bind(**bound)
    return logger, file


#: Made once: ``json.dumps`` makes one for each call that is not by its defaults.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, default=str)


def _members(values: Mapping[str, object]) -> str:
    """Return the members of a JSON object, each with a comma behind it."""
    if not values:
        return ""
    encode = _ENCODER.encode
    if {*map(type, values.values())} == {str}:
        # Most lines. An encoder of objects is made anew for each of them, of texts it is not.
        return "".join([f'"{name}": {encode(value)}, ' for name, value in values.items()])
    return f"{encode(values)[1:-1]}, "


def _now() -> str:
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_second(seconds)}.{microseconds:06d}Z"


@lru_cache(1)
def _second(seconds: int) -> str:
    """Return a moment in UTC, the same for all the lines of a second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def _rendered(_: object, level: str, fields: EventDict) -> str:
    """Return a line: its fields, the event, the level, and the time in UTC."""
    return f'{{{_members(fields)}"level": "{level}", "timestamp": "{_now()}"}}'


class LogWatcher:
    """Writes what happens to jobs and on the wire into the log.

    A single exchange and the intent before an act are not lines of the log: they would bury
    what a person looks for. Six of each measurement are: they go into the file directly, as the
    logger would render them, but what all lines begin with is rendered once.
    """

    def __init__(self, logger: FilteringBoundLogger, file: LogFile) -> None:
        """``file`` is what the logger writes to."""
        self._logger = logger
        self._file = file
        self._bound = _members(structlog.get_context(logger))

    def on_event(self, context: JobContext, event: Event) -> None:
        """Write an event of a job."""
        if not isinstance(event, Attempting):
            key = _ENCODER.encode(str(context.job.key))
            self._write(event, f'"job": {context.id}, "key": {key}, ')

    def on_wire(self, event: WireEvent) -> None:
        """Write a decision of delivery."""
        if not isinstance(event, Exchanged):
            self._write(event, "")

    def _write(self, event: Event | WireEvent, of_job: str) -> None:
        kind = type(event)
        named = _named(cast(Hashable, kind))
        own = _members({name: getattr(event, field) for name, field in named})
        self._file.line(
            f'{{{self._bound}{of_job}{own}"event": "{kind.__name__}", "level": "info", '
            f'"timestamp": "{_now()}"}}'
        )

    def on_backlog_limit(self, limit: int) -> None:
        """Write how many measurements Studio may have waiting from now on."""
        self._logger.info("backlog.limit", value=limit)


@cache
def _named(kind: Hashable) -> tuple[tuple[str, str], ...]:
    """Return the names that the fields of an event have in the log, and their own.

    Those that only the journal needs are left out.
    """
    names = [field.name for field in fields(cast(Any, kind))]
    named = ((_NAMES.get(name, name), name) for name in names)
    return tuple((name, field) for name, field in named if name)
