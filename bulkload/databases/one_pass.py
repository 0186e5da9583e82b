"""Tests that lie mixed in one table: read in one unordered pass, split by key into spool files.

Read one by one, each test of such a table touches nearly a page a row, and the table is read
again for every test. The keys become a table of values that the samples query is joined with
(LATERAL), so that the user's query stays what it is. PostgreSQL only: the others lack the join.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa

from bulkload.databases.columns import RawColumns
from bulkload.databases.configuration import ReadPolicy
from bulkload.databases.engines.postgresql import PostgreSQL
from bulkload.databases.measurement import SUFFIX, read_measurement_file, was_read
from bulkload.databases.query import checked_query, with_references
from bulkload.databases.session import SPOOL_NAME, Session
from bulkload.databases.sums import Sums, sums_rows
from bulkload.errors import PlanError

#: Pages that a test touches, as a multiple of those that its rows fill, from which on one pass
#: over the table is quicker: at 58 times, 200 tests took 8 times as long one by one.
MIXED_FROM: Final = 10.0
#: Tests from which on it is worth while to find out.
LEAST_TESTS: Final = 4
#: Tests that one pass takes: as many spool files are open at once.
KEYS_A_PASS: Final = 256
#: Rows that are split at a time: with ten columns twice 42 MB of memory, and of each of 200 tests
#: some 2,600 rows to be written at once.
WINDOW_ROWS: Final = 524_288
PAGE_BYTES: Final = 8192
#: Bytes that PostgreSQL needs for a row beside its values.
ROW_HEADER_BYTES: Final = 28
#: Share of the spool's size that must be free beside it.
FREE_FACTOR: Final = 1.2
#: Column that numbers the tests of a pass.
NUMBER: Final = "bl_n"

_PLANNER: Final = ("enable_nestloop", "enable_mergejoin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One test of a pass: the values of its parameters, and the name of its spool file."""

    values: Mapping[str, Any]
    stem: str


def has_one_pass(session: Session, first: str, tests: int) -> bool:
    """Decide how the tests of a source are read; ``first`` is the query of one of them.

    Raises ``PlanError`` where one pass is asked for and not known.
    """
    source, database = session.source, session.database
    is_possible = isinstance(database, PostgreSQL) and not source.measurements.table
    if source.read is ReadPolicy.ONE_PASS and not is_possible:
        raise PlanError(
            f'{session.url.masked}: read = "one-pass" is known for PostgreSQL and one table of '
            'samples; set read = "stream"'
        )
    if not is_possible or source.read is ReadPolicy.STREAM:
        return False
    assert isinstance(database, PostgreSQL)
    if source.read is ReadPolicy.ONE_PASS:
        return True
    return tests >= LEAST_TESTS and is_mixed(database, first)


def read_in_one_pass(
    session: Session, query: str, keys: Sequence[Key], columns: RawColumns
) -> Mapping[str, Sums]:
    """Spool the tests that are not read yet; return the sums of all, by the stem of their file.

    Side effects: the session's spool folder.
    """
    database = session.database
    assert isinstance(database, PostgreSQL)
    folder = session.folder / SPOOL_NAME
    folder.mkdir(exist_ok=True)
    sums: dict[str, Sums] = {}
    for some in passes(keys):
        found = sums_of_pass(database, query, some, columns)
        sums |= {key.stem: one for key, one in zip(some, found, strict=True)}
    unread = [key for key in keys if not _is_read(session.folder, key, sums[key.stem])]
    check_room(folder, sum(sums[key.stem].rows for key in unread), columns)
    for some in passes(unread):
        spool_pass(database, query, some, columns, folder)
    return sums


def _is_read(folder: Path, key: Key, sums: Sums) -> bool:
    """Return whether a worker read the very same test before."""
    kept = folder / f"{key.stem}{SUFFIX}"
    return was_read(kept) and read_measurement_file(kept).sums == sums


def is_mixed(database: PostgreSQL, sql: str) -> bool:
    """Find out by running one test's query whether its rows lie scattered over the table."""
    plan = json.loads(database.plan_of(sql))[0]["Plan"]
    touched = plan.get("Shared Hit Blocks", 0) + plan.get("Shared Read Blocks", 0)
    row_bytes = plan["Plan Width"] + ROW_HEADER_BYTES
    filled = max(1.0, plan["Actual Rows"] * row_bytes / PAGE_BYTES)
    return bool(touched > MIXED_FROM * filled)


