"""Cell batches: cells of a specification made together. Names are unique whatever their case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkload.client.api.arguments import checked_name
from bulkload.client.api.creation import Creation, Look
from bulkload.client.api.lists import Listing, list_filters
from bulkload.client.api.records import CellBatch
from bulkload.client.api.resource import Resource
from bulkload.client.http.bodies import join_path
from bulkload.core.conflict import same_name


class AsyncCellBatchClient(Resource):
    """``client.cell_batch``."""

    async def get(self, batch_id: str) -> CellBatch:
        """Get a batch by its id."""
        return CellBatch.parse(await self._caller.call("GET", join_path("cell_batches", batch_id)))

    def list(
        self,
        cell_spec_id: str,
        limit: int | None = None,
        offset: int | None = None,
        *,
        name: str | None = None,
        name_exact: str | None = None,
    ) -> Listing[CellBatch]:
        """List the batches of a specification, all pages."""
        return self._listing(
            join_path("cell_specifications", cell_spec_id, "cell_batches"),
            CellBatch.parse,
            list_filters(name=name, name_exact=name_exact),
            limit=limit,
            offset=offset,
        )

    async def find(self, cell_spec_id: str, name: str) -> CellBatch | None:
        """Return the batch of this name in whatever case, or None."""
        # Every page is read: an exact filter would miss "lot-a" where "LOT-A" has the name,
        # and in a substring filter "%" and "_" stand for other letters.
        async for batch in self.list(cell_spec_id):
            if same_name(batch.name, name):
                return batch
        return None

    async def create(self, cell_spec_id: str, data: Mapping[str, Any]) -> CellBatch:
        """Create a batch: ``name``, and optionally notes, date_manufactured, properties."""
        return await self._creation(cell_spec_id, data).create()

    async def create_or_get(self, cell_spec_id: str, data: Mapping[str, Any]) -> CellBatch:
        """Get the batch of that name, as it is, or create it."""
        return await self._creation(cell_spec_id, data).create_or_get()

    async def update(self, batch_id: str, data: Mapping[str, Any]) -> CellBatch:
        """Change the fields given; a new name is new for all cells of the batch."""
        return CellBatch.parse(await self._patch(join_path("cell_batches", batch_id), data))

    async def delete(self, batch_id: str) -> None:
        """Delete a batch; its cells stay."""
        await self._caller.call("DELETE", join_path("cell_batches", batch_id))

    def _creation(self, cell_spec_id: str, data: Mapping[str, Any]) -> Creation[CellBatch]:
        payload = dict(data)
        name = checked_name(payload, "cell batch")
        path = join_path("cell_specifications", cell_spec_id, "cell_batches")

        async def send(look: Look) -> Any:
            return await self._caller.call("POST", path, json=payload, look=look)

        return Creation(
            data=payload,
            send=send,
            parse=CellBatch.parse,
            find=lambda: self.find(cell_spec_id, name),
            fetch=self.get,
            belongs=lambda batch: batch.cell_specification_id == cell_spec_id,
        )
