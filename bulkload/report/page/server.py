"""The page's server: files of the package, one stream of what is seen, stories on request.

One task looks at the job while anybody watches; each viewer's stream sends the newest that it has
not sent yet. A viewer that is slow skips what is old and costs nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from bulkload.core.text import printable
from bulkload.errors import BulkloadError, SettingsError
from bulkload.report.limits import BEAT_S, LOOK_EVERY_S, PAGE_CLIENTS, SEND_LIMIT_S
from bulkload.report.page.access import HEADERS, TOKEN_BYTES, is_token, refusal
from bulkload.report.page.stories import NoPlotError, Plotter, cell, story
from bulkload.report.page.watch import CellName, Watch, shown
from bulkload.report.plots import description_in
from bulkload.report.render import asset

HOST: Final = "127.0.0.1"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Files of the page, by their place below the token.
_FILES: Final = {
    "": ("index.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "page.css": ("page.css", "text/css"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}


@dataclass(slots=True)
class Board:
    """What was seen last, for all streams."""

    #: Set, and replaced by a new one, when something newer was seen. No lock: a stream that is
    #: cancelled while it waits for one may leave it taken for ever.
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    number: int = 0
    #: No stream goes on: the page ends.
    is_over: bool = False
    state: str = "{}"
    cells: dict[CellName, str] = field(default_factory=dict)
    viewers: int = 0
    #: Set while anybody watches.
    watched: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Have every stream look at what there is."""
        self.changed.set()
        self.changed = asyncio.Event()


