"""PostgreSQL, read over ADBC: Arrow batches by binary COPY, inside one exported snapshot.

A lead session takes the tables under ACCESS SHARE (a TRUNCATE would otherwise show a snapshot an
empty table), then exports its snapshot; each worker's session imports it. Row-level security is
switched off: a server that would filter rows raises instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

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

#: Arrow data that the driver gathers for one batch, in bytes: a few tens of thousands of rows.
BATCH_BYTES: Final = 8 * 2**20

#: Settings of the session. A slow upload must not end it, and no setting of the server's may
#: change what is read.
_SETTINGS: Final = {
    "row_security": "off",
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "iso_8601",
    "statement_timeout": "0",
    "lock_timeout": "60s",
    "idle_in_transaction_session_timeout": "0",
    "extra_float_digits": "1",
    # Compiling the sums of one test takes as long as adding them up.
    "jit": "off",
    "standard_conforming_strings": "on",
}
_SAVEPOINT: Final = "bl_before_query"
#: Classes of SQLSTATE after which the connection is of no use: connection, operator, system.
_LOST: Final = ("08", "57", "58")
_CATALOGUE: Final = """
SELECT n.nspname AS schema, c.relname AS name, pg_table_is_visible(c.oid) AS visible,
       c.relkind IN ('m', 'f') AS locks_by_reading
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
"""
#: Tables that were emptied or rebuilt after the snapshot was taken: their rows are gone from it.
_REBUILT: Final = """
SELECT c.oid::regclass::text AS name FROM pg_class c
WHERE c.oid IN ({oids}) AND c.relfilenode <> 0
  AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)
