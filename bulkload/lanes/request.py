"""What is asked of a run: on one journal in this process, or on several with lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.request import JobRequest, RunRequest
from bulkload.engine.studios import opener
from bulkload.engine.target import RunningStudio
from bulkload.journal import Store
from bulkload.journal.parts import JobLayout
from bulkload.lanes.planning import PartPlanner

#: Is called for each entry that a plan finds.
OnEntry = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LanesRequest(JobRequest):
    """A job of several parts, or a shard of it, and the lanes to run it with."""

    layout: JobLayout
    #: The parts that this run concerns: all of them, or those of a shard.
    parts: tuple[int, ...]
    #: Whether they are a shard: then the job's own account is left to who sees all parts.
    is_shard: bool
    lanes: int
    #: The Dask cluster that runs the parts: an address, or ``local``. None for lanes of this
    #: machine.
    dask: str | None
    #: The local Studio that stands in for the target, None where the environment leads to it.
    studio: RunningStudio | None
    #: Plans these parts.
    make_plan: Callable[[OnEntry], PlanAccount]


def with_lanes(
    job: JobRequest,
    layout: JobLayout,
    *,
    lanes: int,
    studio: RunningStudio | None,
    make_plan: Callable[[PartPlanner, OnEntry], PlanAccount],
    shard: Sequence[int] | None = None,
    dask: str | None = None,
) -> LanesRequest:
    """Return a request for lanes to run a job: all of its parts, or those of a shard."""
    parts = tuple(range(layout.parts) if shard is None else shard)
    planner = PartPlanner(job, layout, parts)
    return LanesRequest(
        **_fields_of(job),
        layout=layout,
        parts=parts,
        is_shard=shard is not None,
        lanes=lanes,
        dask=dask,
        studio=studio,
        make_plan=lambda on_entry: make_plan(planner, on_entry),
    )


def without_lanes(
    job: JobRequest,
    *,
    studio: RunningStudio | None,
    make_plan: Callable[[Store, int, OnEntry], PlanAccount],
) -> RunRequest:
    """Return a request to run a job of one part in this process."""
    open_studio = opener(studio, job.target)
    return RunRequest(**_fields_of(job), make_plan=make_plan, open_studio=open_studio)


def _fields_of(job: JobRequest) -> dict[str, Any]:
    return {one.name: getattr(job, one.name) for one in fields(JobRequest)}
