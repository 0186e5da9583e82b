"""S3 multipart: a large body in parts, each repeated by itself, and compared by its MD5.

The SDK's own retry is off: parts are repeated by the layer that repeats everything else. A
completion whose answer was lost is not repeated blindly: the object may be there, and the upload
id then is not.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from io import BytesIO
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from bulkload.client.http.limits import CONNECT_TIMEOUT_S
from bulkload.client.storage.body import Body
from bulkload.client.storage.limits import (
    ABORT_TIMEOUT_S,
    MAX_PARTS,
    PART_BYTES,
    PART_TIMEOUT_S,
    PARTS_IN_FLIGHT,
)
from bulkload.client.storage.s3_errors import (
    EXPIRED_CREDENTIALS,
    NO_SUCH_UPLOAD,
    REFUSED_CREDENTIALS,
    s3_error_of,
)
from bulkload.client.storage.signed_urls import wire_url
from bulkload.client.storage.storage_session import StorageSession
from bulkload.client.storage.store_answers import reported_md5
from bulkload.errors import (
    BulkloadError,
    ClientError,
    ExpiredUrlError,
    IntegrityError,
    MissingExtraError,
    TransientError,
)

T = TypeVar("T")


class MultipartUnavailableError(BulkloadError):
    """Parts cannot be had here; a single PUT may do. ``reason`` is what to say if it may not."""

    def __init__(self, reason: BulkloadError) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipartTarget:
    """Where parts go, and the temporary credentials for it."""

    endpoint: str
    region: str
    bucket: str
    object_path: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)

    @classmethod
    def parse(cls, offer: Mapping[str, Any]) -> MultipartTarget:
        """Read the ``multipart`` member of an upload target."""
        known: dict[str, Any] = {item.name: offer.get(item.name) for item in fields(cls)}
        absent = [name for name, value in known.items() if not value]
        if absent:
            raise ClientError(f"the multipart target lacks {', '.join(absent)}")
        wire_url(known["endpoint"])
        return cls(**known)

    @property
    def url(self) -> str:
        """Return the endpoint as it is reached from here."""
        return self.endpoint.replace("host.docker.internal", "localhost")


async def put_in_parts(
    session: StorageSession,
    target: MultipartTarget,
    body: Body,
    *,
    content_type: str,
    part_bytes: int = PART_BYTES,
) -> None:
    """Store ``body`` in parts.

    Raises ``MultipartUnavailableError`` where this way is closed (no SDK, credentials refused)
    and ``ExpiredUrlError`` where the store says that the credentials are over: the clock of this
    machine is not asked, it may be wrong.
    """
    async with _s3_client(target) as client:
        upload = _Upload(session, target, body, client, part_bytes)
        await upload.create(content_type)
        try:
            etags = await upload.put_parts()
            await upload.complete(etags)
        except BaseException:
            await upload.abort()
            raise


@asynccontextmanager
async def _s3_client(target: MultipartTarget) -> AsyncIterator[Any]:
    try:
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session
        from botocore.configprovider import ConstantProvider
    except ImportError:
        missing = MissingExtraError("an upload of this size", "cloud")
        raise MultipartUnavailableError(missing) from None
    config = AioConfig(
        s3={"addressing_style": "path"},
        signature_version="s3v4",
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=PART_TIMEOUT_S,
        max_pool_connections=PARTS_IN_FLIGHT,
    )
    session = get_session()
    # The credentials come from Studio: whatever this machine has for other stores stays out.
    known = session.get_component("config_store")
    for name, value in (("profile", None), ("config_file", os.devnull)):
        known.set_config_provider(name, ConstantProvider(value))
    async with session.create_client(
        "s3",
        endpoint_url=target.url,
        region_name=target.region,
        aws_access_key_id=target.access_key_id,
        aws_secret_access_key=target.secret_access_key,
        aws_session_token=target.session_token,
        config=config,
    ) as client:
        yield client


class _Upload:
    """One object on its way."""

    def __init__(
        self,
        session: StorageSession,
        target: MultipartTarget,
        body: Body,
        client: Any,
        part_bytes: int,
    ) -> None:
        self._session = session
        self._target = target
        self._body = body
        self._client = client
        self._names = {"Bucket": target.bucket, "Key": target.object_path}
        self._part_bytes = max(part_bytes, math.ceil(body.size_bytes / MAX_PARTS))

    async def create(self, content_type: str) -> None:
        """Begin; an upload id whose answer was lost is left to the store's clean-up."""

        async def send() -> Any:
            return await self._client.create_multipart_upload(
                **self._names, ContentType=content_type
            )

        answer = await self._persist("POST", send)
        self._names["UploadId"] = answer["UploadId"]

    async def put_parts(self) -> list[str]:
        """Send all parts, a few at a time, and return their MD5s in order."""
        size_bytes = self._body.size_bytes
        starts = range(0, max(size_bytes, 1), self._part_bytes)
        md5s = [""] * len(starts)
        waiting = iter(enumerate(starts))

        async def worker() -> None:
            for index, start in waiting:
                stop = min(start + self._part_bytes, size_bytes)
                md5s[index] = await self._put_part(index + 1, start, stop)

        try:
            async with anyio.create_task_group() as group:
                for _ in range(PARTS_IN_FLIGHT):
                    group.start_soon(worker)
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        # Parts are not visible before the completion: there is time to look at the whole.
        await anyio.to_thread.run_sync(self._check_whole)
        return md5s

    async def _put_part(self, number: int, start: int, stop: int) -> str:
        async def send() -> str:
            # Read when there is a stream for it: waiting parts take no memory.
            content, md5 = await anyio.to_thread.run_sync(self._read, start, stop)
            answer = await self._client.upload_part(
                **self._names, PartNumber=number, Body=BytesIO(content)
            )
            reported = reported_md5({"etag": str(answer.get("ETag", ""))})
            if reported not in {None, md5}:
                raise IntegrityError(f"storage reports another MD5 of part {number}", 200)
            self._session.streams.moved(len(content))
            return md5

        return await self._persist("PUT", send, stop - start)

    async def complete(self, md5s: list[str]) -> None:
        """Make the object of its parts; after a lost answer, look before doing it again."""
        digests = b"".join(bytes.fromhex(md5) for md5 in md5s)
        etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(md5s)}"
        parts = [{"PartNumber": at, "ETag": f'"{md5}"'} for at, md5 in enumerate(md5s, start=1)]
        may_be_done = False

        async def send() -> Any:
            return await self._client.complete_multipart_upload(
                **self._names, MultipartUpload={"Parts": parts}
            )

        async def act() -> None:
            nonlocal may_be_done
            if may_be_done and await self._is_there(etag):
                return
            try:
                answer = await self._attempt("POST", 0, send)
            except TransientError:
                may_be_done = True
                raise
            except ClientError as error:
                if not (may_be_done and error.error_code == NO_SUCH_UPLOAD):
                    raise
                raise ExpiredUrlError("it is unknown whether the upload was completed") from error
            _compare_etag(str(answer.get("ETag", "")), etag)

        await self._session.persist(self._target.url, act)

    async def abort(self) -> None:
        """Free what was stored so far; the store cleans up by itself where this fails."""
        with anyio.move_on_after(ABORT_TIMEOUT_S, shield=True):
            try:
                await self._client.abort_multipart_upload(**self._names)
            except Exception as error:
                if s3_error_of(error) is None:
                    raise

    async def _is_there(self, etag: str) -> bool:
        async def send() -> Any:
            return await self._client.head_object(
                Bucket=self._target.bucket, Key=self._names["Key"]
            )

        try:
            found = await self._attempt("HEAD", 0, send)
        except (ClientError, MultipartUnavailableError):
            return False
        if found.get("ContentLength") != self._body.size_bytes:
            return False
        _compare_etag(str(found.get("ETag", "")), etag)
        return True

    async def _persist(
        self, method: str, send: Callable[[], Awaitable[T]], size_bytes: int = 0
    ) -> T:
        async def act() -> T:
            return await self._attempt(method, size_bytes, send)

        return await self._session.persist(self._target.url, act)

    async def _attempt(self, method: str, size_bytes: int, send: Callable[[], Awaitable[T]]) -> T:
        async def translated() -> T:
            try:
                return await send()
            except Exception as error:
                ours = None if isinstance(error, BulkloadError) else s3_error_of(error)
                if ours is None:
                    raise
                raise ours from error

        try:
            return await self._session.attempt(
                self._target.url, method, translated, sent_bytes=lambda: size_bytes
            )
        except ClientError as error:
            if error.error_code not in REFUSED_CREDENTIALS:
                raise
            if error.error_code in EXPIRED_CREDENTIALS:
                raise MultipartUnavailableError(ExpiredUrlError(error.message)) from error
            raise MultipartUnavailableError(error) from error

    def _read(self, start: int, stop: int) -> tuple[bytes, str]:
        content = b"".join(self._body.blocks(start, stop))
        return content, hashlib.md5(content, usedforsecurity=False).hexdigest()

    def _check_whole(self) -> None:
        if self._body.sha256 is None:
            return
        whole = hashlib.sha256()
        for block in self._body.blocks(0, self._body.size_bytes):
            whole.update(block)
        if whole.hexdigest() != self._body.sha256.lower():
            raise IntegrityError("the bytes to be sent are not those that were prepared")


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a group: the others are its echo."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _compare_etag(reported: str, expected: str) -> None:
    reported = reported.strip('"').lower()
    # Only a store that counts parts the S3 way can be compared.
    if re.fullmatch(r"[0-9a-f]{32}-\d+", reported) and reported != expected:
        raise IntegrityError(f"storage reports the ETag {reported} where {expected} was sent", 200)
