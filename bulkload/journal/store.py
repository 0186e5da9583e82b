"""What may be asked of a job folder's journal, and written into it. Synchronous; one writer.

A transaction holds an event and the row that follows from it, so that a crash between the two
cannot be seen. The statements are in ``queries.sql``, the file itself is ``database.py``'s.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self

from bulkload.core.lifecycle import Act, Attempting, JobState, SourcePrepared, SourceRejected
from bulkload.core.plan_items import CellMetadata, Skip, Specification, UploadJob
from bulkload.core.terms import JobKey
from bulkload.errors import JournalError
from bulkload.journal.codec import dump, event_from_text, event_to_text, job_from_text
from bulkload.journal.database import connect
from bulkload.journal.logged import LoggedConnection
from bulkload.journal.queries import SQL
from bulkload.journal.rows import Gone, JobRow, Parent, RunRow


class Store:
    """An open journal. Every method raises ``JournalError`` where the file fails."""

    def __init__(self, path: Path | None, *, is_read_only: bool = False) -> None:
        """Open the journal of a folder by the path of its file; None keeps a temporary one."""
        self._connection = connect(path, is_read_only=is_read_only)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def torn_bytes(self) -> int:
        """Bytes of a record cut short by a crash, removed when the journal was opened."""
        connection = self._connection
        return connection.torn_bytes if isinstance(connection, LoggedConnection) else 0

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all writes of the block durable together, or none of them."""
        with _failing("written"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, statement: str, *values: object) -> Iterator[sqlite3.Row]:
        """Yield the rows of a statement as they are read."""
        with _failing("read"):
            yield from self._connection.execute(SQL[statement], values)

    def row(self, statement: str, *values: object) -> sqlite3.Row | None:
        """Return the first row of a statement."""
        # Written out, here and below: a context manager costs more than most statements.
        try:
            found: sqlite3.Row | None = self._connection.execute(SQL[statement], values).fetchone()
        except sqlite3.Error as error:
            raise _failure("read", error) from error
        return found

    def write(
        self, statement: str, *values: object, columns: tuple[str, ...] = ()
    ) -> sqlite3.Cursor:
        """Carry out a statement; ``columns`` are those that it assigns, where it does not say."""
        try:
            return self._connection.execute(
                _assigning(statement, columns) if columns else SQL[statement], values
            )
        except sqlite3.Error as error:
            raise _failure("written", error) from error

    # -- Runs -------------------------------------------------------------------------------

    def begin_run(self, command: str, settings: Mapping[str, Any], at: float) -> int:
        """Record a new run and return its number; ``at`` in seconds since 1970."""
        number = self.write("run_insert", command, dump(dict(settings)), at).lastrowid
        assert number is not None
        return number

    def end_run(self, run: int, at: float, summary: Mapping[str, Any]) -> None:
        """Record how a run ended."""
        self.write("run_end", at, dump(dict(summary)), run)

    def last_run(self) -> RunRow | None:
        """Return the newest run."""
        row = self.row("run_last")
        return None if row is None else RunRow._make(row)

    def last_upload(self) -> RunRow | None:
        """Return the newest run that had a plan."""
        row = self.row("run_last_upload")
        return None if row is None else RunRow._make(row)

    # -- The plan ---------------------------------------------------------------------------

    def put_specification(self, item: Specification) -> None:
        """Keep a specification of the plan."""
        self.write("specification_put", item.name, dump(dict(item.payload)), item.origin)

    def specification(self, name: str) -> Mapping[str, Any] | None:
        """Return the payload of a specification of the plan."""
        return self._payload("specification_get", name)

    def put_cell(self, item: CellMetadata) -> None:
        """Keep the metadata that the plan states of a cell."""
        self.write("cell_put", item.spec, item.cell, dump(dict(item.payload)))

    def cell(self, spec: str, cell: str) -> Mapping[str, Any] | None:
        """Return the metadata that the plan states of a cell."""
        return self._payload("cell_get", spec, cell)

    def _payload(self, statement: str, *values: str) -> Mapping[str, Any] | None:
        row = self.row(statement, *values)
        return None if row is None else json.loads(row[0])

    def specifications(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the specifications of the plans, each with its payload."""
        return ((row[0], json.loads(row[1])) for row in self.rows("specifications"))

    def cells(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Yield what the plans state of cells: specification, cell and payload."""
        return ((row[0], row[1], json.loads(row[2])) for row in self.rows("cells"))

    def begin_spellings(self) -> None:
        """Forget the spellings of an earlier plan."""
        self.write("spellings_table")
        self.write("spellings_clear")

    def put_spellings(self, names: Sequence[tuple[JobKey, str]]) -> list[int]:
        """Keep names with those without their case; return which differ from an earlier one.

        The numbers returned are places in ``names``.
        """
        text = json.dumps([(key.spec, key.cell, folded, key.measurement) for key, folded in names])
        if self.write("spellings_put", text).rowcount == len(names):
            return []
        return [row[0] for row in self.rows("spellings_other", text)]

    def add_job(self, run: int, job: UploadJob, payload: str, options_digest: str) -> bool:
        """Add a job; False where the journal knows one of its names, which stays as it is."""
        state = JobState.PLANNED.value
        values = (*job.key, job.path, payload, run, options_digest, state)
        return self.write("job_insert", *values).rowcount > 0

    def take_unchanged(self, run: int, jobs: Sequence[int]) -> None:
        """Take known jobs into this run's plan, which states them as they are known."""
        self.write("jobs_unchanged", run, json.dumps(jobs))

    def replan_job(
        self, run: int, job: int, *, path: str, payload: str, options_digest: str
    ) -> None:
        """Take a known job into this run's plan, as the plan states it now."""
        self.write("job_replan", run, path, payload, options_digest, job)

    def put_skip(self, run: int, item: Skip) -> bool:
        """Keep an entry that a rule leaves out; False where this run's plan holds it already."""
        return self.write("skip_put", item.where, item.rule, run).rowcount > 0

    def is_rejection_known(self, location: str, cause: str) -> bool:
        """Return whether this plan or the one before it rejects an entry for this cause."""
        return self.row("rejection_known", location, cause) is not None

    def put_rejection(self, run: int, location: str, cause: str, message: str) -> bool:
        """Keep why an entry is not sent; False where this run's plan holds the entry already.

        Then the message is added to the entry's: all that is wrong with it stands in one place.
        """
        row = self.row("rejection_get", location, run)
        if row is None:
            self.write("rejection_put", location, cause, message, run)
        elif message not in row["message"]:
            self.write("rejection_add", f"{row['message']}; {message}", location)
        return row is None

    def has_skip(self, run: int, rule: str) -> bool:
        """Return whether a run's plan leaves an entry out by a rule."""
        return self.row("skip_by_rule", run, rule) is not None

    def plan_before(self, run: int) -> int | None:
        """Return the newest run before this one that had a plan."""
        found: int | None = self._one("plan_before", run)
        return found

    def take_over_plan(self, run: int, before: int | None) -> tuple[int, int, int]:
        """Make an earlier run's plan this one's; return its numbers of jobs, skips, rejections."""
        statements = ("plan_take_jobs", "plan_take_skips", "plan_take_rejections")
        jobs, skips, rejected = (self.write(one, run, before).rowcount for one in statements)
        return jobs, skips, rejected

    def try_again(self, run: int) -> None:
        """Have the jobs of a run's plan that were given up begin again."""
        self.write("plan_try_again", run)

    # -- Jobs -------------------------------------------------------------------------------

    def find_job(self, key: JobKey) -> JobRow | None:
        """Return a job by its names."""
        row = self.row("job_find", *key)
        return None if row is None else JobRow._make(row)

    def get_job(self, job: int) -> JobRow:
        """Return a job by its number."""
        row = self.row("job_get", job)
        assert row is not None
        return JobRow._make(row)

    def named(self, text: str, path: str) -> list[JobRow]:
        """Return the jobs with this name or id in Studio, or of the file at ``path``."""
        return [JobRow._make(row) for row in self.rows("jobs_named", text, path)]

    def last_read(self, job: int) -> SourcePrepared | SourceRejected | None:
        """Return what is known of a job's source as it was last read."""
        row = self.row("last_read", job)
        if row is None:
            return None
        event = event_from_text(row["name"], row["payload"])
        assert isinstance(event, SourcePrepared | SourceRejected)
        return event

    def history(self, job: int) -> list[tuple[float, str]]:
        """Return what happened to a job: seconds since 1970 and the name of each event."""
        return [(row["at"], row["name"]) for row in self.rows("history", job)]

    def jobs(self) -> Iterator[JobRow]:
        """Yield all jobs, of whatever plan."""
        return map(JobRow._make, self.rows("jobs"))

    def planned(self, run: int) -> Iterator[UploadJob]:
        """Yield the jobs of a run's plan as the plan states them, in its order."""
        return (job_from_text(row[0]) for row in self.rows("jobs_planned", run))

    def count_parents(self, run: int) -> tuple[int, int]:
        """Return how many specifications and how many cells a run's plan has."""
        row = self.row("count_parents", run)
        assert row is not None
        return row["specs"], row["cells"]

    def cells_with_work(self, run: int) -> Iterator[tuple[str, str]]:
        """Yield the cells that have open jobs in this run's plan as ``(spec, cell)``, in order."""
        last = ("", "")
        while page := list(self.rows("cells_with_work", run, *last)):
            for row in page:
                last = (row["spec"], row["cell"])
                yield last

    def open_jobs(self, run: int, spec: str, cell: str) -> list[JobRow]:
        """Return the jobs of a cell that are not final, in the order of the plan."""
        return [JobRow._make(row) for row in self.rows("jobs_of_cell", run, spec, cell)]

    def count_open(self, run: int) -> int:
        """Return how many jobs of a run's plan are not final."""
        return int(self._one("count_open", run))

    def rejection_causes(self, run: int) -> frozenset[str]:
        """Return why jobs of a run's plan are rejected."""
        return frozenset(row[0] for row in self.rows("rejection_causes", run))

    def unsettled(self, run: int) -> list[int]:
        """Return the jobs of a run's plan that may have to begin again, with the same source."""
        return [row[0] for row in self.rows("unsettled", run)]

    def interrupted(self, run: int) -> list[int]:
        """Return the jobs of a plan that were begun and have not ended."""
        return [row["id"] for row in self.rows("interrupted", run)]

    def not_arrived(self, run: int, cause: str | None) -> list[int]:
        """Return the numbers of a plan's jobs that are not in Studio, all or those of a cause."""
        return [row["id"] for row in self.rows("jobs_not_arrived", run, cause)]

    def runs(self) -> Iterator[RunRow]:
        """Yield all runs, oldest first."""
        return map(RunRow._make, self.rows("runs"))

    def runs_of_jobs(self) -> dict[int, int]:
        """Return the run that made the measurement of each job."""
        return {row["job"]: row["run"] for row in self.rows("runs_of_jobs")}

    def runs_of_parents(self) -> dict[tuple[str, str], int]:
        """Return the run that made each parent, by its kind and id."""
        return {(row["kind"], row["id"]): row["run"] for row in self.rows("runs_of_parents")}

    def created(self) -> Iterator[JobRow]:
        """Yield the measurements that this job folder made, of whatever plan."""
        return map(JobRow._make, self.rows("jobs_created"))

    def created_ids(self) -> list[int]:
        """Return the numbers of the jobs whose measurements this job folder made."""
        return [row["id"] for row in self.rows("job_ids_created")]

    def existing_ids(self) -> list[int]:
        """Return the numbers of the jobs whose measurements were in Studio before them."""
        return [row["id"] for row in self.rows("job_ids_existing")]

    def count_existing(self) -> int:
        """Return how many measurements were in Studio before this job folder came to them."""
        return int(self._one("count_existing"))

    def count_jobs(self, run: int | None = None) -> int:
        """Return how many jobs a run's plan has, or all plans together."""
        return int(self._one("count_jobs", run))

    def gone(self, run: int, limit: int, since: int) -> Gone:
        """Return what earlier plans brought into Studio and this one does not hold.

        ``since`` is the last run that gave an account.
        """
        rows = list(self.rows("gone", run, limit, since))
        names = tuple(str(JobKey(*row[:3])) for row in rows)
        return Gone(rows[0]["total"], names, rows[0]["newly"]) if rows else Gone()

    def count_state(self, run: int, state: JobState) -> int:
        """Return how many jobs of a plan are in a state."""
        return int(self._one("count_state", run, state.value))

    def prepared_columns(self, job: int) -> tuple[str, ...]:
        """Return the columns of a job's table as it was last prepared."""
        row = self.row("prepared_columns", job)
        return () if row is None else tuple(json.loads(row[0]))

    def read_provenance(self, job: int) -> Mapping[str, Any]:
        """Return the provenance of a job's source as it was last read."""
        row = self.row("read_provenance", job)
        found: Mapping[str, Any] = {} if row is None or not row[0] else json.loads(row[0])
        return found

    def known_ids(self, job: int) -> frozenset[str]:
        """Return every measurement id that Studio ever gave this job."""
        return frozenset(row[0] for row in self.rows("known_ids", job))

    def has_attempted(self, job: int, act: Act) -> bool:
        """Return whether a job was ever about to send an act."""
        return self.row("attempted", job, event_to_text(Attempting(act=act))) is not None

    # -- What else this job folder made in Studio -------------------------------------------

    def raw_data_id(self, sha256: str) -> str | None:
        """Return the raw file in Studio that holds these bytes."""
        row = self.row("raw_data_get", sha256)
        return None if row is None else str(row[0])

    def put_raw_data(self, sha256: str, raw_data_id: str) -> None:
        """Keep which raw file in Studio holds these bytes."""
        self.write("raw_data_put", sha256, raw_data_id)

    def put_parent(self, run: int, parent: Parent) -> None:
        """Keep a parent that this run made."""
        self.write("parent_put", *parent, run)

    def parents(self) -> list[Parent]:
        """Return the parents that this job folder made."""
        return [Parent._make(row) for row in self.rows("parents")]

    def drop_parent(self, kind: str, parent_id: str) -> None:
        """Forget a parent that was deleted."""
        self.write("parent_delete", kind, parent_id)

    def _one(self, statement: str, *values: object) -> Any:
        row = self.row(statement, *values)
        assert row is not None
        return row[0]


@contextmanager
def _failing(act: str) -> Iterator[None]:
    """Raise what SQLite reports as ``JournalError``."""
    try:
        yield
    except sqlite3.Error as error:
        raise _failure(act, error) from error


def _failure(act: str, error: sqlite3.Error) -> JournalError:
    return JournalError(f"the journal cannot be {act}: {error}")


@cache
def _assigning(statement: str, columns: tuple[str, ...]) -> str:
    """Return a statement that assigns columns: made once for each set that events assign."""
    # The column names are ours: no text from outside is joined into SQL.
    return SQL[statement].format(assignments=", ".join(f"{name}=?" for name in columns))
