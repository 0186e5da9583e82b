"""Look at Studio for a plan: what is there already, and what would be created."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path

import anyio

from bulkload.clock import Clock
from bulkload.core.existing import FoundRecord
from bulkload.core.outlook import Outlook, SpecificationOutlook, Standing, standing_of
from bulkload.core.plan_items import UploadJob
from bulkload.core.terms import MeasurementType
from bulkload.engine.contents import StudioContents
from bulkload.engine.plan_reader import PlanReader
from bulkload.journal import Store
from bulkload.sources.stamp import quick_stamp, stamp

#: Is called with each measurement whose name Studio has.
OnFound = Callable[[UploadJob, Standing, str], None]


async def look_at_studio(
    store: Store, run: int, contents: StudioContents | None, clock: Clock, on_found: OnFound
) -> Outlook:
    """Return what a plan means for Studio, or for one that holds nothing; creates nothing.

    One listing for the cells of each specification, one for each cell. A source whose name Studio
    has is read for its hash where the record names one.
    """
    outlook, plan, listing_s = Outlook(), PlanReader(store, run), 0.0
    for spec, pairs in groupby(plan.cells(), key=lambda pair: pair[0]):
        began = clock.monotonic()
        there = None if contents is None else await contents.cells(spec)
        listing_s += clock.monotonic() - began
        one = outlook.specifications[spec] = SpecificationOutlook(is_new=there is None)
        for _, cell in pairs:
            instance_id = (there or {}).get(cell)
            one.cells += 1
            one.new_cells += instance_id is None
            began = clock.monotonic()
            records = await _records(contents, instance_id)
            listing_s += clock.monotonic() - began
            new = 0
            for row in plan.open_jobs(spec, cell):
                found = records.get(row.job.key.measurement)
                standing = Standing.NEW if found is None else await _standing(row.job, found)
                one.measurements[standing] += 1
                if found is None:
                    new += 1
                    _count_new(outlook, row.job)
                else:
                    on_found(row.job, standing, found.id)
            outlook.open_cells += new > 0
    outlook.requests = 0 if contents is None else contents.listings
    outlook.request_s = listing_s / max(1, outlook.requests)
    return outlook


async def _records(
    contents: StudioContents | None, instance_id: str | None
) -> Mapping[str, FoundRecord]:
    if contents is None or instance_id is None:
        return {}
    return await contents.measurements(instance_id)


def _count_new(outlook: Outlook, job: UploadJob) -> None:
    seen = quick_stamp(Path(job.path))
    outlook.source_bytes += 0 if seen is None else seen[0]
    outlook.new_properties += job.type is MeasurementType.PROPERTIES


async def _standing(job: UploadJob, found: FoundRecord) -> Standing:
    sha256 = None
    if found.source is not None and job.type is MeasurementType.TIME_SERIES:
        try:
            sha256 = (await anyio.to_thread.run_sync(stamp, Path(job.path))).sha256
        except OSError:
            # The upload will say what is wrong with it.
            sha256 = None
    return standing_of(found, job.type, sha256)
