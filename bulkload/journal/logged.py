"""A journal kept as a log of its transactions, for folders on a network file system.

SQLite needs locks and memory that machines do not share. There the journal is a log of what each
transaction changed, and every process that opens it plays it back into a database of its own: a
file in the folder for temporary files, or memory where it only reads. Whoever asks does not see
the difference. A commit returns when its record is on the disk.

What is written down are rows, never SQL: nothing in the file is ever executed.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil

from bulkload.errors import JournalError
from bulkload.journal.codec import dump
from bulkload.journal.recordfile import RecordFile, read_records

#: How long a connection waits for another one's transaction.
BUSY_TIMEOUT_S: Final = 30.0
#: First words of what changes rows.
_CHANGING: Final = ("INSERT", "UPDATE", "DELETE")
#: What begins the names of folders that hold databases played back; the number of the process
#: follows, so that what a killed one left can be told from what is in use.
_SCRATCH: Final = "bulkload-journal-"

#: Table -> names of its columns, and of those that tell its rows apart.
Schema = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]

_open_logs: Final[dict[Path, _Log]] = {}
_opening: Final = threading.Lock()


def connect_logged(path: Path, schema: str) -> sqlite3.Connection:
    """Open a logged journal for reading and writing, made new where none is."""
    path = path.resolve()
    with _opening:
        log = _open_logs.get(path)
        if log is None:
            log = _open_logs[path] = _Log(path, schema)
        log.users += 1
    try:
        connection = sqlite3.connect(
            log.database,
            timeout=BUSY_TIMEOUT_S,
            check_same_thread=False,
            factory=LoggedConnection,
            isolation_level=None,
        )
    except BaseException:
        log.leave()
        raise
    connection.begin_logging(log)
    return connection


def read_logged(path: Path, schema: str) -> sqlite3.Connection:
    """Play a logged journal back into memory; the file stays as it is."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _play(connection, schema, read_records(path))
    connection.execute("PRAGMA query_only=ON")
    return connection


class LoggedConnection(sqlite3.Connection):
    """A connection whose commits are in the log before they are in the database."""

    _log: _Log | None = None

    def begin_logging(self, log: _Log) -> None:
        """Take note of all changes from now on."""
        self._log = log
        # The log is what lasts; the database is as good as it is quick.
        super().execute("PRAGMA synchronous=OFF")
        self.executescript(_watching(log.tables))

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute a statement; one that changes rows outside a transaction is one by itself."""
        word = sql.lstrip()[:6].upper()
        if word == "COMMIT":
            return self._commit()
        if word in _CHANGING and not self.in_transaction:
            return self._execute_alone(sql, parameters)
        return super().execute(sql, parameters)

    def _execute_alone(self, sql: str, parameters: Any) -> sqlite3.Cursor:
        super().execute("BEGIN IMMEDIATE")
        try:
            cursor = super().execute(sql, parameters)
            self._commit()
        except BaseException:
            if self.in_transaction:
                super().execute("ROLLBACK")
            raise
        return cursor

    def close(self) -> None:
        """Close the connection; the last one of a log lets go of it."""
        super().close()
        log, self._log = self._log, None
        if log is not None:
            log.leave()

    def _commit(self) -> sqlite3.Cursor:
        assert self._log is not None
        self._write_down()
        try:
            return super().execute("COMMIT")
        except BaseException:
            # The log is ahead of the database: what comes next would not follow from it.
            self._log.file.stop()
            raise

    def _write_down(self) -> None:
        assert self._log is not None
        changed = super().execute(
            "SELECT name, key, group_concat(field) AS fields FROM temp.changed "
            "GROUP BY name, key ORDER BY MIN(rowid)"
        )
        rows = [self._row(one["name"], one["key"], one["fields"]) for one in changed.fetchall()]
        if not rows:
            return
        super().execute("DELETE FROM temp.changed")
        try:
            self._log.file.append(dump(rows))
        except (OSError, JournalError) as error:
            # As SQLite says it of its own file: the transaction is undone by whoever began it.
            raise sqlite3.OperationalError(str(error)) from error

    def _row(self, name: str, key: str, fields: str) -> list[Any]:
        """Return a changed row: its table, its key, and the columns that changed."""
        assert self._log is not None
        columns, keys = self._log.tables[name]
        values = json.loads(key)
        where = " AND ".join(f"{one}=?" for one in keys)
        # The names are the schema's own: no text from outside is joined into SQL.
        row = (
            super()
            .execute(f"SELECT {','.join(columns)} FROM {name} WHERE {where}", values)  # noqa: S608 - names of the schema
            .fetchone()
        )
        if row is None:
            return [name, values, None]
        told = set(columns) if "*" in fields else set(fields.split(","))
        return [name, values, {one: row[one] for one in columns if one in told}]


class _Log:
    """A log that this process writes, and the database that it was played back into."""

    def __init__(self, path: Path, schema: str) -> None:
        self.users = 0
        self._path = path
        self.file = RecordFile(path)
        _clear_scratch()
        self._scratch = tempfile.mkdtemp(prefix=f"{_SCRATCH}{os.getpid()}-")
        self.database = str(Path(self._scratch) / "journal.sqlite")
        connection = sqlite3.connect(self.database, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous=OFF")
            self.tables = _play(connection, schema, self.file.records())
            connection.execute("PRAGMA journal_mode=WAL")
        except BaseException:
            self._close()
            raise
        finally:
            connection.close()

    def leave(self) -> None:
        with _opening:
            self.users -= 1
            if not self.users:
                del _open_logs[self._path]
                self._close()

    def _close(self) -> None:
        self.file.close()
        shutil.rmtree(self._scratch, ignore_errors=True)


def _clear_scratch() -> None:
    """Remove the databases of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        number = folder.name.removeprefix(_SCRATCH).partition("-")[0]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _play(connection: sqlite3.Connection, schema: str, records: Iterator[str]) -> Schema:
    """Make the tables, and in them what the records say."""
    connection.executescript(schema)
    tables = _tables(connection)
    connection.execute("BEGIN")
    for number, text in enumerate(records, start=1):
        try:
            for name, key, values in json.loads(text):
                _put(connection, tables, name, key, values)
        except (ValueError, TypeError, KeyError, sqlite3.Error) as error:
            raise JournalError(
                f"record {number:,} of the journal says what cannot be: {error}"
            ) from error
    connection.execute("COMMIT")
    return tables


