"""Each fault, shown to do what it says."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from bulkload.localstudio import FaultKind, FaultRule, http_date_in
from bulkload.localstudio.faults import Faults
from tests.localstudio.support import Api, made, series

pytestmark = pytest.mark.anyio

CUT = (aiohttp.ClientError, ConnectionError)


async def _names(api: Api) -> list[str]:
    return [item["name"] for item in made(await api.get("/cell_specifications"))["items"]]


def _order(api: Api, kind: FaultKind, endpoint: str = "spec.create", **options: object) -> None:
    api.studio.faults.add(FaultRule(kind=kind, endpoint=endpoint, **options))  # type: ignore[arg-type]


async def test_latency_holds_the_request_back(api: Api) -> None:
    _order(api, FaultKind.LATENCY, "whoami", seconds=0.2)
    start = time.monotonic()
    assert (await api.get("/users/me")).status == 200
    assert time.monotonic() - start >= 0.2


@pytest.mark.parametrize("status", [403, 408, 413, 429, 500, 502, 503, 504, 524])
async def test_status_without_and_with_the_work_done(api: Api, status: int) -> None:
    _order(api, FaultKind.STATUS, status=status, times=1)
    _order(api, FaultKind.STATUS, status=status, times=1, work_done=True)
    body = {"project_id": api.studio.project_id}
    # Two rules on one request: both count it, the first is the outer one and answers.
    refused = await api.post("/cell_specifications", {"name": "undone", **body})
    assert refused.status == status
    assert refused.headers["Content-Type"] == "application/json"
    assert await _names(api) == []
    api.studio.faults.clear()
    _order(api, FaultKind.STATUS, status=status, work_done=True)
    assert (await api.post("/cell_specifications", {"name": "done", **body})).status == status
    assert await _names(api) == ["done"]


@pytest.mark.parametrize(
    "header",
    ["7", http_date_in(90), None, "a fortnight", "99999999999"],
    ids=["seconds", "date", "absent", "words", "absurd"],
)
async def test_retry_after_in_every_form(api: Api, header: str | None) -> None:
    _order(api, FaultKind.STATUS, "whoami", status=429, retry_after=header)
    answer = await api.get("/users/me")
    assert answer.status == 429
    assert answer.headers.get("Retry-After") == header


def test_http_date_is_in_the_future() -> None:
    assert parsedate_to_datetime(http_date_in(90)).timestamp() > time.time() + 80


async def test_html_with_status_200(api: Api) -> None:
    _order(api, FaultKind.HTML, "whoami")
    answer = await api.get("/users/me")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.body.startswith(b"<!DOCTYPE html>")


async def test_truncated_answer_after_the_work(api: Api) -> None:
    _order(api, FaultKind.TRUNCATED)
    with pytest.raises(CUT):
        await api.spec("made")
    api.studio.faults.clear()
    assert await _names(api) == ["made"]


async def test_truncated_download(api: Api) -> None:
    measurement = await api.upload(await api.cell())
    redirect = await api.get(f"/cell_measurements/{measurement}/time_series/download")
    _order(api, FaultKind.TRUNCATED, "storage.get")
    with pytest.raises(CUT):
        await api.get(redirect.headers["Location"])


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (FaultKind.RESET_BEFORE, []),
        (FaultKind.RESET_DURING, []),
        (FaultKind.RESET_AFTER, ["made"]),
        (FaultKind.SILENCE, ["made"]),
        (FaultKind.OUTAGE, []),
    ],
)
async def test_reset_before_during_or_after_the_work(
    api: Api, kind: FaultKind, names: list[str]
) -> None:
    _order(api, kind)
    with pytest.raises(CUT):
        await api.spec("made")
    api.studio.faults.clear()
    assert await _names(api) == names
    assert api.studio.requests.by_status[0] == 1


async def test_reset_in_the_middle_of_a_put_stores_nothing(api: Api) -> None:
    url = made(await api.initiate(await api.cell()))["uploads"][0]["signed_url"]
    _order(api, FaultKind.RESET_DURING, "storage.put", times=1, fraction=0.3)
    data = bytes(3_000_000)
    with pytest.raises(CUT):
        await api.put(url, data)
    assert api.studio.requests.bytes_stored == 0
    assert (await api.put(url, data)).status == 200
    assert api.studio.requests.bytes_stored == len(data)


async def test_a_put_that_breaks_off_stores_nothing(api: Api) -> None:
    cell = await api.cell()
    begun = made(await api.initiate(cell))

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise OSError("the source is gone")

    with pytest.raises(aiohttp.ClientError):
        await api.send(
            "PUT",
            begun["uploads"][0]["signed_url"],
            data=broken(),
            headers={"Content-Length": "2000"},
        )
    assert (await api.confirm(begun["measurement_id"], cell)).status == 400


async def test_slow_body_and_slow_answer_arrive_whole(api: Api) -> None:
    data = bytes(2_000_000)
    url = made(await api.initiate(await api.cell()))["uploads"][0]["signed_url"]
    _order(api, FaultKind.SLOW_BODY, "storage.put", seconds=0.2)
    _order(api, FaultKind.SLOW_ANSWER, "whoami", seconds=0.2)
    start = time.monotonic()
    assert (await api.put(url, data)).status == 200
    assert api.studio.requests.bytes_stored == len(data)
    assert time.monotonic() - start >= 0.2
    start = time.monotonic()
    assert made(await api.get("/users/me"))["email"]
    assert time.monotonic() - start >= 0.2


async def test_expired_url_and_quota_at_storage(api: Api) -> None:
    url = made(await api.initiate(await api.cell()))["uploads"][0]["signed_url"]
    _order(api, FaultKind.EXPIRED_URL, "storage.put", nth=1)
    _order(api, FaultKind.QUOTA, "storage.put", nth=2)
    expired = await api.put(url, b"x")
    assert (expired.status, expired.json["error"]) == (403, "InvalidJWT")
    over = await api.put(url, b"x")
    assert (over.status, over.json["error_code"]) == (403, "FORBIDDEN")
    assert (await api.put(url, b"x")).status == 200


async def test_duplicate_delivery_answers_the_second_time(api: Api) -> None:
    _order(api, FaultKind.DUPLICATE_DELIVERY)
    answer = await api.post(
        "/cell_specifications", {"name": "twice", "project_id": api.studio.project_id}
    )
    assert answer.status == 409
    api.studio.faults.clear()
    assert await _names(api) == ["twice"]


async def test_duplicate_delivery_of_a_put_keeps_the_bytes(api: Api) -> None:
    _order(api, FaultKind.DUPLICATE_DELIVERY, "storage.put")
    measurement = await api.upload(await api.cell(), data=series())
    assert (await api.measurement(measurement))["processing_status"] == "ready"


async def test_outage_lasts_until_it_is_lifted(api: Api) -> None:
    outage = api.studio.faults.add(FaultRule(kind=FaultKind.OUTAGE))
    for _ in range(3):
        with pytest.raises(CUT):
            await api.get("/healthz")
    api.studio.faults.remove(outage)
    assert (await api.get("/healthz")).status == 200
    assert outage.struck == 3


async def test_a_studio_that_is_down_refuses_and_comes_back_on_its_ports(api: Api) -> None:
    spec = await api.spec()
    addresses = (api.studio.url, api.studio.storage_url)
    await api.studio.go_down()
    with pytest.raises(CUT):  # the connection that stood is cut, a new one is refused
        await api.get("/healthz")
    with pytest.raises(aiohttp.ClientConnectorError):
        await api.get("/healthz")
    await api.studio.come_back()
    assert (api.studio.url, api.studio.storage_url) == addresses
    assert (await api.get(f"/cell_specifications/{spec}")).status == 200


async def test_rate_limit_is_a_token_bucket(api: Api) -> None:
    _order(api, FaultKind.RATE_LIMIT, "whoami", per_s=4.0, retry_after="1")
    statuses = [(await api.get("/users/me")).status for _ in range(8)]
    assert statuses[:4] == [200] * 4
    assert 429 in statuses
    assert (await api.get("/projects")).status == 200


async def test_damaged_storage_says_what_it_kept(api: Api) -> None:
    _order(api, FaultKind.DAMAGED, "storage.put", fraction=0.25)
    url = made(await api.initiate(await api.cell()))["uploads"][0]["signed_url"]
    answer = await api.put(url, b"abcdefgh")
    assert answer.status == 200
    kept = hashlib.md5(b"ab", usedforsecurity=False).hexdigest()
    assert answer.headers["ETag"] == f'"{kept}"'


@pytest.mark.parametrize("seconds", [86_400.0, -86_400.0])
async def test_clock_skew_is_in_the_date_of_the_answer(api: Api, seconds: float) -> None:
    _order(api, FaultKind.CLOCK_SKEW, "whoami", seconds=seconds)
    told = parsedate_to_datetime((await api.get("/users/me")).headers["Date"]).timestamp()
    assert abs(told - time.time() - seconds) < 60


async def test_consistency_gap_hides_a_new_record_from_reads(api: Api) -> None:
    spec = await api.spec("s")
    _order(api, FaultKind.CONSISTENCY_GAP, "instance.create", seconds=60.0)
    cell = await api.cell("c", spec)
    path = f"/cell_specifications/{spec}/cell_instances"
    assert (await api.get(f"/cell_instances/{cell}")).status == 404
    assert made(await api.get(path))["total"] == 0
    again = await api.post(path, {"name": "c"})
    assert again.json["detail"]["existing_id"] == cell
    api.studio.faults.clear()
    assert made(await api.get(path))["total"] == 1


async def test_stale_upload_keeps_its_name(api: Api) -> None:
    _order(api, FaultKind.STALE_UPLOAD, "measurement.initiate", seconds=60.0, times=1)
    cell = await api.cell()
    made(await api.initiate(cell))
    blocked = await api.initiate(cell)
    assert blocked.status == 409
    assert blocked.json["detail"] is None
    made(await api.initiate(cell, "other"))
    api.studio.faults.clear()
    made(await api.initiate(cell))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FaultKind.PROCESSING_STUCK, "running"),
        (FaultKind.PROCESSING_LOST, "pending"),
        (FaultKind.PROCESSING_FAILED, "failed"),
    ],
)
async def test_processing_that_goes_wrong_for_one_name(
    api: Api, kind: FaultKind, status: str
) -> None:
    _order(api, kind, "processing", subject="bad*")
    cell = await api.cell()
    bad = await api.begin(cell, "bad one")
    made(await api.confirm(bad, cell, name="bad one"))
    good = await api.begin(cell, "good one")
    made(await api.confirm(good, cell, name="good one"))
    async with asyncio.timeout(10):
        while (await api.measurement(good))["processing_status"] != "ready":
            pass
    assert (await api.measurement(bad))["processing_status"] == status


async def test_processing_stuck_for_a_time(api: Api) -> None:
    _order(api, FaultKind.PROCESSING_STUCK, "processing", seconds=0.2)
    start = time.monotonic()
    measurement = await api.upload(await api.cell())
    assert time.monotonic() - start >= 0.2
    assert (await api.measurement(measurement))["processing_status"] == "ready"


async def test_faults_compose(api: Api) -> None:
    _order(api, FaultKind.LATENCY, "whoami", seconds=0.2)
    _order(api, FaultKind.STATUS, "whoami", status=503)
    start = time.monotonic()
    assert (await api.get("/users/me")).status == 503
    assert time.monotonic() - start >= 0.2
    struck = api.studio.faults.struck
    assert struck == {FaultKind.LATENCY: 1, FaultKind.STATUS: 1}


def test_nth_and_times_narrow_a_rule() -> None:
    faults = Faults()
    third = FaultRule(kind=FaultKind.STATUS, endpoint="a", nth=3)
    twice = FaultRule(kind=FaultKind.HTML, endpoint="a", times=2)
    faults.add(third)
    faults.add(twice)
    struck = [[rule.kind for rule in faults.matching("a", "/")] for _ in range(4)]
    status, html = FaultKind.STATUS, FaultKind.HTML
    assert struck == [[html], [html], [status], []]


@pytest.mark.parametrize(
    ("pattern", "hit", "missed"),
    [
        ("storage.*", "storage.put", "spec.get"),
        ("!storage.*", "spec.get", "storage.put"),
        ("*", "health", None),
    ],
)
def test_endpoints_are_picked_by_glob(pattern: str, hit: str, missed: str | None) -> None:
    faults = Faults()
    faults.add(FaultRule(kind=FaultKind.STATUS, endpoint=pattern))
    assert faults.matching(hit, "/")
    assert missed is None or not faults.matching(missed, "/")


def test_subject_picks_by_path() -> None:
    faults = Faults()
    faults.add(FaultRule(kind=FaultKind.STATUS, subject="/cell_measurements/m1*"))
    assert faults.matching("measurement.get", "/cell_measurements/m1")
    assert not faults.matching("measurement.get", "/cell_measurements/m2")


def test_chance_is_replayed_by_its_seed() -> None:
    def strikes(seed: int) -> list[bool]:
        faults = Faults()
        faults.add(FaultRule(kind=FaultKind.STATUS, probability=0.3, seed=seed))
        return [bool(faults.matching("a", "/")) for _ in range(1000)]

    assert strikes(1) == strikes(1)
    assert strikes(1) != strikes(2)
    assert 240 <= sum(strikes(1)) <= 360


def test_every_kind_has_a_performer_or_is_of_processing() -> None:
    from bulkload.localstudio.trouble import PERFORMED_KINDS

    rest = set(FaultKind) - PERFORMED_KINDS
    assert all(kind.startswith("processing_") for kind in rest)
