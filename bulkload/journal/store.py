"""The journal's file: the only SQL of the job folder. Synchronous; one writer.

A transaction holds an event and the row that follows from it, so that a crash between the two
cannot be seen. WAL with ``synchronous=FULL``: what was committed survives a loss of power. On a
network file system the journal is a log of its transactions instead (``journal/logged.py``).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple
from importlib import resources
from pathlib import Path
from typing import Any, Final

from bulkload.core.lifecycle import FINAL, JobState
from bulkload.core.plan_items import CellMetadata, Skip, Specification, UploadJob
from bulkload.errors import JournalError
from bulkload.journal.codec import dump
from bulkload.journal.events import Parent
from bulkload.journal.filesystem import is_on_network
from bulkload.journal.logged import BUSY_TIMEOUT_S, connect_logged, read_logged

#: "BULK": tells our file from any other database.
APPLICATION_ID: Final = 0x42554C4B
VERSION: Final = 1
FILE_NAME: Final = "journal.sqlite"
#: The journal of a folder on a network file system.
LOG_NAME: Final = "journal.log"

_SIGNATURE: Final = f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={VERSION};"


def connect(path: Path | None, *, is_read_only: bool = False) -> sqlite3.Connection:
    """Open a journal, made new where none is; None keeps it in a temporary file.

    Which of the two forms a folder's journal has is found out here, and nobody else need know.
    Raises ``JournalError`` for a file that is damaged, of another program or another version.
    """
    path = None if path is None else find(path.parent) or _new(path)
    name = "" if path is None else str(path)
    try:
        if path is not None and path.name == LOG_NAME:
            open_log = read_logged if is_read_only else connect_logged
            connection = open_log(path, f"{_schema()} {_SIGNATURE}")
            connection.row_factory = sqlite3.Row
            return connection
        if is_read_only and path is not None:
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        else:
            connection = sqlite3.connect(name, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        connection.isolation_level = None
        connection.row_factory = sqlite3.Row
        _check_or_create(connection, name, is_read_only=is_read_only)
    except (sqlite3.DatabaseError, OSError) as error:
        raise JournalError(f"the journal {name} cannot be opened: {error}") from error
    return connection


def find(folder: Path) -> Path | None:
    """Return the file of a folder's journal, None where there is none."""
    found = [folder / name for name in (FILE_NAME, LOG_NAME) if (folder / name).is_file()]
    if len(found) > 1:
        raise JournalError(f"{folder} holds two journals, {FILE_NAME} and {LOG_NAME}")
    return found[0] if found else None


def _new(path: Path) -> Path:
    return path.with_name(LOG_NAME) if is_on_network(path.parent) else path


def _schema() -> str:
    return resources.files("bulkload.journal").joinpath("schema.sql").read_text("utf-8")


def _check_or_create(connection: sqlite3.Connection, name: str, *, is_read_only: bool) -> None:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    is_new = not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    if not is_new or is_read_only:
        _check(name, application_id, version)
    if not is_read_only:
        # Only now: a file of another program is left as it is.
        mode, level = _durable_on(Path(name).parent)
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute(f"PRAGMA synchronous={level}")
    if is_new and not is_read_only:
        connection.executescript(f"BEGIN; {_schema()} {_SIGNATURE} COMMIT;")


def _check(name: str, application_id: int, version: int) -> None:
    if application_id != APPLICATION_ID:
        raise JournalError(f"{name} is not a journal of bulkload")
    if version != VERSION:
        raise JournalError(
            f"{name} is a journal of version {version}; this bulkload reads version {VERSION}"
        )


def _durable_on(folder: Path) -> tuple[str, str]:
    """Return the modes in which a commit survives a loss of power on this file system.

    WAL is quick and needs memory that all readers share, which a network file system does not
    give. A database that was moved there from a disk goes on with a rollback journal: each
    commit is in the file itself, and the rollback journal undoes one that was torn.
    """
    return ("DELETE", "EXTRA") if is_on_network(folder) else ("WAL", "FULL")


