"""The delivery of a measurement, one layer more at each step (used by ``bench_layers.py``).

Each layer is a context manager that gives a function: it delivers the measurement of a number.
Layers up to ``client`` send what the one below sends; from ``upload`` on the engine's own objects
do it, and the last two are whole runs.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp

from bulkload.client.delivery import Delivery
from bulkload.client.http.access import resolve_access
from bulkload.client.http.bodies import encode_json
from bulkload.client.http.transport import HttpTransport
from bulkload.client.http.wire import make_request
from bulkload.client.storage.body import Sending, body_of
from bulkload.client.storage.store_http import StorageHttp
from bulkload.client.studio import AsyncStudio
from bulkload.clock import SystemClock
from bulkload.core.existing import Existing
from bulkload.core.lifecycle import Event, JobState, advance
from bulkload.core.path_layout import Layout
from bulkload.core.plan_items import Checks
from bulkload.core.prepare_result import Prepared, PrepareOptions, PrepareTask
from bulkload.engine.existing import ExistingRecords
from bulkload.engine.job_steps import JobSteps
from bulkload.engine.jobs import JobContext, Recorder, Watcher, prepared_event
from bulkload.engine.log import LogWatcher, open_log
from bulkload.engine.parents import Parents
from bulkload.engine.plan_reader import PlanReader
from bulkload.engine.plan_writer import plan_into
from bulkload.engine.progress import Progress
from bulkload.engine.run import _Watchers
from bulkload.engine.target import RunningStudio
from bulkload.engine.uploader import Uploader
from bulkload.journal import FILE_NAME, Store
from bulkload.journal.journal import Journal, open_journal
from bulkload.sources.read_source import read_source

#: Tasks that deliver at a time, as in ``performance.md``.
TASKS = 12

Deliver = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What a run of a layer works with."""

    folder: Path
    studio: RunningStudio
    #: The prepared file that is sent for each measurement, and what preparing it said.
    body: Path
    prepared: Prepared
    #: A cell of its own, in Studio.
    cell_id: str
    #: The names of the cell's specification and of itself, as the archive's folders have them.
    spec: str
    cell: str
    count: int

    @property
    def headers(self) -> dict[str, str]:
        """Headers of a call of the API."""
        access = resolve_access(api_key=self.studio.api_key, base_url=self.studio.url)
        return access.headers()

    @property
    def initiate_path(self) -> str:
        """Path of the call that asks for an upload."""
        return f"/cell_instances/{self.cell_id}/cell_measurements/initiate-upload"

    def confirmation(self, number: int) -> dict[str, Any]:
        """Body of the call that makes the record."""
        return {
            "cell_instance_id": self.cell_id,
            "measurement": {"name": f"m{number}"},
            "measurement_type": "time_series",
        }

    def open_client(self, delivery: Delivery | None = None) -> AsyncStudio:
        """Return the client."""
        return AsyncStudio(
            api_key=self.studio.api_key,
            base_url=self.studio.url,
            project_id=self.studio.project_id,
            delivery=delivery or Delivery(connections=32),
        )