def joined(database: PostgreSQL, query: str, keys: Sequence[Key]) -> str:
    """Return the samples query of several tests at once, numbered in ``bl_n``."""
    names = list(keys[0].values)
    rows = ", ".join(
        f"({n}, {', '.join(_typed(database, key.values[name]) for name in names)})"
        for n, key in enumerate(keys)
    )
    columns = ", ".join(database.quote(name) for name in (NUMBER, *names))
    own = with_references(checked_query(query), "bl_k", database.quote)
    return (
        f"SELECT bl_k.{NUMBER}, bl_q.* FROM (VALUES {rows}) AS bl_k ({columns}) "
        f"CROSS JOIN LATERAL ({own}) bl_q"
    )


def _typed(database: PostgreSQL, value: Any) -> str:
    """Return a literal that has the type of the value: in VALUES it is not guessed."""
    kinds = ((UUID, "uuid"), (datetime, "timestamptz"), (date, "date"), (str, "text"))
    for kind, name in kinds:
        if isinstance(value, kind):
            is_local = isinstance(value, datetime) and value.tzinfo is None
            return f"{database.literal(value)}::{'timestamp' if is_local else name}"
    return database.literal(value)


def passes(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """Yield the tests of one pass after the other."""
    for start in range(0, len(keys), KEYS_A_PASS):
        yield keys[start : start + KEYS_A_PASS]


def sums_of_pass(
    database: PostgreSQL, query: str, keys: Sequence[Key], columns: RawColumns
) -> list[Sums]:
    """Ask for the sums of all tests of a pass; a test without a row has none."""
    with database.planning(dict.fromkeys(_PLANNER, "off")):
        rows = sums_rows(database, joined(database, query, keys), columns, key=NUMBER)
    found = {int(row["bl_key"]): Sums.of_row(row, columns.all) for row in rows}
    return [found.get(n, Sums()) for n in range(len(keys))]


def spool_pass(
    database: PostgreSQL,
    query: str,
    keys: Sequence[Key],
    columns: RawColumns,
    folder: Path,
) -> None:
    """Write the rows of each test of a pass into a file of its own, in no order.

    Side effects: ``<stem>.arrow`` a test in ``folder``; they appear when the pass has ended.
    """
    schema = pa.schema([(f"c{i}", column.type) for i, column in enumerate(columns.all)])
    chosen = ", ".join(f"{database.expression(c)} AS c{i}" for i, c in enumerate(columns.all))
    sql = f"SELECT bl_s.{NUMBER}, {chosen} FROM ({joined(database, query, keys)}) bl_s"
    types = {NUMBER: pa.int32(), **dict(zip(schema.names, schema.types, strict=True))}
    with ExitStack() as stack:
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        writers = []
        for key in keys:
            sink = stack.enter_context(pa.OSFile(str(folder / f"{key.stem}.unfinished"), "wb"))
            writer = pa.ipc.new_stream(sink, schema, options=options)
            writers.append(stack.enter_context(writer))
        with database.planning(dict.fromkeys(_PLANNER, "off")):
            for window in _windows(database.batches(sql, types)):
                _split(window, writers)
    for key in keys:
        (folder / f"{key.stem}.unfinished").replace(folder / f"{key.stem}.arrow")


def check_room(folder: Path, rows: int, columns: RawColumns) -> None:
    """Raise ``PlanError`` where the spool would not fit on its disk."""
    needed = int(rows * len(columns.all) * 8 * FREE_FACTOR)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise PlanError(
            f"the tests lie mixed in their table, and reading them in one pass needs "
            f"{needed / 2**30:.1f} GiB in {folder}, where {free / 2**30:.1f} GiB are free; make "
            'room, give --job a folder on a larger disk, or set read = "stream" (slower)'
        )


def _windows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield the rows of several batches together."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= WINDOW_ROWS:
            yield pa.Table.from_batches(waiting)
            waiting, rows = [], 0
    if rows:
        yield pa.Table.from_batches(waiting)


def _split(window: pa.Table, writers: Sequence[Any]) -> None:
    """Write every row into its test's file."""
    # 16 bits are sorted by radix.
    numbers = window.column(0).to_numpy().astype(np.int16)
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    rows = window.select(range(1, window.num_columns)).take(pa.array(order)).combine_chunks()
    starts = np.flatnonzero(np.diff(ordered, prepend=np.int16(-1)))
    for start, end in pairwise((*starts, len(ordered))):
        writers[int(ordered[start])].write_table(rows.slice(int(start), int(end - start)))
