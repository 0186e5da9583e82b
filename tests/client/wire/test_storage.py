"""Signed URLs: what is stored is what was meant, or it is no success."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from bulkload.client.http.api_session import TIMED_OUT
from bulkload.client.http.events import Exchanged
from bulkload.client.storage.body import FileBody
from bulkload.client.storage.limits import BLOCK_BYTES
from bulkload.client.storage.storage import Storage
from bulkload.errors import (
    AnswerLostError,
    ClientError,
    ExpiredUrlError,
    IntegrityError,
    IonworksError,
    PermissionDeniedError,
    UnavailableError,
)
from tests.client.wire.scripted import (
    Heard,
    Step,
    answer,
    in_virtual_time,
    read_all,
    reset,
    scripted,
    silent,
    stored,
    truncated,
)
from tests.simulation.virtual_clock import VirtualClock

MIB = 1024**2
SIZES = [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 7]


def storage(heard: Heard | None = None, **more: float) -> Storage:
    return Storage(
        clock=VirtualClock(),
        observer=(heard if heard is not None else Heard()).append,
        chance=lambda: 0.5,
        **more,  # type: ignore[arg-type]
    )


def sample(folder: Path, size_bytes: int) -> tuple[Path, bytes]:
    content = random.Random(size_bytes).randbytes(size_bytes)
    path = folder / "time_series.parquet"
    path.write_bytes(content)
    return path, content


@pytest.mark.parametrize("size_bytes", SIZES)
@in_virtual_time
async def test_a_file_arrives_whole_with_its_length_and_no_ionworks_header(
    tmp_path: Path, size_bytes: int
) -> None:
    path, content = sample(tmp_path, size_bytes)
    async with scripted(stored()) as server, storage() as store:
        await store.put(
            f"{server.url}/o/x%2Fy?token=a%2Bb%3D&z",
            path,
            sha256=hashlib.sha256(content).hexdigest(),
        )
    (seen,) = server.seen
    assert seen.body == content
    assert seen.raw_path == "/o/x%2Fy?token=a%2Bb%3D&z"  # a signed URL is taken to the letter
    assert seen.headers["content-length"] == str(size_bytes)
    assert seen.headers["content-type"] == "application/octet-stream"
    assert "transfer-encoding" not in seen.headers
    assert not {"x-api-key", "authorization", "x-organization-id", "cookie"} & set(seen.headers)


@pytest.mark.parametrize(
    "trouble",
    [
        reset(),
        reset(after_bytes=1),
        reset(after_bytes=512 * 1024),
        answer(500),
        answer(502),
        answer(503),
        answer(503, headers={"Retry-After": "9"}),
        answer(504),
        answer(524),
        answer(429),
        answer(408),
    ],
)
@in_virtual_time
async def test_each_attempt_sends_a_fresh_whole_body(tmp_path: Path, trouble: Step) -> None:
    path, content = sample(tmp_path, 2 * MIB)
    heard = Heard()
    async with scripted(trouble, trouble, stored()) as server, storage(heard) as store:
        await store.put(f"{server.url}/o", path)
    assert len(server.seen) == 3
    assert server.seen[-1].body == content
    assert [event.status for event in heard.of(Exchanged)][-1] == 200


@in_virtual_time
async def test_a_kept_alive_connection_reset_in_mid_body_cannot_cut_the_retried_put(
    tmp_path: Path,
) -> None:
    """The HTTP library once resent only the unread rest of a file here, and called it stored."""
    path, content = sample(tmp_path, 20 * MIB)
    heard = Heard()
    async with (
        scripted(stored(), reset(after_bytes=512 * 1024), stored()) as server,
        storage(heard) as store,
    ):
        await store.put(f"{server.url}/first", b"opens the connection that is kept")
        await store.put(f"{server.url}/second", path)
    assert [seen.raw_path for seen in server.seen] == ["/first", "/second", "/second"]
    assert server.seen[-1].sha256 == hashlib.sha256(content).hexdigest()
    # Each request was an attempt of ours: nothing below us sent one again.
    assert [event.status for event in heard.of(Exchanged)] == [200, None, 200]


@pytest.mark.parametrize("seed", range(3))
@in_virtual_time
async def test_interrupted_uploads_end_with_the_right_bytes(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    path, content = sample(tmp_path, MIB)
    async with storage() as store:
        for _ in range(10):
            cuts = [reset(after_bytes=dice.randrange(MIB)) for _ in range(dice.randrange(4))]
            async with scripted(*cuts, stored()) as server:
                await store.put(f"{server.url}/o", path)
            assert server.seen[-1].sha256 == hashlib.sha256(content).hexdigest()


def wrong_etag(_body: bytes) -> dict[str, str]:
    return {"ETag": f'"{"0" * 32}"'}


def wrong_size(body: bytes) -> dict[str, str]:
    return {"x-amz-object-size": str(len(body) - 1)}


@pytest.mark.parametrize("wrong", [wrong_etag, wrong_size])
@in_virtual_time
async def test_a_store_that_reports_another_content_once_is_sent_it_again(
    tmp_path: Path, wrong: object
) -> None:
    path, content = sample(tmp_path, 1000)
    async with scripted(stored(wrong), stored()) as server, storage() as store:  # type: ignore[arg-type]
        await store.put(f"{server.url}/o", path)
    assert [seen.body for seen in server.seen] == [content, content]


@pytest.mark.parametrize("wrong", [wrong_etag, wrong_size])
@in_virtual_time
async def test_a_store_that_reports_another_content_twice_has_not_stored_it(
    tmp_path: Path, wrong: object
) -> None:
    path, _ = sample(tmp_path, 1000)
    async with scripted(stored(wrong)) as server, storage() as store:  # type: ignore[arg-type]
        with pytest.raises(IntegrityError):
            await store.put(f"{server.url}/o", path)
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ETag": '"not-an-md5"'},
        {"ETag": f'"{"0" * 32}-2"'},
        {"ETag": f'"{"0" * 32}"', "x-amz-server-side-encryption-aws-kms-key-id": "k"},
    ],
)
@in_virtual_time
async def test_an_etag_that_is_no_md5_says_nothing(headers: dict[str, str]) -> None:
    async with scripted(stored(lambda _: headers)) as server, storage() as store:
        await store.put(f"{server.url}/o", b"x")
    assert len(server.seen) == 1


@in_virtual_time
async def test_wrong_bytes_are_never_sent_to_the_end(tmp_path: Path) -> None:
    path, _ = sample(tmp_path, 2 * MIB)
    async with scripted(stored()) as server, storage() as store:
        with pytest.raises(IntegrityError, match="not those that were prepared"):
            await store.put(f"{server.url}/o", path, sha256="0" * 64)
    assert all(len(seen.body) < 2 * MIB for seen in server.seen)


def prepared(path: Path, content: bytes, **hashes: str) -> FileBody:
    """Return a file with the MD5 that its writer took."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return FileBody(path, len(content), **{"md5": md5, **hashes})


