"""A real server on loopback that answers by a written sequence, and keeps what it saw."""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bulkload.client.http.access import Access
from bulkload.client.http.events import WireEvent
from tests.simulation.virtual_clock import virtual_run

Step = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """A request as it came in, as far as it was read."""

    method: str
    raw_path: str
    headers: dict[str, str]
    at: float
    body: bytes = b""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


SEEN = web.RequestKey("seen", Seen)


@dataclass
class ScriptedServer:
    """Takes one step a request, then the last one for ever."""

    steps: list[Step]
    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    #: Defects of the server itself: they must not pass for trouble on order.
    errors: list[Exception] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(
            request.method,
            request.raw_path,
            {name.lower(): value for name, value in request.headers.items()},
            asyncio.get_running_loop().time(),
        )
        self.seen.append(seen)
        request[SEEN] = seen
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        try:
            return await step(request)
        except ConnectionError:
            raise  # the client went away: its affair
        except Exception as error:
            self.errors.append(error)
            raise

    @property
    def access(self) -> Access:
        return Access(base_url=self.url, api_key="the-secret-key", organization_id="org-1")


@asynccontextmanager
async def scripted(*steps: Step) -> AsyncIterator[ScriptedServer]:
    """Serve the steps on a free port of loopback."""
    server = ScriptedServer(list(steps))
    app = web.Application(client_max_size=1024**3)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}"
        yield server
    finally:
        await runner.cleanup()
    assert server.errors == []


async def read_all(request: web.Request) -> bytes:
    """Read the whole body."""
    seen = request[SEEN]
    seen.body = await request.read()
    return seen.body


def answer(
    status: int = 200,
    body: Any = None,
    *,
    text: str | None = None,
    headers: dict[str, str] | None = None,
) -> Step:
    """Read the request, then answer with JSON (or a text as it stands)."""

    async def step(request: web.Request) -> web.StreamResponse:
        await read_all(request)
        if text is not None:
            return web.Response(status=status, text=text, headers=headers)
        return web.json_response(body, status=status, headers=headers)

    return step


def reset(*, after_bytes: int | None = None) -> Step:
    """Break the connection: at once, or after that many bytes of the body."""

    async def step(request: web.Request) -> web.StreamResponse:
        seen = request[SEEN]
        while after_bytes is not None and len(seen.body) < after_bytes:
            seen.body += await request.content.readany()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return step


def committed_then_reset(commit: Callable[[bytes], None]) -> Step:
    """Do the work, then break the connection instead of answering."""

    async def step(request: web.Request) -> web.StreamResponse:
        commit(await read_all(request))
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return step


def truncated(body: bytes, announced: int, *, content_type: str = "application/json") -> Step:
    """Announce more than is sent, then close."""

    async def step(request: web.Request) -> web.StreamResponse:
        await read_all(request)
        response = web.StreamResponse(
            headers={"Content-Type": content_type, "Content-Length": str(announced)}
        )
        await response.prepare(request)
        await response.write(body)
        assert request.transport is not None
        request.transport.close()
        return response

    return step


def silent() -> Step:
    """Take the request and never answer."""

    async def step(request: web.Request) -> web.StreamResponse:
        await read_all(request)
        await asyncio.Event().wait()
        return web.Response()

    return step


def stored(headers: Callable[[bytes], dict[str, str]] | None = None) -> Step:
    """Store a PUT as S3 does: the ETag is the MD5."""

    async def step(request: web.Request) -> web.StreamResponse:
        body = await read_all(request)
        if headers is not None:
            return web.Response(headers=headers(body))
        return web.Response(headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})

    return step


class Heard(list[WireEvent]):
    """An observer that keeps what it hears."""

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self if isinstance(event, kind)]


def in_virtual_time(
    test: Callable[..., Coroutine[Any, Any, None]],
) -> Callable[..., None]:
    """Run an async test in virtual time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        virtual_run(lambda: test(*args, **kwargs))

    return run
