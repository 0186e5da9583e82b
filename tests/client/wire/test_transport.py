"""One attempt against a real server on loopback: what goes out, what comes back, what is lost."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from contextlib import closing
from typing import Any

import anyio
import pytest
from aiohttp import web

from bulkload.client.http.access import Access
from bulkload.client.http.api_session import TIMED_OUT, Timeouts
from bulkload.client.http.bodies import join_path
from bulkload.client.http.limits import GZIP_FROM_BYTES
from bulkload.client.http.transport import HttpTransport
from bulkload.client.http.wire import make_request
from bulkload.errors import AnswerLostError, UnreachableError
from tests.client.wire.scripted import (
    Step,
    answer,
    in_virtual_time,
    read_all,
    reset,
    scripted,
    silent,
    truncated,
)


@in_virtual_time
async def test_a_call_carries_its_credentials_and_its_body() -> None:
    async with scripted(answer(201, {"id": "m1"})) as server, HttpTransport(server.access) as http:
        request = make_request("POST", join_path("a", "b/c?#%"), {"q": "x y"}, {"a": float("nan")})
        got = await http.send(request)
    (seen,) = server.seen
    assert (got.status, json.loads(got.body)) == (201, {"id": "m1"})
    assert seen.raw_path == "/a/b%2Fc%3F%23%25?q=x+y"
    assert json.loads(seen.body) == {"a": None}
    assert seen.headers["x-api-key"] == "the-secret-key"
    assert seen.headers["x-organization-id"] == "org-1"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["user-agent"].startswith("bulkload/")
    assert seen.headers["content-length"] == str(len(seen.body))
    assert "transfer-encoding" not in seen.headers
    assert "the-secret-key" not in repr(http) + repr(request)


@in_virtual_time
async def test_a_large_body_goes_out_compressed_and_whole() -> None:
    payload = {"rows": ["x" * GZIP_FROM_BYTES]}
    async with scripted(answer()) as server, HttpTransport(server.access) as http:
        await http.send(make_request("POST", "/a", json=payload))
    (seen,) = server.seen
    assert seen.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(seen.body)) == payload


@in_virtual_time
async def test_a_redirect_is_not_followed() -> None:
    moved = answer(302, headers={"Location": "http://127.0.0.1:9/elsewhere"})
    async with scripted(moved) as server, HttpTransport(server.access) as http:
        got = await http.send(make_request("GET", "/a"))
    assert (got.status, len(server.seen)) == (302, 1)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize(
    "trouble", [reset(), truncated(b'{"id":', 100), truncated(b"", 1)], ids=["reset", "cut", "none"]
)
@in_virtual_time
async def test_a_broken_connection_is_one_lost_answer_and_no_second_request(
    method: str, trouble: Step
) -> None:
    """The HTTP library would resend GET, PUT and DELETE by itself on a kept-alive connection."""
    async with (
        scripted(answer(), trouble, answer()) as server,
        HttpTransport(server.access) as http,
    ):
        await http.send(make_request("GET", "/first"))
        with pytest.raises(AnswerLostError):
            await http.send(make_request(method, "/second"))
    assert [seen.raw_path for seen in server.seen] == ["/first", "/second"]


@in_virtual_time
async def test_a_server_that_says_nothing_times_out() -> None:
    async with (
        scripted(silent()) as server,
        HttpTransport(server.access, timeouts=Timeouts(read_s=7.0)) as http,
    ):
        with pytest.raises(AnswerLostError, match="timed out") as caught:
            await http.send(make_request("GET", "/a"))
    assert caught.value.cause == TIMED_OUT


@in_virtual_time
async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with scripted(answer()) as server:
        access = server.access
    async with HttpTransport(access) as http:
        with pytest.raises(UnreachableError) as caught:
            await http.send(make_request("POST", "/a", json={}))
    assert "the-secret-key" not in str(caught.value)


@in_virtual_time
async def test_a_proxy_of_the_environment_is_used_and_netrc_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine studio.example login me password pw\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with scripted(answer(200, "through the proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        access = type(proxy.access)(base_url="http://studio.example", api_key="k")
        async with HttpTransport(access) as http:
            got = await http.send(make_request("GET", "/a"))
    assert json.loads(got.body) == "through the proxy"
    assert "authorization" not in proxy.seen[0].headers


def trickling(every_s: float) -> Step:
    """Answer a byte at a time, for ever."""

    async def step(request: web.Request) -> web.StreamResponse:
        await read_all(request)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await anyio.sleep(every_s)

    return step


@in_virtual_time
async def test_an_answer_that_trickles_is_given_up_by_the_patience_for_the_whole() -> None:
    began = asyncio.get_running_loop().time()
    async with scripted(trickling(20.0)) as server, HttpTransport(server.access) as http:
        with pytest.raises(AnswerLostError, match="timed out") as caught:
            await http.send(make_request("GET", "/a"))
    assert caught.value.cause == TIMED_OUT
    assert asyncio.get_running_loop().time() - began == pytest.approx(300.0, abs=21.0)


@in_virtual_time
async def test_a_name_that_nobody_knows_is_out_of_reach() -> None:
    access = Access(base_url="http://studio.invalid", api_key="k")
    async with HttpTransport(access) as http:
        with pytest.raises(UnreachableError, match="the name is not known"):
            await http.send(make_request("POST", "/a", json={}))


@in_virtual_time
async def test_a_name_that_led_astray_is_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address is kept for minutes; one that does not answer is not kept at all."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        dead = taken.getsockname()[1]
    loop, asked = asyncio.get_running_loop(), 0

    async with scripted(answer(200, "right")) as server:
        port = int(server.url.rpartition(":")[2])

        async def look_up(_host: str, *_: Any, **__: Any) -> list[Any]:
            nonlocal asked
            asked += 1
            target = ("127.0.0.1", dead if asked == 1 else port)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", target)]

        monkeypatch.setattr(loop, "getaddrinfo", look_up)
        access = Access(base_url=f"http://studio.example:{port}", api_key="k")
        async with HttpTransport(access) as http:
            with pytest.raises(UnreachableError):
                await http.send(make_request("GET", "/a"))
            got = await http.send(make_request("GET", "/a"))
            await http.send(make_request("GET", "/a"))
    assert (json.loads(got.body), asked) == ("right", 2)


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
@in_virtual_time
async def test_a_handshake_that_fails_is_out_of_reach(greeting: bytes) -> None:
    """Nothing was sent, so that a POST may be sent again without a look."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(greeting)
        if greeting:
            writer.close()
        else:
            writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        access = Access(base_url=f"https://127.0.0.1:{port}", api_key="k")
        async with HttpTransport(access) as http:
            with pytest.raises(UnreachableError, match="cannot connect"):
                await http.send(make_request("POST", "/a", json={}))
