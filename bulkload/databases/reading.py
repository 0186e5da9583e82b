"""A measurement of a database, read in a worker: the same answer that a file's reader gives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core.terms import TIME
from bulkload.core.version import VERSION
from bulkload.databases.columns import RawColumns, raw_columns
from bulkload.databases.configuration import SqlSource, load_configuration
from bulkload.databases.engines.base import Database, DatabaseLostError
from bulkload.databases.mapping import Mapped, map_samples
from bulkload.databases.measurement import (
    READER,
    MeasurementFile,
    mark_read,
    read_measurement_file,
)
from bulkload.databases.samples import RawSamples, read_samples
from bulkload.databases.session import SESSION_NAME, SPOOL_NAME, open_shared
from bulkload.databases.sums import differences
from bulkload.errors import PlanError, UnreadableError
from bulkload.readers.reading import TimeSeries

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
    """Read a measurement from its database; raises ``UnreadableError`` with the reason."""
    content = path.read_bytes()
    status = path.stat()
    one = read_measurement_file(path)
    if one.fault:
        raise UnreadableError(one.fault, cause=one.fault_cause)
    try:
        source = _configuration(Path(one.configuration), one.configuration_sha256)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                raw, columns, facts = _read(source, one, path, is_strict=is_strict)
                break
            except DatabaseLostError:
                # Nothing of a broken stream counts: the measurement begins again.
                _SESSIONS.drop()
                if attempt == MAX_ATTEMPTS:
                    raise
            except UnreadableError:
                # A query that failed may have broken the transaction.
                _SESSIONS.drop()
                raise
    except PlanError as error:
        raise UnreadableError(str(error), cause="database_refused") from error
    wrong = differences(one.sums, raw.sums)
    if wrong:
        raise UnreadableError(
            f"the database changed since the plan was made: {'; '.join(wrong[:3])}; run the same "
            "command again",
            cause="source_changing",
        )
    mark_read(path)
    assert source.samples is not None
    mapped = map_samples(raw.table, columns, source.samples)
    stamp = {
        "file": path.name,
        "size_bytes": len(content),
        "mtime_ns": status.st_mtime_ns,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return _series(source, one, raw, mapped, {**facts, **stamp})


@lru_cache(4)
def _configuration(path: Path, sha256: str) -> SqlSource:
    source = load_configuration(path)
    if source.digest() != sha256:
        raise UnreadableError(
            f"{path} changed since the plan was made; run the same command again",
            cause="source_changing",
        )
    return source


def _read(
    source: SqlSource, one: MeasurementFile, path: Path, *, is_strict: bool
) -> tuple[RawSamples, RawColumns, dict[str, Any]]:
    database = _SESSIONS.get(source, path.parent)
    assert source.samples is not None
    columns = raw_columns(source.samples, database.kinds(one.sql))
    raw = read_samples(
        _batches(database, one, columns, path),
        columns,
        database.rounding,
        is_long=source.samples.shape == "long",
        is_strict=is_strict,
    )
    snapshot = database.snapshot
    facts = {"snapshot_id": snapshot.id, "snapshot_time": snapshot.taken_at}
    return raw, columns, facts


def _batches(
    database: Database, one: MeasurementFile, columns: RawColumns, path: Path
) -> Iterator[pa.RecordBatch]:
    spooled = path.parent / SPOOL_NAME / f"{path.stem}.arrow"
    if spooled.is_file():
        with pa.OSFile(str(spooled)) as file, pa.ipc.open_stream(file) as stream:
            yield from stream
        return
    types = {f"c{i}": column.type for i, column in enumerate(columns.all)}
    yield from database.batches(database.samples_sql(one.sql, columns.all), types)


def _series(
    source: SqlSource,
    one: MeasurementFile,
    raw: RawSamples,
    mapped: Mapped,
    facts: dict[str, Any],
) -> TimeSeries:
    decisions = (*raw.decisions, *mapped.decisions)
    return TimeSeries(
        table=mapped.table,
        header={} if mapped.start_time is None else {"start_time": mapped.start_time},
        provenance={
            **{name: facts[name] for name in ("file", "size_bytes", "mtime_ns", "sha256")},
            "reader": READER,
            "reader_version": VERSION,
            "dialect": source.profile,
            "decisions": [one.as_json() for one in decisions],
            "rows_read": mapped.table.num_rows + mapped.left_out,
            "rows_left_out": mapped.left_out,
            PROOF: {
                "source": source.database.masked,
                "key": dict(one.key),
                "snapshot_id": facts["snapshot_id"],
                "snapshot_time": facts["snapshot_time"],
                "time_offset_s": mapped.time_offset_s,
                **_time_range(mapped.table),
                "sums": raw.sums.as_json(),
            },
        },
        decisions=decisions,
    )


def _time_range(table: pa.Table) -> dict[str, Any]:
    found = pc.min_max(table.column(TIME)).as_py()
    return {"time_min_s": found["min"], "time_max_s": found["max"]}
