"""A measurement with everything that it holds, in one call."""

from __future__ import annotations

from typing import Any

from bulkload.client.api.limits import MAX_DOWNLOADS_IN_FLIGHT
from bulkload.client.api.measurement_reading import MeasurementReading
from bulkload.client.api.records import CellMeasurementDetail
from bulkload.client.api.resource import run_all
from bulkload.core.terms import MeasurementType
from bulkload.errors import ClientError


class MeasurementDetails(MeasurementReading):
    """What a measurement is, and what it holds, together."""

    async def detail(
        self,
        measurement_id: str,
        *,
        include_steps: bool = True,
        include_cycles: bool = True,
        include_time_series: bool = True,
    ) -> CellMeasurementDetail:
        """Get a measurement with its time series, steps and cycles, or its files.

        What is not included, or not there, is None. Properties stand in the record itself.
        """
        record = await self.get(measurement_id)
        held: dict[str, Any] = {}

        async def steps() -> None:
            try:
                held["steps"] = await self.steps(measurement_id)
            except ClientError:
                # Old records have none in storage; that hides nothing else of them.
                held["steps"] = None

        async def cycles() -> None:
            held["cycles"] = (await self.steps_and_cycles(measurement_id)).cycles

        async def time_series() -> None:
            held["time_series"] = await self.time_series(measurement_id)

        if record.measurement_type is MeasurementType.FILE:
            held["files"] = await self.download_files(measurement_id)
        elif record.measurement_type is MeasurementType.TIME_SERIES:
            wanted = (
                (include_steps, steps), (include_cycles, cycles),
                (include_time_series, time_series),
            )  # fmt: skip
            acts = [act for is_wanted, act in wanted if is_wanted]
            await run_all(acts, at_once=MAX_DOWNLOADS_IN_FLIGHT)
        fields = {**record.model_dump(), "instance_id": record.cell_instance_id, **held}
        return CellMeasurementDetail.parse(fields)
