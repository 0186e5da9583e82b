"""Cell instances: the physical cells. Names are unique in a specification."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from bulkload.client.api.arguments import checked_name
from bulkload.client.api.cell_batch import AsyncCellBatchClient
from bulkload.client.api.creation import Creation, Look
from bulkload.client.api.limits import MAX_DOWNLOADS_IN_FLIGHT
from bulkload.client.api.lists import Listing, list_filters
from bulkload.client.api.measurement_detail import MeasurementDetails
from bulkload.client.api.records import (
    CellInstance,
    CellInstanceDetail,
    CellMeasurementDetail,
)
from bulkload.client.api.resource import ClientContext, Resource, run_all
from bulkload.client.http.bodies import join_path


class AsyncCellInstanceClient(Resource):
    """``client.cell_instance``."""

    def __init__(
        self,
        connection: ClientContext,
        batches: AsyncCellBatchClient,
        measurements: MeasurementDetails,
    ) -> None:
        super().__init__(connection)
        self._batches = batches
        self._measurements = measurements

    async def get(self, cell_instance_id: str) -> CellInstance:
        """Get a cell by its id."""
        path = join_path("cell_instances", cell_instance_id)
        return CellInstance.parse(await self._caller.call("GET", path))

    async def detail(
        self,
        cell_instance_id: str,
        *,
        include_steps: bool = True,
        include_cycles: bool = True,
        include_time_series: bool = True,
    ) -> CellInstanceDetail:
        """Get a cell with all its measurements and what each holds."""
        instance = await self.get(cell_instance_id)
        records = [one async for one in self._measurements.list(cell_instance_id)]
        found: dict[str, CellMeasurementDetail] = {}

        async def read(measurement_id: str) -> None:
            found[measurement_id] = await self._measurements.detail(
                measurement_id,
                include_steps=include_steps,
                include_cycles=include_cycles,
                include_time_series=include_time_series,
            )

        acts = [partial(read, record.id) for record in records]
        await run_all(acts, at_once=MAX_DOWNLOADS_IN_FLIGHT)
        return CellInstanceDetail(
            instance=instance,
            specification_id=instance.cell_specification_id,
            measurements=[found[record.id] for record in records],
        )

    def list(
        self,
        cell_spec_id: str,
        limit: int | None = None,
        offset: int | None = None,
        *,
        name: str | None = None,
        name_exact: str | None = None,
        created_by_email: str | None = None,
        created_after: str | None = None,
        created_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
        order_by: str | None = None,
        order: str | None = None,
        batch_id: str | None = None,
    ) -> Listing[CellInstance]:
        """List the cells of a specification, all pages."""
        query = list_filters(
            name=name,
            name_exact=name_exact,
            created_by_email=created_by_email,
            created_after=created_after,
            created_before=created_before,
            updated_after=updated_after,
            updated_before=updated_before,
            order_by=order_by,
            order=order,
            batch_id=batch_id,
        )
        path = join_path("cell_specifications", cell_spec_id, "cell_instances")
        return self._listing(path, CellInstance.parse, query, limit=limit, offset=offset)

    async def find(self, cell_spec_id: str, name: str) -> CellInstance | None:
        """Return the cell of exactly this name, or None."""
        async for instance in self.list(cell_spec_id, name_exact=name):
            if instance.name == name:
                return instance
        return None

    async def create(self, cell_spec_id: str, data: Mapping[str, Any]) -> CellInstance:
        """Create a cell. ``batch`` may name its batch, which is then created or got."""
        payload = await self._with_batch(cell_spec_id, data)
        return await self._creation(cell_spec_id, payload).create()

    async def create_or_get(self, cell_spec_id: str, data: Mapping[str, Any]) -> CellInstance:
        """Get the cell of that name, as it is, or create it."""
        name = checked_name(data, "cell instance")
        # Before the batch is looked up: an existing cell must not create a new batch.
        found = await self.find(cell_spec_id, name)
        if found is not None:
            return found.marked(created=False)
        payload = await self._with_batch(cell_spec_id, data)
        return await self._creation(cell_spec_id, payload, was_free=True).create_or_get()

    async def update(self, cell_instance_id: str, data: Mapping[str, Any]) -> CellInstance:
        """Change the fields given; ``batch_id`` or ``batch`` None takes it out of its batch."""
        payload = dict(data)
        if "batch" in payload:
            instance = await self.get(cell_instance_id)
            payload = await self._with_batch(instance.cell_specification_id, payload)
            payload.setdefault("batch_id", None)
        path = join_path("cell_instances", cell_instance_id)
        return CellInstance.parse(await self._patch(path, payload))

    async def delete(self, cell_instance_id: str) -> None:
        """Delete a cell with its measurements."""
        await self._caller.call("DELETE", join_path("cell_instances", cell_instance_id))

    async def _with_batch(self, cell_spec_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the payload with ``batch_id`` in place of a ``batch`` name."""
        payload = {key: value for key, value in data.items() if key != "batch"}
        batch_name = data.get("batch")
        if batch_name in (None, ""):
            return payload
        if not isinstance(batch_name, str):
            raise TypeError(f"batch must be the name of a batch, not {type(batch_name).__name__}")
        if payload.get("batch_id") is not None:
            raise ValueError("pass batch (a name) or batch_id, not both")
        batch = await self._batches.create_or_get(cell_spec_id, {"name": batch_name})
        return {**payload, "batch_id": batch.id}

    def _creation(
        self, cell_spec_id: str, payload: dict[str, Any], *, was_free: bool = False
    ) -> Creation[CellInstance]:
        name = checked_name(payload, "cell instance")
        path = join_path("cell_specifications", cell_spec_id, "cell_instances")

        async def send(look: Look) -> Any:
            return await self._caller.call("POST", path, json=payload, look=look)

        return Creation(
            data=payload,
            send=send,
            parse=CellInstance.parse,
            find=lambda: self.find(cell_spec_id, name),
            fetch=self.get,
            belongs=lambda instance: instance.cell_specification_id == cell_spec_id,
            was_free=was_free,
        )
