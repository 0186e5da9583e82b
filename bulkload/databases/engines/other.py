"""Every other database, by SQLAlchemy: a stream of rows in one transaction, no shared snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa

from bulkload.databases.engines.base import (
    Database,
    Fetch,
    RawColumn,
    Rounding,
    SnapshotInfo,
    ValueKind,
)
from bulkload.databases.engines.urls import mask
from bulkload.errors import MissingExtraError, PlanError, UnreadableError

#: Rows in a batch.
BATCH_ROWS: Final = 10_000


class Other(Database):
    """A session by SQLAlchemy. Its dialect is that of SQL Server and of standard SQL."""

    rounding = Rounding.AWAY_FROM_ZERO

    def __init__(self, url: str, masked: str) -> None:
        """Connect; ``url`` is SQLAlchemy's, password included."""
        try:
            import sqlalchemy
        except ImportError as error:
            raise MissingExtraError("reading this database", "sql") from error
        self._library = sqlalchemy
        self._masked = masked
        try:
            self._engine = sqlalchemy.create_engine(url)
        except (sqlalchemy.exc.ArgumentError, ImportError) as error:
            # SQLAlchemy has a driver of its own for each database: it names the missing one.
            raise PlanError(f"{masked}: {mask(str(error))}") from None
        with self._translated_errors():
            self._connection = self._engine.connect()
        now = datetime.now(UTC).isoformat()
        self._snapshot = SnapshotInfo(id="", taken_at=now)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except self._library.exc.SQLAlchemyError as error:
            error_text = mask(" ".join(str(error).split()))[:400]
            raise UnreadableError(f"{self._masked}: {error_text}", cause="query_failed") from None

    def version(self) -> str:
        """Return the dialect and the server's version."""
        dialect = self._engine.dialect
        found = getattr(dialect, "server_version_info", None) or ()
        return f"{dialect.name} {'.'.join(map(str, found))}".strip()

    @property
    def snapshot(self) -> SnapshotInfo:
        """When the session began; what it sees is the server's rule."""
        return self._snapshot

    def tables(self) -> frozenset[str]:
        """Return the tables and views of the default schema, and all with their schema."""
        with self._translated_errors():
            inspector = self._library.inspect(self._connection)
            here = {*inspector.get_table_names(), *inspector.get_view_names()}
            elsewhere = {
                f"{schema}.{name}"
                for schema in inspector.get_schema_names()
                for name in (*inspector.get_table_names(schema), *inspector.get_view_names(schema))
            }
        return frozenset(here | elsewhere)

    def lock(self, tables: Sequence[str]) -> None:
        """Do nothing: there is no lock that every database has."""

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a small query."""
        with self._translated_errors():
            found = self._connection.exec_driver_sql(sql)
            return [dict(row) for row in found.mappings()]

    def kinds(self, sql: str) -> Mapping[str, ValueKind]:
        """Return the columns; drivers do not agree on how to say what they hold."""
        with self._translated_errors():
            found = self._connection.exec_driver_sql(f"SELECT * FROM ({sql}) bl_s WHERE 1 = 0")
            return dict.fromkeys(found.keys(), ValueKind.ANY)

    def batches(self, sql: str, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """Stream a query."""
        schema = pa.schema(list(types.items()))
        with self._translated_errors():
            streaming = self._connection.execution_options(
                stream_results=True, max_row_buffer=BATCH_ROWS
            )
            for rows in streaming.exec_driver_sql(sql).partitions(BATCH_ROWS):
                columns = zip(*rows, strict=True)
                arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
                yield pa.record_batch(arrays, schema=schema)

    def close(self) -> None:
        """End the session."""
        self._connection.close()
        self._engine.dispose()

    def literal(self, value: Any) -> str:
        """Return a value as a literal; not every database has booleans."""
        return super().literal(int(value) if isinstance(value, bool) else value)

    def plain_expression(self, column: RawColumn) -> str:
        """Return the SQL that fetches a column."""
        name = f"bl_s.{self.quote(column.name)}"
        kind = {
            Fetch.NUMBER: "FLOAT(53)",
            Fetch.WHOLE: "BIGINT",
            Fetch.TEXT: "VARCHAR(255)",
            Fetch.CODE: "VARCHAR(255)",
        }[column.fetch]
        return f"CAST({name} AS {kind})"

    def byte_length(self, term: str) -> str:
        """Return the SQL of a text's length in bytes."""
        return f"DATALENGTH({term})" if self._engine.dialect.name == "mssql" else f"LENGTH({term})"

    def rounded(self, term: str) -> str:
        """Return the SQL of a double rounded, halves away from zero."""
        return f"CAST(ROUND({term}, 0) AS BIGINT)"

    def distinct(self, columns: Sequence[str]) -> str:
        """Return the SQL that counts distinct keys; ``PlanError`` for more than one column."""
        if len(columns) > 1:
            raise PlanError(
                f"{self._masked}: distinct values of several columns cannot be counted in this "
                "database; give samples.order one column"
            )
        return super().distinct(columns)
