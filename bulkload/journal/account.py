"""The account of a job: every entry of its source with how it ended, as rows of a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bulkload.core.lifecycle import JobState, SourceRejected
from bulkload.core.outcome import LOST, OutcomeKind
from bulkload.core.tally import outcome_of
from bulkload.journal.acceptance import Acceptance, acceptance_of
from bulkload.journal.rows import JobRow
from bulkload.journal.store import Store
from bulkload.journal.treatments import treatment_of

ACCOUNT_NAME: Final = "account.csv"
ACCOUNT_COLUMNS: Final = (
    *("path", "spec", "cell", "measurement", "outcome", "measurement_id", "cause", "message"),
    *("findings", "changes", "rows", "source_bytes", "source_modified", "source_sha256"),
    *("content_digest", "began", "ended", "verified", "verify_result", "in_plan"),
    *("accepted", "accepted_by", "accepted_because", "remedy", "treatment"),
)
#: Every proof is kept under its time; the newest is also ``verify.json``.
PROOFS: Final = "verify-*.json"


@dataclass(frozen=True, slots=True)
class Proof:
    """When a measurement was last read back, and with what result."""

    at: str
    result: str


def proofs(job_dir: Path) -> Mapping[str, Proof]:
    """Return the last proof of each measurement by its id, from the proofs that a job keeps."""
    found: dict[str, Proof] = {}
    for path in sorted(job_dir.glob(PROOFS)):
        kept = json.loads(path.read_text("utf-8"))
        for one in kept["list"]:
            found[one["measurement_id"]] = Proof(kept["date"], one["result"])
    return found


def account_rows(
    store: Store, run: int, proved: Mapping[str, Proof], *, is_waiting: bool = True
) -> Iterator[dict[str, Any]]:
    """Yield a row for each entry that the job ever planned, the last plan's and earlier ones'.

    ``run`` is the newest run that had a plan. What an earlier plan held and this one does not
    has ``in_plan`` "no".
    """
    for job in store.jobs():
        yield _of_job(store, job, run, proved, is_waiting=is_waiting)
    for row in store.rows("account_rejections"):
        yield {
            "path": row["location"],
            "outcome": OutcomeKind.REJECTED.value,
            "cause": row["cause"],
            "message": row["message"],
            "in_plan": _yes_no(row["plan_run"] == run),
            **_accepted(None if row["reason"] is None else Acceptance._make(row[4:])),
        }
    for row in store.rows("account_skips"):
        yield {
            "path": row["location"],
            "outcome": OutcomeKind.SKIPPED.value,
            "cause": row["rule"],
            "in_plan": _yes_no(row["plan_run"] == run),
        }


def _of_job(
    store: Store, job: JobRow, run: int, proved: Mapping[str, Proof], *, is_waiting: bool
) -> dict[str, Any]:
    kind, why = outcome_of(job.state, has_given_up=bool(job.has_given_up), is_waiting=is_waiting)
    times = store.row("account_times", job.id)
    assert times is not None
    proof = proved.get(job.measurement_id or "")
    source = store.last_read(job.id) if job.state is JobState.REJECTED else None
    rejected = source if isinstance(source, SourceRejected) else None
    findings = rejected.findings if rejected else json.loads(job.warnings)
    return {
        "path": job.job.place,
        "spec": job.spec,
        "cell": job.cell,
        "measurement": job.measurement,
        "outcome": "not done" if kind is None else kind.value,
        "measurement_id": _id_in_studio(job),
        "cause": job.cause or why or None,
        "message": job.message or None,
        "findings": "; ".join(f"{code}: {text}" for code, text in findings) or None,
        "changes": "; ".join([*_decided(store, job), *json.loads(job.changes)]) or None,
        "rows": _text(job.rows),
        "source_bytes": _text(job.source_bytes),
        "source_modified": _moment(job.source_mtime_ns and job.source_mtime_ns / 1e9),
        "source_sha256": job.source_sha256,
        "content_digest": job.content_digest,
        "began": _moment(times["began"]),
        "ended": _moment(times["ended"]),
        "verified": proof and proof.at,
        "verify_result": proof and proof.result,
        "in_plan": _yes_no(job.plan_run == run),
        **_accepted(acceptance_of(store, job.id) if kind in LOST else None),
        "remedy": (rejected and rejected.remedy) or None,
        "treatment": str(treatment_of(store, job.id)) or None,
    }


def _accepted(mark: Acceptance | None) -> dict[str, str | None]:
    if mark is None:
        return {}
    return {
        "accepted": _moment(mark.accepted_at),
        "accepted_by": mark.accepted_by,
        "accepted_because": mark.reason,
    }


def _id_in_studio(job: JobRow) -> str | None:
    """Return the id of a record that is there: an id that was only given leads nowhere."""
    is_there = job.state in (JobState.CONFIRMED, JobState.READY, JobState.EXISTING)
    return job.measurement_id if is_there else None


def _moment(seconds: float | None) -> str | None:
    return None if not seconds else datetime.fromtimestamp(seconds, UTC).isoformat(" ", "seconds")


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _yes_no(is_so: bool) -> str:  # noqa: FBT001
    return "yes" if is_so else "no"


def _decided(store: Store, job: JobRow) -> list[str]:
    """Return what the reader decided about a job's source, where it was read as it is now."""
    if job.content_digest is None and job.state is not JobState.REJECTED:
        return []
    found = store.read_provenance(job.id).get("decisions", ())
    return [f"{one['code']}: {one['detail']}" for one in found]
