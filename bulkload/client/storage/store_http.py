"""One PUT or GET on a signed URL, over a session that knows no Ionworks header."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import aiohttp
import anyio
import anyio.to_thread
from aiohttp.abc import AbstractStreamWriter

from bulkload.client.http.answers import is_web_page
from bulkload.client.http.api_session import (
    TIMED_OUT,
    Timeouts,
    close_session,
    open_session,
    translate,
)
from bulkload.client.http.limits import CHUNK_BYTES
from bulkload.client.http.proxy import proxy_for
from bulkload.client.http.wire import Answer
from bulkload.client.storage.body import Body, Sending
from bulkload.client.storage.limits import (
    ANSWER_TIMEOUT_S,
    BLOCK_BYTES,
    MAX_STORE_ANSWER_BYTES,
    PROGRESS_TIMEOUT_S,
    WRITE_BYTES,
)
from bulkload.client.storage.signed_urls import (
    NOT_THE_STORE,
    host_of,
    redirected,
    store_of,
    wire_url,
)
from bulkload.client.storage.store_answers import reported_md5, reported_size, storage_error_of
from bulkload.errors import AnswerLostError, ClientError, IntegrityError


class _Whole(aiohttp.BytesPayload):
    """A body sent as one; calls ``on_sent`` when the connection has taken it."""

    def __init__(self, data: bytes, on_sent: Callable[[], None]) -> None:
        super().__init__(data)
        self._on_sent = on_sent

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Write the body, and tell."""
        await super().write_with_length(writer, content_length)
        self._on_sent()