@pytest.mark.parametrize("size_bytes", [1, 1000, 300_000, MIB, MIB + 1])
@in_virtual_time
async def test_a_prepared_file_arrives_whole(tmp_path: Path, size_bytes: int) -> None:
    path, content = sample(tmp_path, size_bytes)
    async with scripted(stored()) as server, storage() as store:
        await store.put(f"{server.url}/o", prepared(path, content))
    (seen,) = server.seen
    assert seen.body == content
    assert seen.headers["content-length"] == str(size_bytes)
    assert seen.headers["content-type"] == "application/octet-stream"
    assert "transfer-encoding" not in seen.headers


@pytest.mark.parametrize("headers", [{}, None])
@in_virtual_time
async def test_a_file_that_is_not_what_its_writer_hashed_is_not_stored(
    tmp_path: Path, headers: dict[str, str] | None
) -> None:
    """Whether the store says what it got, or nothing."""
    path, content = sample(tmp_path, 1000)
    body = prepared(path, content)
    path.write_bytes(content[::-1])
    answer = stored() if headers is None else stored(lambda _: headers)
    async with scripted(answer) as server, storage() as store:
        with pytest.raises(IntegrityError, match=r"MD5|not those that were prepared"):
            await store.put(f"{server.url}/o", body)


@in_virtual_time
async def test_a_small_file_is_checked_before_its_first_byte(tmp_path: Path) -> None:
    path, content = sample(tmp_path, 1000)
    async with scripted(stored()) as server, storage() as store:
        with pytest.raises(IntegrityError, match="not those that were prepared"):
            await store.put(f"{server.url}/o", prepared(path, content, sha256="0" * 64))
        path.write_bytes(content[:-1])
        with pytest.raises(IntegrityError, match="shorter"):
            await store.put(f"{server.url}/o", prepared(path, content))
    assert not server.seen


