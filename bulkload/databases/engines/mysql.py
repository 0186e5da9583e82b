"""MySQL and MariaDB, read with PyMySQL's unbuffered cursor.

``FLOAT`` over the text protocol loses digits (3.7123456 comes as 3.71235), so that every number
is cast to a double by the server. A snapshot cannot be shared: where all measurements must be of
one moment, one process holds the session and reads for all (``serial``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import pyarrow as pa

from bulkload.databases.engines.base import (
    Database,
    DatabaseLostError,
    Fetch,
    RawColumn,
    SnapshotInfo,
    ValueKind,
)
from bulkload.databases.engines.urls import DatabaseUrl, mask
from bulkload.errors import MissingExtraError, PlanError, UnreadableError

#: Rows in a batch.
BATCH_ROWS: Final = 20_000
#: How long the server may wait for a slow reader, in seconds.
WAIT_S: Final = 86_400
#: How long to try to connect, in seconds.
CONNECT_TIMEOUT_S: Final = 30
#: Settings of the session, each by itself: not every server knows all.
_SETTINGS: Final = (
    "SET SESSION time_zone = '+00:00'",
    f"SET SESSION net_write_timeout = {WAIT_S}",
    f"SET SESSION net_read_timeout = {WAIT_S}",
    f"SET SESSION wait_timeout = {WAIT_S}",
    "SET SESSION sql_mode = REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', '')",
    "SET SESSION max_statement_time = 0",
    "SET SESSION max_execution_time = 0",
)
#: Those without which nothing is read.
_NEEDED: Final = 5
#: Storage engines that see one moment for the length of a transaction.
_TRANSACTIONAL: Final = frozenset({"innodb", "rocksdb", "tokudb", "ndbcluster"})
#: Codes of errors after which the connection is of no use.
_LOST: Final = frozenset({1053, 1077, 1078, 1079, 1080, 1927, 2002, 2003, 2006, 2013, 2055})
#: Warnings of a query that went on with another value than the one it was given.
_CHANGED: Final = re.compile(r"Truncated incorrect (?!date|time)\w+ value|Cast to (un)?signed")
#: Codes of errors that mean: not these credentials, not this database.
_DENIED: Final = frozenset({1044, 1045, 1049, 1698})


class QuerySession(Protocol):
    """What runs queries: a connection, or the process that holds one."""

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a small query."""

    def kinds(self, sql: str) -> Mapping[str, ValueKind]:
        """Return what the columns of a query hold."""

    def batches(self, sql: str, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """Stream a query."""

    def close(self) -> None:
        """End the session."""


class Connection:
    """A connection in a read-only transaction that sees one moment."""

    def __init__(self, url: DatabaseUrl) -> None:
        """Connect, and begin the transaction."""
        try:
            import pymysql
            import pymysql.cursors
        except ImportError as error:
            raise MissingExtraError("reading MySQL and MariaDB", "mysql") from error
        self._driver = pymysql
        self._masked = url.masked
        with self._translated_errors():
            self._connection = pymysql.connect(
                host=url.host or "localhost",
                port=url.port or 3306,
                user=url.user,
                password=url.password or "",
                database=url.database,
                charset="utf8mb4",
                connect_timeout=CONNECT_TIMEOUT_S,
                cursorclass=pymysql.cursors.SSCursor,
                autocommit=True,
            )
        for number, setting in enumerate(_SETTINGS):
            try:
                self._execute(setting)
            except UnreadableError:
                if number < _NEEDED:
                    raise
        # Of the session, too: a statement that commits by itself would end the transaction.
        self._execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        self._execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def _execute(self, sql: str) -> None:
        with self._translated_errors(), self._connection.cursor() as cursor:
            cursor.execute(sql)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError as error:
            raise UnreadableError(
                f"{self._masked}: a text is not valid UTF-8 (byte {error.start}): {error.reason}",
                cause="invalid_utf8",
            ) from None
        except self._driver.Error as error:
            code = error.args[0] if error.args else 0
            error_text = mask(" ".join(str(part) for part in error.args))[:400]
            if code in _LOST:
                raise DatabaseLostError(
                    f"{self._masked}: the connection broke: {error_text}"
                ) from None
            if code in _DENIED:
                raise PlanError(f"{self._masked}: {error_text}") from None
            raise UnreadableError(f"{self._masked}: {error_text}", cause="query_failed") from None

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a small query."""
        with self._translated_errors(), self._connection.cursor() as cursor:
            cursor.execute(sql)
            names = [column[0] for column in cursor.description or ()]
            found = [dict(zip(names, row, strict=True)) for row in cursor]
            cursor.execute("SHOW WARNINGS")
            changed = [text for _, _, text in cursor if _CHANGED.search(text)]
        if changed:
            raise UnreadableError(
                f"{self._masked}: a cast, or a comparison of text with a number, takes a value "
                f"for another ({changed[0]}); say in the query what it means",
                cause="improper_value",
            )
        return found

    def kinds(self, sql: str) -> Mapping[str, ValueKind]:
        """Return what the columns of a query hold."""
        with self._translated_errors(), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM ({sql}) bl_s LIMIT 0")
            return {column[0]: self._kind(int(column[1])) for column in cursor.description}

    def _kind(self, code: int) -> ValueKind:
        types = self._driver.constants.FIELD_TYPE
        if code in {types.FLOAT, types.DOUBLE, types.DECIMAL, types.NEWDECIMAL}:
            return ValueKind.NUMBER
        if code in {types.TINY, types.SHORT, types.INT24, types.LONG, types.LONGLONG, types.YEAR}:
            return ValueKind.INTEGER
        if code in {types.DATETIME, types.DATE, types.NEWDATE}:
            return ValueKind.LOCAL_TIME
        if code == types.TIMESTAMP:
            return ValueKind.INSTANT
        if code in {types.VARCHAR, types.VAR_STRING, types.STRING, types.ENUM, types.SET}:
            return ValueKind.TEXT
        return ValueKind.OTHER

    def batches(self, sql: str, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """Stream a query."""
        schema = pa.schema(list(types.items()))
        with self._translated_errors(), self._connection.cursor() as cursor:
            cursor.execute(sql)
            while rows := cursor.fetchmany(BATCH_ROWS):
                yield _batch(rows, schema)

    def close(self) -> None:
        """End the session."""
        with suppress(self._driver.Error):
            self._connection.close()


def _batch(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


class MySQL(Database):
    """A session of MySQL or MariaDB."""

    def __init__(
        self, session: QuerySession, masked: str, snapshot: SnapshotInfo | None = None
    ) -> None:
        """Use a session; ``masked`` is what messages call the database."""
        self._session = session
        self._masked = masked
        self._snapshot = snapshot

    def version(self) -> str:
        """Return the server's version."""
        text = str(self.rows("SELECT VERSION() AS version")[0]["version"])
        return text if "MariaDB" in text else f"MySQL {text}"

    @property
    def snapshot(self) -> SnapshotInfo:
        """The transaction's moment."""
        if self._snapshot is None:
            row = self.rows("SELECT CONNECTION_ID() AS id, UTC_TIMESTAMP(6) AS at")[0]
            at: datetime = row["at"]
            self._snapshot = SnapshotInfo(
                id=f"connection {row['id']}", taken_at=at.replace(tzinfo=UTC).isoformat()
            )
        return self._snapshot

    def tables(self) -> frozenset[str]:
        """Return tables and views: those of the URL's database also without its name."""
        found = self.rows(
            "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, TABLE_SCHEMA = DATABASE() AS here "
            "FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN "
            "('information_schema', 'mysql', 'performance_schema', 'sys')"
        )
        names = {f"{row['s']}.{row['t']}" for row in found}
        return frozenset(names | {str(row["t"]) for row in found if row["here"]})

    def lock(self, tables: Sequence[str]) -> None:
        """Touch tables, which keeps them from being emptied; refuse those without a snapshot."""
        for name in sorted(tables):
            schema, _, table = name.rpartition(".")
            where = self.text_literal(schema) if schema else "DATABASE()"
            found = self.rows(
                "SELECT ENGINE AS e FROM information_schema.TABLES WHERE "
                f"TABLE_SCHEMA = {where} AND TABLE_NAME = {self.text_literal(table)}"
            )
            engine = found[0]["e"] if found else None
            if engine is not None and str(engine).lower() not in _TRANSACTIONAL:
                raise PlanError(
                    f"{self._masked}: the table {name} is kept by {engine}, which has no "
                    'snapshot; stop its writers and set snapshot = "none"'
                )
            self.rows(f"SELECT 1 AS one FROM {self.quote(name)} LIMIT 1")

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a small query."""
        return self._session.rows(sql)

    def kinds(self, sql: str) -> Mapping[str, ValueKind]:
        """Return what the columns of a query hold."""
        return self._session.kinds(sql)

    def batches(self, sql: str, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """Stream a query."""
        return self._session.batches(sql, types)

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def quote(self, name: str) -> str:
        """Return a name as an identifier."""
        return ".".join("`" + part.replace("`", "``") + "`" for part in name.split("."))

    def text_literal(self, text: str) -> str:
        """Return a text as a literal; a backslash has a meaning of its own."""
        return super().text_literal(text.replace("\\", "\\\\"))

    def plain_expression(self, column: RawColumn) -> str:
        """Return the SQL that fetches a column."""
        name = f"bl_s.{self.quote(column.name)}"
        match column.fetch:
            case Fetch.NUMBER:
                return f"CAST({name} AS DOUBLE)"
            case Fetch.WHOLE:
                return f"CAST({name} AS SIGNED)"
            case Fetch.MICROSECONDS:
                return f"TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', {name})"
            case Fetch.TEXT | Fetch.CODE:
                return f"CAST({name} AS CHAR CHARACTER SET utf8mb4)"

    def improper(self, column: RawColumn) -> str | None:
        """Name zero dates: they are neither NULL nor dates."""
        if column.fetch is not Fetch.MICROSECONDS:
            return None
        name = f"bl_s.{self.quote(column.name)}"
        return f"{name} IS NOT NULL AND {self.plain_expression(column)} IS NULL"

    def byte_length(self, term: str) -> str:
        """Return the SQL of a text's length in bytes."""
        return f"LENGTH({term})"

    def rounded(self, term: str) -> str:
        """Return the SQL of a double rounded, halves to even."""
        return f"CAST(ROUND({term}) AS SIGNED)"

    def halves(self, term: str) -> tuple[str, str]:
        """Return the whole term: MySQL adds integers up as decimals."""
        return "", term

    def distinct(self, columns: Sequence[str]) -> str:
        """Return the SQL that counts the distinct values of several columns together."""
        return f"COUNT(DISTINCT {', '.join(columns)})"
