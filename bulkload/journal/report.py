"""The account of a run, taken from the journal: what the summary says is what was written."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bulkload.core.lifecycle import JobState
from bulkload.core.outcome import Outcome, OutcomeKind
from bulkload.core.tally import RowLedger, outcome_of
from bulkload.core.terms import JobKey

SUMMARY_NAME: Final = "summary.json"


#: Rows of jobs by how they ended. What a reader left out is in the last event that tells of a
#: reading.
_ROWS: Final = """
SELECT state, has_given_up, COUNT(*) - COUNT(rows) AS unknown,
    COALESCE(SUM(rows), 0) AS rows, COALESCE(SUM(stored_rows), 0) AS stored_rows,
    COALESCE(SUM(CASE WHEN rows IS NOT NULL THEN (
        SELECT COALESCE(json_extract(payload, '$.rows_left_out'), 0) FROM event
        WHERE event.job = job.id AND name IN ('SourcePrepared', 'SourceRejected')
        ORDER BY event.id DESC LIMIT 1
    ) END), 0) AS left_out
FROM job WHERE plan_run=? GROUP BY state, has_given_up
"""


def tally(
    reader: sqlite3.Connection, run: int, *, is_waiting: bool
) -> tuple[Counter[OutcomeKind], Counter[str]]:
    """Return a plan's outcomes and its causes."""
    counts: Counter[OutcomeKind] = Counter()
    causes: Counter[str] = Counter()
    query = (
        "SELECT state, has_given_up, cause, COUNT(*) AS jobs "
        "FROM job WHERE plan_run=? GROUP BY state, has_given_up, cause"
    )
    for group in reader.execute(query, (run,)):
        kind, why = outcome_of(
            JobState(group["state"]),
            has_given_up=bool(group["has_given_up"]),
            is_waiting=is_waiting,
        )
        cause = group["cause"] or why
        if cause:
            causes[cause] += group["jobs"]
        if kind is not None:
            counts[kind] += group["jobs"]
    skipped = reader.execute(
        "SELECT rule, COUNT(*) AS entries FROM skip WHERE plan_run=? GROUP BY rule", (run,)
    )
    for group in skipped:
        counts[OutcomeKind.SKIPPED] += group["entries"]
        causes[group["rule"]] += group["entries"]
    return counts, causes


def row_ledger(reader: sqlite3.Connection, run: int, *, is_waiting: bool) -> RowLedger:
    """Return where the rows of a plan's files went, as far as the files have an outcome."""
    ended: Counter[OutcomeKind] = Counter()
    unknown: Counter[OutcomeKind] = Counter()
    read = left_out = 0
    for row in reader.execute(_ROWS, (run,)):
        kind, _ = outcome_of(
            JobState(row["state"]), has_given_up=bool(row["has_given_up"]), is_waiting=is_waiting
        )
        if kind is None:
            continue
        unknown[kind] += row["unknown"]
        read += row["rows"] + row["left_out"]
        left_out += row["left_out"]
        ended[kind] += row["stored_rows"] if kind is OutcomeKind.CREATED else row["rows"]
    return RowLedger(read=read, left_out=left_out, ended=ended, unknown=unknown)


def count_planned(reader: sqlite3.Connection, run: int) -> int:
    """Return how many entries a run's plan holds, as far as it is written."""
    query = (
        "SELECT (SELECT COUNT(*) FROM job WHERE plan_run=?) "
        "+ (SELECT COUNT(*) FROM skip WHERE plan_run=?)"
    )
    return int(reader.execute(query, (run, run)).fetchone()[0])


def examples(reader: sqlite3.Connection, run: int, each: int) -> list[Outcome]:
    """Return the first jobs of each cause that did not arrive, the commonest cause first."""
    causes = reader.execute(
        "SELECT cause FROM job WHERE plan_run=? AND cause<>'' GROUP BY cause "
        "ORDER BY COUNT(*) DESC, cause",
        (run,),
    ).fetchall()
    return [
        outcome(row)
        for group in causes
        for row in reader.execute(
            "SELECT * FROM job WHERE plan_run=? AND cause=? ORDER BY id LIMIT ?",
            (run, group["cause"], each),
        )
    ]


def outcome(row: sqlite3.Row, *, is_waiting: bool = True) -> Outcome:
    """Return the outcome of a job's row; an open job counts as failed and resumable."""
    state = JobState(row["state"])
    kind, why = outcome_of(state, has_given_up=bool(row["has_given_up"]), is_waiting=is_waiting)
    return Outcome(
        key=JobKey(row["spec"], row["cell"], row["measurement"]),
        kind=kind or OutcomeKind.FAILED,
        path=row["path"],
        measurement_id=row["measurement_id"],
        cause=row["cause"] or why,
        message=row["message"],
        is_resumable=kind is None or bool(row["has_given_up"]),
    )


@dataclass(frozen=True, slots=True)
class Remark:
    """Something said of measurements that were prepared: a warning, or a transform's change."""

    word: str
    count: int
    examples: tuple[str, ...]


def warnings(reader: sqlite3.Connection, run: int, each: int) -> list[Remark]:
    """Return the warnings of a plan's measurements by code, the commonest first."""
    found: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    rows = reader.execute(
        "SELECT path, warnings FROM job WHERE plan_run=? AND warnings<>'[]' ORDER BY id", (run,)
    )
    for row in rows:
        for code, message in json.loads(row["warnings"]):
            counts[code] += 1
            if len(kept := found.setdefault(code, [])) < each:
                kept.append(f"{row['path']}: {message}")
    return [Remark(code, count, tuple(found[code])) for code, count in counts.most_common()]


def changes(reader: sqlite3.Connection, run: int) -> Counter[str]:
    """Return how many measurements each transform changed."""
    rows = reader.execute(
        "SELECT value, COUNT(*) AS jobs FROM job, json_each(job.changes) WHERE plan_run=? "
        "GROUP BY value",
        (run,),
    )
    return Counter({row["value"]: row["jobs"] for row in rows})


def write_references(reader: sqlite3.Connection, path: Path) -> None:
    """Write a table of the last plan's measurements that are in Studio, with their ids."""
    query = (
        "SELECT spec, cell, measurement, measurement_id FROM job WHERE state IN (?, ?) "
        "AND plan_run=(SELECT MAX(plan_run) FROM job) ORDER BY spec, cell, id"
    )
    states = (JobState.READY.value, JobState.EXISTING.value)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("spec", "cell", "measurement", "id", "reference"))
        for row in reader.execute(query, states):
            table.writerow((*row, f"db:{row['measurement_id']}"))


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write JSON so that the file is whole, or as it was before."""
    scratch = path.with_name(path.name + ".part")
    with scratch.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
