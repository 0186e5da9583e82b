"""One run a job folder: a lock that the operating system drops when the process dies.

The lock is an exclusive transaction on a small SQLite file: the one file lock that behaves
the same on every platform we run on, and that a kill -9 releases. NFS and SMB hand such locks on
to the server. Where a mount does not (``nolock``, ``nobrl``), the log of transactions notices
that another process wrote to it, and ends the run.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bulkload.errors import JournalBusyError, JournalError
from bulkload.journal.database import APPLICATION_ID

FILE_NAME = "lock.sqlite"


@contextmanager
def exclusive(job_dir: Path) -> Iterator[None]:
    """Hold a job folder for the length of the block; ``JournalBusyError`` where another does."""
    try:
        connection = sqlite3.connect(job_dir / FILE_NAME, timeout=0.0, isolation_level=None)
    except sqlite3.OperationalError as error:
        # Mostly a folder of another user: the library says no more than that.
        writable = os.access(job_dir, os.W_OK)
        why = str(error) if writable else "Permission denied: it may not be written in"
        raise JournalError(f"{job_dir} cannot be locked: {why}") from error
    with closing(connection) as held:
        try:
            held.execute("PRAGMA journal_mode=DELETE")
            if held.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                # From its first moment a job folder shows whose it is: one that lies in a source
                # is not planned.
                held.execute(f"PRAGMA application_id={APPLICATION_ID}")
            held.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY":
                raise JournalError(f"{job_dir} cannot be locked: {error}") from error
            raise JournalBusyError(
                f"another run is using {job_dir}: wait for it, or give --job another folder"
            ) from error
        yield
        held.execute("ROLLBACK")


def is_held(job_dir: Path) -> bool | None:
    """Return whether a run holds a job folder; None where that cannot be found out.

    Looking takes a lock for reading for an instant, so it is for folders whose run seems to be
    over: one that begins in that instant would be refused.
    """
    try:
        uri = f"{(job_dir / FILE_NAME).resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=0.0)) as looking:
            looking.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError as error:
        return True if error.sqlite_errorname == "SQLITE_BUSY" else None
    return False
