"""Specifications, batches and instances: looked up, created where missing, once each.

However many measurements wait for a cell, one request creates it: the first asks, the others
wait for its answer. Nothing is made before a measurement is ready to need it, so an archive
whose files are all rejected leaves no empty cells behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bulkload.client.api.records import Record
from bulkload.client.studio import AsyncStudio
from bulkload.core.terms import JobKey
from bulkload.engine.jobs import Recorder
from bulkload.engine.limits import REMEMBERED_PARENTS
from bulkload.engine.single_flight import SingleFlight
from bulkload.journal import Parent


class Parents:
    """The parents of the plan's measurements in Studio."""

    def __init__(
        self,
        studio: AsyncStudio,
        recorder: Recorder,
        *,
        specification: Callable[[str], Mapping[str, Any]],
        cell: Callable[[str, str], Mapping[str, Any]],
    ) -> None:
        """``specification`` and ``cell`` give the payloads that the plan holds."""
        self._studio = studio
        self._recorder = recorder
        self._specification = specification
        self._cell = cell
        self._spec_ids = SingleFlight(REMEMBERED_PARENTS)
        self._batch_ids = SingleFlight(REMEMBERED_PARENTS)
        self._instance_ids = SingleFlight(REMEMBERED_PARENTS)
        #: Specifications created by this run: they had no cells before.
        self._new_specs: set[str] = set()

    async def find_instance(self, spec: str, cell: str) -> str | None:
        """Return the id of a cell that is in Studio already; create nothing."""
        if spec in self._new_specs:
            return self._instance_ids.known((spec, cell))
        spec_id = self._spec_ids.known(spec)
        if spec_id is None:
            found = await self._studio.cell_spec.find(spec)
            if found is None:
                return None
            spec_id = found.id
            self._spec_ids.remember(spec, spec_id)
        instance = await self._studio.cell_instance.find(spec_id, cell)
        if instance is None:
            return None
        self._instance_ids.remember((spec, cell), instance.id)
        return instance.id

    async def instance_id(self, key: JobKey, batch: str | None) -> str:
        """Return the id of a measurement's cell; create it and its parents where missing."""

        async def make() -> str:
            spec_id = await self._spec_ids.get(key.spec, lambda: self._make_spec(key.spec))
            return await self._make_instance(spec_id, key, batch)

        return await self._instance_ids.get((key.spec, key.cell), make)

    async def _make_spec(self, name: str) -> str:
        record = await self._studio.cell_spec.create_or_get(dict(self._specification(name)))
        if record.was_created:
            self._new_specs.add(name)
            await self._keep("cell_specification", record, None)
        return record.id

    async def _make_instance(self, spec_id: str, key: JobKey, batch: str | None) -> str:
        payload = {**self._cell(key.spec, key.cell), "name": key.cell}
        if batch is not None:
            payload.pop("batch", None)
            payload["batch_id"] = await self._batch_ids.get(
                (spec_id, batch.casefold()), lambda: self._make_batch(spec_id, batch)
            )
        record = await self._studio.cell_instance.create_or_get(spec_id, payload)
        if record.was_created:
            await self._keep("cell_instance", record, spec_id)
        return record.id

    async def _make_batch(self, spec_id: str, name: str) -> str:
        record = await self._studio.cell_batch.create_or_get(spec_id, {"name": name})
        if record.was_created:
            await self._keep("cell_batch", record, spec_id)
        return record.id

    async def _keep(self, kind: str, record: Record, parent_id: str | None) -> None:
        await self._recorder.keep_parent(
            Parent(kind, record.id, record.name, parent_id, record.updated_at)
        )
