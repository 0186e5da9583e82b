"""Is a journal whole? Its file, its events, and what follows from them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from bulkload.core.lifecycle import IllegalEventError, JobState, advance
from bulkload.errors import JournalError
from bulkload.journal import store
from bulkload.journal.codec import event_from_text, job_from_text


def check_journal(path: Path) -> Iterator[str]:
    """Yield what is wrong with a journal, in sentences; nothing where it is whole.

    Raises ``JournalError`` where the file cannot be opened as a journal at all.
    """
    connection = store.connect(path, is_read_only=True)
    try:
        for row in connection.execute("PRAGMA integrity_check"):
            if row[0] != "ok":
                yield f"the file is damaged: {row[0]}"
        for job in connection.execute("SELECT * FROM job ORDER BY id"):
            yield from _check_job(connection, job)
        for row in connection.execute(
            "SELECT id, job FROM event WHERE job NOT IN (SELECT id FROM job)"
        ):
            yield f"event {row['id']} belongs to job {row['job']}, which is not there"
    except sqlite3.DatabaseError as error:
        yield f"the file is damaged: {error}"
    finally:
        connection.close()


def _check_job(connection: sqlite3.Connection, job: sqlite3.Row) -> Iterator[str]:
    """Replay a job's events and compare what follows with what its row says."""
    try:
        job_from_text(job["payload"])
    except JournalError as error:
        yield f"job {job['id']}: {error}"
    state = JobState.PLANNED
    for row in connection.execute("SELECT * FROM event WHERE job=? ORDER BY id", (job["id"],)):
        try:
            state = advance(state, event_from_text(row["name"], row["payload"]))
        except (JournalError, IllegalEventError) as error:
            yield f"job {job['id']}, event {row['id']}: {error}"
            return
    if state != job["state"]:
        yield f"job {job['id']} is said to be {job['state']}, and its events say {state}"
