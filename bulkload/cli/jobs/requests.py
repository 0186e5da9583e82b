"""Requests for runs: with lanes where a job has several parts, else without."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from bulkload.cli.options.lanes import LaneOptions
from bulkload.core.plan_items import PlanItem
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.planning import planner
from bulkload.engine.request import JobRequest, RunRequest
from bulkload.engine.target import RunningStudio
from bulkload.errors import SettingsError
from bulkload.journal import Store
from bulkload.journal.parts import read_layout
from bulkload.lanes.planning import PartPlanner, layout_for
from bulkload.lanes.request import LanesRequest, OnEntry, with_lanes, without_lanes
from bulkload.sources.listings import Listings


def request_of(
    job: JobRequest,
    read: Callable[[], Iterable[PlanItem]],
    lane_options: LaneOptions,
    *,
    studio: RunningStudio | None,
    goes_on: bool,
    listings: Listings | None = None,
) -> RunRequest | LanesRequest:
    """Return a request to plan a job from its sources and run it, with lanes or without.

    ``listings`` is where ``read`` notes what folders hold, None where it does not.
    """
    layout = layout_for(
        job.job_dir,
        lane_options.parts,
        sources=job.sources,
        target=job.target,
        default=lambda: lane_options.new_parts(read),
    )
    if layout is None and lane_options.dask is not None:
        raise SettingsError(
            f"--dask: {job.job_dir} is a job of one part, which one process runs: leave out "
            "--dask, or give --job another folder and --parts N"
        )
    if layout is None:
        make_plan = planner(
            read, job.settings, job.sources, job.job_dir, goes_on=goes_on, listings=listings
        )
        return without_lanes(job, studio=studio, make_plan=make_plan)
    if job.log_path is not None:
        raise SettingsError(
            f"--log-json: {job.job_dir} has {layout.parts} parts, and each keeps its own log"
        )
    return with_lanes(
        job,
        layout,
        lanes=lane_options.count(),
        dask=lane_options.dask,
        studio=studio,
        make_plan=partial(PartPlanner.from_sources, read=read, goes_on=goes_on),
    )


def request_again(
    job: JobRequest,
    make_plan: Callable[[Store, int, OnEntry], PlanAccount],
    lane_options: LaneOptions,
    *,
    studio: RunningStudio | None,
) -> RunRequest | LanesRequest:
    """Return a request to take up the plan that each journal has, as ``make_plan`` does."""
    layout = read_layout(job.job_dir)
    if layout is None:
        return without_lanes(job, studio=studio, make_plan=make_plan)
    return with_lanes(
        job,
        layout,
        lanes=lane_options.count(),
        studio=studio,
        make_plan=lambda planner, _: planner.from_journals(make_plan),
    )
