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
import pytest

from bulkload.client.http.access import Access
from bulkload.client.http.transport import HttpTransport
from bulkload.client.http.wire import Answer, make_request
from bulkload.localstudio import LocalStudio, StudioSettings
from tests.archives import series
from tests.simulation.memory_studio import MemoryStudio, StudioRules

Send = Callable[..., Awaitable[Answer]]
Put = Callable[[str, bytes], Awaitable[int]]
#: Waits until nothing is processed any more.
Settle = Callable[[], Awaitable[None]]
Conversation = Callable[[Send, Put, Settle, str], Awaitable[list[Any]]]

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


class Asking:
    """Asks a Studio, and notes what the engine would read of each answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.answers: list[Any] = []
        #: Id of a record -> what it is called here, whatever id a Studio gives.
        self.names: dict[str, str] = {}

    async def __call__(self, method: str, path: str, json_: Any = None, **params: Any) -> Any:
        answer = await self._send(method, path, json_, params)
        body = json.loads(answer.body) if answer.body else {}
        detail = body.get("detail")
        existing = detail.get("existing_id") if isinstance(detail, dict) else None
        items = [item["name"] for item in body.get("items", [])]
        read = {key: self.names.get(body[key], body[key]) for key in READ if key in body}
        self.answers.append((method, answer.status, read, self.names.get(str(existing)), items))
        return body


def parquet(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def url_of(offered: Any) -> str:
    return next(str(one["signed_url"]) for one in offered["uploads"] if "steps" not in one["path"])


async def upload(send: Send, put: Put, _: Settle, project: str) -> list[Any]:
    """Hold the conversation of an upload, with its wrong turns; return what was read."""
    ask = Asking(send)
    answers, names = ask.answers, ask.names
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
    answers.append(sorted(target["filename"] for target in started["uploads"]))
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
    answers.append(await put(url_of(again), parquet(series())))
    await ask("POST", f"/cell_measurements/{two}/confirm-upload", confirm)
    await ask("POST", f"/cell_measurements/{two}/confirm-upload", confirm)
    await ask("POST", f"{room}/initiate-upload", {"measurement": {"name": "run"}})
    await ask("GET", room, limit=100, offset=0)
    await ask("DELETE", f"/cell_measurements/{two}")
    await ask("DELETE", f"/cell_measurements/{two}")
    await ask("GET", room, limit=100, offset=0)
    return answers


async def add(send: Send, put: Put, settle: Settle, project: str) -> list[Any]:
    """Add rows and an original file to a measurement, then delete all, with wrong turns."""
    ask = Asking(send)
    spec = {"name": "spec", "ratings": {}, "project_id": project}
    spec_id = (await ask("POST", "/cell_specifications", spec))["id"]
    ask.names[spec_id] = "the spec"
    cells = f"/cell_specifications/{spec_id}/cell_instances"
    cell_id = (await ask("POST", cells, {"name": "cell"}))["id"]
    ask.names[cell_id] = "the cell"
    room = f"/cell_instances/{cell_id}/cell_measurements"
    offered = await ask("POST", f"{room}/initiate-upload", {"measurement": {"name": "run"}})
    whole = series(rows=300, steps=4)
    await put(url_of(offered), parquet(whole.slice(0, 100)))
    one = f"/cell_measurements/{offered['measurement_id']}"
    confirm = {
        "cell_instance_id": cell_id,
        "measurement": {"name": "run"},
        "measurement_type": "time_series",
    }
    await ask("POST", f"{one}/confirm-upload", confirm)
    await settle()

    await ask("POST", f"{one}/confirm-extend", {})  # nothing is open
    offered = await ask("POST", f"{one}/initiate-extend", {})
    await ask("POST", f"{one}/initiate-extend", {})  # another is open
    await ask("POST", f"{one}/confirm-extend", {})  # nothing stored
    await put(url_of(offered), parquet(whole.slice(100, 100)))
    await ask("POST", f"{one}/confirm-extend", {})
    await settle()
    await ask("GET", one)
    for begins in (150, 200):  # rows that are there already, then those that are new
        offered = await ask("POST", f"{one}/initiate-extend", {})
        await put(url_of(offered), parquet(whole.slice(begins)))
        await ask("POST", f"{one}/confirm-extend", {})
        await settle()
        await ask("GET", one)

    facts = {"project_id": project, "name": "run.csv", "filename": "run.csv"}
    offered = await ask("POST", "/raw_data/initiate-upload", facts)
    raw = f"/raw_data/{offered['raw_data_id']}"
    await ask("GET", raw)
    await ask("POST", f"{raw}/confirm-upload", facts)  # nothing stored
    await put(url_of(offered), b"rows")
    await ask("POST", f"{raw}/confirm-upload", {**facts, "name": "other"})
    await ask("POST", f"{raw}/confirm-upload", facts)
    await ask("POST", f"{raw}/confirm-upload", facts)
    await ask("GET", raw)
    await ask("POST", f"{one}/raw_data", {"raw_data_ids": [offered["raw_data_id"]]})
    await ask("POST", f"{one}/raw_data", {"raw_data_ids": ["unknown"]})
    for path in (one, f"/cell_instances/{cell_id}", f"/cell_specifications/{spec_id}"):
        await ask("DELETE", path)
        await ask("GET", path)
    return ask.answers


async def with_local(hold: Conversation, folder: Path, processing_s: float) -> list[Any]:
    async with LocalStudio(StudioSettings(data_dir=folder, processing_s=processing_s)) as studio:
        access = Access(base_url=studio.url, api_key=studio.api_key)
        async with HttpTransport(access) as http, aiohttp.ClientSession() as storage:

            async def send(method: str, path: str, body: Any, params: Any) -> Answer:
                return await http.send(make_request(method, path, params, body))

            async def put(url: str, data: bytes) -> int:
                async with storage.put(url, data=data) as response:
                    return response.status

            return await hold(send, put, studio.processed, studio.project_id)


async def with_memory(hold: Conversation) -> list[Any]:
    now = 0.0
    rules = StudioRules(processing_s=60.0, extension_keeps_open_s=3600.0)
    studio = MemoryStudio(rules, lambda: now)

    async def send(method: str, path: str, body: Any, params: Any) -> Answer:
        return studio.answer(make_request(method, path, params, body))

    async def put(url: str, data: bytes) -> int:
        return studio.store(url, data).status

    async def settle() -> None:
        nonlocal now
        now += 60.0

    return await hold(send, put, settle, "project")


@pytest.mark.parametrize(("hold", "processing_s"), [(upload, 60.0), (add, 0.0)])
def test_both_answer_alike(hold: Conversation, processing_s: float, tmp_path: Path) -> None:
    local = anyio.run(with_local, hold, tmp_path / "studio", processing_s)
    memory = anyio.run(with_memory, hold)
    for theirs, ours in zip(local, memory, strict=True):
        assert alike(ours) == alike(theirs)


def alike(answers: Any) -> Any:
    """Take out what may differ: a record is pending or running, a refusal has its own word."""
    if not isinstance(answers, tuple):
        return answers
    method, status, read, existing, items = answers
    if "processing_error" in read:
        read["processing_error"] = read["processing_error"] is not None
    if read.get("processing_status") in {"pending", "running"}:
        read["processing_status"] = "unfinished"
    if status >= 400 and status != 409:
        read.pop("error_code", None)
        status = "refused"
    return method, status, read, existing, items
