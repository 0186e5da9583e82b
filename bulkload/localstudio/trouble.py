"""Performs the faults: each wraps the act of answering, so that several can apply at once."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from aiohttp import web

from bulkload.core.systems import system_of
from bulkload.localstudio.call import JSON_HEADERS
from bulkload.localstudio.error_answers import ERROR_CODES
from bulkload.localstudio.faults import FaultKind, FaultRule, Faults, http_date_in
from bulkload.localstudio.studio import SeenRequest, StudioState
from bulkload.localstudio.studio_settings import SLOW_BODY_PIECES

Act = Callable[[], Awaitable[web.StreamResponse]]
_Performer = Callable[[FaultRule, web.Request, Act, Faults], Awaitable[web.StreamResponse]]

#: Where a storage handler leaves the path of its object, for faults that cut, slow or damage it.
OBJECT_FILE: Final = web.RequestKey("object_file", Path)

#: On, for zero seconds.
_NO_LINGER: Final = struct.pack(system_of(sys.platform).linger_layout, 1, 0)


_HTML: Final = "<!DOCTYPE html><html><body><h1>Please sign in to the network</h1></body></html>"
_EXPIRED: Final = {
    "statusCode": "403",
    "error": "InvalidJWT",
    "message": '"exp" claim timestamp check failed',
}


async def performed(
    studio: StudioState, endpoint: str, request: web.Request, act: Act
) -> web.StreamResponse:
    """Answer a request, in what trouble strikes it, and count it."""
    rules = studio.faults.matching(endpoint, request.path)
    if rules:
        act = _troubled(rules, request, act, studio.faults)
    try:
        answer = await act()
    except ConnectionError:
        # The client went away in the middle of its request: no client waits for an answer.
        answer = web.Response(status=500)
    cut = request.transport is None or request.transport.is_closing()
    status = 0 if cut else answer.status
    studio.requests.note(SeenRequest(endpoint, request.method, request.path, status))
    return answer


def _troubled(rules: Sequence[FaultRule], request: web.Request, act: Act, faults: Faults) -> Act:
    """Wrap an act in the faults that apply to it, the first rule outermost."""
    for rule in reversed(rules):
        act = _wrapped(rule, request, act, faults)
    return act


def _wrapped(rule: FaultRule, request: web.Request, act: Act, faults: Faults) -> Act:
    performer = _PERFORMERS[rule.kind]

    async def perform() -> web.StreamResponse:
        return await performer(rule, request, act, faults)

    return perform


def _reset(request: web.Request) -> web.Response:
    """Reset the connection: the client sees no answer. Return one for the framework to drop."""
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        if raw is not None:
            # Linger for no time at all: the kernel sends RST in place of an orderly end.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    return web.Response(status=500)


async def _latency(
    rule: FaultRule, _request: web.Request, act: Act, _faults: Faults
) -> web.StreamResponse:
    await asyncio.sleep(rule.seconds)
    return await act()


async def _status(
    rule: FaultRule, _request: web.Request, act: Act, _faults: Faults
) -> web.StreamResponse:
    if rule.work_done:
        await act()
    return _refusal(rule, rule.status, f"ordered fault {rule.status}")


async def _rate_limit(
    rule: FaultRule, _request: web.Request, _act: Act, _faults: Faults
) -> web.StreamResponse:
    return _refusal(rule, 429, "Too many requests")


async def _html(
    rule: FaultRule, _request: web.Request, act: Act, _faults: Faults
) -> web.StreamResponse:
    if rule.work_done:
        await act()
    return web.Response(status=200, text=_HTML, content_type="text/html")


async def _expired_url(
    _rule: FaultRule, _request: web.Request, _act: Act, _faults: Faults
) -> web.StreamResponse:
    return web.Response(status=403, body=json.dumps(_EXPIRED).encode(), headers=JSON_HEADERS)


async def _quota(
    rule: FaultRule, _request: web.Request, _act: Act, _faults: Faults
) -> web.StreamResponse:
    return _refusal(rule, 403, "Storage quota of the organization is used up")


async def _truncated(
    rule: FaultRule, request: web.Request, act: Act, _faults: Faults
) -> web.StreamResponse:
    whole = await act()
    body = _body_of(whole, request)
    cut = web.StreamResponse(status=whole.status, headers=_plain_headers(whole))
    cut.content_length = max(len(body), 1)
    await cut.prepare(request)
    await cut.write(body[: int(len(body) * rule.fraction)])
    if request.transport is not None:
        request.transport.close()
    return cut


async def _reset_before(
    _rule: FaultRule, request: web.Request, _act: Act, _faults: Faults
) -> web.StreamResponse:
    return _reset(request)


async def _reset_during(
    rule: FaultRule, request: web.Request, _act: Act, _faults: Faults
) -> web.StreamResponse:
    left = int((request.content_length or 0) * rule.fraction)
    while left > 0:
        piece = await request.content.read(min(left, 65_536))
        if not piece:
            break
        left -= len(piece)
    return _reset(request)


async def _reset_after(
    _rule: FaultRule, request: web.Request, act: Act, _faults: Faults
) -> web.StreamResponse:
    await act()
    return _reset(request)


async def _silence(
    rule: FaultRule, request: web.Request, act: Act, _faults: Faults
) -> web.StreamResponse:
    await act()
    await asyncio.sleep(rule.seconds)
    return _reset(request)


async def _slow_body(
    rule: FaultRule, request: web.Request, act: Act, _faults: Faults
) -> web.StreamResponse:
    transport = request.transport
    assert isinstance(transport, asyncio.ReadTransport)
    transport.pause_reading()
    await asyncio.sleep(rule.seconds)
    transport.resume_reading()
    return await act()


async def _slow_answer(
    rule: FaultRule, request: web.Request, act: Act, _faults: Faults
) -> web.StreamResponse:
    whole = await act()
    body = _body_of(whole, request)
    slow = web.StreamResponse(status=whole.status, headers=_plain_headers(whole))
    slow.content_length = len(body)
    await slow.prepare(request)
    size = max(1, -(-len(body) // SLOW_BODY_PIECES))
    for start in range(0, len(body), size):
        await asyncio.sleep(rule.seconds / SLOW_BODY_PIECES)
        await slow.write(body[start : start + size])
    return slow


async def _duplicate_delivery(
    _rule: FaultRule, _request: web.Request, act: Act, _faults: Faults
) -> web.StreamResponse:
    await act()
    return await act()


async def _damaged(
    rule: FaultRule, request: web.Request, act: Act, _faults: Faults
) -> web.StreamResponse:
    whole = await act()
    path = request.get(OBJECT_FILE)
    if path is not None and whole.status < 400:
        kept = path.read_bytes()
        kept = kept[: int(len(kept) * rule.fraction)]
        path.write_bytes(kept)
        if "ETag" in whole.headers:
            whole.headers["ETag"] = f'"{hashlib.md5(kept, usedforsecurity=False).hexdigest()}"'
        if "x-amz-object-size" in whole.headers:
            whole.headers["x-amz-object-size"] = str(len(kept))
    return whole


async def _clock_skew(
    rule: FaultRule, _request: web.Request, act: Act, _faults: Faults
) -> web.StreamResponse:
    whole = await act()
    whole.headers["Date"] = http_date_in(rule.seconds)
    return whole


async def _consistency_gap(
    rule: FaultRule, request: web.Request, act: Act, faults: Faults
) -> web.StreamResponse:
    whole = await act()
    made = _json_of(whole, request).get("id")
    if whole.status < 400 and isinstance(made, str):
        faults.hide(made, rule.seconds)
    return whole


async def _stale_upload(
    rule: FaultRule, request: web.Request, act: Act, faults: Faults
) -> web.StreamResponse:
    whole = await act()
    if whole.status < 400:
        name = json.loads(await request.read())["measurement"]["name"]
        faults.hold(request.match_info["instance"], name, rule.seconds)
    return whole


_PERFORMERS: Final[Mapping[FaultKind, _Performer]] = {
    FaultKind.LATENCY: _latency,
    FaultKind.STATUS: _status,
    FaultKind.HTML: _html,
    FaultKind.EXPIRED_URL: _expired_url,
    FaultKind.QUOTA: _quota,
    FaultKind.TRUNCATED: _truncated,
    FaultKind.RESET_BEFORE: _reset_before,
    FaultKind.OUTAGE: _reset_before,
    FaultKind.RESET_DURING: _reset_during,
    FaultKind.RESET_AFTER: _reset_after,
    FaultKind.SILENCE: _silence,
    FaultKind.SLOW_BODY: _slow_body,
    FaultKind.SLOW_ANSWER: _slow_answer,
    FaultKind.DUPLICATE_DELIVERY: _duplicate_delivery,
    FaultKind.RATE_LIMIT: _rate_limit,
    FaultKind.DAMAGED: _damaged,
    FaultKind.CLOCK_SKEW: _clock_skew,
    FaultKind.CONSISTENCY_GAP: _consistency_gap,
    FaultKind.STALE_UPLOAD: _stale_upload,
}

#: The kinds that apply to requests; the others apply to processing.
PERFORMED_KINDS: Final = frozenset(_PERFORMERS)


def _refusal(rule: FaultRule, status: int, message: str) -> web.Response:
    code = ERROR_CODES.get(status, "ERROR")
    body = json.dumps({"error_code": code, "message": message, "detail": None}).encode()
    answer = web.Response(status=status, body=body, headers=JSON_HEADERS)
    if rule.retry_after is not None:
        answer.headers["Retry-After"] = rule.retry_after
    return answer


def _body_of(whole: web.StreamResponse, request: web.Request) -> bytes:
    if isinstance(whole, web.FileResponse):
        return request[OBJECT_FILE].read_bytes()
    body = getattr(whole, "body", None)
    return body if isinstance(body, bytes) else b""


def _json_of(whole: web.StreamResponse, request: web.Request) -> dict[str, object]:
    try:
        parsed = json.loads(_body_of(whole, request) or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _plain_headers(whole: web.StreamResponse) -> dict[str, str]:
    return {name: value for name, value in whole.headers.items() if name != "Content-Length"}
