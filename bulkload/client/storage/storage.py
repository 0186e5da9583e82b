"""Storage: moves bytes to and from signed URLs, with no Ionworks header, and compares what arrived.

Each attempt sends a fresh body of known length. What the store reports (ETag, length) is held
against what was sent; a store that twice reports something else has not stored it.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import anyio.to_thread

from bulkload.client.http.attempts import RetryContext
from bulkload.client.http.events import Observer, unobserved
from bulkload.client.http.limits import DEFAULT_OUTAGE_LIMIT_S
from bulkload.client.storage.body import Body, Sending, body_of
from bulkload.client.storage.limits import (
    ANSWER_TIMEOUT_S,
    DEFAULT_STREAMS,
    PART_BYTES,
    PROGRESS_TIMEOUT_S,
    SINGLE_PUT_MAX_BYTES,
)
from bulkload.client.storage.multipart import (
    MultipartTarget,
    MultipartUnavailableError,
    put_in_parts,
)
from bulkload.client.storage.storage_session import EDGE_TIMEOUTS, StorageSession
from bulkload.client.storage.store_http import StorageHttp
from bulkload.clock import Clock, SystemClock
from bulkload.core.flow.retry import RetryPolicy
from bulkload.core.flow.retry_budget import RetryBudget
from bulkload.errors import UnavailableError

OCTETS: Final = "application/octet-stream"


#: Stores the bytes in another way; False where that way is closed.
AnotherWay = Callable[[], Awaitable[bool]]


class Storage:
    """Puts and gets objects; safe to share between any number of tasks; close it after use."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        observer: Observer = unobserved,
        chance: Callable[[], float] = random.random,
        policy: RetryPolicy | None = None,
        budget: RetryBudget | None = None,
        streams: int = DEFAULT_STREAMS,
        outage_limit_s: float = DEFAULT_OUTAGE_LIMIT_S,
        progress_timeout_s: float = PROGRESS_TIMEOUT_S,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
        part_bytes: int = PART_BYTES,
        ends_on_wrong_setup: bool = False,
        http: StorageHttp | None = None,
    ) -> None:
        """``http`` makes the single attempts, where they do not go over real connections."""
        self._clock: Clock = clock or SystemClock()
        self._part_bytes = part_bytes
        shared = RetryContext(
            clock=self._clock,
            observer=observer,
            chance=chance,
            policy=policy or RetryPolicy(),
            budget=budget or RetryBudget(),
        )
        self._session = StorageSession(
            shared,
            streams=streams,
            outage_limit_s=outage_limit_s,
            ends_on_wrong_setup=ends_on_wrong_setup,
        )
        self._http = http or StorageHttp(
            connections=streams,
            progress_timeout_s=progress_timeout_s,
            answer_timeout_s=answer_timeout_s,
        )

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
        """Close the connections."""
        await self._http.aclose()

    async def put_target(
        self,
        target: Mapping[str, Any],
        source: Body | Path | bytes,
        *,
        content_type: str = OCTETS,
        sha256: str | None = None,
        md5: str | None = None,
    ) -> None:
        """Store ``source`` at an upload target of the API: in parts or as one, by its size.

        ``md5`` is what its writer took of it: then a small body is not hashed again. Raises
        ``ExpiredUrlError`` where a new target is needed.
        """
        url = str(target["signed_url"])
        body = body_of(source, sha256=sha256, md5=md5)
        offer = target.get("multipart")
        parts = None if offer is None else MultipartTarget.parse(offer)

        async def in_parts() -> bool:
            if parts is None:
                return False
            try:
                await put_in_parts(
                    self._session,
                    parts,
                    body,
                    content_type=content_type,
                    part_bytes=self._part_bytes,
                )
            except MultipartUnavailableError as unavailable:
                if body.size_bytes > SINGLE_PUT_MAX_BYTES:
                    raise unavailable.reason from unavailable
                return False
            return True

        if body.size_bytes < self._part_bytes:
            await self.put(url, body, content_type=content_type, on_edge_timeout=in_parts)
        elif not await in_parts():
            await self.put(url, body, content_type=content_type)

    async def put(
        self,
        url: str,
        source: Body | Path | bytes,
        *,
        content_type: str = OCTETS,
        sha256: str | None = None,
        on_edge_timeout: AnotherWay | None = None,
    ) -> None:
        """Store ``source`` under a signed URL, as one.

        ``on_edge_timeout`` is tried once where the storage's edge finds the upload too slow (504,
        524); where it stores the bytes, this is done.
        """
        body = body_of(source, sha256=sha256)

        async def act() -> None:
            nonlocal on_edge_timeout
            try:
                await self._put_once(url, body, content_type)
            except UnavailableError as error:
                another_way, on_edge_timeout = on_edge_timeout, None
                if error.status_code not in EDGE_TIMEOUTS or another_way is None:
                    raise
                if not await another_way():
                    raise

        await self._session.persist(url, act)

    async def download(self, url: str, to: Path) -> Path:
        """Fetch an object to a file, whole or not at all."""
        part = to.with_name(f"{to.name}.part")

        async def act() -> None:
            received = 0

            async def send() -> None:
                nonlocal received
                received = await self._http.get(url, part, self._clock.now())

            await self._session.attempt(url, "GET", send, received_bytes=lambda: received)

        try:
            await self._session.persist(url, act)
            await anyio.to_thread.run_sync(part.replace, to)
        finally:
            part.unlink(missing_ok=True)
        return to

    async def _put_once(self, url: str, body: Body, content_type: str) -> None:
        sending = Sending(body, self._session.streams.moved)

        async def send() -> None:
            await self._http.put(url, body, content_type, sending, self._clock.now())

        await self._session.attempt(url, "PUT", send, sent_bytes=lambda: sending.sent_bytes)