class StorageHttp:
    """Single attempts; opens on first use."""

    def __init__(
        self,
        *,
        connections: int,
        progress_timeout_s: float = PROGRESS_TIMEOUT_S,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._connections = connections
        self._progress_timeout_s = progress_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._session: aiohttp.ClientSession | None = None
        #: The stores that the API named: requests go to no other.
        self._named: set[tuple[str, int] | None] = set()
        #: The proxy of each store that was asked: reading the environment costs as much as a PUT.
        self._proxies: dict[str, str | None] = {}

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await close_session(session)

    async def put(
        self, url: str, body: Body, content_type: str, sending: Sending, now: datetime
    ) -> None:
        """Store a body; compare what the store reports with what was sent."""
        self._named.add(store_of(url))
        with anyio.move_on_after(self._progress_timeout_s) as patience:
            answer = await self._put(url, body, content_type, sending, patience)
            if (there := redirected(url, answer, self._named, is_put=True)) is not None:
                # Once: a store that sends on and on has not stored it.
                sending.begin()
                answer = await self._put(there, body, content_type, sending, patience)
            if not 200 <= answer.status < 300:
                raise storage_error_of(answer, now=now)
            _check_is_store(answer, url)
            _compare(sending, body, answer)
            return
        lost = AnswerLostError(
            f"no answer from {host_of(url)}: {sending.sent_bytes} of {body.size_bytes} bytes"
            f" were sent, then nothing moved for {self._progress_timeout_s:.0f} s"
        )
        lost.cause = TIMED_OUT
        raise lost

    async def _put(
        self,
        url: str,
        body: Body,
        content_type: str,
        sending: Sending,
        patience: anyio.CancelScope,
    ) -> Answer:
        def moved() -> None:
            all_sent = sending.sent_bytes >= body.size_bytes
            seconds = self._answer_timeout_s if all_sent else self._progress_timeout_s
            patience.deadline = anyio.current_time() + seconds

        data = self._whole(sending, moved, patience) if sending.is_small else sending.blocks(moved)
        try:
            async with self._opened().put(
                wire_url(url),
                data=data,
                headers={"Content-Type": content_type, "Content-Length": str(body.size_bytes)},
                allow_redirects=False,
                proxy=self._proxy(url),
            ) as response:
                return await _answer(response)
        except Exception as error:
            if sending.error is not None:
                # The wire knows only that the body ended early; this is why.
                raise sending.error from None
            if isinstance(error, aiohttp.InvalidURL):
                raise ClientError("storage gave an invalid URL") from error
            if isinstance(error, aiohttp.ClientError | OSError | TimeoutError):
                raise translate(error, host_of(url)) from error
            raise

    def _whole(
        self, sending: Sending, on_moved: Callable[[], None], patience: anyio.CancelScope
    ) -> _Whole:
        """Return a small body to be sent as one."""

        def left() -> None:
            sending.left()
            on_moved()

        data = sending.whole()
        # Nothing tells of its blocks one by one: each has its time all the same.
        blocks = -(-len(data) // BLOCK_BYTES)
        patience.deadline = anyio.current_time() + self._progress_timeout_s * max(1, blocks)
        return _Whole(data, left)

    async def get(self, url: str, to: Path, now: datetime) -> int:
        """Fetch an object to a file and return its length; compare it with what was announced."""
        self._named.add(store_of(url))
        got = await self._get(url, to)
        if isinstance(got, Answer):
            there = redirected(url, got, self._named, is_put=False)
            if there is not None:
                got = await self._get(there, to)
        if isinstance(got, Answer):
            raise storage_error_of(got, now=now)
        return got

    async def _get(self, url: str, to: Path) -> int | Answer:
        """Return the length of what was fetched, or an answer that is none of it."""
        received = 0

        def moved(size_bytes: int) -> None:
            # A block at a time, as a body is sent: single bytes now and then are no progress.
            nonlocal received
            if (received + size_bytes) // CHUNK_BYTES > received // CHUNK_BYTES:
                patience.deadline = anyio.current_time() + self._progress_timeout_s
            received += size_bytes

        try:
            with anyio.move_on_after(self._answer_timeout_s) as patience:
                async with self._opened().get(
                    wire_url(url),
                    headers={"Accept-Encoding": "identity"},
                    allow_redirects=False,
                    proxy=self._proxy(url),
                ) as response:
                    if response.status != 200:
                        return await _answer(response)
                    return await _receive(response, to, moved)
        except aiohttp.InvalidURL as error:
            raise ClientError("storage gave an invalid URL") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise translate(error, host_of(url)) from error
        lost = AnswerLostError(f"{host_of(url)} gave {received} bytes, and then almost stopped")
        lost.cause = TIMED_OUT
        raise lost

    def _proxy(self, url: str) -> str | None:
        parts = urlsplit(url)
        store = f"{parts.scheme}://{parts.netloc}"
        if store not in self._proxies:
            self._proxies[store] = proxy_for(url)
        return self._proxies[store]

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session(
                connections=self._connections,
                timeouts=Timeouts(read_s=self._answer_timeout_s, total_s=None),
                headers={},
                decompress=False,
            )
        return self._session


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_STORE_ANSWER_BYTES:
            break  # what a store says at length is of no use
    return Answer(
        status=response.status,
        headers=response.headers,
        body=bytes(body[:MAX_STORE_ANSWER_BYTES]),
    )


async def _receive(response: aiohttp.ClientResponse, to: Path, moved: Callable[[int], None]) -> int:
    md5 = hashlib.md5(usedforsecurity=False)
    size_bytes = 0

    def write(file: IO[bytes], chunk: bytes) -> None:
        md5.update(chunk)
        file.write(chunk)

    with to.open("wb") as file:
        async for chunk in response.content.iter_chunked(WRITE_BYTES):
            size_bytes += len(chunk)
            moved(len(chunk))
            await anyio.to_thread.run_sync(write, file, chunk)
    announced = response.content_length
    if announced is not None and announced != size_bytes:
        raise AnswerLostError(f"{size_bytes} bytes came where {announced} were announced")
    expected = reported_md5(response.headers)
    if expected is not None and expected != md5.hexdigest():
        raise IntegrityError(
            "the content from storage does not have the MD5 that it announced", 200
        )
    return size_bytes


def _check_is_store(answer: Answer, url: str) -> None:
    """Distinguish a store from a network that answers in its place: no store sends a page."""
    if is_web_page(answer):
        error = AnswerLostError(
            f"a web page came where {host_of(url)} was to answer", answer.status
        )
        error.remedy = NOT_THE_STORE
        raise error


def _compare(sending: Sending, body: Body, answer: Answer) -> None:
    """Hold what the store says that it stored against what was sent."""
    if sending.given_bytes != body.size_bytes:
        raise AnswerLostError(
            f"storage answered {answer.status} after {sending.given_bytes} of"
            f" {body.size_bytes} bytes"
        )
    size_bytes = reported_size(answer.headers)
    if size_bytes is not None and size_bytes != body.size_bytes:
        raise IntegrityError(
            f"storage reports {size_bytes} bytes where {body.size_bytes} were sent", answer.status
        )
    md5, meant = reported_md5(answer.headers), body.md5 or sending.md5
    if md5 is not None and md5 != meant:
        raise IntegrityError(f"storage reports the MD5 {md5} where {meant} was sent", answer.status)
    if md5 is None and sending.md5 != meant:
        raise IntegrityError("the bytes that were sent are not those that were prepared")
