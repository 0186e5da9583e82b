"""The vendor's client, unchanged, as the judge of what a Studio holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from bulkload.localstudio import LocalStudio


@dataclass(frozen=True)
class Held:
    """One measurement as the vendor's client lists it."""

    id: str
    key: tuple[str, str, str]
    record: Any


class Judge:
    """Reads a Studio with the vendor's client."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def measurements(self) -> list[Held]:
        """List all measurements with the names of their parents."""
        found = []
        for spec in self.client.cell_spec.list():
            for cell in self.client.cell_instance.list(spec.id):
                found += [
                    Held(record.id, (spec.name, cell.name, record.name), record)
                    for record in self.client.cell_measurement.list(cell.id)
                ]
        return found

    def by_key(self) -> dict[tuple[str, str, str], Held]:
        """Return the measurements by their names, each of which must be there once."""
        found = self.measurements()
        keyed = {held.key: held for held in found}
        assert len(keyed) == len(found), "a name is there twice"
        return keyed

    def time_series(self, measurement_id: str) -> pa.Table:
        """Return a measurement's time series."""
        frame = self.client.cell_measurement.time_series(measurement_id)
        table: pa.Table = frame.to_arrow()
        return table


@contextmanager
def judge_of(studio: LocalStudio) -> Iterator[Judge]:
    """Open the vendor's client on a local Studio, without its cache on disk."""
    import ionworks

    was_enabled = ionworks.get_cache_enabled()
    ionworks.set_cache_enabled(False)
    # The backend is a setting of the whole process: other tests choose another.
    client = ionworks.Ionworks(
        studio.api_key, studio.url, studio.project_id, dataframe_backend="polars"
    )
    try:
        yield Judge(client)
    finally:
        client.session.close()
        ionworks.set_cache_enabled(was_enabled)
