"""The page of a job, served in a thread of its own, and a proxy that puts it behind a prefix."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import ClientSession, web
from anyio.from_thread import start_blocking_portal

from bulkload.report.page.server import PageServer


@contextmanager
def served(job: Path) -> Iterator[str]:
    """Serve the page of a job and give its address."""
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(PageServer(job).serve(0)) as address,
    ):
        yield address


@contextmanager
def behind_a_prefix(address: str) -> Iterator[str]:
    """Put a page behind the path of another server, and give its address there."""
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(_proxy(address)) as outside,
    ):
        yield outside


@asynccontextmanager
async def _proxy(address: str) -> AsyncIterator[str]:
    base = urlsplit(address)
    async with ClientSession() as session:

        async def forward(request: web.Request) -> web.StreamResponse:
            url = f"{base.scheme}://{base.netloc}/{request.match_info['rest']}"
            async with session.get(url, params=request.query) as answer:
                response = web.StreamResponse(status=answer.status)
                for name in ("Content-Type", "Content-Security-Policy"):
                    if name in answer.headers:
                        response.headers[name] = answer.headers[name]
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            return response

        app = web.Application()
        app.router.add_get("/lab/jobs/{rest:.*}", forward)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/lab/jobs{base.path}"
        await runner.cleanup()


def asked(address: str, path: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
    """Return status, headers and text of an answer; ``headers`` have underscores for hyphens."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", parts.path + path, headers=named)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


class Viewer:
    """A stream that is open, and not read."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._connection.request("GET", parts.path + "stream")
        self.answer = self._connection.getresponse()

    def event(self, name: str) -> str:
        """Return the data of the next event of a name."""
        current = ""
        while line := self.answer.readline().decode():
            if line.startswith("event: "):
                current = line[7:].strip()
            elif line.startswith("data: ") and current == name:
                return line[6:]
        raise AssertionError(f"the stream ended without {name}")

    def close(self) -> None:
        """Go away."""
        self.answer.close()
        self._connection.close()
