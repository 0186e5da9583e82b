"""What a client was told survives: an orderly restart, and a kill at any moment."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bulkload.localstudio import FaultKind, FaultRule, LocalStudio, StudioSettings, serve
from bulkload.localstudio.store import DATABASE_NAME
from tests.localstudio.support import Api, made, series

pytestmark = pytest.mark.anyio


async def test_a_restart_keeps_key_project_records_and_data(tmp_path: Path) -> None:
    settings = StudioSettings(data_dir=tmp_path)
    async with aiohttp.ClientSession() as session:
        async with LocalStudio(settings) as first:
            api = Api(first, session)
            cell = await api.cell()
            measurement = await api.upload(cell, tags=["t"])
            opened = await api.begin(cell, "open")
            before = await api.measurement(measurement)
            identity = (first.api_key, first.api_token, first.project_id, first.organization_id)
        async with LocalStudio(settings) as second:
            api = Api(second, session)
            again = (second.api_key, second.api_token, second.project_id, second.organization_id)
            assert again == identity
            assert await api.measurement(measurement) == before
            redirect = await api.get(f"/cell_measurements/{measurement}/time_series/download")
            assert (await api.get(redirect.headers["Location"])).body == series()
            made(await api.confirm(opened, cell, name="open"))
            await second.processed()
            assert (await api.measurement(opened))["processing_status"] == "ready"


async def test_unfinished_processing_is_taken_up_again(tmp_path: Path) -> None:
    settings = StudioSettings(data_dir=tmp_path)
    async with aiohttp.ClientSession() as session:
        async with LocalStudio(settings) as first:
            api = Api(first, session)
            cell = await api.cell()
            ids = []
            for kind in (FaultKind.PROCESSING_STUCK, FaultKind.PROCESSING_LOST):
                first.faults.add(FaultRule(kind=kind, endpoint="processing", subject=kind))
                ids.append(await api.begin(cell, kind))
                made(await api.confirm(ids[-1], cell, name=kind))
        async with LocalStudio(settings) as second:
            await second.processed()
            states = [(await Api(second, session).measurement(each)) for each in ids]
        assert [state["processing_status"] for state in states] == ["ready", "ready"]


async def test_expired_uploads_are_cleared_away_at_the_start(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with LocalStudio(StudioSettings(data_dir=tmp_path)) as first:
            api = Api(first, session)
            await api.begin(await api.cell())
        stored = list((tmp_path / "objects").glob("*/*.time_series.parquet"))
        assert len(stored) == 1
        async with LocalStudio(StudioSettings(data_dir=tmp_path, upload_lifetime_s=0.0)):
            assert not stored[0].exists()


async def test_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(b"something else entirely" * 100)
    with pytest.raises(Exception, match="not the database of a local Studio"):
        async with LocalStudio(StudioSettings(data_dir=tmp_path)):
            pass
    assert (tmp_path / DATABASE_NAME).read_bytes().startswith(b"something else")


async def test_serve_writes_its_port_when_it_answers(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    ready: asyncio.Queue[LocalStudio] = asyncio.Queue()
    settings = StudioSettings(data_dir=tmp_path / "data")
    serving = asyncio.create_task(serve(settings, port_file=port_file, on_ready=ready.put_nowait))
    studio = await ready.get()
    port = int(port_file.read_text())
    assert studio.url == f"http://127.0.0.1:{port}"
    url = f"http://127.0.0.1:{port}/healthz"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


SERVER = """
import asyncio, sys
from pathlib import Path
from bulkload.localstudio import StudioSettings, serve

def tell(studio):
    print(studio.url, flush=True)

asyncio.run(serve(StudioSettings(data_dir=Path(sys.argv[1])), on_ready=tell))
"""


def _start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def _end(process: subprocess.Popen[str], number: int) -> int:
    process.send_signal(number)
    code = process.wait(timeout=20)
    assert process.stdout is not None
    process.stdout.close()
    return code


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM to hear on Windows")
def test_told_to_end_it_ends_in_order(tmp_path: Path) -> None:
    process, _ = _start(tmp_path)
    assert _end(process, signal.SIGTERM) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on Windows")
@pytest.mark.parametrize("requests", [5, 23, 60])
async def test_killed_it_keeps_all_that_it_acknowledged(tmp_path: Path, requests: int) -> None:
    process, url = _start(tmp_path)
    told: list[str] = []
    async with aiohttp.ClientSession() as session:
        client = _Told(session, url, tmp_path)
        spec = await client.create("/cell_specifications", project_id=client.project_id)
        path = f"/cell_specifications/{spec}/cell_instances"

        async def work(worker: int) -> None:
            for number in range(1000):
                made_id = await client.create(path, name=f"{worker}-{number}")
                told.append(made_id)
                if len(told) == requests:
                    os.kill(process.pid, signal.SIGKILL)

        ends = await asyncio.gather(*(work(worker) for worker in range(8)), return_exceptions=True)
        assert all(isinstance(end, aiohttp.ClientError) for end in ends), ends
        _end(process, signal.SIGKILL)
        async with LocalStudio(StudioSettings(data_dir=tmp_path)) as again:
            api = Api(again, session)
            for each in told:
                assert (await api.get(f"/cell_instances/{each}")).status == 200


class _Told:
    """A client of a Studio in another process."""

    def __init__(self, session: aiohttp.ClientSession, url: str, folder: Path) -> None:
        import json

        self._session = session
        self._url = url
        self._key = (folder / "api_key").read_text().strip()
        self.project_id = json.loads((folder / "studio.json").read_text())["project_id"]

    async def create(self, path: str, **fields: Any) -> str:
        headers = {"X-API-Key": self._key}
        body = {"name": "n", **fields}
        async with self._session.post(self._url + path, json=body, headers=headers) as answer:
            assert answer.status == 201
            return str((await answer.json())["id"])
