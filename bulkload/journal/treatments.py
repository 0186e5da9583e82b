"""What retries chose for single jobs, and what rejected sources have in common."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from bulkload.core.roots import RejectedSource, root_name
from bulkload.core.treatment import Treatment
from bulkload.journal.codec import dump
from bulkload.journal.store import Store


def treatment_of(store: Store, job: int) -> Treatment:
    """Return the treatment of a job, an empty one where none was chosen."""
    row = store.row("treatment_get", job)
    return Treatment() if row is None else _treatment(row["options"])


def has_treatments(store: Store) -> bool:
    """Return whether any job has a treatment."""
    return store.row("treatment_any") is not None


def put_treatment(store: Store, run: int, job: int, treatment: Treatment) -> None:
    """Keep what the retry ``run`` chose for a job; an empty treatment ends it."""
    if not treatment:
        store.write("treatment_delete", job)
    elif treatment != treatment_of(store, job):
        store.write("treatment_put", job, run, dump(asdict(treatment)))


def treatments(store: Store, run: int) -> Counter[str]:
    """Return how many measurements of a run's plan have each treatment, as options."""
    rows = store.rows("treatments", run)
    return Counter({str(_treatment(row["options"])): row["jobs"] for row in rows})


def _treatment(text: str) -> Treatment:
    kept = json.loads(text)
    lists = {name: tuple(kept[name]) for name in ("transforms", "skip_checks")}
    return Treatment(**kept | lists)


def rejected_sources(store: Store, run: int) -> Iterator[RejectedSource]:
    """Yield the sources of a run's plan that were rejected when they were read."""
    for row in store.rows("rejected_sources", run):
        yield RejectedSource(
            cause=row["cause"],
            message=row["message"],
            codes=_codes(row["findings"]),
            remedy=row["remedy"],
            tries=row["tries"],
            is_accepted=bool(row["is_accepted"]),
        )


def jobs_of_root(store: Store, run: int, name: str) -> list[int]:
    """Return the numbers of a plan's jobs whose findings are those of a root."""
    return [
        row["job"]
        for row in store.rows("rejected_sources", run)
        if root_name(row["cause"], _codes(row["findings"])) == name
    ]


def _codes(findings: str) -> tuple[str, ...]:
    return tuple(code for code, _ in json.loads(findings))
