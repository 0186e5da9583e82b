"""Files that hold several tests become several measurements, before anything of them is read.

Only kinds of files that can hold several are opened for it: workbooks, one sheet a channel, and
Arbin's databases. A file that cannot be opened stays one job: preparing it says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bulkload.core.job import PlanItem, Problem, UploadJob
from bulkload.core.plan import Rule
from bulkload.core.terms import MAX_NAME_LENGTH, MeasurementType
from bulkload.errors import UnreadableError

if TYPE_CHECKING:
    from bulkload.readers import ReadOptions

#: Endings of files that may hold several tests.
CONTAINERS: Final = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".res"})


def expand(items: Iterable[PlanItem], options: Callable[[], ReadOptions]) -> Iterator[PlanItem]:
    """Yield a plan with a job for each test in a file that holds several.

    Each is named after the file's measurement and the test: ``<measurement> <member>``.
    ``options`` is asked only where there is such a file: the readers take long to load.
    """
    for item in items:
        if isinstance(item, UploadJob) and _may_hold_several(item):
            yield from _tests_of(item, options())
        else:
            yield item


def _may_hold_several(job: UploadJob) -> bool:
    return (
        job.type is MeasurementType.TIME_SERIES
        and job.member is None
        and Path(job.path).suffix.lower() in CONTAINERS
    )


def _tests_of(job: UploadJob, options: ReadOptions) -> Iterator[PlanItem]:
    from bulkload.readers import list_members

    try:
        members = list_members(
            Path(job.path), replace(options, reader=job.reader or options.reader)
        )
    except (OSError, UnreadableError):
        members = ()
    if len(members) < 2:
        yield job
        return
    for member in members:
        name = f"{job.key.measurement} {member}"
        if len(name) > MAX_NAME_LENGTH:
            yield Problem(
                where=job.path,
                rule=Rule.NAME_TOO_LONG,
                message=f"{job.path}: the test {member!r} in it would be called by "
                f"{len(name)} characters, and {MAX_NAME_LENGTH} are allowed; give the file a "
                "shorter name, or name its tests in a manifest (column member)",
            )
        else:
            yield replace(job, key=job.key._replace(measurement=name), member=member)
