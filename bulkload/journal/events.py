"""Write an event into the journal, together with the row that follows from it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from bulkload.core.lifecycle import (
    EVENTS,
    Confirmed,
    Event,
    Extended,
    Found,
    GaveUp,
    JobState,
    ProcessingFailed,
    ProcessingReady,
    Restarted,
    RolledBack,
    Stored,
    advance,
)
from bulkload.journal.codec import dump, event_to_text
from bulkload.journal.store import Store

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

#: The fields of each event that are columns.
_COLUMNS_OF: Final = {
    kind: tuple(field.name for field in fields(kind) if field.name in _COLUMNS)
    for kind in EVENTS.values()
}

#: Columns that an event sets besides those of its own fields.
_CONSEQUENCES: Final[dict[type[Event], dict[str, Any]]] = {
    # The cause of an earlier attempt no longer holds.
    Found: {"cause": "", "message": ""},
    Confirmed: {"cause": "", "message": ""},
    ProcessingReady: {"cause": "", "message": ""},
    Extended: {"is_extending": 1},
    ProcessingFailed: {"cause": "processing_failed"},
    GaveUp: {"has_given_up": 1},
    RolledBack: {"raw_data_id": None},
    Restarted: {
        "cause": "",
        "message": "",
        "has_given_up": 0,
        "is_extending": 0,
        # What is linked is the source as it was, or belongs to a record that is gone.
        "raw_data_id": None,
        # The source may have changed since it was prepared.
        "content_digest": None,
    },
}

#: What else a row takes over once an event has happened, by the name of the statement.
_THEN: Final[dict[type[Event], str]] = {
    Stored: "job_stored",
    Confirmed: "job_confirmed",
    ProcessingReady: "job_processed",
}


def append(store: Store, run: int, job: int, at: float, *events: Event) -> JobState:
    """Append events, bring the job's row up to date and return its new state.

    Inside the caller's transaction. ``at`` is in seconds since 1970. Raises
    ``IllegalEventError`` and ``JournalError``.
    """
    row = store.row("job_state", job)
    assert row is not None
    state = JobState(row["state"])
    columns: dict[str, Any] = {}
    for event in events:
        before, state = state, advance(state, event)
        store.write("event_insert", job, run, at, type(event).__name__, event_to_text(event))
        if state is not before:
            columns["state"] = state.value
        columns |= _facts(event)
        if (then := _THEN.get(type(event))) is not None:
            # It reads the row as the events so far have made it.
            _set(store, job, columns)
            store.write(then, job)
    _set(store, job, columns)
    return state


def _set(store: Store, job: int, columns: dict[str, Any]) -> None:
    """Write columns into a job's row, and forget them."""
    if columns:
        store.write("job_set", *columns.values(), job, columns=tuple(columns))
        columns.clear()


def _facts(event: Event) -> dict[str, Any]:
    """Return the columns of a job's row that an event sets."""
    kind = type(event)
    values = ((name, getattr(event, name)) for name in _COLUMNS_OF[kind])
    facts = {
        name: dump(value) if isinstance(value, tuple | list) else value for name, value in values
    }
    return facts | _CONSEQUENCES.get(kind, {})
