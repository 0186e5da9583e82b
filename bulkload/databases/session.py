"""A database while a run lasts: one snapshot, and how workers come to see the same.

::

    PostgreSQL   the lead session exports its snapshot, each worker's imports it
    MySQL        one process holds the session and reads for all
    SQLite       a copy of one moment, which every worker opens
    Access       an export into a SQLite file
    others       each session sees what the server shows it

What workers need is in ``session.json`` beside the measurements' files; it goes when the run
ends. A worker that finds none (a retry) opens a session of its own: what it reads must still
agree with the sums of the plan.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bulkload.databases.configuration import SnapshotPolicy, SqlSource
from bulkload.databases.engines.base import Database, SnapshotInfo
from bulkload.databases.engines.urls import DatabaseUrl, Engine
from bulkload.errors import PlanError

SESSION_NAME: Final = "session.json"
COPY_NAME: Final = "snapshot.sqlite"
AGAIN_NAME: Final = "asked-again.sqlite"
SPOOL_NAME: Final = "spool"
#: What a source without a snapshot was seen in: a session's beginning says nothing of its rows.
NO_SNAPSHOT: Final = SnapshotInfo(id="none", taken_at="")
NO_SNAPSHOT_TEXT: Final = (
    'read without a snapshot (snapshot = "none"): rows that were written meanwhile show only in '
    "the sums, which are asked for before and after"
)

_NUMBER_CAST: Final = re.compile(r"\bas\s+(real|float|double|num|dec|int)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSnapshot:
    """How another process comes to see the same moment."""

    snapshot: SnapshotInfo
    #: PostgreSQL: the exported name. SQLite: the copy. MySQL: address and key of the process.
    name: str = ""
    copy: str = ""
    host: str = ""
    port: int = 0
    key: str = ""


class Session:
    """One database of a run, opened by the parent."""

    def __init__(self, source: SqlSource, folder: Path) -> None:
        """Open the database; ``folder`` is where the measurements' files go."""
        self.source = source
        self.folder = folder
        self.url = source.database
        self.warnings: list[str] = []
        self._server: Any = None
        folder.mkdir(parents=True, exist_ok=True)
        self._forget()
        self.database, self._shared = self._open()
        if self.url.engine in {Engine.SQLITE, Engine.ACCESS} and _casts(source):
            self.warnings.append(
                "samples.query makes numbers by CAST, and SQLite casts any text: 'n/a' to 0 and "
                "'3,7' to 3, without an error; leave such values out, or replace them, in the query"
            )

    def _open(self) -> tuple[Database, SharedSnapshot]:
        policy = self.source.snapshot
        match self.url.engine:
            case Engine.SQLITE:
                return self._open_sqlite()
            case Engine.ACCESS:
                from bulkload.databases.engines.access import sqlite_copy_of

                assert self.url.path is not None
                taken = sqlite_copy_of(self.url.path, self.folder / COPY_NAME)
                return self._open_copy(taken)
            case Engine.MYSQL if policy is SnapshotPolicy.REQUIRED:
                return self._open_serial()
            case Engine.OTHER if policy is SnapshotPolicy.REQUIRED:
                raise PlanError(
                    f"{self.url.masked}: a snapshot that all readers share is not known for this "
                    'database; set snapshot = "per-measurement": each is then proved by itself'
                )
            case Engine.OTHER if not self.source.allow_writable:
                raise PlanError(
                    f"{self.url.masked}: a session of this database cannot be made read-only; give "
                    "a user who may only read, and --allow-writable to say so"
                )
        database = open_own(self.url)
        return database, SharedSnapshot(snapshot=SnapshotInfo(id="", taken_at=""))

    def _open_sqlite(self) -> tuple[Database, SharedSnapshot]:
        from bulkload.databases.engines.sqlite import SQLite, check_file, copy_of

        assert self.url.path is not None
        if (warning := check_file(self.url.path)) is not None:
            self.warnings.append(warning)
        if self.source.snapshot is SnapshotPolicy.REQUIRED:
            return self._open_copy(copy_of(self.url.path, self.folder / COPY_NAME))
        database = SQLite(self.url.path, name=self.url.masked)
        return database, SharedSnapshot(snapshot=database.snapshot)

    def _open_copy(self, taken: SnapshotInfo) -> tuple[Database, SharedSnapshot]:
        from bulkload.databases.engines.sqlite import SQLite

        copy = (self.folder / COPY_NAME).absolute()
        database = SQLite(copy, name=self.url.masked, snapshot=taken)
        return database, SharedSnapshot(snapshot=taken, copy=str(copy))

    def _open_serial(self) -> tuple[Database, SharedSnapshot]:
        from bulkload.databases.engines.mysql import MySQL
        from bulkload.databases.engines.serial import SerialServer, SerialSession

        server = SerialServer(self.url)
        self._server = server
        session = SerialSession(server.address, server.key, self.url.masked)
        database = MySQL(session, self.url.masked)
        host, port = server.address
        shared = SharedSnapshot(
            snapshot=database.snapshot, host=host, port=port, key=server.key.hex()
        )
        return database, shared

    @property
    def is_shared(self) -> bool:
        """Whether all readers must see one moment."""
        return self.source.snapshot is SnapshotPolicy.REQUIRED

    def share(self) -> None:
        """Let workers in.

        Side effects: ``session.json``, readable by its owner only.
        """
        if self.is_shared and self.url.engine is Engine.POSTGRESQL:
            taken = self.database.snapshot
            self._shared = SharedSnapshot(snapshot=taken, name=taken.id)
        if not self.is_shared and self.url.engine is not Engine.ACCESS:
            return
        path = self.folder / SESSION_NAME
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self._shared), file)

    @property
    def has_others(self) -> bool:
        """Whether another session of this process can see the same moment, once it is shared."""
        return self.is_shared and self.url.engine in {
            Engine.POSTGRESQL,
            Engine.SQLITE,
            Engine.ACCESS,
        }

    def another(self) -> Database:
        """Open another session that sees the same moment."""
        found = open_shared(self.url, self.folder)
        # Asked for before its first query: PostgreSQL returns to this point from one that fails.
        assert found.snapshot.id == self.database.snapshot.id
        return found

    def _forget(self) -> None:
        for name in (SESSION_NAME, COPY_NAME):
            with suppress(PermissionError):
                (self.folder / name).unlink(missing_ok=True)
        # Windows keeps a file that a worker still has open: it goes with the next run.
        shutil.rmtree(self.folder / SPOOL_NAME, ignore_errors=True)

    def close(self) -> None:
        """End the session; nothing of it stays on disk but the measurements' files."""
        self.database.close()
        if self._server is not None:
            self._server.close()
        self._forget()


