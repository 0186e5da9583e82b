"""The API: each endpoint is wrapped once in counting, faults, keys and error bodies."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from aiohttp import web

from bulkload.localstudio.call import JSON_HEADERS, Call
from bulkload.localstudio.error_answers import ErrorAnswer, NotAuthenticatedError
from bulkload.localstudio.studio import StudioState
from bulkload.localstudio.trouble import performed

Handler = Callable[[Call], Awaitable[web.StreamResponse]]


class Endpoint(NamedTuple):
    """One thing that the API can do. ``name`` is what fault rules and counts call it."""

    name: str
    method: str
    path: str
    handler: Handler


#: Endpoints that need no key.
OPEN_ENDPOINTS: Final = frozenset({"health"})

_READING: Final = frozenset({"GET", "HEAD"})


def make_app(studio: StudioState, endpoints: Sequence[Endpoint]) -> web.Application:
    """Return the API as an application."""
    app = web.Application(client_max_size=studio.settings.max_body_bytes)
    guard = RequestGuard(studio)
    for endpoint in endpoints:
        app.router.add_route(
            endpoint.method, endpoint.path, guard.wrap(endpoint.name, endpoint.handler)
        )
    unknown = guard.wrap("unknown", _unknown)
    app.router.add_route("*", "/{tail:.*}", unknown)
    return app


class RequestGuard:
    """Wraps handlers for the framework."""

    def __init__(self, studio: StudioState) -> None:
        self._studio = studio
        self._start = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    def wrap(
        self, name: str, handler: Handler
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return the handler as the framework wants it."""
        studio = self._studio
        latency_s = studio.settings.latency_s

        async def entry(request: web.Request) -> web.StreamResponse:
            async def act() -> web.StreamResponse:
                answer = await self._answered(name, handler, request)
                await studio.store.settled()
                self._mark(answer)
                return answer

            if latency_s:
                await asyncio.sleep(latency_s)
            answer = await performed(studio, name, request, act)
            if not answer.prepared:
                self._mark(answer)
            return answer

        return entry

    def _mark(self, answer: web.StreamResponse) -> None:
        answer.headers.setdefault("x-correlation-id", f"{self._start}-{next(self._numbers)}")

    async def _answered(
        self, name: str, handler: Handler, request: web.Request
    ) -> web.StreamResponse:
        settings = self._studio.settings
        try:
            if name not in OPEN_ENDPOINTS:
                self._check_key(request)
            body = {} if request.method in _READING else await self._body(request)
            return await handler(Call(self._studio, request, body))
        except ErrorAnswer as refusal:
            data = refusal.body(settings.error_form, settings.conflict_form)
            status = refusal.status
        return web.Response(status=status, body=json.dumps(data).encode(), headers=JSON_HEADERS)

    def _check_key(self, request: web.Request) -> None:
        headers = request.headers
        may_write = self._studio.keys.may_write(
            headers.get("X-API-Key"), headers.get("Authorization")
        )
        if may_write is None:
            raise NotAuthenticatedError
        organization = headers.get("X-Organization-Id")
        if organization is not None and organization != self._studio.organization_id:
            raise ErrorAnswer(403, "the key does not belong to this organization")
        if not may_write and request.method not in _READING:
            raise ErrorAnswer(403, "the key may read only")

    async def _body(self, request: web.Request) -> Any:
        try:
            raw = await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            limit = self._studio.settings.max_body_bytes
            raise ErrorAnswer(413, f"the body is larger than {limit} bytes") from error
        if not raw:
            return {}
        strict = self._studio.settings.nan == "refuse"
        try:
            return json.loads(raw, parse_constant=_refuse_constant if strict else None)
        except ValueError as error:
            raise ErrorAnswer(422, f"the body is not JSON: {error}") from error


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is no JSON number")


async def _unknown(_call: Call) -> web.StreamResponse:
    raise ErrorAnswer(404, "Not Found")