def begin_run(
    connection: sqlite3.Connection, command: str, settings: Mapping[str, Any], at: float
) -> int:
    """Note a new run and return its number."""
    cursor = connection.execute(
        "INSERT INTO run (command, settings, started_at) VALUES (?, ?, ?)",
        (command, dump(dict(settings)), at),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def end_run(
    connection: sqlite3.Connection, run: int, at: float, summary: Mapping[str, Any]
) -> None:
    """Note how a run ended."""
    connection.execute(
        "UPDATE run SET ended_at=?, summary=? WHERE id=?", (at, dump(dict(summary)), run)
    )


def last_run(connection: sqlite3.Connection, *, before: int | None = None) -> sqlite3.Row | None:
    """Return the newest run, or the newest before another; None where there is none."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM run WHERE ? IS NULL OR id < ? ORDER BY id DESC LIMIT 1", (before, before)
    ).fetchone()
    return row


def last_upload(connection: sqlite3.Connection) -> sqlite3.Row | None:
    """Return the newest run that had a plan, None where there is none: a rollback has none."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM run WHERE json_extract(settings, '$.recipe') IS NOT NULL "
        "ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return row


def put_specification(connection: sqlite3.Connection, item: Specification) -> None:
    """Keep a specification of the plan."""
    connection.execute(
        "INSERT OR REPLACE INTO specification VALUES (?, ?, ?)",
        (item.name, dump(dict(item.payload)), item.origin),
    )


def put_cell(connection: sqlite3.Connection, item: CellMetadata) -> None:
    """Keep a cell's metadata of the plan."""
    connection.execute(
        "INSERT OR REPLACE INTO cell VALUES (?, ?, ?)",
        (item.spec, item.cell, dump(dict(item.payload))),
    )


def add_job(
    connection: sqlite3.Connection, run: int, job: UploadJob, payload: str, options_digest: str
) -> None:
    """Add a job that the journal does not know."""
    connection.execute(
        "INSERT INTO job (spec, cell, measurement, path, payload, plan_run, recipe, state) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*job.key, job.path, payload, run, options_digest, JobState.PLANNED.value),
    )


def replan_job(
    connection: sqlite3.Connection,
    run: int,
    job: int,
    *,
    path: str,
    payload: str,
    options_digest: str,
) -> None:
    """Take a known job into this run's plan, as the plan states it now."""
    connection.execute(
        "UPDATE job SET plan_run=?, path=?, payload=?, recipe=?, has_given_up=0 WHERE id=?",
        (run, path, payload, options_digest, job),
    )


def put_skip(connection: sqlite3.Connection, run: int, item: Skip) -> bool:
    """Keep an entry that a rule leaves out; False where this run's plan holds it already."""
    cursor = connection.execute(
        "INSERT INTO skip VALUES (?, ?, ?) ON CONFLICT (location) DO UPDATE "
        "SET rule=excluded.rule, plan_run=excluded.plan_run WHERE plan_run<>excluded.plan_run",
        (item.where, item.rule, run),
    )
    return cursor.rowcount > 0


def raw_data_id(connection: sqlite3.Connection, sha256: str) -> str | None:
    """Return the raw file in Studio that holds these bytes, None where none is known."""
    row = connection.execute(
        "SELECT raw_data_id FROM raw_data WHERE sha256=?", (sha256,)
    ).fetchone()
    return None if row is None else str(row["raw_data_id"])


def put_raw_data(connection: sqlite3.Connection, sha256: str, raw_data_id: str) -> None:
    """Keep which raw file in Studio holds these bytes."""
    connection.execute("INSERT OR REPLACE INTO raw_data VALUES (?, ?)", (sha256, raw_data_id))


def put_parent(connection: sqlite3.Connection, run: int, parent: Parent) -> None:
    """Keep a parent that this run made."""
    connection.execute(
        "INSERT OR IGNORE INTO parent VALUES (?, ?, ?, ?, ?, ?)", (*astuple(parent), run)
    )


def cells(connection: sqlite3.Connection, run: int) -> Iterator[tuple[str, str]]:
    """Yield the cells that have open jobs in this run's plan, in order, a page at a time."""
    last = ("", "")
    states = tuple(state.value for state in JobState if state not in FINAL)
    marks = ",".join("?" * len(states))
    query = (
        f"SELECT DISTINCT spec, cell FROM job WHERE plan_run=? AND state IN ({marks}) "  # noqa: S608
        "AND has_given_up=0 AND (spec, cell) > (?, ?) ORDER BY spec, cell LIMIT 64"
    )
    while page := connection.execute(query, (run, *states, *last)).fetchall():
        for row in page:
            last = (row["spec"], row["cell"])
            yield last


def open_jobs(connection: sqlite3.Connection, run: int, spec: str, cell: str) -> list[sqlite3.Row]:
    """Return the rows of a cell's jobs that are not final, in the order of the plan."""
    rows = connection.execute(
        "SELECT * FROM job WHERE spec=? AND cell=? AND plan_run=? ORDER BY id", (spec, cell, run)
    ).fetchall()
    return [row for row in rows if JobState(row["state"]) not in FINAL]


def get_job(connection: sqlite3.Connection, job: int) -> sqlite3.Row:
    """Return a job's row by its number."""
    row: sqlite3.Row = connection.execute("SELECT * FROM job WHERE id=?", (job,)).fetchone()
    return row


def created_rows(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return the rows of all measurements that this job folder made, of whatever plan."""
    return connection.execute(
        "SELECT * FROM job WHERE state=? ORDER BY spec, cell, id", (JobState.READY.value,)
    ).fetchall()


def count_existing(connection: sqlite3.Connection) -> int:
    """Return how many measurements were in Studio before this job folder came to them."""
    query = "SELECT COUNT(*) FROM job WHERE state=?"
    return int(connection.execute(query, (JobState.EXISTING.value,)).fetchone()[0])


def count_state(connection: sqlite3.Connection, run: int, state: JobState) -> int:
    """Return how many jobs of a plan are in a state."""
    query = "SELECT COUNT(*) FROM job WHERE plan_run=? AND state=?"
    return int(connection.execute(query, (run, state.value)).fetchone()[0])


def prepared_columns(connection: sqlite3.Connection, job: int) -> tuple[str, ...]:
    """Return the columns of a job's table as it was last prepared."""
    row = connection.execute(
        "SELECT payload FROM event WHERE job=? AND name='SourcePrepared' ORDER BY id DESC LIMIT 1",
        (job,),
    ).fetchone()
    return () if row is None else tuple(json.loads(row["payload"])["columns"])


def parents(connection: sqlite3.Connection) -> list[Parent]:
    """Return the parents that this job folder made."""
    rows = connection.execute("SELECT kind, id, name, parent_id, updated_at FROM parent")
    return [Parent(*row) for row in rows]


def drop_parent(connection: sqlite3.Connection, kind: str, parent_id: str) -> None:
    """Forget a parent that is gone."""
    connection.execute("DELETE FROM parent WHERE kind=? AND id=?", (kind, parent_id))


def take_over_plan(connection: sqlite3.Connection, run: int) -> tuple[int, int]:
    """Make the plan of the run before this run's; return its numbers of jobs and of skips."""
    before = connection.execute("SELECT MAX(plan_run) FROM job").fetchone()[0]
    jobs = connection.execute("UPDATE job SET plan_run=? WHERE plan_run=?", (run, before)).rowcount
    skips = connection.execute(
        "UPDATE skip SET plan_run=? WHERE plan_run=?", (run, before)
    ).rowcount
    return jobs, skips


def not_arrived(connection: sqlite3.Connection, run: int, cause: str | None) -> list[int]:
    """Return a plan's jobs that are in Studio neither by this job folder nor by anybody else."""
    rows = connection.execute(
        "SELECT id FROM job WHERE plan_run=? AND state NOT IN (?, ?, ?) AND (? IS NULL OR cause=?)",
        (
            run,
            JobState.READY.value,
            JobState.EXISTING.value,
            # Confirmed, and not known to be processed: the poller asks, nothing is sent again.
            JobState.CONFIRMED.value,
            cause,
            cause,
        ),
    )
    return [row["id"] for row in rows]


def known_ids(connection: sqlite3.Connection, job: int) -> frozenset[str]:
    """Return every measurement id that this job was ever given."""
    rows = connection.execute(
        "SELECT json_extract(payload, '$.measurement_id') AS id FROM event "
        "WHERE job=? AND name IN ('Initiated', 'Confirmed')",
        (job,),
    )
    return frozenset(row["id"] for row in rows)


def find_job(connection: sqlite3.Connection, key: Iterable[str]) -> sqlite3.Row | None:
    """Return the row of a job by its names, None where the journal has none."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM job WHERE spec=? AND cell=? AND measurement=?", tuple(key)
    ).fetchone()
    return row
