"""SQLite, read over ADBC from a copy that the backup API makes of one moment.

SQLite types values, not columns: what is not a number in a column of numbers is counted by
``typeof``, never cast ('3,712' would become 3). A path that leads to nothing is an error: SQLite
itself would make an empty database of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from bulkload.databases.engines.base import (
    Database,
    DatabaseLostError,
    Fetch,
    RawColumn,
    Rounding,
    SnapshotInfo,
    ValueKind,
)
from bulkload.errors import MissingExtraError, PlanError, UnreadableError

#: Rows in a batch: the size at which the driver was as fast as SQLite itself.
BATCH_ROWS: Final = 50_000
#: How long to wait for a writer, in seconds.
BUSY_TIMEOUT_S: Final = 60.0
#: Bytes 18 and 19 of a file that is in WAL mode.
_WAL_MODE: Final = b"\x02\x02"
#: Largest whole number up to which a double holds every one.
LARGEST_EXACT: Final = 2**53
_MAGIC: Final = b"SQLite format 3\0"


def check_file(path: Path) -> str | None:
    """Refuse a file that cannot be read whole; return a warning, if there is one to give.

    Raises ``PlanError``.
    """
    if not path.is_file():
        raise PlanError(
            f"{path}: there is no such file; SQLite would make an empty database of the name"
        )
    with path.open("rb") as file:
        header = file.read(100)
    if not header.startswith(_MAGIC):
        raise PlanError(f"{path}: is not an SQLite database")
    journal = path.with_name(f"{path.name}-journal")
    if journal.is_file() and journal.stat().st_size:
        raise PlanError(
            f"{path}: a writer has not ended ({journal.name} is there); a reader cannot roll it "
            "back: open the database once with the program that writes it, then run again"
        )
    wal = path.with_name(f"{path.name}-wal")
    if header[18:20] != _WAL_MODE:
        return None
    if not wal.exists():
        return (
            f"{path.name} is in WAL mode and no {wal.name} lies beside it: if it was copied from a "
            "running system, the newest rows are missing; copy it again with its -wal and -shm"
        )
    try:
        with wal.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise PlanError(
            f"{path}: its {wal.name} cannot be read ({error.strerror}), and the newest rows are "
            "in it; give the user who runs bulkload the right to"
        ) from error
    return None


def copy_of(path: Path, to: Path) -> SnapshotInfo:
    """Copy one moment of a database, what is in its ``-wal`` included; raises ``PlanError``."""
    to.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(_uri(path), uri=True, timeout=BUSY_TIMEOUT_S)) as source,
            closing(sqlite3.connect(to)) as target,
        ):
            taken_at = datetime.now(UTC)
            source.backup(target)
    except sqlite3.Error as error:
        to.unlink(missing_ok=True)
        raise PlanError(f"{path}: cannot be copied: {error}") from error
    return SnapshotInfo(
        id=f"copy of {taken_at.isoformat(timespec='seconds')}", taken_at=taken_at.isoformat()
    )


def _uri(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=ro"


class SQLite(Database):
    """A session of SQLite."""

    rounding = Rounding.AWAY_FROM_ZERO
    barrier = " LIMIT -1"

    def __init__(self, path: Path, *, name: str, snapshot: SnapshotInfo | None = None) -> None:
        """Open a file; ``name`` is for messages, ``snapshot`` says what it is a copy of."""
        try:
            import adbc_driver_sqlite.dbapi as driver
        except ImportError as error:
            raise MissingExtraError("reading SQLite", "sqlite") from error
        self._driver = driver
        self._name = name
        now = datetime.now(UTC).isoformat()
        self._snapshot = snapshot or SnapshotInfo(id="", taken_at=now)
        if not path.is_file():
            raise DatabaseLostError(f"{name}: the file of the database is gone")
        with self._translated_errors():
            self._rows = sqlite3.connect(
                _uri(path), uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False
            )
            self._stream = driver.connect(_uri(path))

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, self._driver.Error) as error:
            error_text = " ".join(str(error).split())[:400]
            raise UnreadableError(f"{self._name}: {error_text}", cause="query_failed") from None

    def version(self) -> str:
        """Return the version of the library: the file has none."""
        return f"SQLite {sqlite3.sqlite_version}"

    @property
    def snapshot(self) -> SnapshotInfo:
        """What the file is a copy of."""
        return self._snapshot

    def tables(self) -> frozenset[str]:
        """Return tables and views."""
        found = self.rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        return frozenset(str(row["name"]) for row in found)

    def lock(self, tables: Sequence[str]) -> None:
        """Do nothing: no other process has the copy."""

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a small query."""
        with self._translated_errors():
            cursor = self._rows.execute(sql)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def kinds(self, sql: str) -> Mapping[str, ValueKind]:
        """Return the columns; the kind is a value's, not a column's."""
        with self._translated_errors():
            cursor = self._rows.execute(f"SELECT * FROM ({sql}) LIMIT 0")
            return {column[0]: ValueKind.ANY for column in cursor.description}

    def batches(self, sql: str, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """Stream a query; the driver learns the types from a row that is put in front."""
        schema = pa.schema(list(types.items()))
        samples = {pa.float64(): "0.0", pa.int64(): "0", pa.string(): "''"}
        first = ", ".join(f"{samples[kind]} AS {self.quote(name)}" for name, kind in types.items())
        with self._translated_errors(), self._stream.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(BATCH_ROWS)})
            cursor.execute(f"SELECT {first} UNION ALL SELECT * FROM ({sql})")
            is_first = True
            with cursor.fetch_record_batch() as reader:
                for batch in reader:
                    yield batch.slice(1).cast(schema) if is_first else batch.cast(schema)
                    is_first = False

    def close(self) -> None:
        """End the session."""
        self._rows.close()
        self._stream.close()

    def literal(self, value: Any) -> str:
        """Return a value as a literal; SQLite has no booleans."""
        return super().literal(int(value) if isinstance(value, bool) else value)

    def plain_expression(self, column: RawColumn) -> str:
        """Return the SQL that fetches a column; only whole numbers become doubles."""
        name = f"bl_s.{self.quote(column.name)}"
        if column.fetch is Fetch.NUMBER:
            return f"CASE typeof({name}) WHEN 'integer' THEN {name} * 1.0 ELSE {name} END"
        return f"CAST({name} AS TEXT)" if column.fetch is Fetch.CODE else name

    def improper(self, column: RawColumn) -> str | None:
        """Name values of another storage class than the column is read as."""
        if column.fetch is Fetch.CODE:
            return None
        name = f"bl_s.{self.quote(column.name)}"
        allowed = {
            Fetch.NUMBER: "'integer', 'real', 'null'",
            Fetch.WHOLE: "'integer', 'null'",
            Fetch.TEXT: "'text', 'null'",
        }[column.fetch]
        wrong = f"typeof({name}) NOT IN ({allowed})"
        if column.fetch is Fetch.NUMBER:
            # A double does not keep these apart, and no declared type tells of them before.
            wrong += f" OR (typeof({name}) = 'integer' AND abs({name}) > {LARGEST_EXACT})"
        return wrong

    def byte_length(self, term: str) -> str:
        """Return the SQL of a text's length in bytes."""
        return f"length(CAST({term} AS BLOB))"

    def rounded(self, term: str) -> str:
        """Return the SQL of a double rounded, halves away from zero."""
        return f"CAST(round({term}) AS INTEGER)"

    def distinct(self, columns: Sequence[str]) -> str:
        """Return the SQL that counts distinct keys; several columns as one exact text."""
        if len(columns) == 1:
            return super().distinct(columns)
        parts = (
            f"CASE typeof({c}) WHEN 'real' THEN printf('%!.17g', {c}) ELSE quote({c}) END"
            for c in columns
        )
        return f"COUNT(DISTINCT {' || char(10) || '.join(parts)})"
