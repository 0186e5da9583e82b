"""The tables of a pack, as rows: what was planned, what Studio was given, what was accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from bulkload.core.lifecycle import JobState
from bulkload.core.tally import outcome_of
from bulkload.journal import JobRow, Store
from bulkload.journal.acceptance import acceptances
from bulkload.journal.treatments import treatment_of
from bulkload.journal.whole import WholeJob

#: States of jobs whose record Studio holds.
_HELD = (JobState.READY, JobState.CONFIRMED, JobState.EXISTING)


def measurements(whole: WholeJob) -> Iterator[dict[str, Any]]:
    """Yield each measurement that the job ever planned, with what Studio holds of it.

    ``rows``, ``columns`` and ``content_digest`` are what Studio was given, or what a record that
    was there was compared with; they are null where that is not known.
    """
    for store in whole.stores():
        last = store.last_upload()
        roots = [] if last is None else last.settings.get("sources", [])
        for job in store.jobs():
            yield _measurement(store, job, roots)


def _measurement(store: Store, job: JobRow, roots: Sequence[str]) -> dict[str, Any]:
    kind, why = outcome_of(job.state, has_given_up=bool(job.has_given_up), is_waiting=False)
    is_held = job.state in _HELD
    digest = job.content_digest if job.state is JobState.EXISTING else job.stored_digest
    digest = (digest or job.content_digest) if is_held else None
    rows = job.stored_rows if job.state is not JobState.EXISTING else None
    return {
        "spec": job.spec,
        "cell": job.cell,
        "measurement": job.measurement,
        "type": job.job.type.value,
        "outcome": "not done" if kind is None else kind.value,
        "cause": job.cause or why,
        "path": job.path,
        "source": relative_source(job.path, roots),
        "source_bytes": job.source_bytes,
        "source_sha256": job.source_sha256 or None,
        "measurement_id": job.measurement_id if is_held else None,
        "rows": (job.rows if rows is None else rows) if digest else None,
        "columns": list(store.prepared_columns(job.id)) if digest else None,
        "content_digest": digest,
        "changes": json.loads(job.changes),
        "treatment": str(treatment_of(store, job.id)),
    }


def relative_source(path: str, roots: Sequence[str]) -> str:
    """Return where a source lies below the folder that was uploaded, with ``/`` on every system.

    Its own name where it lies below none: a plan may name files from anywhere.
    """
    folders = [folder for root in roots for folder in (PurePath(root), PurePath(root).parent)]
    for folder in folders:
        if PurePath(path) != folder and PurePath(path).is_relative_to(folder):
            return PurePath(path).relative_to(folder).as_posix()
    return PurePath(path).name


def plan_lines(whole: WholeJob) -> Iterator[dict[str, Any]]:
    """Yield the plan as the journal has it: specifications, cells, measurements, skips."""
    for store, last in whole.plans():
        for name, payload in store.specifications():
            yield {"kind": "specification", "name": name, "payload": payload}
        for spec, cell, payload in store.cells():
            yield {"kind": "cell", "spec": spec, "cell": cell, "payload": payload}
        for row in store.rows("jobs_planned", last.id):
            yield {"kind": "measurement", **json.loads(row[0])}
        for row in store.rows("account_skips"):
            yield {"kind": "skipped", "location": row["location"], "rule": row["rule"]}


def accepted_rows(whole: WholeJob) -> Iterator[dict[str, str | None]]:
    """Yield every acceptance on record, also those that were taken back."""
    for store in whole.stores():
        for one in acceptances(store):
            yield {
                "path": one.location,
                "spec": one.spec,
                "cell": one.cell,
                "measurement": one.measurement,
                "cause": one.cause,
                "message": one.message,
                "source_sha256": one.source_sha256,
                "reason": one.reason,
                "accepted_by": one.accepted_by,
                "accepted_at": moment(one.accepted_at),
                "taken_back_by": one.ended_by,
                "taken_back_at": moment(one.ended_at) if one.ended_at else None,
                "holds": "yes" if one.holds else "no",
            }


ACCEPTED_COLUMNS = (
    *("path", "spec", "cell", "measurement", "cause", "message", "source_sha256", "reason"),
    *("accepted_by", "accepted_at", "taken_back_by", "taken_back_at", "holds"),
)


def runs(whole: WholeJob) -> Iterator[dict[str, Any]]:
    """Yield every run of every part: its command, its settings and its times."""
    for folder, store in zip(whole.folders, whole.stores(), strict=True):
        for run in store.runs():
            yield {
                "part": folder.name if whole.is_divided else "",
                "run": run.id,
                "command": run.command,
                "settings": run.settings,
                "started": moment(run.started_at),
                "ended": run.ended_at and moment(run.ended_at),
            }


def moment(seconds: float) -> str:
    """Return seconds since 1970 as a date and time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "seconds")