class PageServer:
    """Serves one job's page."""

    def __init__(self, job_dir: Path) -> None:
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        self._job_dir = job_dir
        self._board = Board()
        self._watch = Watch(job_dir)
        self._plotter = Plotter(job_dir)
        self._css = asset("base.css") + _own("page.css")
        self._pages = {name: (_own(file), kind) for name, (file, kind) in _FILES.items()}

    @asynccontextmanager
    async def serve(self, port: int) -> AsyncIterator[str]:
        """Serve the page while the block runs, and give its address; port 0 takes a free one.

        Raises ``SettingsError`` for a port that is taken.
        """
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/{token}/stream", self._stream, allow_head=False)
        app.router.add_get("/{token}/cell", self._cell)
        app.router.add_get("/{token}/story", self._story)
        app.router.add_get("/{token}/plot.svg", self._plot)
        app.router.add_get("/{token}/{name:.*}", self._file)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
        await runner.setup()
        looking = asyncio.create_task(self._look())
        try:
            site = web.TCPSite(runner, HOST, port)
            try:
                await site.start()
            except OSError as error:
                raise SettingsError(
                    f"the page cannot listen on port {port}: {error.strerror}; give another one"
                ) from error
            yield f"http://{HOST}:{runner.addresses[0][1]}/{self.token}/"
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
            self._board.is_over = True
            self._board.wake()
            await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        is_document = request.path.count("/") == 2 and request.path.endswith("/")
        why = refusal(request.headers.get("Host"), request.headers, is_document=is_document)
        if why:
            return _answer(why, status=403)
        if not is_token(request.match_info.get("token", ""), self.token):
            return _answer("not found: the address has another token", status=404)
        try:
            return await handler(request)
        except NoPlotError as error:
            return _answer(str(error), status=404)
        except BulkloadError as error:
            return _answer(str(error), status=503)
        except ValueError:
            return _answer("not a number", status=400)

    async def _look(self) -> None:
        """Look at the job while anybody watches."""
        while True:
            await self._board.watched.wait()
            try:
                view = await asyncio.to_thread(self._watch.look, time.time())
            except (BulkloadError, OSError) as error:
                self._show({"trouble": str(error)}, self._board.cells)
            else:
                cells = {name: _row(name, counts) for name, counts in view.cells.items()}
                self._show(view.state, cells)
            await asyncio.sleep(LOOK_EVERY_S)

    def _show(self, state: dict[str, Any], cells: dict[CellName, str]) -> None:
        self._board.state = json.dumps(shown(state))
        self._board.cells = cells
        self._board.number += 1
        self._board.wake()

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self._board.viewers >= PAGE_CLIENTS:
            return _answer(f"{PAGE_CLIENTS} viewers are watching: close one", status=503)
        response = web.StreamResponse(
            headers={**HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        self._board.viewers += 1
        self._board.watched.set()
        try:
            await response.prepare(request)
            await self._send_changes(response)
        except (ConnectionError, TimeoutError):
            # The viewer has gone, or takes nothing.
            pass
        finally:
            self._board.viewers -= 1
            if not self._board.viewers:
                self._board.watched.clear()
        return response

    async def _send_changes(self, response: web.StreamResponse) -> None:
        number, sent = 0, dict[CellName, str]()
        while not self._board.is_over:
            is_new = await self._newer(number)
            number, state, cells = self._board.number, self._board.state, self._board.cells
            text = ": alive\n\n"
            if is_new:
                text = f"event: state\ndata: {state}\n\n{_cells_event(cells, sent)}"
                sent = cells
            async with asyncio.timeout(SEND_LIMIT_S):
                await response.write(text.encode())

    async def _newer(self, number: int) -> bool:
        """Wait until something newer was seen, or a sign of life is due; return which."""
        board = self._board
        if board.number == number:
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await board.changed.wait()
        return board.number > number

    async def _cell(self, request: web.Request) -> web.StreamResponse:
        wanted = request.query.get("id", "")
        names = next((one for one in self._board.cells if _id_of(one) == wanted), None)
        if names is None:
            return _answer("the job has no such cell", status=404)
        return _json(await asyncio.to_thread(cell, self._job_dir, *names))

    async def _story(self, request: web.Request) -> web.StreamResponse:
        found = await asyncio.to_thread(story, self._job_dir, *_numbers(request))
        if found is None:
            return _answer("the journal has no such measurement", status=404)
        return _json(found)

    async def _plot(self, request: web.Request) -> web.StreamResponse:
        svg = await self._plotter.plot(*_numbers(request))
        # A picture has its colours in itself, and nothing else: no code of it is run.
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        headers = {
            **HEADERS,
            "Content-Security-Policy": policy,
            "Plot-Description": quote(description_in(svg)),
        }
        return web.Response(text=svg, content_type="image/svg+xml", headers=headers)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        found = self._pages.get(request.match_info["name"])
        if found is None:
            return _answer("not found", status=404)
        text, kind = found
        return web.Response(
            text=self._css if kind == "text/css" else text,
            content_type=kind,
            charset="utf-8",
            headers=HEADERS,
        )


def _own(name: str) -> str:
    return files("bulkload.report.page").joinpath("static", name).read_text("utf-8")


def _cells_event(cells: dict[CellName, str], sent: dict[CellName, str]) -> str:
    """Return the event that tells a viewer of cells, who was sent some; empty where all are."""
    # A cell that has left the plan: all are sent anew.
    is_whole = not sent or bool(sent.keys() - cells.keys())
    changed = [row for name, row in cells.items() if is_whole or sent.get(name) != row]
    if not changed:
        return ""
    return (
        f'event: cells\ndata: {{"whole":{json.dumps(is_whole)},"cells":[{",".join(changed)}]}}\n\n'
    )


def _row(name: CellName, counts: dict[str, int]) -> str:
    return json.dumps([printable(name[0]), printable(name[1]), counts, _id_of(name)])


def _id_of(name: CellName) -> str:
    """Return what a cell is asked for by: its names may be longer than an address, or not print."""
    return hashlib.sha256("\0".join(name).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _numbers(request: web.Request) -> tuple[int, int]:
    """Return part and job; ``ValueError`` for what is not a number."""
    return int(request.query.get("part", "0")), int(request.query.get("job", ""))


def _json(value: Any) -> web.Response:
    return web.json_response(shown(value), headers=HEADERS)


def _answer(text: str, *, status: int) -> web.Response:
    return web.Response(text=printable(text), status=status, headers=HEADERS)
