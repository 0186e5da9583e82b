"""Large bodies in parts, over the real S3 wire: moto's server behind a proxy that makes trouble."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bulkload.client.storage import multipart
from bulkload.client.storage.body import FileBody
from bulkload.client.storage.limits import PART_BYTES, SINGLE_PUT_MAX_BYTES
from bulkload.client.storage.s3_errors import REFUSED_CREDENTIALS
from bulkload.client.storage.storage import Storage
from bulkload.errors import (
    BulkloadError,
    ClientError,
    ExpiredUrlError,
    IntegrityError,
    MissingExtraError,
)

MIB = 1024**2
PART = 64 * 1024  # small parts, so that the tests are quick
SIZE_BYTES = 2 * PART + 5  # three parts, the last one small
#: moto reads the region of a bucket out of the signature.
REGION = "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/s3/aws4_request, Signature=0"
Trouble = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    import moto.s3.models
    from moto.server import ThreadedMotoServer

    # S3 refuses parts below 5 MiB.
    moto.s3.models.S3_UPLOAD_PART_MIN_SIZE = 1
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "time_series.parquet"
    path.write_bytes(random.Random(1).randbytes(SIZE_BYTES))
    return path


@dataclass
class Store:
    """moto behind a proxy; signed PUTs end at the proxy."""

    moto_url: str
    url: str = ""
    trouble: list[tuple[str, Trouble]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    put_bodies: list[bytes] = field(default_factory=list)

    def target(self, **more: Any) -> dict[str, Any]:
        offer = {
            "endpoint": self.url,
            "region": "us-east-1",
            "bucket": "cells",
            "object_path": "o/m1/time_series.parquet",
            "access_key_id": "AK",
            "secret_access_key": "SK",
            "session_token": "ST",
            "expires_at": None,
            **more,
        }
        return {"signed_url": f"{self.url}/signed?token=t", "multipart": offer}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = call_name(request)
        self.calls.append(name)
        self.headers.append({key.lower(): value for key, value in request.headers.items()})
        for at, (which, trouble) in enumerate(self.trouble):
            if name.startswith(which):
                del self.trouble[at]
                answer = await trouble(request)
                if answer is not None:
                    return answer
                break
        if name == "signed":
            self.put_bodies.append(await request.read())
            return web.Response()
        return await self.forward(request)

    async def forward(self, request: web.Request) -> web.Response:
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                f"{self.moto_url}{request.raw_path}",
                headers={k: v for k, v in request.headers.items() if k != "Expect"},
                data=BytesIO(await request.read()),
            ) as answer,
        ):
            skipped = {"content-length", "transfer-encoding", "connection", "date", "server"}
            headers = {k: v for k, v in answer.headers.items() if k.lower() not in skipped}
            if request.method == "HEAD":
                headers["Content-Length"] = answer.headers["Content-Length"]
            return web.Response(status=answer.status, headers=headers, body=await answer.read())

    async def stored(self) -> bytes | None:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.moto_url}/cells/o/m1/time_series.parquet") as answer,
        ):
            return await answer.read() if answer.status == 200 else None

    async def open_uploads(self) -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.moto_url}/cells?uploads") as answer,
        ):
            return (await answer.text()).count("<UploadId>")


def call_name(request: web.Request) -> str:
    if request.path == "/signed":
        return "signed"
    if "partNumber" in request.query:
        return f"part {request.query['partNumber']}"
    kinds = {"POST": "complete", "DELETE": "abort", "HEAD": "head"}
    return "create" if "uploads" in request.query else kinds[request.method]


@asynccontextmanager
async def store_at(moto_url: str, part_bytes: int = PART) -> AsyncIterator[tuple[Store, Storage]]:
    store = Store(moto_url)
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{moto_url}/moto-api/reset"):
            pass
        async with session.put(f"{moto_url}/cells", headers={"Authorization": REGION}) as made:
            assert made.status == 200
    app = web.Application(client_max_size=1024**3)
    app.router.add_route("*", "/{path:.*}", store.handle)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    store.url = f"http://{host}:{port}"
    try:
        # No chance: no waiting between attempts.
        async with Storage(chance=lambda: 0.0, part_bytes=part_bytes) as storage:
            yield store, storage
    finally:
        await runner.cleanup()


async def on_the_wire(
    moto_url: str,
    body: Path | bytes,
    *trouble: tuple[str, Trouble],
    part_bytes: int = PART,
    **offer: Any,
) -> tuple[Store, bytes | None, BulkloadError | None]:
    """Put ``body`` at a target; give the store, what it holds, and the error."""
    async with store_at(moto_url, part_bytes) as (store, storage):
        store.trouble += trouble
        error = None
        try:
            await storage.put_target(store.target(**offer), body)
        except BulkloadError as caught:
            error = caught
        assert await store.open_uploads() == 0
        return store, await store.stored(), error


def answers(status: int, code: str = "", *, commit: bool = False) -> Trouble:
    async def trouble(request: web.Request) -> web.StreamResponse:
        await request.read()
        if commit:
            await Store(MOTO[0]).forward(request)
        text = f"<Error><Code>{code}</Code><Message>said so</Message></Error>" if code else ""
        return web.Response(status=status, text=text, content_type="application/xml")

    return trouble


def drops(*, commit: bool = False) -> Trouble:
    async def trouble(request: web.Request) -> web.StreamResponse:
        await request.read()
        if commit:
            await Store(MOTO[0]).forward(request)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return trouble


#: URL of moto, for trouble that does the work first.
MOTO: list[str] = []


@pytest.fixture(autouse=True)
def _known_moto(moto_url: str) -> Iterator[None]:
    MOTO[:] = [moto_url]
    yield
    MOTO.clear()


def test_a_large_body_goes_in_parts_and_arrives_whole(moto_url: str, big_file: Path) -> None:
    store, stored, error = asyncio.run(on_the_wire(moto_url, big_file))
    assert error is None
    assert stored == big_file.read_bytes()
    # Two parts are in flight: they may overtake one another.
    assert sorted(store.calls[1:-1]) == ["part 1", "part 2", "part 3"]
    assert (store.calls[0], store.calls[-1]) == ("create", "complete")
    assert "ST" in {headers.get("x-amz-security-token") for headers in store.headers}
    assert not {"x-api-key", "x-organization-id"} & {k for seen in store.headers for k in seen}


@pytest.mark.parametrize(
    ("size_bytes", "calls"),
    [(16 * MIB - 1, ["signed"]), (16 * MIB, ["create", "part 1", "complete"])],
)
def test_the_size_decides(moto_url: str, size_bytes: int, calls: list[str]) -> None:
    store, _, error = asyncio.run(on_the_wire(moto_url, b"x" * size_bytes, part_bytes=PART_BYTES))
    assert (error, store.calls) == (None, calls)


@pytest.mark.parametrize("where", ["create", "part 2", "part 3"])
@pytest.mark.parametrize(
    "trouble",
    [answers(524), answers(503, "SlowDown"), answers(500, "InternalError"), drops()],
    ids=["524", "slow down", "500", "drop"],
)
def test_a_part_in_trouble_is_repeated_alone(
    moto_url: str, big_file: Path, where: str, trouble: Trouble
) -> None:
    store, stored, error = asyncio.run(on_the_wire(moto_url, big_file, (where, trouble)))
    assert error is None
    assert stored == big_file.read_bytes()
    expected = {"create": 1, "part 1": 1, "part 2": 1, "part 3": 1, "complete": 1}
    expected[where] += 1
    assert {name: store.calls.count(name) for name in expected} == expected


@pytest.mark.parametrize("trouble", [drops(commit=True), answers(524, commit=True)])
def test_a_completion_whose_answer_was_lost_is_looked_up(
    moto_url: str, big_file: Path, trouble: Trouble
) -> None:
    store, stored, error = asyncio.run(on_the_wire(moto_url, big_file, ("complete", trouble)))
    assert error is None
    assert stored == big_file.read_bytes()
    assert store.calls[-2:] == ["complete", "head"]


def test_a_completion_that_was_not_done_is_done_again(moto_url: str, big_file: Path) -> None:
    store, stored, error = asyncio.run(on_the_wire(moto_url, big_file, ("complete", answers(524))))
    assert error is None
    assert stored == big_file.read_bytes()
    assert store.calls[-3:] == ["complete", "head", "complete"]


def test_a_completion_that_nobody_can_look_up_asks_for_a_new_target(
    moto_url: str, big_file: Path
) -> None:
    _, _, error = asyncio.run(
        on_the_wire(
            moto_url,
            big_file,
            ("complete", drops(commit=True)),
            ("head", answers(403)),
            ("complete", answers(404, "NoSuchUpload")),
        )
    )
    assert isinstance(error, ExpiredUrlError)


@pytest.mark.parametrize("code", sorted(REFUSED_CREDENTIALS))
@pytest.mark.parametrize("where", ["create", "part 2"])
def test_refused_credentials_fall_back_to_a_single_put(
    moto_url: str, big_file: Path, code: str, where: str
) -> None:
    store, _, error = asyncio.run(on_the_wire(moto_url, big_file, (where, answers(403, code))))
    assert error is None
    assert store.put_bodies == [big_file.read_bytes()]
    if where == "part 2":
        assert "abort" in store.calls


@pytest.mark.parametrize("expires_at", ["soon", "2020-01-01T00:00:00Z", ""])
def test_the_store_says_when_credentials_are_over_and_no_clock_of_ours(
    moto_url: str, big_file: Path, expires_at: str
) -> None:
    _, stored, error = asyncio.run(on_the_wire(moto_url, big_file, expires_at=expires_at))
    assert error is None
    assert stored is not None


def test_the_edges_time_out_on_a_small_put_is_answered_in_parts(moto_url: str) -> None:
    store, stored, error = asyncio.run(on_the_wire(moto_url, b"tiny", ("signed", answers(524))))
    assert error is None
    assert stored == b"tiny"
    assert store.calls == ["signed", "create", "part 1", "complete"]


def test_a_part_that_is_stored_wrongly_is_sent_again(moto_url: str, big_file: Path) -> None:
    async def wrong(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(headers={"ETag": f'"{"0" * 32}"'})

    store, stored, error = asyncio.run(on_the_wire(moto_url, big_file, ("part 2", wrong)))
    assert error is None
    assert stored == big_file.read_bytes()
    assert store.calls.count("part 2") == 2


def test_a_part_that_is_stored_wrongly_twice_is_no_success(moto_url: str, big_file: Path) -> None:
    async def wrong(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(headers={"ETag": f'"{"0" * 32}"'})

    _, stored, error = asyncio.run(
        on_the_wire(moto_url, big_file, ("part 2", wrong), ("part 2", wrong))
    )
    assert isinstance(error, IntegrityError)
    assert stored is None


def test_bytes_that_are_not_those_prepared_never_become_an_object(
    moto_url: str, big_file: Path
) -> None:
    async def go() -> bytes | None:
        async with store_at(moto_url) as (store, storage):
            with pytest.raises(IntegrityError):
                await storage.put_target(store.target(), big_file, sha256="0" * 64)
            assert await store.open_uploads() == 0
            return await store.stored()

    assert asyncio.run(go()) is None


def test_an_incomplete_offer_is_refused(moto_url: str, big_file: Path) -> None:
    _, _, error = asyncio.run(on_the_wire(moto_url, big_file, session_token=None))
    assert isinstance(error, ClientError)
    assert "session_token" in str(error)


def test_what_this_machine_knows_of_other_stores_stays_out(
    moto_url: str, big_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[default]\nregion = x\nendpoint_url = http://127.0.0.1:9\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    store, stored, error = asyncio.run(on_the_wire(moto_url, big_file))
    assert error is None
    assert stored == big_file.read_bytes()
    assert "Credential=AK/" in store.headers[0]["authorization"]


def test_without_the_extra_a_large_body_goes_as_one(
    moto_url: str, big_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aiobotocore.session", None)
    store, _, error = asyncio.run(on_the_wire(moto_url, big_file))
    assert error is None
    assert store.put_bodies == [big_file.read_bytes()]


def test_without_the_extra_a_huge_body_is_one_clear_sentence(
    moto_url: str, big_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aiobotocore.session", None)

    async def go() -> None:
        async with store_at(moto_url) as (store, storage):
            huge = FileBody(big_file, SINGLE_PUT_MAX_BYTES + 1)
            with pytest.raises(MissingExtraError, match=r"pip install 'bulkload\[cloud\]'"):
                await storage.put_target(store.target(), huge)
            assert store.calls == []

    asyncio.run(go())


def test_secrets_of_a_target_do_not_show() -> None:
    offer = Store("", "http://127.0.0.1:1").target()["multipart"]
    shown = repr(multipart.MultipartTarget.parse(offer))
    assert "SK" not in shown
    assert "ST" not in shown
