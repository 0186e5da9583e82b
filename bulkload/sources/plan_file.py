"""Write a plan as a manifest that carries what a rerun needs and says what it saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bulkload.core.plan_items import UploadJob
from bulkload.core.terms import JOINED
from bulkload.sources.columns import COLUMNS, Cell, row_of
from bulkload.sources.drift import seen_columns
from bulkload.sources.joining import parts_of
from bulkload.sources.plan_sheets import Carried, sheets_of
from bulkload.sources.writers import write_table

#: How a job stands in Studio, and its id there; empty where it has none.
Standings = Callable[[UploadJob], tuple[str, str]]


def write_plan(
    path: Path,
    jobs: Iterable[UploadJob],
    *,
    carried: Carried | None = None,
    standings: Standings | None = None,
) -> int:
    """Write jobs as a manifest, in the format of the path's ending; return their number.

    Each row says what its source was when it was seen, and with ``standings`` how its name
    stands in Studio. ``carried`` is what the plan needs beside its rows.

    Side effects: the file, and for a form without sheets files beside it, appear or replace older
    ones when the last job is written.
    """
    columns: tuple[str, ...] = (*COLUMNS, "size_bytes", "modified")
    if standings is None:
        rows = ({**row, **seen_columns(one)} for job in jobs for one, row in _rows(job))
    else:
        columns = (*columns, "in_studio", "studio_id")
        rows = (
            {
                **row,
                **seen_columns(one),
                **dict(zip(("in_studio", "studio_id"), standings(job), strict=True)),
            }
            for job in jobs
            for one, row in _rows(job)
        )
    return write_table(path, rows, columns, None if carried is None else sheets_of(carried))


def _rows(job: UploadJob) -> Iterator[tuple[UploadJob, dict[str, Cell]]]:
    """Yield the rows of a job, with the job that each states: one for each file of its test."""
    if job.reader != JOINED:
        yield job, row_of(job)
        return
    before: UploadJob | None = None
    for part in parts_of(job):
        yield part, {**row_of(part), "continues": None if before is None else before.path}
        before = part
