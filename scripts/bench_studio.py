"""What one upload costs the local Studio in CPU time, apart from what it costs the client.

Run: ``python scripts/bench_studio.py [--uploads N] [--rows N]``. A Studio in its own process
takes in measurements from eight connections; its process time is divided by their number, once
for the bookkeeping alone (initiate, put, confirm) and once with processing.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bulkload.localstudio import FaultKind, FaultRule, LocalStudio, StudioSettings

CONNECTIONS = 8


def series(rows: int) -> bytes:
    """Make a time series of 200 steps as Parquet."""
    step = np.arange(rows) * min(200, rows) // rows
    noise = np.random.default_rng(0).random((3, rows))
    table = pa.table(
        {
            "Time [s]": np.arange(rows, dtype=float),
            "Voltage [V]": 3.5 + 0.3 * noise[0],
            "Current [A]": np.where(step % 2, -1.0, 1.0) + 0.01 * noise[1],
            "Temperature [degC]": 25 + noise[2],
            "Step count": step,
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def serve(folder: str, pipe: Connection, processes: bool) -> None:  # noqa: FBT001 - spawn target
    """Run a Studio that tells its CPU time when asked."""

    async def run() -> None:
        async with LocalStudio(StudioSettings(data_dir=Path(folder))) as studio:
            if not processes:
                lost = FaultRule(kind=FaultKind.PROCESSING_LOST, endpoint="processing")
                studio.faults.add(lost)
            pipe.send((studio.url, studio.api_key, studio.project_id))
            while await asyncio.to_thread(pipe.recv):
                await studio.processed()
                pipe.send(time.process_time())

    asyncio.run(run())


async def upload(address: tuple[str, str, str], count: int, data: bytes, name: str) -> None:
    """Upload measurements as a client does, each in three requests."""
    url, key, project = address
    async with aiohttp.ClientSession(headers={"X-API-Key": key}) as api:

        async def post(path: str, body: dict[str, Any]) -> Any:
            async with api.post(url + path, json=body) as answer:
                answer.raise_for_status()
                return await answer.json()

        spec = (await post("/cell_specifications", {"name": name, "project_id": project}))["id"]
        cell = (await post(f"/cell_specifications/{spec}/cell_instances", {"name": "cell"}))["id"]
        numbers = iter(range(count))

        async def work(storage: aiohttp.ClientSession) -> None:
            for number in numbers:
                measurement = {"name": f"run {number}"}
                path = f"/cell_instances/{cell}/cell_measurements/initiate-upload"
                begun = await post(path, {"measurement": measurement})
                target = begun["uploads"][0]["signed_url"]
                async with storage.put(target, data=io.BytesIO(data)) as answer:
                    answer.raise_for_status()
                path = f"/cell_measurements/{begun['measurement_id']}/confirm-upload"
                await post(path, {"cell_instance_id": cell, "measurement": measurement})

        async with aiohttp.ClientSession() as storage:
            await asyncio.gather(*(work(storage) for _ in range(CONNECTIONS)))


def measure(uploads: int, rows: int, *, processes: bool) -> float:
    """Return the Studio's CPU time for one upload, in milliseconds."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    data = series(rows)
    with tempfile.TemporaryDirectory() as folder:
        process = context.Process(target=serve, args=(folder, theirs, processes))
        process.start()
        address = ours.recv()
        spent = []
        # The first round warms up imports and statements.
        for name, count in (("warm", CONNECTIONS * 4), ("measured", uploads)):
            asyncio.run(upload(address, count, data, name))
            ours.send(True)
            spent.append(ours.recv())
        ours.send(False)
        process.join()
    return float((spent[1] - spent[0]) / uploads * 1000)


def main() -> None:
    """Print the two figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=500)
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    bookkeeping = measure(options.uploads, 100, processes=False)
    whole = measure(options.uploads, options.rows, processes=True)
    print(f"CPU time of the local Studio for one upload ({options.uploads} uploads)")
    print(f"  initiate, put, confirm of a small series      {bookkeeping:6.2f} ms")
    print(f"  the same with processing of {options.rows:6} rows       {whole:6.2f} ms")


if __name__ == "__main__":
    main()
