"""The real transport: HTTP to the API host, with the credentials that belong to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from bulkload.client.http.access import Access
from bulkload.client.http.api_session import (
    Timeouts,
    close_session,
    in_chunks,
    open_session,
    translate,
)
from bulkload.client.http.limits import CHUNK_BYTES, MAX_ANSWER_BYTES
from bulkload.client.http.proxy import proxy_for
from bulkload.client.http.wire import Answer, Request
from bulkload.errors import AnswerLostError, ClientError


class HttpTransport:
    """One attempt at a time over pooled connections; opens on first use, close it after."""

    def __init__(
        self,
        access: Access,
        *,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._access = access
        self._timeouts = timeouts or Timeouts()
        self._host = URL(access.base_url).host
        self._proxy = proxy_for(access.base_url)
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"HttpTransport({self._access.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; the next request would open new ones."""
        if self._session is not None:
            session, self._session = self._session, None
            await close_session(session)

    async def send(self, request: Request) -> Answer:
        """Make one attempt (see ``Transport.send``)."""
        headers: dict[str, str] = {}
        if request.content is not None:
            headers["Content-Length"] = str(len(request.content))
        if request.content_encoding is not None:
            headers["Content-Encoding"] = request.content_encoding
        url = URL(f"{self._access.base_url}{request.path}{request.query}", encoded=True)
        try:
            async with self._opened().request(
                request.method,
                url,
                data=_body(request.content),
                headers=headers,
                allow_redirects=False,
                proxy=self._proxy,
            ) as response:
                return Answer(
                    status=response.status,
                    headers=response.headers,
                    body=await self._read(response),
                )
        except aiohttp.InvalidURL as error:
            raise ClientError(f"not a path of the API: {request.path!r}") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise translate(error, self._host) from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        first = await response.content.readany()
        if response.content.at_eof():
            return first
        body = bytearray(first)
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise AnswerLostError(
                    f"the answer is longer than {MAX_ANSWER_BYTES} bytes", response.status
                )
        return bytes(body)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session(
                # The caller bounds the requests in flight, and may let them become more.
                connections=0,
                timeouts=self._timeouts,
                headers=self._access.headers(),
                decompress=True,
            )
        return self._session


def _body(content: bytes | None) -> bytes | AsyncIterator[bytes] | None:
    """Return a body as aiohttp takes it: small ones whole, which leave with their headers."""
    return content if content is None or len(content) <= CHUNK_BYTES else in_chunks(content)