@pytest.mark.parametrize("change_bytes", [-1, 1])
@in_virtual_time
async def test_a_file_that_changes_its_length_is_not_stored(
    tmp_path: Path, change_bytes: int
) -> None:
    path, _ = sample(tmp_path, 2 * MIB)
    body = FileBody(path, 2 * MIB - change_bytes)
    async with scripted(stored()) as server, storage() as store:
        with pytest.raises(IntegrityError, match=r"shorter|longer"):
            await store.put(f"{server.url}/o", body)


@in_virtual_time
async def test_a_file_that_vanishes_is_an_error_of_this_machine(tmp_path: Path) -> None:
    path, _ = sample(tmp_path, 10)
    body = FileBody.of(path)
    path.unlink()
    async with scripted(stored()) as server, storage() as store:
        with pytest.raises(FileNotFoundError):
            await store.put(f"{server.url}/o", body)


@in_virtual_time
async def test_an_answer_before_the_body_was_sent_is_no_success(tmp_path: Path) -> None:
    path, content = sample(tmp_path, 20 * MIB)

    async def hasty(request: object) -> object:
        from aiohttp import web

        return web.Response()

    async with scripted(hasty, stored()) as server, storage() as store:  # type: ignore[arg-type]
        await store.put(f"{server.url}/o", path)
    assert len(server.seen) == 2
    assert server.seen[1].body == content


@in_virtual_time
async def test_a_web_page_that_says_two_hundred_has_stored_nothing() -> None:
    page = answer(200, text="<!DOCTYPE html><html>sign in</html>")
    async with scripted(page, stored()) as server, storage() as store:
        await store.put(f"{server.url}/o", b"x")
    assert len(server.seen) == 2


SAYS = {
    "s3": "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
    "supabase": '{"statusCode":"400","error":"InvalidJWT","message":"\\"exp\\" claim failed"}',
    "gcs": "<Error><Code>ExpiredToken</Code><Message>Invalid argument.</Message></Error>",
    "azure": "<Error><Code>AuthenticationFailed</Code><Message>Signed expiry</Message></Error>",
    "nothing": "",
    "exists": '{"statusCode":"409","error":"Duplicate","message":"The resource already exists"}',
    "early": "<Error><Code>AccessDenied</Code><Message>Request is not valid yet</Message></Error>",
    "nbf": '{"statusCode":"400","error":"Unauthorized","message":"\\"nbf\\" claim failed"}',
    "skewed": "<Error><Code>RequestTimeTooSkewed</Code><Message>too large</Message></Error>",
    "denied": "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
    "quota": '{"message":"storage quota exceeded"}',
}


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (403, "s3", ExpiredUrlError),
        (400, "supabase", ExpiredUrlError),
        (400, "gcs", ExpiredUrlError),
        (403, "azure", ExpiredUrlError),
        (403, "nothing", ExpiredUrlError),
        (401, "nothing", ExpiredUrlError),
        (400, "exists", ExpiredUrlError),
        (409, "nothing", ExpiredUrlError),
        (403, "early", ExpiredUrlError),
        (400, "nbf", ExpiredUrlError),
        (403, "skewed", ExpiredUrlError),
        (403, "denied", PermissionDeniedError),
        (403, "quota", PermissionDeniedError),
        (400, "nothing", ClientError),
        (404, "nothing", ClientError),
        (413, "nothing", ClientError),
    ],
)
@in_virtual_time
async def test_a_refusal_says_whether_a_new_url_would_help(
    status: int, said: str, kind: type[IonworksError]
) -> None:
    step = answer(status, text=SAYS[said], headers={"Location": "http://127.0.0.1:9/"})
    async with scripted(step) as server, storage() as store:
        with pytest.raises(kind) as caught:
            await store.put(f"{server.url}/o?token=s3cret", b"x")
    assert type(caught.value) is kind
    assert len(server.seen) == 1
    assert "s3cret" not in str(caught.value)


