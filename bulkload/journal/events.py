"""An event goes into the journal together with all that follows from it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, fields
from typing import Any, Final

from bulkload.core.lifecycle import (
    Confirmed,
    Event,
    Extended,
    Found,
    GaveUp,
    JobState,
    ProcessingFailed,
    ProcessingReady,
    Restarted,
    Stored,
    advance,
)
from bulkload.journal.codec import dump, event_to_text

#: Fields of events that are columns of a job's row, under the same name.
_COLUMNS: Final = frozenset(
    {
        "cause",
        "changes",
        "content_digest",
        "instance_id",
        "measurement_id",
        "message",
        "raw_data_id",
        "ready_updated_at",
        "rows",
        "sha256",
        "size_bytes",
        "source_bytes",
        "source_mtime_ns",
        "source_sha256",
        "summary",
        "warnings",
    }
)

#: What an event says of a job beside its own fields.
_BESIDES: Final[dict[type[Event], dict[str, Any]]] = {
    # What an earlier attempt ended with is over.
    Found: {"cause": "", "message": ""},
    Confirmed: {"cause": "", "message": ""},
    ProcessingReady: {"cause": "", "message": ""},
    Extended: {"is_extending": 1},
    ProcessingFailed: {"cause": "processing_failed"},
    GaveUp: {"has_given_up": 1},
    Restarted: {
        "cause": "",
        "message": "",
        "has_given_up": 0,
        "is_extending": 0,
        # What was prepared then says nothing of the source now.
        "content_digest": None,
    },
}

_KEEP_STORED: Final = """
UPDATE job SET stored_id=measurement_id, stored_rows=rows, stored_digest=content_digest,
    stored_source_bytes=source_bytes, stored_source_mtime_ns=source_mtime_ns
WHERE id=?
"""
#: Of a record that exists: it holds what was prepared last. Properties are never put anywhere,
#: so that their record is the first to say so.
_IS_STORED: Final = """
AND content_digest IS NOT NULL
AND (stored_id IS NULL OR (stored_id=measurement_id AND stored_digest=content_digest))
"""


@dataclass(frozen=True, slots=True)
class Parent:
    """What is needed to find it again, and to see whether somebody changed it since."""

    #: ``cell_specification``, ``cell_batch`` or ``cell_instance``.
    kind: str
    id: str
    name: str
    parent_id: str | None
    updated_at: str | None


def append(
    connection: sqlite3.Connection, run: int, job: int, at: float, *events: Event
) -> JobState:
    """Append events and bring the job's row up to date; inside the caller's transaction."""
    row = connection.execute("SELECT state FROM job WHERE id=?", (job,)).fetchone()
    state = JobState(row["state"])
    for event in events:
        state = advance(state, event)
        _append(connection, (job, run, at), event, state)
    return state


def _append(
    connection: sqlite3.Connection, where: tuple[int, int, float], event: Event, state: JobState
) -> None:
    job = where[0]
    connection.execute(
        "INSERT INTO event (job, run, at, name, payload) VALUES (?, ?, ?, ?, ?)",
        (*where, type(event).__name__, event_to_text(event)),
    )
    columns = {"state": state.value} | _facts(event)
    assignments = ", ".join(f"{name}=?" for name in columns)
    # The column names are ours: no text from outside is joined into SQL.
    connection.execute(
        f"UPDATE job SET {assignments} WHERE id=?",  # noqa: S608
        (*columns.values(), job),
    )
    if isinstance(event, Stored):
        connection.execute(_KEEP_STORED, (job,))
    elif isinstance(event, Confirmed):
        # Also of a source that was touched and read again: later runs need not.
        connection.execute(f"{_KEEP_STORED} {_IS_STORED}", (job,))
    elif isinstance(event, ProcessingReady):
        # Studio holds the appended rows from here on, not from when they were sent.
        connection.execute(f"{_KEEP_STORED} AND is_extending", (job,))
        connection.execute("UPDATE job SET is_extending=0 WHERE id=?", (job,))


def _facts(event: Event) -> dict[str, Any]:
    """Return the columns of a job's row that an event sets."""
    names = (field.name for field in fields(event) if field.name in _COLUMNS)
    values = ((name, getattr(event, name)) for name in names)
    told = {
        name: dump(value) if isinstance(value, tuple | list) else value for name, value in values
    }
    return told | _BESIDES.get(type(event), {})
