"""Signed URLs are taken to the letter as far as HTTP can carry it; a store sends on once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkload.client.http.wire import Answer
from bulkload.client.storage.multipart import MultipartTarget
from bulkload.client.storage.signed_urls import redirected, wire_url
from bulkload.errors import (
    AnswerLostError,
    ClientError,
    ConnectionSetupError,
    IonworksError,
    OutageError,
)
from tests.client.wire.scripted import answer, in_virtual_time, scripted, stored
from tests.client.wire.test_storage import storage


@pytest.mark.parametrize(
    ("signed", "asked"),
    [
        ("/b/o%2Fx?sig=a%2Bb%3D&z", "/b/o%2Fx?sig=a%2Bb%3D&z"),
        ("/b/run 1.parquet?sig=a+b", "/b/run%201.parquet?sig=a+b"),
        ("/b/Zelle é.parquet?n=é", "/b/Zelle%20%C3%A9.parquet?n=%C3%A9"),
        ('/b/"x"{1}`?sig=<a>"{b}`', "/b/%22x%22%7B1%7D%60?sig=%3Ca%3E%22{b}`".replace('"', "%22")),
        ("/b/a|b^c?sig=a|b^'", "/b/a|b^c?sig=a|b^'"),
        (" /b/x?sig=1\n#part", "/b/x?sig=1"),
        ("/b/x?sig=a\tb\r\nc", "/b/x?sig=abc"),
        ("/b/%zz?sig=%", "/b/%zz?sig=%"),
    ],
)
@in_virtual_time
async def test_what_http_cannot_carry_is_written_as_browsers_do(signed: str, asked: str) -> None:
    async with scripted(stored()) as server, storage() as store:
        await store.put(server.url + signed.lstrip(), b"x")
    assert server.seen[0].raw_path == asked


@pytest.mark.parametrize(
    "url", ["ftp://h/x", "gopher://h/", "//h/x", "http:///x", "s3://b/x", "http://h:99999/"]
)
def test_only_http_is_spoken(url: str) -> None:
    with pytest.raises(ClientError, match="only http and https"):
        wire_url(url)


@in_virtual_time
async def test_a_put_is_sent_on_once_whole_and_without_our_headers(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    moved = answer(307, headers={"Location": "/region/o?sig=2"})
    async with scripted(moved, stored()) as server, storage() as store:
        await store.put(f"{server.url}/o?sig=1", path)
    first, second = server.seen
    assert (first.raw_path, second.raw_path) == ("/o?sig=1", "/region/o?sig=2")
    assert second.body == content
    assert not {"x-api-key", "authorization", "x-organization-id", "cookie"} & set(second.headers)


@in_virtual_time
async def test_a_request_goes_to_no_store_that_the_api_did_not_name(tmp_path: Path) -> None:
    async with scripted(stored()) as other:
        moved = answer(307, headers={"Location": f"{other.url}/o?sig=s3cret"})
        async with scripted(moved) as server, storage() as store:
            hosts = [one.url.removeprefix("http://") for one in (server, other)]
            said = f"{hosts[0]} redirects the request to {hosts[1]}, which Studio did not name"
            with pytest.raises(IonworksError, match=said) as put:
                await store.put(f"{server.url}/o?sig=s3cret", b"x")
            with pytest.raises(IonworksError, match=said):
                await store.download(f"{server.url}/o?sig=s3cret", tmp_path / "x")
    assert other.seen == []
    assert "s3cret" not in str(put.value)


@in_virtual_time
async def test_one_store_may_send_on_to_another_that_the_api_named() -> None:
    async with scripted(stored()) as other:
        moved = answer(307, headers={"Location": f"{other.url}/there"})
        async with scripted(moved) as server, storage() as store:
            await store.put(f"{other.url}/first", b"x")
            await store.put(f"{server.url}/second", b"y")
    assert [(seen.raw_path, seen.body) for seen in other.seen] == [
        ("/first", b"x"),
        ("/there", b"y"),
    ]


@in_virtual_time
async def test_before_a_store_has_answered_its_redirect_ends_the_work_at_once() -> None:
    moved = answer(302, headers={"Location": "http://portal.example/login"})
    async with scripted(moved) as server, storage(ends_on_wrong_setup=True) as store:
        with pytest.raises(ConnectionSetupError, match=r"portal\.example.*check whether a proxy"):
            await store.put(f"{server.url}/o", b"x")
    assert len(server.seen) == 1


@in_virtual_time
async def test_after_a_store_has_answered_its_redirects_are_an_outage() -> None:
    moved = answer(302, headers={"Location": "http://portal.example/login"})
    async with scripted(stored(), moved) as server, storage(ends_on_wrong_setup=True) as store:
        await store.put(f"{server.url}/o", b"x")
        with pytest.raises(OutageError, match=r"portal\.example"):
            await store.put(f"{server.url}/p", b"x")


@in_virtual_time
async def test_a_store_that_sends_on_and_on_is_out_of_reach() -> None:
    again = answer(307, headers={"Location": "/again"})
    async with scripted(again) as server, storage() as store:
        with pytest.raises(OutageError):
            await store.put(f"{server.url}/o?sig=s3cret", b"x")
    assert [seen.raw_path for seen in server.seen[:2]] == ["/o?sig=s3cret", "/again"]


@in_virtual_time
async def test_a_download_is_sent_on_once(tmp_path: Path) -> None:
    moved = answer(302, headers={"Location": "/there"})
    async with scripted(moved, answer(200, text="content")) as server, storage() as store:
        await store.download(f"{server.url}/o", tmp_path / "x")
    assert (tmp_path / "x").read_text() == "content"
    assert [seen.raw_path for seen in server.seen] == ["/o", "/there"]


NAMED = {("a", 443), ("a", 80), ("b", 443)}


@pytest.mark.parametrize(
    ("url", "location", "there"),
    [
        ("https://a/x", "https://b/y", "https://b/y"),
        ("https://a/x", "https://B:443/y", "https://B:443/y"),
        ("https://a/x", "/y?z", "https://a/y?z"),
        ("http://a/x", "https://a/x", "https://a/x"),
    ],
)
def test_where_a_store_may_send_a_request(url: str, location: str, there: str) -> None:
    moved = Answer(status=307, headers={"location": location}, body=b"")
    assert redirected(url, moved, NAMED, is_put=True) == there


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://a/y", "request to a, without encryption"),
        ("https://a:8443/y", "request to a:8443, which Studio did not name"),
        ("https://a.eu-central-1.amazonaws.com/y", "amazonaws.com, which Studio did not name"),
        ("https://169.254.169.254/latest", "169.254.169.254, which Studio did not name"),
        ("https://user:pass@c/y", "request to c, which"),
        ("https://a:99999/y", "a:99999, which"),
        ("file:///etc/passwd", "no address, which"),
        ("", "no address, which"),
    ],
)
def test_where_a_store_may_not_send_a_request(location: str, said: str) -> None:
    moved = Answer(status=307, headers={"location": location}, body=b"")
    with pytest.raises(AnswerLostError, match=said):
        redirected("https://a/x", moved, NAMED, is_put=True)


def test_a_put_does_not_become_a_get() -> None:
    moved = Answer(status=303, headers={"location": "/y"}, body=b"")
    assert redirected("https://a/x", moved, NAMED, is_put=False) == "https://a/y"
    with pytest.raises(AnswerLostError, match="by a 303, which no store uses for an upload"):
        redirected("https://a/x", moved, NAMED, is_put=True)


@pytest.mark.parametrize("endpoint", ["ftp://s3.example", "s3.example", "http://s3.example:99999"])
def test_parts_go_over_http_only(endpoint: str) -> None:
    names = ("region", "bucket", "object_path", "access_key_id", "secret_access_key")
    offer = dict.fromkeys((*names, "session_token"), "x") | {"endpoint": endpoint}
    with pytest.raises(ClientError, match="only http and https"):
        MultipartTarget.parse(offer)
