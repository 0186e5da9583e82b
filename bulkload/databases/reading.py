"""A measurement of a database, read in a worker: the same answer that a file's reader gives."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
import pyarrow as pa

from bulkload.core.decisions import Decision
from bulkload.core.version import VERSION
from bulkload.databases.columns import RawColumns, raw_columns
from bulkload.databases.configuration import SqlSource, load_configuration
from bulkload.databases.engines.base import Database, DatabaseLostError, SnapshotInfo
from bulkload.databases.mapping import Mapper
from bulkload.databases.measurement import (
    READER,
    MeasurementFile,
    mark_read,
    read_measurement_file,
)
from bulkload.databases.samples import OutOfOrderError, Samples
from bulkload.databases.session import SESSION_NAME, SPOOL_NAME, moment_of, open_shared
from bulkload.databases.sums import differences
from bulkload.errors import PlanError, UnreadableError
from bulkload.readers.reading import NotInChunksError, ReadAgainError, TimeSeries

#: Times that a measurement is read before a lost connection is its end.
MAX_ATTEMPTS: Final = 2
#: Key of a measurement's proof in its provenance.
PROOF: Final = "migration"


class _Sessions:
    """The session of this process: opened once, and again where it broke."""

    def __init__(self) -> None:
        self._open: tuple[tuple[str, Path, str], Database] | None = None

    def get(self, source: SqlSource, folder: Path) -> Database:
        """Return the session of a source that sees what its run sees."""
        shared = folder / SESSION_NAME
        is_shared = shared.is_file()
        # With what it says: a later run has another snapshot.
        key = (source.digest(), folder, shared.read_text("utf-8") if is_shared else "")
        if is_shared and self._open is not None and self._open[0] == key:
            return self._open[1]
        self.drop()
        database = open_shared(source.database, folder)
        self._open = (key, database)
        return database

    def drop(self) -> None:
        """Give the session up."""
        if self._open is not None:
            self._open[1].close()
        self._open = None


_SESSIONS: Final = _Sessions()


def read_measurement(path: Path, *, is_strict: bool) -> TimeSeries:
    """Read a measurement in one piece; raises ``UnreadableError`` with the reason."""
    series = open_measurement(path, is_strict=is_strict)
    (table,) = series.tables(is_whole=True)
    return TimeSeries(
        table=table,
        header=series.header,
        provenance=series.provenance(),
        decisions=series.decisions,
    )


def open_measurement(path: Path, *, is_strict: bool) -> Measurement:
    """Open a measurement of a database; raises ``UnreadableError`` with the reason."""
    one = read_measurement_file(path)
    if one.fault:
        raise UnreadableError(one.fault, cause=one.fault_cause)
    try:
        source = _configuration(Path(one.configuration), one.configuration_sha256)
    except PlanError as error:
        raise UnreadableError(str(error), cause="database_refused") from error
    return Measurement(path, one, source, is_strict=is_strict)


class Measurement:
    """A measurement of a database: read in one piece, or chunk by chunk."""

    def __init__(
        self, path: Path, one: MeasurementFile, source: SqlSource, *, is_strict: bool
    ) -> None:
        assert source.samples is not None
        self._path, self._one, self._source = path, one, source
        self._query, self._is_strict = source.samples, is_strict
        self._attempts = 0
        self._is_ordered_by_database = False
        self._mapper: Mapper | None = None
        self._facts: dict[str, Any] = {}
        self.header: Mapping[str, Any] = {}
        self.decisions: tuple[Decision, ...] = ()

    @property
    def rows(self) -> int:
        """The rows that the plan counted."""
        return self._one.sums.rows

    def chunks(self) -> Iterator[pa.Table]:
        """Read the measurement from its beginning, in chunks of one schema."""
        return self.tables(is_whole=False)

    def tables(self, *, is_whole: bool) -> Iterator[pa.Table]:
        """Read the measurement: all of it in one table, or in chunks.

        Nothing that was given out counts before the last table: raises ``ReadAgainError`` for
        what must be read anew, ``UnreadableError`` for what cannot be read.
        """
        content, status = self._path.read_bytes(), self._path.stat()
        while True:
            try:
                samples, database = yield from self._tables(is_whole=is_whole)
                break
            except DatabaseLostError:
                # Nothing of a broken stream counts: the measurement begins again.
                _SESSIONS.drop()
                self._attempts += 1
                if self._attempts == MAX_ATTEMPTS:
                    raise
                if not is_whole:
                    raise ReadAgainError from None
            except UnreadableError:
                # A query that failed may have broken the transaction.
                _SESSIONS.drop()
                raise
            except PlanError as error:
                raise UnreadableError(str(error), cause="database_refused") from error
        self._check_sums(samples)
        mark_read(self._path)
        self._facts = {
            "file": self._path.name,
            "size_bytes": len(content),
            "mtime_ns": status.st_mtime_ns,
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        self._end(samples, moment_of(self._source, database))

    def _tables(self, *, is_whole: bool) -> Generator[pa.Table, None, tuple[Samples, Database]]:
        database = _SESSIONS.get(self._source, self._path.parent)
        columns = raw_columns(self._query, database.kinds(self._one.sql))
        if self._mapper is None:
            self._mapper = Mapper(columns, self._query)
        mapper = self._mapper
        if mapper.needs_largest_current and not is_whole:
            _, ordered = self._ordered(database, columns, is_whole=False)
            mapper.largest_current = max(map(mapper.largest_of, ordered), default=0.0)
        mapper.begin()
        samples, ordered = self._ordered(database, columns, is_whole=is_whole)
        try:
            for raw in ordered:
                table = mapper.map(raw, is_whole=is_whole)
                if table is not None:
                    yield table
        except OutOfOrderError:
            self._let_the_database_order()
        mapper.end()
        return samples, database

    def _ordered(
        self, database: Database, columns: RawColumns, *, is_whole: bool
    ) -> tuple[Samples, Iterator[pa.Table]]:
        samples = Samples(
            columns,
            database.rounding,
            is_long=self._query.shape == "long",
            is_strict=self._is_strict,
        )
        batches = _batches(
            database, self._one, columns, self._path, is_ordered=self._is_ordered_by_database
        )
        return samples, iter([samples.whole(batches)]) if is_whole else samples.chunks(batches)

    def _let_the_database_order(self) -> NoReturn:
        """Have it read again in its order; a second time that does not help."""
        if self._is_ordered_by_database:
            raise NotInChunksError(
                "the database orders its keys differently from their values"
            ) from None
        self._is_ordered_by_database = True
        raise ReadAgainError

    def _check_sums(self, samples: Samples) -> None:
        wrong = differences(self._one.sums, samples.sums)
        if wrong:
            raise UnreadableError(
                f"the database changed since the plan was made: {'; '.join(wrong[:3])}; run the "
                "same command again",
                cause="source_changing",
            )

    def _end(self, samples: Samples, snapshot: SnapshotInfo) -> None:
        mapper = self._mapper
        assert mapper is not None
        self.decisions = (*samples.decisions(), *mapper.decisions())
        if mapper.start_time is not None:
            self.header = {"start_time": mapper.start_time}
        low, high = mapper.time_range_s
        self._facts |= {
            "reader": READER,
            "reader_version": VERSION,
            "dialect": self._source.profile,
            "decisions": [one.as_json() for one in self.decisions],
            "rows_read": mapper.rows + mapper.left_out,
            "rows_left_out": mapper.left_out,
            PROOF: {
                "source": self._source.database.masked,
                "key": dict(self._one.key),
                "snapshot_id": snapshot.id,
                "snapshot_time": snapshot.taken_at,
                "time_offset_s": mapper.time_offset_s,
                "time_min_s": None if np.isnan(low) else low,
                "time_max_s": None if np.isnan(high) else high,
                "sums": samples.sums.as_json(),
            },
        }

    def provenance(self) -> Mapping[str, Any]:
        """Return where the measurement comes from, once it has been read."""
        return self._facts


@lru_cache(4)
def _configuration(path: Path, sha256: str) -> SqlSource:
    source = load_configuration(path)
    if source.digest() != sha256:
        raise UnreadableError(
            f"{path} changed since the plan was made; run the same command again",
            cause="source_changing",
        )
    return source


def _batches(
    database: Database,
    one: MeasurementFile,
    columns: RawColumns,
    path: Path,
    *,
    is_ordered: bool,
) -> Iterator[pa.RecordBatch]:
    spooled = path.parent / SPOOL_NAME / f"{path.stem}.arrow"
    if spooled.is_file() and not is_ordered:
        with pa.OSFile(str(spooled)) as file, pa.ipc.open_stream(file) as stream:
            yield from stream
        return
    types = {f"c{i}": column.type for i, column in enumerate(columns.all)}
    sql = database.samples_sql(one.sql, columns.all)
    if is_ordered:
        sql = f"{sql} ORDER BY {', '.join(f'c{i}' for i in columns.order)}{database.barrier}"
    yield from database.batches(sql, types)
