"""A plain HTTP client that decides nothing, and small time series to send with it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import aiohttp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bulkload.localstudio import LocalStudio


@dataclass(frozen=True)
class Answered:
    """An answer as it came."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """One key's requests to one Studio, each sent once."""

    def __init__(self, studio: LocalStudio, session: aiohttp.ClientSession) -> None:
        self.studio = studio
        self.session = session
        self.key = studio.api_key

    async def send(self, method: str, path: str, body: Any = None, **options: Any) -> Answered:
        url = path if path.startswith("http") else self.studio.url + path
        headers = {} if path.startswith("http") else {"X-API-Key": self.key}
        headers.update(options.pop("headers", {}))
        if body is not None:
            options["data"] = json.dumps(body)
        async with self.session.request(
            method, url, headers=headers, allow_redirects=False, **options
        ) as answer:
            return Answered(answer.status, await answer.read(), answer.headers)

    async def get(self, path: str, **options: Any) -> Answered:
        return await self.send("GET", path, **options)

    async def post(self, path: str, body: Any, **options: Any) -> Answered:
        return await self.send("POST", path, body, **options)

    async def patch(self, path: str, body: Any) -> Answered:
        return await self.send("PATCH", path, body)

    async def delete(self, path: str) -> Answered:
        return await self.send("DELETE", path)

    async def spec(self, name: str = "spec", **fields: Any) -> str:
        body = {"name": name, "ratings": {}, "project_id": self.studio.project_id, **fields}
        return str(made(await self.post("/cell_specifications", body))["id"])

    async def cell(self, name: str = "cell", spec: str | None = None, **fields: Any) -> str:
        parent = spec or await self.spec()
        path = f"/cell_specifications/{parent}/cell_instances"
        return str(made(await self.post(path, {"name": name, **fields}))["id"])

    async def initiate(self, cell: str, name: str = "run", **fields: Any) -> Answered:
        path = f"/cell_instances/{cell}/cell_measurements/initiate-upload"
        return await self.post(path, {"measurement": {"name": name}, **fields})

    async def put(self, url: str, data: bytes, **options: Any) -> Answered:
        return await self.send("PUT", url, data=io.BytesIO(data), **options)

    async def confirm(self, measurement_id: str, cell: str, **fields: Any) -> Answered:
        body = {
            "cell_instance_id": cell,
            "measurement": {"name": "run", **fields},
            "measurement_type": "time_series",
        }
        return await self.post(f"/cell_measurements/{measurement_id}/confirm-upload", body)

    async def begin(self, cell: str, name: str = "run", data: bytes | None = None) -> str:
        """Initiate and put; return the measurement id."""
        initiated = made(await self.initiate(cell, name))
        url = initiated["uploads"][0]["signed_url"]
        assert (await self.put(url, series() if data is None else data)).status == 200
        return str(initiated["measurement_id"])

    async def upload(
        self, cell: str, name: str = "run", data: bytes | None = None, **fields: Any
    ) -> str:
        """Upload a whole measurement; return its id once it is processed."""
        measurement_id = await self.begin(cell, name, data)
        made(await self.confirm(measurement_id, cell, name=name, **fields))
        await self.studio.processed()
        return measurement_id

    async def measurement(self, measurement_id: str) -> dict[str, Any]:
        """Return a measurement's record."""
        found = await self.get(f"/cell_measurements/{measurement_id}")
        assert found.status == 200
        return dict(found.json)


def made(answer: Answered) -> dict[str, Any]:
    """Return the body of an answer that must be a success."""
    assert answer.status < 300, answer.body
    return dict(answer.json)


def table(rows: int = 40, steps: int = 4, start: float = 0.0, first_step: int = 0) -> pa.Table:
    """Make a small time series: discharge and charge by turns."""
    step = np.arange(rows) * steps // rows
    sign = np.where(step % 2 == 0, 1.0, -1.0)
    return pa.table(
        {
            "Time [s]": start + np.arange(rows, dtype=float),
            "Voltage [V]": 3.7 - 0.1 * sign,
            "Current [A]": 0.5 * sign,
            "Step count": first_step + step,
        }
    )


def series(made_of: pa.Table | None = None) -> bytes:
    """Return a time series as Parquet."""
    sink = io.BytesIO()
    pq.write_table(table() if made_of is None else made_of, sink, compression="zstd")
    return sink.getvalue()


OpenApi: TypeAlias = Callable[..., Any]
