"""Check that a journal is whole: its file, its events, and the rows that follow from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bulkload.core.lifecycle import IllegalEventError, JobState, advance
from bulkload.errors import JournalError
from bulkload.journal.codec import event_from_text
from bulkload.journal.rows import JobRow
from bulkload.journal.store import Store


def check_journal(path: Path) -> Iterator[str]:
    """Yield what is wrong with a journal, in sentences; nothing where it is whole.

    Raises ``JournalError`` where the file cannot be opened as a journal at all.
    """
    with Store(path, is_read_only=True) as store:
        try:
            for row in store.rows("integrity"):
                if row[0] != "ok":
                    yield f"the file is damaged: {row[0]}"
            for job in store.jobs():
                yield from _check_job(store, job)
            for row in store.rows("events_without_job"):
                yield f"event {row['id']} belongs to job {row['job']}, which does not exist"
        except JournalError as error:
            yield f"the file is damaged: {error}"


def _check_job(store: Store, row: JobRow) -> Iterator[str]:
    """Replay a job's events and compare the state that follows with that of its row."""
    try:
        _ = row.job
    except JournalError as error:
        yield f"job {row.id}: {error}"
    state = JobState.PLANNED
    for event in list(store.rows("events_of", row.id)):
        try:
            state = advance(state, event_from_text(event["name"], event["payload"]))
        except (JournalError, IllegalEventError) as error:
            yield f"job {row.id}, event {event['id']}: {error}"
            return
    if state != row.state_text:
        yield f"job {row.id}: its row says {row.state_text}, its events say {state}"