def _tables(connection: sqlite3.Connection) -> Schema:
    found: Schema = {}
    names = connection.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
    for (name,) in names:
        info = connection.execute("SELECT name, pk FROM pragma_table_info(?)", (name,)).fetchall()
        found[name] = tuple(one for one, _ in info), tuple(one for one, is_key in info if is_key)
    return found


def _put(
    connection: sqlite3.Connection,
    tables: Schema,
    name: str,
    key: list[Any],
    values: dict[str, Any] | None,
) -> None:
    """Carry out one change. Names are looked up in the schema before they become SQL."""
    columns, keys = tables[name]
    where = " AND ".join(f"{one}=?" for one in keys)
    if values is None:
        connection.execute(f"DELETE FROM {name} WHERE {where}", key)  # noqa: S608 - names of the schema
        return
    told = tuple(one for one in columns if one in values)
    if len(told) != len(values) or len(key) != len(keys):
        raise ValueError(f"a row of {name} has other columns")
    given = [values[one] for one in told]
    if told == columns:
        marks = ",".join("?" * len(columns))
        connection.execute(f"INSERT OR REPLACE INTO {name} VALUES ({marks})", given)  # noqa: S608 - names of the schema
        return
    news = ", ".join(f"{one}=?" for one in told)
    done = connection.execute(f"UPDATE {name} SET {news} WHERE {where}", [*given, *key])  # noqa: S608 - names of the schema
    if done.rowcount != 1:
        raise ValueError(f"a row of {name} is not there")


def _watching(tables: Schema) -> str:
    """Return the SQL by which a connection notes which columns of which rows it changed."""
    parts = [
        "CREATE TEMP TABLE changed (name TEXT, key TEXT, field TEXT, UNIQUE (name, key, field));",
        # Rows that REPLACE removes are removed rows.
        "PRAGMA recursive_triggers=ON;",
    ]
    for name, (columns, keys) in tables.items():
        for act, row in (("INSERT", "NEW"), ("DELETE", "OLD")):
            key = f"json_array({', '.join(f'{row}.{one}' for one in keys)})"
            parts.append(
                f"CREATE TEMP TRIGGER {name}_{act} AFTER {act} ON main.{name} BEGIN "  # noqa: S608 - names of the schema
                f"INSERT OR IGNORE INTO changed VALUES ('{name}', {key}, '*'); END;"
            )
        key = f"json_array({', '.join(f'NEW.{one}' for one in keys)})"
        notes = " ".join(
            f"INSERT OR IGNORE INTO changed SELECT '{name}', {key}, '{one}' "
            f"WHERE NEW.{one} IS NOT OLD.{one};"
            for one in columns
            if one not in keys
        )
        parts.append(
            f"CREATE TEMP TRIGGER {name}_UPDATE AFTER UPDATE ON main.{name} BEGIN {notes} END;"
        )
    return "\n".join(parts)