"""


class PostgreSQL(Database):
    """A session of PostgreSQL or Timescale."""

    fails_on_overflow = True

    def __init__(self, url: DatabaseUrl, *, snapshot: str | None = None) -> None:
        """Open a session; ``snapshot`` is one that another session exports."""
        try:
            import adbc_driver_postgresql.dbapi as driver
        except ImportError as error:
            raise MissingExtraError("reading PostgreSQL", "postgresql") from error
        self._driver = driver
        self._masked = url.masked
        self._imported = snapshot
        # A session beside others takes one core: adding up in parallel would cost a scan more.
        self.counts_keys_apart = snapshot is None
        self._snapshot: SnapshotInfo | None = None
        self._locked_by_reading: set[str] = set()
        with self._translated_errors():
            self._connection = driver.connect(url.uri("postgresql"), autocommit=True)
        try:
            self._begin()
        except BaseException:
            self._connection.close()
            raise

    def _begin(self) -> None:
        with self._translated_errors():
            self._execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            if self._imported is not None:
                self._import(self._imported)
            for name, value in _SETTINGS.items():
                self._execute(f"SET LOCAL {name} = {self.text_literal(value)}")
            if self._imported is not None:
                self._execute("SET LOCAL max_parallel_workers_per_gather = 0")

    def _import(self, snapshot: str) -> None:
        try:
            self._execute(f"SET TRANSACTION SNAPSHOT {self.text_literal(snapshot)}")
        except self._driver.Error as error:
            raise DatabaseLostError(
                f"{self._masked}: the session that holds the snapshot is gone, and the snapshot "
                f"is gone with it ({str(error)[:120]}); run the same command again"
            ) from None

    def _execute(self, sql: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Turn the driver's errors into ours; a password in them is masked."""
        try:
            yield
        except self._driver.Error as error:
            error_text = mask(" ".join(str(error).split()))[:400]
            if self._snapshot is not None:
                # What one query breaks must not take the snapshot from the others.
                with suppress(self._driver.Error):
                    self._execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            state = str(getattr(error, "sqlstate", None) or "")
            is_unreachable = not state and (
                "connect" in error_text or "server closed" in error_text
            )
            if state.startswith(_LOST) or is_unreachable:
                raise DatabaseLostError(
                    f"{self._masked}: the connection broke: {error_text}"
                ) from None
            if "row-level security" in error_text:
                raise PlanError(
                    f"{self._masked}: row-level security would hide rows from this user: "
                    f"{error_text}; read as the tables' owner or a role with BYPASSRLS"
                ) from None
            if state.startswith(("28", "3D")):
                raise PlanError(f"{self._masked}: {error_text}") from None
            raise UnreadableError(f"{self._masked}: {error_text}", cause="query_failed") from None

    def version(self) -> str:
        """Return the server's version."""
        found = self.rows("SELECT current_setting('server_version') AS version")
        return f"PostgreSQL {found[0]['version']}"

    @property
    def snapshot(self) -> SnapshotInfo:
        """The exported or imported snapshot; taken on first use."""
        if self._snapshot is None:
            name = "pg_export_snapshot()" if self._imported is None else "''"
            row = self.rows(
                f"SELECT {name} AS id, to_char(transaction_timestamp() AT TIME ZONE 'UTC', "
                '\'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"\') AS taken_at, '
                "current_setting('transaction_read_only') AS read_only"
            )[0]
            if row["read_only"] != "on":
                raise PlanError(f"{self._masked}: the session is not read-only")
            self._snapshot = SnapshotInfo(
                id=self._imported or str(row["id"]), taken_at=str(row["taken_at"])
            )
            with self._translated_errors():
                # Only now: a snapshot cannot be exported behind a savepoint.
                self._execute(f"SAVEPOINT {_SAVEPOINT}")
        return self._snapshot

    def tables(self) -> frozenset[str]:
        """Return tables and views: those on the search path also without their schema."""
        found = self.rows(_CATALOGUE)
        self._locked_by_reading = _names_of(row for row in found if row["locks_by_reading"])
        return frozenset(_names_of(found))

    def lock(self, tables: Sequence[str]) -> None:
        """Lock tables; raises where one was emptied between the snapshot and the lock."""
        if not tables:
            return
        # Materialised views and foreign tables know no LOCK: reading them takes the same lock.
        read = self._locked_by_reading.intersection(tables)
        named = ", ".join(self.quote(name) for name in sorted(set(tables) - read))
        with self._translated_errors():
            if named:
                self._execute(f"LOCK TABLE {named} IN ACCESS SHARE MODE")
            for name in sorted(read):
                self._execute(f"SELECT 1 FROM {self.quote(name)} LIMIT 0")
        oids = ", ".join(
            f"{self.text_literal(self.quote(name))}::regclass" for name in sorted(tables)
        )
        rebuilt = [row["name"] for row in self.rows(_REBUILT.format(oids=oids))]
        if rebuilt:
            raise PlanError(
                f"{self._masked}: {', '.join(rebuilt)} was emptied or rebuilt while the snapshot "
                "was taken; run the same command again"
            )

    def begin_again(self) -> None:
        """Give the snapshot up; the next query takes another."""
        with self._translated_errors():
            self._execute("ROLLBACK")
        self._snapshot = None
        self._begin()

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a small query."""
        with self._translated_errors(), self._connection.cursor() as cursor:
            cursor.execute(sql)
            table = cursor.fetch_arrow_table()
        found: list[dict[str, Any]] = table.to_pylist()
        return found

    def plan_of(self, sql: str) -> str:
        """Return what EXPLAIN says of a query that is run for it, as JSON."""
        with self._translated_errors(), self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}")
            return str(cursor.fetchone()[0])

    @contextmanager
    def planning(self, settings: Mapping[str, str]) -> Iterator[None]:
        """Change settings of the planner for the length of the block."""
        with self._translated_errors():
            for name, value in settings.items():
                self._execute(f"SET LOCAL {name} = {self.text_literal(value)}")
        yield
        with self._translated_errors():
            for name in settings:
                self._execute(f"SET LOCAL {name} TO DEFAULT")

    def kinds(self, sql: str) -> Mapping[str, ValueKind]:
        """Return what the columns of a query hold."""
        with self._translated_errors(), self._connection.cursor() as cursor:
            schema = cursor.adbc_execute_schema(sql)
        return {field.name: _kind(field) for field in schema}

    def batches(self, sql: str, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """Stream a query."""
        schema = pa.schema(list(types.items()))
        with self._translated_errors(), self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(
                **{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)}
            )
            cursor.execute(sql)
            with cursor.fetch_record_batch() as reader:
                for batch in reader:
                    yield batch.cast(schema)

    def close(self) -> None:
        """End the session; its snapshot goes with it."""
        self._connection.close()

    def plain_expression(self, column: RawColumn) -> str:
        """Return the SQL that fetches a column."""
        name = f"bl_s.{self.quote(column.name)}"
        match column.fetch:
            case Fetch.NUMBER:
                return f"{name}::float8"
            case Fetch.WHOLE:
                return f"{name}::int8"
            case Fetch.MICROSECONDS:
                return (
                    f"CASE WHEN isfinite({name}) "
                    f"THEN (extract(epoch FROM {name}) * 1000000)::int8 END"
                )
            case Fetch.TEXT | Fetch.CODE:
                return f"{name}::text"

    def improper(self, column: RawColumn) -> str | None:
        """Name infinite dates."""
        if column.fetch is not Fetch.MICROSECONDS:
            return None
        return f"NOT isfinite(bl_s.{self.quote(column.name)})"

    def byte_length(self, term: str) -> str:
        """Return the SQL of a text's length in bytes."""
        return f"octet_length({term})"

    def rounded(self, term: str) -> str:
        """Return the SQL of a double rounded: the cast rounds halves to even."""
        return f"({term})::int8"

    def halves(self, term: str) -> tuple[str, str]:
        """Return the whole term: PostgreSQL adds int8 up as numeric."""
        return "", term


def _names_of(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return names with their schema, and those on the search path also without it."""
    found = list(rows)
    names = {f"{row['schema']}.{row['name']}" for row in found}
    return names | {str(row["name"]) for row in found if row["visible"]}


def _kind(field: pa.Field) -> ValueKind:
    kind = field.type
    if pa.types.is_floating(kind) or (field.metadata or {}).get(b"POSTGRESQL:type") == b"numeric":
        return ValueKind.NUMBER
    if pa.types.is_integer(kind):
        return ValueKind.INTEGER
    if pa.types.is_timestamp(kind):
        return ValueKind.LOCAL_TIME if kind.tz is None else ValueKind.INSTANT
    if pa.types.is_date(kind):
        return ValueKind.LOCAL_TIME
    is_text = pa.types.is_string(kind) or pa.types.is_boolean(kind)
    return ValueKind.TEXT if is_text else ValueKind.OTHER