async def share_out(deliver: Deliver, numbers: Iterator[int]) -> None:
    """Deliver all, ``TASKS`` at a time."""

    async def work() -> None:
        for number in numbers:
            await deliver(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(TASKS):
            group.create_task(work())


# -- Bare wires --------------------------------------------------------------------------------


class _RawHost:
    """Kept-alive connections to one host, and HTTP/1.1 by hand."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        pair = self._free.pop() if self._free else await asyncio.open_connection(*self.address)
        reader, writer = pair
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.address[0]}:{self.address[1]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines.append(f"Content-Length: {len(body)}\r\n\r\n")
        writer.write("\r\n".join(lines).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        assert " 20" in head[:14], head
        size = int(head.partition("content-length: ")[2].partition("\r")[0])
        answer = await reader.readexactly(size)
        self._free.append(pair)
        return answer

    def close(self) -> None:
        for _, writer in self._free:
            writer.close()


@asynccontextmanager
async def raw(bench: Bench) -> AsyncIterator[Deliver]:
    """Write HTTP/1.1 by hand on asyncio, and JSON."""
    api, stores = _RawHost(bench.studio.url), dict[str, _RawHost]()
    base, headers, body = urlsplit(bench.studio.url).path, bench.headers, bench.body.read_bytes()

    async def call(path: str, payload: dict[str, Any]) -> Any:
        answer = await api.send("POST", base + path, headers, encode_json(payload))
        return json.loads(answer)

    async def deliver(number: int) -> None:
        offer = await call(bench.initiate_path, {"measurement": {"name": f"m{number}"}})
        url = offer["uploads"][0]["signed_url"]
        parts = urlsplit(url)
        if parts.netloc not in stores:
            stores[parts.netloc] = _RawHost(url)
        octets = {"Content-Type": "application/octet-stream"}
        await stores[parts.netloc].send("PUT", f"{parts.path}?{parts.query}", octets, body)
        path = f"/cell_measurements/{offer['measurement_id']}/confirm-upload"
        await call(path, bench.confirmation(number))

    yield deliver
    for host in (api, *stores.values()):
        host.close()


@asynccontextmanager
async def aio(bench: Bench) -> AsyncIterator[Deliver]:
    """Use bare aiohttp, bodies as bytes."""
    body, headers = bench.body.read_bytes(), bench.headers
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def call(path: str, payload: dict[str, Any]) -> Any:
            url, data = bench.studio.url + path, encode_json(payload)
            async with session.post(url, data=data, headers=headers) as response:
                assert response.status < 300
                return json.loads(await response.read())

        async def deliver(number: int) -> None:
            offer = await call(bench.initiate_path, {"measurement": {"name": f"m{number}"}})
            async with session.put(offer["uploads"][0]["signed_url"], data=body) as response:
                await response.read()
                assert response.status < 300
            path = f"/cell_measurements/{offer['measurement_id']}/confirm-upload"
            await call(path, bench.confirmation(number))

        yield deliver


# -- The client, layer by layer ----------------------------------------------------------------


@asynccontextmanager
async def wire(bench: Bench) -> AsyncIterator[Deliver]:
    """Make single attempts, by ``HttpTransport`` and ``StorageHttp``."""
    access = resolve_access(api_key=bench.studio.api_key, base_url=bench.studio.url)
    store = StorageHttp(connections=TASKS)
    async with HttpTransport(access) as transport:

        async def call(path: str, payload: dict[str, Any]) -> Any:
            answer = await transport.send(make_request("POST", path, None, payload))
            assert answer.status < 300
            return json.loads(answer.body)

        async def deliver(number: int) -> None:
            offer = await call(bench.initiate_path, {"measurement": {"name": f"m{number}"}})
            body = body_of(bench.body, md5=bench.prepared.md5)
            await store.put(
                offer["uploads"][0]["signed_url"],
                body,
                "application/octet-stream",
                Sending(body, lambda _: None),
                datetime.now(UTC),
            )
            path = f"/cell_measurements/{offer['measurement_id']}/confirm-upload"
            await call(path, bench.confirmation(number))

        yield deliver
    await store.aclose()


@asynccontextmanager
async def caller(bench: Bench) -> AsyncIterator[Deliver]:
    """Put attempts, limiters, breakers and the observer around them."""
    access = resolve_access(api_key=bench.studio.api_key, base_url=bench.studio.url)
    transport, calls, storage = Delivery(connections=32).open(access)

    async def deliver(number: int) -> None:
        payload = {"measurement": {"name": f"m{number}"}}
        offer = await calls.call("POST", bench.initiate_path, json=payload)
        await storage.put_target(offer["uploads"][0], bench.body, md5=bench.prepared.md5)
        path = f"/cell_measurements/{offer['measurement_id']}/confirm-upload"
        await calls.call("POST", path, json=bench.confirmation(number))

    yield deliver
    await transport.aclose()
    await storage.aclose()


@asynccontextmanager
async def client(bench: Bench) -> AsyncIterator[Deliver]:
    """Use the client's calls, and its records."""
    async with bench.open_client() as studio:

        async def deliver(number: int) -> None:
            calls = studio.cell_measurement
            answer = await calls.initiate(bench.cell_id, f"m{number}")
            target = answer.target("time_series.parquet")
            await calls.put(target, bench.body, md5=bench.prepared.md5)
            await calls.confirm(answer.measurement_id, bench.cell_id, {"name": f"m{number}"})

        yield deliver


# -- The engine's objects ----------------------------------------------------------------------


class _NoJournal:
    """Takes events and keeps nothing."""

    def __init__(self) -> None:
        self._states: dict[int, JobState] = {}

    async def append(
        self, job: int, *happened: Event, then: Callable[[JobState], None]
    ) -> JobState:
        state = self._states.get(job, JobState.PLANNED)
        for event in happened:
            state = advance(state, event)
        self._states[job] = state
        then(state)
        return state


class _NoWatcher:
    def on_event(self, context: JobContext, event: Event) -> None:
        """Look away."""


def plan(bench: Bench, store: Store, run: int) -> Any:
    """Plan the archive of the run: a file for each measurement, unread."""
    return plan_into(
        store,
        run,
        read_source(bench.folder / "archive", layout=Layout.parse("{spec}/{cell}/{measurement}.*")),
        checks=Checks(strict=True),
        prepare_options=PrepareOptions(),
        at=0.0,
        sources=[str(bench.folder / "archive")],
    )


@asynccontextmanager
async def _steps(
    bench: Bench, *, journal: bool, watch: bool
) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    async with AsyncExitStack() as stack:
        job_dir = bench.folder / "job"
        job_dir.mkdir()
        with Store(job_dir / FILE_NAME) as store:
            run = store.begin_run("bench", {"url": None, "project": None}, 0.0)
            plan(bench, store, run)
            rows = store.open_jobs(run, bench.spec, bench.cell)
            contexts = [JobContext.load(row, store) for row in rows]
        opened = await stack.enter_async_context(
            open_journal(job_dir / FILE_NAME, run, lambda: 0.0)
        )
        watcher: Watcher = _NoWatcher()
        delivery = Delivery(connections=32)
        if watch:
            logger, file = open_log(job_dir / "log.jsonl", run=run)
            stack.enter_context(file)
            watchers = _Watchers(Progress(SystemClock()), LogWatcher(logger, file))
            watcher, delivery = watchers, Delivery(connections=32, observer=watchers.on_wire)
        studio = await stack.enter_async_context(bench.open_client(delivery))
        recorder = Recorder(opened if journal else cast(Journal, _NoJournal()), watcher)
        reader = PlanReader(opened.reader, run)
        parents = Parents(studio, recorder, specification=reader.specification, cell=reader.cell)
        uploader = Uploader(studio, recorder, parents=parents, sends_provenance=True)
        records = ExistingRecords(studio, scratch=bench.folder)
        steps = JobSteps(
            recorder,
            records=records,
            uploader=uploader,
            raw_files=None,
            existing=Existing.REUSE,
        )

        async def deliver(number: int) -> None:
            context = contexts[number]
            context.prepared, context.spool = bench.prepared, bench.body
            context.pending_events.append(prepared_event(bench.prepared))
            await steps.run(context)

        yield deliver


def upload(bench: Bench) -> AbstractAsyncContextManager[Deliver]:
    """Add ``JobSteps`` and ``Uploader``: parents, metadata, decisions."""
    return _steps(bench, journal=False, watch=False)


def journal(bench: Bench) -> AbstractAsyncContextManager[Deliver]:
    """Add the journal, on disk."""
    return _steps(bench, journal=True, watch=False)


def watch(bench: Bench) -> AbstractAsyncContextManager[Deliver]:
    """Add the log and the progress."""
    return _steps(bench, journal=True, watch=True)


class InstantPool:
    """Prepares by copying what was prepared once."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def prepare(self, task: PrepareTask) -> Prepared:
        """Put the prepared file into the spool."""
        assert task.spool_path is not None
        shutil.copyfile(self._bench.body, task.spool_path)
        return self._bench.prepared


#: The children of ``pool``: they answer at once with what was prepared once.
CHILD = """
import shutil, sys
from pathlib import Path
from bulkload.worker.process import encode_message, read_message
folder = Path(sys.argv[1])
answer = (folder / "answer").read_bytes()
while (task := read_message(sys.stdin.buffer)) is not None:
    shutil.copyfile(folder / "body.parquet", task.spool_path)
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
"""

LAYERS: dict[str, Callable[[Bench], AbstractAsyncContextManager[Deliver]]] = {
    "raw": raw, "aio": aio, "wire": wire, "caller": caller, "client": client,
    "upload": upload, "journal": journal, "watch": watch,
}  # fmt: skip


def load_prepared(folder: Path) -> Prepared:
    """Return what ``bench_layers.py`` prepared."""
    found = pickle.loads((folder / "prepared").read_bytes())
    assert isinstance(found, Prepared)
    return found
