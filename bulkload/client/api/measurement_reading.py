"""Reading measurements back: tables as Parquet from storage, files, cycles.

Nothing is cached: what is read is what Studio holds now. The libraries of tables are loaded
where a table is read: an upload of files reads none.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from bulkload.client.api.limits import MAX_DOWNLOADS_IN_FLIGHT
from bulkload.client.api.measurement_records import MeasurementRecords
from bulkload.client.api.resource import part_of, run_all
from bulkload.client.http.bodies import join_path


class StepsAndCycles(NamedTuple):
    """Both summaries of a measurement."""

    steps: Any
    cycles: Any


class MeasurementReading(MeasurementRecords):
    """What a measurement holds."""

    async def time_series(
        self, measurement_id: str, *, row_range: tuple[int, int] | None = None
    ) -> Any:
        """Read the time series, or its rows from ``start`` up to ``stop``, as a table."""
        return await self._table(measurement_id, "time_series", row_range)

    async def steps(self, measurement_id: str) -> Any:
        """Read the steps that the server derived, as a table."""
        return await self._table(measurement_id, "steps", None)

    async def cycles(self, measurement_id: str) -> Any:
        """Read the cycles that the server derived, as a table."""
        path = join_path("cell_measurements", measurement_id, "cycles")
        answer = await self._caller.call("GET", path)
        return self._given_back(part_of(answer, "cycles"))

    async def steps_and_cycles(self, measurement_id: str) -> StepsAndCycles:
        """Read both summaries with one request."""
        path = join_path("cell_measurements", measurement_id, "steps_and_cycles")
        answer = await self._caller.call("GET", path)
        return StepsAndCycles(
            self._given_back(part_of(answer, "steps")), self._given_back(part_of(answer, "cycles"))
        )

    async def download_time_series(self, measurement_id: str, to: Path) -> None:
        """Download the time series as the Parquet file that Studio holds."""
        await self._download(to, "cell_measurements", measurement_id, "time_series", "download")

    async def download_steps(self, measurement_id: str, to: Path) -> None:
        """Download the steps as the Parquet file that Studio holds."""
        await self._download(to, "cell_measurements", measurement_id, "steps", "download")

    async def list_files(self, measurement_id: str) -> list[str]:
        """Return the files of a file measurement."""
        path = join_path("cell_measurements", measurement_id, "files")
        answer = await self._caller.call("GET", path)
        return [str(name) for name in part_of(answer, "filenames")]

    async def get_file(self, measurement_id: str, filename: str) -> bytes:
        """Download one file of a file measurement."""
        files = await self.download_files(measurement_id, filenames=[filename])
        return files[filename]

    async def download_files(
        self, measurement_id: str, *, filenames: Iterable[str] | None = None
    ) -> dict[str, bytes]:
        """Download the files of a file measurement, all or those named."""
        names = await self.list_files(measurement_id) if filenames is None else [*filenames]
        with tempfile.TemporaryDirectory(prefix="bulkload-") as folder:
            # Names come from the server: they name no path here.
            places = {name: Path(folder, str(index)) for index, name in enumerate(names)}
            downloads = [
                partial(self._download, place, "cell_measurements", measurement_id, "files", name)
                for name, place in places.items()
            ]
            await run_all(downloads, at_once=MAX_DOWNLOADS_IN_FLIGHT)
            return {
                name: await anyio.to_thread.run_sync(place.read_bytes)
                for name, place in places.items()
            }

    async def _table(
        self, measurement_id: str, kind: str, row_range: tuple[int, int] | None
    ) -> Any:
        from bulkload.tables.arrow import read_parquet, to_backend

        with tempfile.TemporaryDirectory(prefix="bulkload-") as folder:
            path = Path(folder, f"{kind}.parquet")
            await self._download(path, "cell_measurements", measurement_id, kind, "download")
            table = await anyio.to_thread.run_sync(read_parquet, path, row_range)
        return to_backend(table, self._connection.dataframe_backend)

    async def _download(self, to: Path, *route: str) -> None:
        url = await self._caller.locate(join_path(*route))
        await self._storage.download(url, to)

    def _given_back(self, columns: Mapping[str, Any]) -> Any:
        from bulkload.tables.arrow import as_table, to_backend

        return to_backend(as_table(columns), self._connection.dataframe_backend)
