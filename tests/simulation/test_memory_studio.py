"""The Studio in memory answers as the local Studio does: the same requests to both."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pyarrow as pa
import pyarrow.parquet as pq

from bulkload.client.http.access import Access
from bulkload.client.http.transport import HttpTransport
from bulkload.client.http.wire import Answer, make_request
from bulkload.localstudio import LocalStudio, StudioSettings
from tests.archives import series
from tests.simulation.memory_studio import MemoryStudio, StudioRules

Send = Callable[..., Awaitable[Answer]]
Put = Callable[[str, bytes], Awaitable[int]]

#: What the engine reads of an answer.
READ = (
    "name",
    "cell_specification_id",
    "cell_instance_id",
    "processing_status",
    "processing_error",
    "measurement_type",
    "total",
    "error_code",
)


async def conversation(send: Send, put: Put, project: str) -> list[Any]:
    """Hold the conversation of an upload, with its wrong turns; return what was read."""
    said: list[Any] = []
    names: dict[str, str] = {}

    async def ask(method: str, path: str, json_: Any = None, **params: Any) -> Any:
        answer = await send(method, path, json_, params)
        body = json.loads(answer.body) if answer.body else {}
        detail = body.get("detail")
        existing = detail.get("existing_id") if isinstance(detail, dict) else None
        items = [item["name"] for item in body.get("items", [])]
        read = {key: names.get(body[key], body[key]) for key in READ if key in body}
        said.append((method, answer.status, read, names.get(str(existing)), items))
        return body

    spec = {"name": "spec", "ratings": {}, "project_id": project}
    exact = {"project_id": project, "limit": 100, "offset": 0}
    await ask("GET", "/cell_specifications", name="eq.spec", **exact)
    spec_id = (await ask("POST", "/cell_specifications", spec))["id"]
    names[spec_id] = "the spec"
    await ask("POST", "/cell_specifications", spec)
    await ask("GET", "/cell_specifications", name="eq.spec", **exact)
    await ask("GET", "/cell_specifications", name="eq.other", **exact)
    cells = f"/cell_specifications/{spec_id}/cell_instances"
    cell_id = (await ask("POST", cells, {"name": "cell"}))["id"]
    names[cell_id] = "the cell"
    await ask("POST", cells, {"name": "cell"})
    await ask("POST", "/cell_specifications/nothing/cell_instances", {"name": "cell"})
    await ask("GET", cells, name="eq.cell", limit=100, offset=0)
    room = f"/cell_instances/{cell_id}/cell_measurements"
    started = await ask("POST", f"{room}/initiate-upload", {"measurement": {"name": "run"}})
    one = started["measurement_id"]
    names[one] = "the measurement"
    said.append(sorted(target["filename"] for target in started["uploads"]))
    confirm = {
        "cell_instance_id": cell_id,
        "measurement": {"name": "run"},
        "measurement_type": "time_series",
    }
    await ask("GET", f"/cell_measurements/{one}")
    await ask("POST", f"/cell_measurements/{one}/confirm-upload", confirm)  # nothing stored
    again = await ask("POST", f"{room}/initiate-upload", {"measurement": {"name": "run"}})
    two = again["measurement_id"]
    names[two] = "the second"
    sink = pa.BufferOutputStream()
    pq.write_table(series(), sink)
    url = next(target["signed_url"] for target in again["uploads"] if "time" in target["filename"])
    said.append(await put(url, sink.getvalue().to_pybytes()))
    await ask("POST", f"/cell_measurements/{two}/confirm-upload", confirm)
    await ask("POST", f"/cell_measurements/{two}/confirm-upload", confirm)
    await ask("POST", f"{room}/initiate-upload", {"measurement": {"name": "run"}})
    await ask("GET", room, limit=100, offset=0)
    await ask("DELETE", f"/cell_measurements/{two}")
    await ask("DELETE", f"/cell_measurements/{two}")
    await ask("GET", room, limit=100, offset=0)
    return said


async def with_local(folder: Path) -> list[Any]:
    async with LocalStudio(StudioSettings(data_dir=folder, processing_s=60.0)) as studio:
        access = Access(base_url=studio.url, api_key=studio.api_key)
        async with HttpTransport(access) as http, aiohttp.ClientSession() as storage:

            async def send(method: str, path: str, body: Any, params: Any) -> Answer:
                return await http.send(make_request(method, path, params, body))

            async def put(url: str, data: bytes) -> int:
                async with storage.put(url, data=data) as response:
                    return response.status

            return await conversation(send, put, studio.project_id)


async def with_memory() -> list[Any]:
    studio = MemoryStudio(StudioRules(processing_s=60.0), lambda: 0.0)

    async def send(method: str, path: str, body: Any, params: Any) -> Answer:
        return studio.answer(make_request(method, path, params, body))

    async def put(url: str, data: bytes) -> int:
        return studio.store(url, data).status

    return await conversation(send, put, "project")


def test_both_answer_alike(tmp_path: Path) -> None:
    local = anyio.run(with_local, tmp_path / "studio")
    memory = anyio.run(with_memory)
    for theirs, ours in zip(local, memory, strict=True):
        assert alike(ours) == alike(theirs)


def alike(said: Any) -> Any:
    """Take out what may differ: a record is pending or running, a refusal has its own word."""
    if not isinstance(said, tuple):
        return said
    method, status, read, existing, items = said
    read = {key: value for key, value in read.items() if key != "processing_error"}
    if read.get("processing_status") in {"pending", "running"}:
        read["processing_status"] = "unfinished"
    if status >= 400 and status != 409:
        read.pop("error_code", None)
        status = "refused"
    return method, status, read, existing, items
