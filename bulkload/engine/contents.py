"""What Studio holds: the cells of a specification with one listing, their measurements with one."""

from __future__ import annotations

from collections.abc import Mapping

from bulkload.client.studio import AsyncStudio
from bulkload.core.existing import FoundRecord
from bulkload.engine.existing import found_record


class StudioContents:
    """Reads Studio's listings; creates nothing."""

    def __init__(self, studio: AsyncStudio) -> None:
        self._studio = studio
        #: Requests that the listings took, as far as one page each.
        self.listings = 0

    async def cells(self, spec: str) -> Mapping[str, str] | None:
        """Return the ids of a specification's cells by name, None where Studio has none of it."""
        self.listings += 1
        found = await self._studio.cell_spec.find(spec)
        if found is None:
            return None
        self.listings += 1
        return {one.name: one.id async for one in self._studio.cell_instance.list(found.id)}

    async def measurements(self, instance_id: str) -> Mapping[str, FoundRecord]:
        """Return a cell's measurements by name."""
        self.listings += 1
        records = self._studio.cell_measurement.list(instance_id)
        return {one.name: found_record(one) async for one in records}
