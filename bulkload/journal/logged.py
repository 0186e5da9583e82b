"""A journal kept as a log of its transactions, for folders on a network file system.

SQLite needs locks and memory that machines do not share. There the journal is a log of what each
transaction changed, and every process that opens it plays it back into a database of its own: a
file in the folder for temporary files, or memory where it only reads. Callers do not see
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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from bulkload.errors import JournalError
from bulkload.journal.codec import dump
from bulkload.journal.limits import BUSY_TIMEOUT_S
from bulkload.journal.queries import SQL
from bulkload.journal.recordfile import RecordFile, read_records

#: Keywords that begin a statement that changes rows.
_CHANGING: Final = ("INSERT", "UPDATE", "DELETE")
#: What begins the names of folders that hold databases played back; the number of the process
#: follows, so that what a killed one left is not taken for what is in use.
_SCRATCH: Final = "bulkload-journal-"

#: Table -> names of its columns, and of those of its primary key.
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

    @property
    def torn_bytes(self) -> int:
        """Bytes of a record cut short by a crash, removed when the log was opened."""
        return 0 if self._log is None else self._log.file.torn_bytes

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute a statement; one that changes rows outside a transaction is one by itself."""
        keyword = sql[:6].upper()
        if keyword == "COMMIT":
            return self._commit()
        if keyword in _CHANGING and not self.in_transaction:
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
        changed = super().execute(SQL["log_changes"])
        rows = [self._row(one["name"], one["key"], one["fields"]) for one in changed.fetchall()]
        if not rows:
            return
        super().execute(SQL["log_changes_clear"])
        try:
            self._log.file.append(dump(rows))
        except (OSError, JournalError) as error:
            # As SQLite says it of its own file: the caller undoes its transaction.
            raise sqlite3.OperationalError(str(error)) from error

    def _row(self, name: str, key: str, fields: str) -> list[Any]:
        """Return a changed row: its table, its key, and the columns that changed."""
        assert self._log is not None
        columns, keys = self._log.tables[name]
        values = json.loads(key)
        # The names are the schema's own: no text from outside is joined into SQL.
        sql = SQL["log_row"].format(
            columns=",".join(columns), table=name, keys=_equal(keys, " AND ")
        )
        row = super().execute(sql, values).fetchone()
        if row is None:
            return [name, values, None]
        changed = set(columns) if "*" in fields else set(fields.split(","))
        return [name, values, {one: row[one] for one in columns if one in changed}]


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
    # Only for a journal in this form.
    import psutil

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
                f"record {number:,} of the journal cannot be applied: {error}"
            ) from error
    connection.execute("COMMIT")
    return tables


def _tables(connection: sqlite3.Connection) -> Schema:
    found: Schema = {}
    for (name,) in connection.execute(SQL["log_tables"]).fetchall():
        info = connection.execute(SQL["log_columns"], (name,)).fetchall()
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
    which = _equal(keys, " AND ")
    if values is None:
        connection.execute(SQL["log_delete"].format(table=name, keys=which), key)
        return
    given = tuple(one for one in columns if one in values)
    if len(given) != len(values) or len(key) != len(keys):
        raise ValueError(f"a row of {name} has other columns")
    data = [values[one] for one in given]
    if given == columns:
        marks = ",".join("?" * len(columns))
        connection.execute(SQL["log_insert"].format(table=name, marks=marks), data)
        return
    sql = SQL["log_update"].format(table=name, assignments=_equal(given, ", "), keys=which)
    if connection.execute(sql, [*data, *key]).rowcount != 1:
        raise ValueError(f"a row of {name} does not exist")


def _equal(names: Iterable[str], between: str) -> str:
    return between.join(f"{name}=?" for name in names)


def _watching(tables: Schema) -> str:
    """Return the SQL by which a connection notes which columns of which rows it changed."""
    parts = [SQL["log_changes_table"]]
    for table, (columns, keys) in tables.items():
        for act, row in (("INSERT", "NEW"), ("DELETE", "OLD")):
            key = ", ".join(f"{row}.{one}" for one in keys)
            parts.append(SQL["log_trigger_row"].format(table=table, act=act, keys=key))
        key = ", ".join(f"NEW.{one}" for one in keys)
        notes = " ".join(
            SQL["log_note"].format(table=table, keys=key, column=column)
            for column in columns
            if column not in keys
        )
        parts.append(SQL["log_trigger_update"].format(table=table, notes=notes))
    return "\n".join(parts)