@in_virtual_time
async def test_a_store_that_takes_nothing_more_times_out_and_is_tried_again(
    tmp_path: Path,
) -> None:
    path, content = sample(tmp_path, 20 * MIB)

    async def stuck(request: object) -> object:
        await anyio.sleep(10_000)
        raise AssertionError

    heard = Heard()
    async with (
        scripted(stuck, stored()) as server,  # type: ignore[arg-type]
        storage(heard, progress_timeout_s=60.0) as store,
    ):
        await store.put(f"{server.url}/o", path)
    assert heard.of(Exchanged)[0].cause == TIMED_OUT
    assert 60 <= server.seen[1].at < 70
    assert server.seen[1].body == content


@in_virtual_time
async def test_a_slow_upload_that_moves_is_not_cut_off(tmp_path: Path) -> None:
    path, content = sample(tmp_path, 20 * MIB)

    async def slow(request: object) -> object:
        from aiohttp import web

        assert isinstance(request, web.Request)
        total = b""
        while chunk := await request.content.read(MIB):
            total += chunk
            await anyio.sleep(4)
        assert total == content
        return web.Response()

    async with (
        scripted(slow) as server,  # type: ignore[arg-type]
        storage(progress_timeout_s=60.0) as store,
    ):
        await store.put(f"{server.url}/o", path)
        assert VirtualClock().monotonic() > 80


@in_virtual_time
async def test_a_store_that_never_answers_is_given_up_by_its_own_patience() -> None:
    heard = Heard()
    async with (
        scripted(silent(), stored()) as server,
        storage(heard, answer_timeout_s=30.0) as store,
    ):
        await store.put(f"{server.url}/o", b"x")
    assert heard.of(Exchanged)[0].cause == TIMED_OUT


@in_virtual_time
async def test_the_edges_time_out_is_answered_by_another_way_once() -> None:
    ways: list[str] = []

    async def another_way() -> bool:
        ways.append("tried")
        return True

    async with scripted(answer(524), stored()) as server, storage() as store:
        await store.put(f"{server.url}/o", b"x", on_edge_timeout=another_way)
    assert (ways, len(server.seen)) == (["tried"], 1)


@in_virtual_time
async def test_a_closed_other_way_leaves_the_put_to_be_repeated() -> None:
    ways: list[str] = []

    async def another_way() -> bool:
        ways.append("tried")
        return False

    async with scripted(answer(524), answer(504), stored()) as server, storage() as store:
        await store.put(f"{server.url}/o", b"x", on_edge_timeout=another_way)
    assert (ways, len(server.seen)) == (["tried"], 3)


@in_virtual_time
async def test_a_name_that_only_a_container_knows_is_reached_as_localhost() -> None:
    async with scripted(stored()) as server, storage() as store:
        port = server.url.rpartition(":")[2]
        await store.put(f"http://host.docker.internal:{port}/o?host.docker.internal", b"x")
    assert server.seen[0].raw_path == "/o?host.docker.internal"