def open_own(url: DatabaseUrl) -> Database:
    """Open a session that sees a moment of its own."""
    match url.engine:
        case Engine.POSTGRESQL:
            from bulkload.databases.engines.postgresql import PostgreSQL

            return PostgreSQL(url)
        case Engine.MYSQL:
            from bulkload.databases.engines.mysql import Connection, MySQL

            return MySQL(Connection(url), url.masked)
        case Engine.SQLITE:
            from bulkload.databases.engines.sqlite import SQLite, check_file

            assert url.path is not None
            check_file(url.path)
            return SQLite(url.path, name=url.masked)
        case Engine.ACCESS:
            raise PlanError(f"{url.masked}: an Access database is read by `bulkload upload` only")
        case Engine.OTHER:
            from bulkload.databases.engines.other import Other

            return Other(url.uri(url.scheme), url.masked)


def open_again(source: SqlSource, folder: Path) -> Database:
    """Open a database after its run, to ask what it holds now; an Access file is exported again."""
    url = source.database
    if url.engine is not Engine.ACCESS:
        return open_own(url)
    from bulkload.databases.engines.access import sqlite_copy_of
    from bulkload.databases.engines.sqlite import SQLite

    assert url.path is not None
    # Not the copy of a run that may be under way.
    copy = folder / AGAIN_NAME
    taken = sqlite_copy_of(url.path, copy)
    return SQLite(copy, name=url.masked, snapshot=taken)


def open_shared(url: DatabaseUrl, folder: Path) -> Database:
    """Open a session that sees what the run's session sees; one of its own without a run."""
    try:
        kept = json.loads((folder / SESSION_NAME).read_text("utf-8"))
    except FileNotFoundError:
        return open_own(url)
    shared = SharedSnapshot(**{**kept, "snapshot": SnapshotInfo(**kept["snapshot"])})
    if shared.copy:
        from bulkload.databases.engines.sqlite import SQLite

        return SQLite(Path(shared.copy), name=url.masked, snapshot=shared.snapshot)
    if shared.port:
        from bulkload.databases.engines.mysql import MySQL
        from bulkload.databases.engines.serial import SerialSession

        session = SerialSession((shared.host, shared.port), bytes.fromhex(shared.key), url.masked)
        return MySQL(session, url.masked, shared.snapshot)
    from bulkload.databases.engines.postgresql import PostgreSQL

    return PostgreSQL(url, snapshot=shared.name)


def _casts(source: SqlSource) -> bool:
    return source.samples is not None and _NUMBER_CAST.search(source.samples.query) is not None


def moment_of(source: SqlSource, database: Database) -> SnapshotInfo:
    """Return the moment that a session sees; ``NO_SNAPSHOT`` where the source asks for none."""
    # Asked for in any case: PostgreSQL takes its snapshot when it is.
    taken = database.snapshot
    return NO_SNAPSHOT if source.snapshot is SnapshotPolicy.NONE else taken


@contextmanager
def opened(database: Database) -> Iterator[Database]:
    """Close a database with the block."""
    try:
        yield database
    finally:
        database.close()
