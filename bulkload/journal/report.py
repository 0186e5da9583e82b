"""The account of a run, counted from the journal alone."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from bulkload.core.campaign import CampaignFinding, check_campaign, summary_from_text
from bulkload.core.lifecycle import JobState
from bulkload.core.outcome import Outcome, OutcomeKind
from bulkload.core.plan_check import CONSEQUENCES
from bulkload.core.tally import RowLedger, outcome_of
from bulkload.core.terms import JobKey
from bulkload.core.text import shown
from bulkload.journal.rows import JobRow, RunRow
from bulkload.journal.store import Store

SUMMARY_NAME: Final = "summary.json"


def tally(store: Store, run: int, *, is_waiting: bool) -> tuple[Counter[OutcomeKind], Counter[str]]:
    """Return a plan's outcomes and its causes."""
    counts: Counter[OutcomeKind] = Counter()
    causes: Counter[str] = Counter()
    for group in store.rows("tally", run):
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
    for group in store.rows("tally_rejections", run):
        counts[OutcomeKind.REJECTED] += group["entries"]
        causes[group["cause"]] += group["entries"]
    for group in store.rows("tally_skips", run):
        counts[OutcomeKind.SKIPPED] += group["entries"]
        causes[group["rule"]] += group["entries"]
    return counts, causes


def row_ledger(store: Store, run: int, *, is_waiting: bool) -> RowLedger:
    """Return where the rows of a plan's files went, as far as the files have an outcome."""
    ended: Counter[OutcomeKind] = Counter()
    unknown: Counter[OutcomeKind] = Counter()
    read = left_out = 0
    for row in store.rows("row_ledger", run):
        kind, _ = outcome_of(
            JobState(row["state"]), has_given_up=bool(row["has_given_up"]), is_waiting=is_waiting
        )
        if kind is None:
            continue
        unknown[kind] += row["unknown"]
        read += row["rows"] + row["left_out"]
        left_out += row["left_out"]
        ended[kind] += row["stored_rows"] if kind is OutcomeKind.CREATED else row["rows"]
    # What the plan rejects is not read.
    for row in store.rows("tally_rejections", run):
        unknown[OutcomeKind.REJECTED] += row["entries"]
    return RowLedger(read=read, left_out=left_out, ended=ended, unknown=unknown)


def count_planned(store: Store, run: int) -> int:
    """Return how many entries a run's plan holds, as far as it is written."""
    row = store.row("count_planned", run)
    assert row is not None
    return int(row[0])


def examples(store: Store, run: int, each: int) -> list[Outcome]:
    """Return the first entries of each cause that did not arrive.

    The commonest cause comes first, and one that is mostly a consequence of another last.
    """
    counts: Counter[str] = Counter()
    for statement in ("causes", "tally_rejections"):
        for row in store.rows(statement, run):
            counts[row["cause"]] += row["entries"]
    order = sorted(counts.items(), key=lambda item: (item[0] in CONSEQUENCES, -item[1], item[0]))
    return [one for cause, _ in order for one in _examples_of(store, run, cause, each)]


def _examples_of(store: Store, run: int, cause: str, each: int) -> Iterator[Outcome]:
    for row in store.rows("jobs_of_cause", run, cause, each):
        yield outcome(JobRow._make(row))
    for row in store.rows("rejections_of_cause", run, cause, each):
        place, message = row["location"], row["message"]
        if row["entries"] > 1:
            message = f"{row['entries']:,} entries, such as {shown(place)}: {message}"
        elif place not in message:
            message = f"{place}: {message}"
        yield Outcome(
            key=JobKey("", "", ""),
            kind=OutcomeKind.REJECTED,
            path=place,
            cause=cause,
            message=message,
        )


def entries_of_cause(store: Store, run: int, cause: str) -> Iterator[tuple[str, str]]:
    """Yield path and message of each entry of a plan that has a cause, or that a rule left out."""
    for row in store.rows("list_of_cause", run, cause):
        yield row["path"], row["message"]


def outcome(row: JobRow, *, is_waiting: bool = True) -> Outcome:
    """Return the outcome of a job's row; an open job counts as failed and resumable."""
    kind, why = outcome_of(row.state, has_given_up=bool(row.has_given_up), is_waiting=is_waiting)
    return Outcome(
        key=row.key,
        kind=kind or OutcomeKind.FAILED,
        path=row.path,
        measurement_id=row.measurement_id,
        cause=row.cause or why,
        message=row.message,
        is_resumable=kind is None or bool(row.has_given_up),
    )


@dataclass(frozen=True, slots=True)
class Remark:
    """Something said of measurements that were prepared: a warning, or a transform's change."""

    word: str
    count: int
    examples: tuple[str, ...]


def warnings(store: Store, run: int, each: int) -> list[Remark]:
    """Return the warnings of a plan's measurements by code, the commonest first."""
    found: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for row in store.rows("warnings", run):
        for code, message in json.loads(row["warnings"]):
            counts[code] += 1
            if len(kept := found.setdefault(code, [])) < each:
                kept.append(f"{row['path']}: {message}")
    return [Remark(code, count, tuple(found[code])) for code, count in counts.most_common()]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionEvidence:
    """The files in which one evidence settled a decision, and an example."""

    evidence: str
    files: int
    rows: int
    example: str
    #: Names of columns or header fields with their numbers of files, the commonest first.
    columns: tuple[tuple[str, int], ...] = ()
    #: Names beyond those.
    more_columns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A decision of the readers, over all files of a plan."""

    code: str
    #: The commonest first.
    by_evidence: tuple[DecisionEvidence, ...]


def decisions(store: Store, run: int, names_each: int) -> list[Change]:
    """Return what the readers decided about a plan's files.

    At most ``names_each`` columns are named for each evidence.
    """
    columns: dict[tuple[str, str], list[tuple[str, int]]] = {}
    more: Counter[tuple[str, str]] = Counter()
    for row in store.rows("decision_columns", run):
        settled = row["code"], row["evidence"]
        if len(kept := columns.setdefault(settled, [])) < names_each:
            kept.append((row["name"], row["files"]))
        else:
            more[settled] += 1
    return [
        Change(
            code=code,
            by_evidence=tuple(
                DecisionEvidence(
                    evidence=row["evidence"],
                    files=row["files"],
                    rows=row["rows"],
                    example=f"{row['path']}: {row['detail']}",
                    columns=tuple(columns.get((code, row["evidence"]), ())),
                    more_columns=more[code, row["evidence"]],
                )
                for row in rows
            ),
        )
        for code, rows in groupby(store.rows("decisions", run), key=lambda row: str(row["code"]))
    ]


def changes(store: Store, run: int) -> Counter[str]:
    """Return how many measurements each transform changed."""
    return Counter({row["value"]: row["jobs"] for row in store.rows("changes", run)})


def findings(store: Store, run: int) -> Iterator[tuple[str, CampaignFinding]]:
    """Yield what the files of each cell of a plan show together, with the cell's names."""
    rows = store.rows("summaries", run)
    for (spec, cell), jobs in groupby(rows, key=lambda row: (row["spec"], row["cell"])):
        names, summaries = [], []
        for row in jobs:
            names.append(row["measurement"])
            if row["summary"] is not None:
                summaries.append(summary_from_text(row["summary"]))
        for finding in check_campaign(summaries, names):
            yield f"{spec} / {cell}", finding


def write_references(plans: Iterable[tuple[Store, RunRow]], path: Path) -> None:
    """Write a table of the last plan's measurements that are in Studio, with their ids."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("spec", "cell", "measurement", "id", "reference"))
        for store, last in plans:
            for row in store.rows("references", last.id):
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