@pytest.mark.parametrize("url", ["", "ftp://h/x", "file:///etc/passwd", "/relative"])
@in_virtual_time
async def test_what_is_no_url_is_refused(url: str) -> None:
    async with storage() as store:
        with pytest.raises(ClientError):
            await store.put(url, b"x")


def served(content: bytes, **headers: str) -> Step:
    async def step(request: object) -> object:
        from aiohttp import web

        assert isinstance(request, web.Request)
        await read_all(request)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=content, headers=named)

    return step  # type: ignore[return-value]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@in_virtual_time
async def test_a_download_is_whole_or_not_there(tmp_path: Path) -> None:
    content = os.urandom(3 * MIB)
    etag = f'"{hashlib.md5(content).hexdigest()}"'
    to = tmp_path / "steps.parquet"
    cut = truncated(content[:MIB], len(content))
    async with scripted(cut, answer(503), served(content, ETag=etag)) as server, storage() as store:
        assert await store.download(f"{server.url}/o?token=t", to) == to
    assert to.read_bytes() == content
    assert names_in(tmp_path) == ["steps.parquet"]
    assert not {"x-api-key", "authorization", "content-type"} & set(server.seen[0].headers)


@in_virtual_time
async def test_a_download_that_trickles_is_given_up_and_tried_again(tmp_path: Path) -> None:
    async def trickle(_request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000000"})
        await response.prepare(_request)
        while True:
            await response.write(b"x")
            await anyio.sleep(50.0)

    heard = Heard()
    async with scripted(trickle, served(b"whole")) as server, storage(heard) as store:
        await store.download(f"{server.url}/o", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"whole"
    assert heard.of(Exchanged)[0].cause == TIMED_OUT


@in_virtual_time
async def test_a_slow_download_that_moves_is_not_cut_off(tmp_path: Path) -> None:
    """A block of 256 KiB in less than a minute is progress, however long the whole takes."""
    content = os.urandom(4 * MIB)

    async def slow(_request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(content))})
        await response.prepare(_request)
        for start in range(0, len(content), MIB // 4):
            await response.write(content[start : start + MIB // 4])
            await anyio.sleep(50.0)
        return response

    async with scripted(slow) as server, storage() as store:
        await store.download(f"{server.url}/o", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == content
    assert len(server.seen) == 1


@in_virtual_time
async def test_a_page_of_another_server_is_no_word_of_the_store() -> None:
    page = answer(404, text="<html>nginx</html>", headers={"Content-Type": "text/html"})
    async with scripted(page, stored()) as server, storage() as store:
        await store.put(f"{server.url}/o", b"x")
    assert len(server.seen) == 2


@in_virtual_time
async def test_a_download_that_is_not_what_was_announced_leaves_nothing(tmp_path: Path) -> None:
    wrong = served(b"other", ETag=f'"{"0" * 32}"')
    async with scripted(wrong) as server, storage() as store:
        with pytest.raises(IntegrityError):
            await store.download(f"{server.url}/o", tmp_path / "x")
    async with scripted(answer(403)) as server, storage() as store:
        with pytest.raises(ExpiredUrlError):
            await store.download(f"{server.url}/o", tmp_path / "x")
    assert names_in(tmp_path) == []


@in_virtual_time
async def test_a_download_is_not_unpacked_on_the_way(tmp_path: Path) -> None:
    import gzip

    content = gzip.compress(b"x" * 1000)
    async with scripted(served(content, Content_Encoding="gzip")) as server, storage() as store:
        await store.download(f"{server.url}/o", tmp_path / "x.csv.gz")
    assert (tmp_path / "x.csv.gz").read_bytes() == content


@in_virtual_time
async def test_a_store_out_of_reach_is_given_up_in_the_end(tmp_path: Path) -> None:
    async with scripted(stored()) as server:
        url = server.url
    async with storage(outage_limit_s=600.0) as store:
        with pytest.raises(IonworksError, match="unreachable for 600 s"):
            await store.put(f"{url}/o", b"x")
    assert isinstance(UnavailableError("x"), IonworksError)
    assert not issubclass(AnswerLostError, IntegrityError)
