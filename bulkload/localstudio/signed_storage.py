"""The storage: a second server with its own port that knows signed URLs and nothing of keys."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote

from aiohttp import web

from bulkload.localstudio.call import JSON_HEADERS
from bulkload.localstudio.signing import Verb
from bulkload.localstudio.studio import StudioState
from bulkload.localstudio.trouble import OBJECT_FILE, performed

#: Headers that belong to the API host alone.
_IONWORKS_HEADER: Final = re.compile(
    r"authorization|x-api-key|x-organization-id|x-ionworks-.*", re.IGNORECASE
)

_STORED: Final = web.RequestKey("stored", web.Response)


class _StorageError(Exception):
    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.body = {"statusCode": str(status), "error": error, "message": message}
        self.status = status


def make_storage(studio: StudioState) -> web.Application:
    """Return the storage as an application."""
    app = web.Application()
    app.router.add_put("/object/{key}", _guarded(studio, "storage.put", "PUT", _put))
    app.router.add_get("/object/{key}", _guarded(studio, "storage.get", "GET", _get))
    return app


_Handler = Callable[[StudioState, web.Request], Awaitable[web.StreamResponse]]


def _guarded(
    studio: StudioState, name: str, verb: Verb, handler: _Handler
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def entry(request: web.Request) -> web.StreamResponse:
        async def act() -> web.StreamResponse:
            try:
                _check(studio, request, verb)
                return await handler(studio, request)
            except _StorageError as refusal:
                body = json.dumps(refusal.body).encode()
                return web.Response(status=refusal.status, body=body, headers=JSON_HEADERS)

        return await performed(studio, name, request, act)

    return entry


def _check(studio: StudioState, request: web.Request, verb: Verb) -> None:
    if any(_IONWORKS_HEADER.fullmatch(name) for name in request.headers):
        studio.requests.leaked_headers += 1
        if verb == "PUT" or studio.settings.storage_guard == "always":
            raise _StorageError(400, "InvalidRequest", "Ionworks credentials sent to storage")
    query = request.query
    expires = int(query.get("expires", "0")) if query.get("expires", "0").isdecimal() else 0
    genuine = studio.signer.is_genuine(
        query.get("token", ""), verb, request.match_info["key"], expires, query.get("name", "")
    )
    if not genuine:
        raise _StorageError(403, "InvalidJWT", "signature verification failed")
    if expires <= time.time():
        raise _StorageError(403, "InvalidJWT", '"exp" claim timestamp check failed')


async def _put(studio: StudioState, request: web.Request) -> web.StreamResponse:
    if _STORED in request:
        # Delivered twice: the second body is the first one's, and has been read.
        return request[_STORED]
    key = request.match_info["key"]
    objects = studio.objects
    if studio.settings.second_put == "refuse" and objects.exists(key):
        raise _StorageError(409, "Duplicate", "The resource already exists")
    settings = studio.settings
    digest = hashlib.md5(usedforsecurity=False) if settings.put_answer != "nothing" else None
    size = 0
    arriving = objects.receive(key)
    try:
        async for piece in request.content.iter_any():
            arriving.write(piece)
            size += len(piece)
            if digest is not None:
                digest.update(piece)
    except BaseException:
        arriving.discard()
        raise
    arriving.keep()
    studio.requests.bytes_stored += size
    headers = dict(JSON_HEADERS)
    if digest is not None:
        headers["ETag"] = f'"{digest.hexdigest()}"'
    if settings.put_answer == "etag_and_length":
        headers["x-amz-object-size"] = str(size)
    request[OBJECT_FILE] = objects.path(key)
    answer = web.Response(body=json.dumps({"Key": key}).encode(), headers=headers)
    request[_STORED] = answer
    return answer


async def _get(studio: StudioState, request: web.Request) -> web.StreamResponse:
    path = studio.objects.path(request.match_info["key"])
    if not path.is_file():
        raise _StorageError(404, "not_found", "Object not found")
    request[OBJECT_FILE] = path
    name = request.query.get("name") or path.name
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
    }
    return web.FileResponse(path, headers=headers)
