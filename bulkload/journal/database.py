"""The journal's file: opened, created, checked. How to reach it; ``store.py`` has what it holds.

WAL with ``synchronous=FULL``: what was committed survives a loss of power. On a network file
system the journal is a log of its transactions instead (``journal/logged.py``).
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from bulkload.errors import JournalError
from bulkload.journal.filesystem import is_on_network
from bulkload.journal.limits import BUSY_TIMEOUT_S
from bulkload.journal.logged import connect_logged, read_logged
from bulkload.journal.queries import SQL

#: "BULK": tells our file from any other database.
APPLICATION_ID: Final = 0x42554C4B
VERSION: Final = 3
FILE_NAME: Final = "journal.sqlite"
#: The journal of a folder on a network file system.
LOG_NAME: Final = "journal.log"

_CREATE: Final = (
    f"{SQL['schema']} {SQL['migrate_from_2'].format(scope='')} "
    f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={VERSION};"
)
#: What a journal of an older version lacks.
_MIGRATIONS: Final = {1: ("migrate_from_1", "migrate_from_2"), 2: ("migrate_from_2",)}


def connect(path: Path | None, *, is_read_only: bool) -> sqlite3.Connection:
    """Open a journal, made new if it does not exist; None keeps it in a temporary file.

    Which of the two forms the journal of a folder has is decided here and hidden from the rest.
    Raises ``JournalError`` for a file that is damaged, of another program or another version.
    """
    path = None if path is None else find(path.parent) or _new(path)
    name = "" if path is None else str(path)
    try:
        if path is not None and path.name == LOG_NAME:
            open_log = read_logged if is_read_only else connect_logged
            connection = open_log(path, _CREATE)
            connection.row_factory = sqlite3.Row
            return connection
        if is_read_only and path is not None:
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?{_reading(path)}", uri=True)
        else:
            connection = sqlite3.connect(name, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        connection.isolation_level = None
        connection.row_factory = sqlite3.Row
        _check_or_create(connection, name, is_read_only=is_read_only)
    except (sqlite3.DatabaseError, OSError) as error:
        raise JournalError(f"the journal {name} cannot be opened: {error}") from error
    return connection


def _reading(path: Path) -> str:
    """Return how a journal is opened to be read.

    Reading a database in WAL mode writes beside it. Where that is not allowed, one without
    commits that wait in its WAL is read as it lies: no process that could change it is running.
    """
    wal = path.with_name(f"{path.name}-wal")
    is_at_rest = not wal.exists() or not wal.stat().st_size
    return (
        "mode=ro&immutable=1" if is_at_rest and not os.access(path.parent, os.W_OK) else "mode=ro"
    )


def find(folder: Path) -> Path | None:
    """Return the file of a folder's journal, or None."""
    found = [folder / name for name in (FILE_NAME, LOG_NAME) if (folder / name).is_file()]
    if len(found) > 1:
        raise JournalError(f"{folder} holds two journals, {FILE_NAME} and {LOG_NAME}")
    return found[0] if found else None


def _new(path: Path) -> Path:
    return path.with_name(LOG_NAME) if is_on_network(path.parent) else path


def _check_or_create(connection: sqlite3.Connection, name: str, *, is_read_only: bool) -> None:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application_id == APPLICATION_ID and version in _MIGRATIONS:
        _migrate(connection, version, is_read_only=is_read_only)
        version = VERSION
    is_new = not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    if not is_new or is_read_only:
        _check(name, application_id, version)
    if not is_read_only:
        # Only now: a file of another program is left as it is.
        mode, level = _durable_on(Path(name).parent)
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute(f"PRAGMA synchronous={level}")
    if is_new and not is_read_only:
        connection.executescript(f"BEGIN; {_CREATE} COMMIT;")


def _migrate(connection: sqlite3.Connection, version: int, *, is_read_only: bool) -> None:
    """Give a journal of an older version the tables that it lacks.

    A journal that may only be read gets them for the length of the connection.
    """
    scope = "TEMP " if is_read_only else ""
    then = "" if is_read_only else f"PRAGMA user_version={VERSION};"
    sql = "; ".join(SQL[name].format(scope=scope) for name in _MIGRATIONS[version])
    connection.executescript(f"BEGIN; {sql}; {then} COMMIT;")


def _check(name: str, application_id: int, version: int) -> None:
    if application_id != APPLICATION_ID:
        raise JournalError(f"{name} is not a journal of bulkload")
    if version != VERSION:
        raise JournalError(
            f"{name} is a journal of version {version}; this bulkload reads version {VERSION}"
        )


def _durable_on(folder: Path) -> tuple[str, str]:
    """Return the modes in which a commit survives a loss of power on this file system.

    WAL is quick and needs memory that all readers share, which a network file system does not
    give. A database that was moved there from a disk goes on with a rollback journal: each
    commit is in the file itself, and the rollback journal undoes one that was torn.
    """
    return ("DELETE", "EXTRA") if is_on_network(folder) else ("WAL", "FULL")
