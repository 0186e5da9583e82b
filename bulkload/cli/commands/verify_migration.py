"""What ``bulkload verify`` adds for a job that migrated databases: the proof and its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bulkload.cli.output.console import say
from bulkload.core.lifecycle import JobState
from bulkload.core.terms import JobKey
from bulkload.core.text import printable
from bulkload.databases.planned import read_facts
from bulkload.databases.proof import CSV_NAME, Delivered, SourceProof, prove_source, write_csv
from bulkload.databases.proof_page import PAGE_NAME, page
from bulkload.databases.run_databases import folders_of
from bulkload.engine.target import Target
from bulkload.engine.verify import VerifyReport
from bulkload.journal import JobRow, Store
from bulkload.journal.whole import WholeJob


def is_migration(job_dir: Path) -> bool:
    """Return whether a job has measurements of a database."""
    return any(read_facts(folder) is not None for folder in folders_of(job_dir).values())


def prove(job_dir: Path, whole: WholeJob, report: VerifyReport, target: Target) -> bool:
    """Prove a job's databases; return whether all of it is proved or explained.

    Side effects: ``migration.csv`` and ``migration.html`` in the job's folder.
    """
    checked_at = datetime.now(UTC)
    different = {one.key: one.message for one in report.differences}
    delivered = [
        _delivered(row, store, different, report, last_run=last.id)
        for store, last in whole.plans()
        for row in store.jobs()
    ]
    proofs = []
    for folder in folders_of(job_dir).values():
        facts = read_facts(folder)
        if facts is None:
            continue
        own = [one for one in delivered if one.path.parent == folder.absolute()]
        proofs.append(prove_source(folder.absolute(), facts, own, checked_at))
    write_csv(job_dir / CSV_NAME, proofs)
    text = page(
        proofs,
        job=job_dir.name,
        target=f"{target.url}, project {target.project_id or 'of the local Studio'}",
        checked_at=checked_at,
    )
    (job_dir / PAGE_NAME).write_text(text, "utf-8")
    _show(proofs, job_dir)
    return all(proof.is_proved for proof in proofs)


def _delivered(
    row: JobRow,
    store: Store,
    different: Mapping[JobKey, str],
    report: VerifyReport,
    *,
    last_run: int,
) -> Delivered:
    provenance: Mapping[str, Any] = store.read_provenance(row.id)
    words = different.get(row.key, "")
    is_created = row.state is JobState.READY
    # A record that was there before was read back when it was found, or not at all.
    was_compared = row.key in report.compared if is_created else row.content_digest is not None
    return Delivered(
        specification=row.spec,
        cell=row.cell,
        measurement=row.measurement,
        path=Path(row.path),
        is_delivered=is_created or row.state is JobState.EXISTING,
        message=row.message,
        rows=row.rows or 0,
        digest=row.stored_digest or row.content_digest or "",
        measurement_id=row.measurement_id or "",
        reading=provenance.get("migration"),
        rows_left_out=provenance.get("rows_left_out", 0),
        is_equal=not words if was_compared else None,
        difference=words,
        is_planned=row.plan_run == last_run,
    )


def _show(proofs: Sequence[SourceProof], job_dir: Path) -> None:
    console = Console()
    for proof in proofs:
        counts = ", ".join(f"{count:,} {status.value}" for status, count in proof.counts.items())
        say(console, printable(f"{proof.facts.url}: {counts or 'no measurement'}"))
        for row in proof.rows:
            if row["status"] not in {"proved", "left_out"}:
                name = f"{row['cell']} / {row['measurement']}"
                say(console, printable(f"  {name}: {row['status']}: {row['detail']}"))
        for one in (*proof.open_questions, *proof.exceptions):
            say(console, printable(f"  {one}"))
    say(console, f"proof: {job_dir / CSV_NAME}; to sign: {job_dir / PAGE_NAME}")
