"""Raw data: original files, stored as they are, linked to the measurements made from them."""

from __future__ import annotations

import mimetypes
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import anyio

from bulkload.client.api.lists import Listing
from bulkload.client.api.measurement_upload import OCTETS
from bulkload.client.api.records import InitiateAnswer, RawData
from bulkload.client.api.resource import Resource, part_of, send_again
from bulkload.client.api.signed_upload import confirm_upload, with_fresh_urls
from bulkload.client.http.bodies import join_path

#: Name of a stream that has none.
NAMELESS = "upload.bin"


class AsyncRawDataClient(Resource):
    """``client.raw_data``."""

    async def upload(
        self,
        project_id: str | None,
        file: str | os.PathLike[str] | IO[bytes],
        name: str | None = None,
        source: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> RawData:
        """Store a file in a project (None: the client's); the record tells where it came from."""
        async with _on_disk(file) as (path, filename):
            common = {
                "project_id": self._project(project_id),
                "name": name or filename,
                "filename": filename,
                "content_type": mimetypes.guess_type(filename)[0] or OCTETS,
                "metadata": dict(metadata or {}),
            }
            if source is not None:
                common["source"] = source
            raw_data_id = await self._put(common, path)
            size_bytes = (await anyio.Path(path).stat()).st_size
            return await self._confirm(raw_data_id, {**common, "size_bytes": size_bytes})

    async def get(self, raw_data_id: str) -> RawData:
        """Get a record by its id."""
        return RawData.parse(await self._caller.call("GET", join_path("raw_data", raw_data_id)))

    def list(
        self,
        project_id: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Listing[RawData]:
        """List the raw files of a project, all pages."""
        query = {"project_id": self._project(project_id)}
        return self._listing("/raw_data", RawData.parse, query, limit=limit, offset=offset)

    async def download_url(self, raw_data_id: str) -> str:
        """Return a URL that serves the file for a short while."""
        path = join_path("raw_data", raw_data_id, "download-url")
        answer = await self._caller.call("GET", path)
        return str(part_of(answer, "url"))

    async def download(self, raw_data_id: str) -> bytes:
        """Download the file, byte for byte as it was uploaded."""
        with tempfile.TemporaryDirectory(prefix="bulkload-") as folder:
            path = Path(folder, "raw")
            await self.download_to(raw_data_id, path)
            return await anyio.to_thread.run_sync(path.read_bytes)

    async def download_to(self, raw_data_id: str, to: Path) -> None:
        """Download the file to a path: for files that memory should not hold."""
        await self._storage.download(await self.download_url(raw_data_id), to)

    async def update(
        self,
        raw_data_id: str,
        name: str | None = None,
        source: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> RawData:
        """Change what is given; the file itself never changes."""
        stated = {"name": name, "source": source, "metadata": metadata}
        payload = {key: value for key, value in stated.items() if value is not None}
        return RawData.parse(await self._patch(join_path("raw_data", raw_data_id), payload))

    async def delete(self, raw_data_id: str) -> None:
        """Delete a record and its file."""
        await self._caller.call("DELETE", join_path("raw_data", raw_data_id))

    def list_measurements(
        self, raw_data_id: str, limit: int | None = None, offset: int | None = None
    ) -> Listing[str]:
        """List the ids of the measurements linked to a raw file, all pages."""
        path = join_path("raw_data", raw_data_id, "cell_measurements")
        return self._listing(path, str, {}, limit=limit, offset=offset)

    async def _put(self, common: Mapping[str, Any], path: Path) -> str:
        async def send() -> str:
            answer = await self._caller.call(
                "POST", "/raw_data/initiate-upload", json=common, look=send_again
            )
            raw_data_id = str(part_of(answer, "raw_data_id"))
            offered = InitiateAnswer.parse({"measurement_id": raw_data_id, **answer})
            target = offered.uploads[0] if offered.uploads else offered.target(path.name)
            await self._storage.put_target(
                target.model_dump(), path, content_type=common["content_type"]
            )
            return raw_data_id

        return await with_fresh_urls(send)

    async def _confirm(self, raw_data_id: str, payload: Mapping[str, Any]) -> RawData:
        path = join_path("raw_data", raw_data_id, "confirm-upload")
        answer = await confirm_upload(
            self._caller, path, payload, record_id=raw_data_id, fetch=self.get
        )
        return RawData.parse(answer).marked(created=True)


@asynccontextmanager
async def _on_disk(
    file: str | os.PathLike[str] | IO[bytes],
) -> AsyncIterator[tuple[Path, str]]:
    """Return a path that can be read as often as needed, and the file's name."""
    if isinstance(file, str | os.PathLike):
        path = Path(file)
        if not await anyio.Path(path).is_file():
            raise FileNotFoundError(f"no such file: {path}")
        yield path, path.name
        return
    named = getattr(file, "name", None)
    filename = Path(named).name if isinstance(named, str) else NAMELESS
    with tempfile.TemporaryDirectory(prefix="bulkload-") as folder:
        copy = Path(folder, "raw")
        await anyio.to_thread.run_sync(_copy, file, copy)
        yield copy, filename


def _copy(stream: IO[bytes], to: Path) -> None:
    with to.open("wb") as copy:
        shutil.copyfileobj(stream, copy)
