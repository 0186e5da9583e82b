"""Signed URLs are taken to the letter as far as HTTP can carry it; a store sends on once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkload.client.http.wire import Answer
from bulkload.client.storage.signed_urls import redirected, wire_url
from bulkload.errors import ClientError
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


@pytest.mark.parametrize("url", ["ftp://h/x", "gopher://h/", "//h/x", "http:///x", "s3://b/x"])
def test_only_http_is_spoken(url: str) -> None:
    with pytest.raises(ClientError, match="only http and https"):
        wire_url(url)


@in_virtual_time
async def test_a_put_is_sent_on_once_whole_and_without_our_headers(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    async with scripted(stored()) as regional:
        moved = answer(307, headers={"Location": f"{regional.url}/region/o?sig=2"})
        async with scripted(moved) as server, storage() as store:
            await store.put(f"{server.url}/o?sig=1", path)
    assert [seen.raw_path for seen in server.seen] == ["/o?sig=1"]
    (seen,) = regional.seen
    assert (seen.raw_path, seen.body) == ("/region/o?sig=2", content)
    assert not {"x-api-key", "authorization", "x-organization-id", "cookie"} & set(seen.headers)


@in_virtual_time
async def test_a_second_redirect_is_a_refusal() -> None:
    again = answer(307, headers={"Location": "/again"})
    async with scripted(again) as server, storage() as store:
        with pytest.raises(ClientError):
            await store.put(f"{server.url}/o?sig=s3cret", b"x")
    assert [seen.raw_path for seen in server.seen] == ["/o?sig=s3cret", "/again"]


@in_virtual_time
async def test_a_download_is_sent_on_once(tmp_path: Path) -> None:
    moved = answer(302, headers={"Location": "/there"})
    async with scripted(moved, answer(200, text="content")) as server, storage() as store:
        await store.download(f"{server.url}/o", tmp_path / "x")
    assert (tmp_path / "x").read_text() == "content"
    assert [seen.raw_path for seen in server.seen] == ["/o", "/there"]


@pytest.mark.parametrize(
    ("url", "location", "there"),
    [
        ("https://a/x", "https://b/y", "https://b/y"),
        ("https://a/x", "/y?z", "https://a/y?z"),
        ("https://a/x", "http://b/y", None),
        ("https://a/x", "file:///etc/passwd", None),
        ("http://a/x", "", None),
    ],
)
def test_where_a_store_may_send_a_request(url: str, location: str, there: str | None) -> None:
    assert redirected(url, Answer(status=307, headers={"location": location}, body=b"")) == there
