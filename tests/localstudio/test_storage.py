"""The storage: signatures, expiry, header guard, ranges, what a PUT answers."""

from __future__ import annotations

import hashlib

import pytest

from tests.localstudio.support import Api, OpenApi, made, series

pytestmark = pytest.mark.anyio


async def _target(api: Api) -> str:
    begun = made(await api.initiate(await api.cell()))
    return str(begun["uploads"][0]["signed_url"])


async def test_storage_has_its_own_port_and_needs_no_key(api: Api) -> None:
    url = await _target(api)
    assert url.startswith(api.studio.storage_url)
    assert api.studio.storage_url != api.studio.url
    assert (await api.put(url, b"x")).status == 200
    assert api.studio.requests.bytes_stored == 1


@pytest.mark.parametrize(
    "header",
    ["X-API-Key", "X-Organization-Id", "Authorization", "X-Ionworks-Internal-Client"],
)
async def test_put_with_an_ionworks_header_is_refused(api: Api, header: str) -> None:
    url = await _target(api)
    assert (await api.put(url, b"x", headers={header: "v"})).status == 400
    assert api.studio.requests.leaked_headers == 1


@pytest.mark.parametrize(("guard", "status"), [("uploads", 200), ("always", 400)])
async def test_guard_over_downloads_is_a_switch(open_api: OpenApi, guard: str, status: int) -> None:
    api = await open_api(storage_guard=guard)
    measurement = await api.upload(await api.cell())
    redirect = await api.get(f"/cell_measurements/{measurement}/time_series/download")
    url = redirect.headers["Location"]
    assert (await api.get(url, headers={"X-API-Key": "v"})).status == status
    assert (await api.get(url)).status == 200
    assert api.studio.requests.leaked_headers == 1


async def test_expired_url_is_403(open_api: OpenApi) -> None:
    api = await open_api(url_lifetime_s=-1.0)
    assert (await api.put(await _target(api), b"x")).status == 403


async def test_tampered_url_is_403(api: Api) -> None:
    url = await _target(api)
    base, _, query = url.partition("?")
    assert (await api.put(f"{base}x?{query}", b"x")).status == 403
    later = query.replace("expires=1", "expires=2")
    assert (await api.put(f"{base}?{later}", b"x")).status == 403
    assert (await api.put(base, b"x")).status == 403


async def test_url_for_one_verb_is_not_for_the_other(api: Api) -> None:
    url = await _target(api)
    assert (await api.get(url)).status == 403


async def test_range_requests_are_answered_in_part(api: Api) -> None:
    data = series()
    measurement = await api.upload(await api.cell(), data=data)
    redirect = await api.get(f"/cell_measurements/{measurement}/time_series/download")
    url = redirect.headers["Location"]
    part = await api.get(url, headers={"Range": "bytes=-8"})
    assert (part.status, part.body) == (206, data[-8:])
    head = await api.send("HEAD", url)
    assert int(head.headers["Content-Length"]) == len(data)


@pytest.mark.parametrize(
    ("switch", "told"),
    [("nothing", ()), ("etag", ("etag",)), ("etag_and_length", ("etag", "size"))],
)
async def test_put_answer_is_a_switch(
    open_api: OpenApi, switch: str, told: tuple[str, ...]
) -> None:
    api = await open_api(put_answer=switch)
    data = b"some bytes"
    answer = await api.put(await _target(api), data)
    etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
    assert answer.headers.get("ETag") == (etag if "etag" in told else None)
    assert answer.headers.get("x-amz-object-size") == (str(len(data)) if "size" in told else None)


@pytest.mark.parametrize(("switch", "status"), [("replace", 200), ("refuse", 409)])
async def test_second_put_is_a_switch(open_api: OpenApi, switch: str, status: int) -> None:
    api = await open_api(second_put=switch)
    url = await _target(api)
    assert (await api.put(url, b"one")).status == 200
    assert (await api.put(url, b"two")).status == status
