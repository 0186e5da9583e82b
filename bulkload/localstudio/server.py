"""A local StudioState that listens: in-process for tests and the demo, or as a command."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from bulkload.core.systems import system_of
from bulkload.localstudio.app import make_app
from bulkload.localstudio.faults import Faults
from bulkload.localstudio.processing_queue import Processing
from bulkload.localstudio.routes import ENDPOINTS
from bulkload.localstudio.signed_storage import make_storage
from bulkload.localstudio.studio import Requests, StudioState
from bulkload.localstudio.studio_settings import ADDRESS_FILE, SHUTDOWN_GRACE_S, StudioSettings

#: Where a running StudioState says how to reach it.


class LocalStudio:
    """A Studio on this machine: ``async with LocalStudio(StudioSettings(data_dir=...)) as it``."""

    def __init__(self, settings: StudioSettings) -> None:
        self.settings = settings
        self._studio: StudioState | None = None
        self._api: _Listener | None = None
        self._storage: _Listener | None = None

    async def __aenter__(self) -> Self:
        self._studio = studio = StudioState(self.settings)
        studio.processing = Processing(studio)
        settings = self.settings
        self._storage = _Listener(make_storage(studio), settings.host, settings.storage_port)
        self._api = _Listener(make_app(studio, ENDPOINTS), settings.host, settings.port)
        try:
            await self._storage.start()
            studio.storage_url = self._storage.url
            await self._api.start()
        except BaseException:
            await self._close()
            raise
        studio.processing.resume()
        studio.forget_expired_uploads()
        self._say_address()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    @property
    def url(self) -> str:
        """Base URL of the API."""
        assert self._api is not None
        return self._api.url

    @property
    def port(self) -> int:
        """Port of the API."""
        assert self._api is not None
        return self._api.port

    @property
    def storage_url(self) -> str:
        """Base URL of the storage."""
        assert self._storage is not None
        return self._storage.url

    @property
    def api_key(self) -> str:
        """The key that may do everything."""
        return self._open.keys.api_key

    @property
    def api_token(self) -> str:
        """The bearer token that may do everything."""
        return self._open.keys.api_token

    @property
    def read_only_key(self) -> str:
        """A key that may only read: whatever would change something is a 403."""
        return self._open.keys.read_only_key

    @property
    def project_id(self) -> str:
        """The project that a new Studio starts with."""
        return self._open.project_id

    @property
    def organization_id(self) -> str:
        """The one organization."""
        return self._open.organization_id

    @property
    def faults(self) -> Faults:
        """Trouble on order."""
        return self._open.faults

    @property
    def requests(self) -> Requests:
        """What was asked so far."""
        return self._open.requests

    async def processed(self) -> None:
        """Wait until all that was confirmed is ready or failed."""
        await self._open.processing.idle()

    async def go_down(self) -> None:
        """Refuse connections to API and storage, and end those that stand."""
        assert self._api is not None
        assert self._storage is not None
        await self._api.stop()
        await self._storage.stop()

    async def come_back(self) -> None:
        """Listen again, on the same ports."""
        assert self._api is not None
        assert self._storage is not None
        await self._storage.start()
        await self._api.start()

    @property
    def _open(self) -> StudioState:
        assert self._studio is not None, "the Studio is not started"
        return self._studio

    def _say_address(self) -> None:
        address = {
            "process_id": os.getpid(),
            "url": self.url,
            "storage_url": self.storage_url,
            "project_id": self.project_id,
            "organization_id": self.organization_id,
        }
        path = Path(self.settings.data_dir) / ADDRESS_FILE
        path.write_text(json.dumps(address, indent=2) + "\n", "utf-8")

    async def _close(self) -> None:
        for listener in (self._api, self._storage):
            if listener is not None:
                await listener.close()
        await self._open.processing.close()
        self._open.close()


class _Listener:
    """One application on one port, which it keeps when it stops and starts."""

    def __init__(self, app: web.Application, host: str, port: int) -> None:
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=SHUTDOWN_GRACE_S, keepalive_timeout=75.0
        )
        self._host = host
        self.port = port
        self._site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    async def start(self) -> None:
        if self._runner.server is None:
            await self._runner.setup()
        self._site = web.TCPSite(self._runner, self._host, self.port, reuse_address=True)
        await self._site.start()
        if self.port == 0:
            self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._site is not None:
            await self._site.stop()
            self._site = None
        server = self._runner.server
        if server is not None:
            for connection in list(server.connections):
                connection.force_close()

    async def close(self) -> None:
        await self._runner.cleanup()


async def serve(
    settings: StudioSettings,
    *,
    port_file: Path | None = None,
    on_ready: Callable[[LocalStudio], None] | None = None,
) -> None:
    """Run a Studio until it is cancelled or the process gets a signal to end.

    ``port_file`` gets the API's port, in one line, once the Studio answers.
    """
    async with LocalStudio(settings) as studio:
        with _told_to_end() as end:
            if port_file is not None:
                arriving = port_file.with_name(port_file.name + ".new")
                arriving.write_text(f"{studio.port}\n", "utf-8")
                arriving.replace(port_file)
            if on_ready is not None:
                on_ready(studio)
            await end.wait()


@contextlib.contextmanager
def _told_to_end() -> Iterator[asyncio.Event]:
    """Yield the event that SIGINT and SIGTERM set."""
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    heard: list[signal.Signals] = []
    has_handlers = system_of(sys.platform).hands_signals_on
    for number in (signal.SIGINT, signal.SIGTERM) if has_handlers else ():
        # A thread may set none: there the task is cancelled.
        with contextlib.suppress(RuntimeError, ValueError):
            loop.add_signal_handler(number, end.set)
            heard.append(number)
    try:
        yield end
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
