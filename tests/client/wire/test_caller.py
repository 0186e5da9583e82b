"""Calls against servers in trouble: repeated where it is safe, never done twice."""

from __future__ import annotations

from typing import Any

import pytest

from bulkload.client.http.caller import Caller
from bulkload.client.http.events import Exchanged, Paused, RetriesExhausted, Retrying
from bulkload.client.http.transport import HttpTransport
from bulkload.errors import (
    AnswerLostError,
    AuthenticationError,
    ClientError,
    ConflictError,
    IonworksError,
    UnavailableError,
)
from tests.client.wire.scripted import (
    Heard,
    ScriptedServer,
    Step,
    answer,
    committed_then_reset,
    in_virtual_time,
    reset,
    scripted,
    truncated,
)
from tests.simulation.virtual_clock import VirtualClock

OK = answer(200, {"id": "m1"})
HTML = answer(200, text="<html>gateway</html>", headers={"Content-Type": "text/html"})
#: What a server says that has the name of Studio for a while, and none of its records.
ASTRAY = answer(404, text="<html>nginx</html>", headers={"Content-Type": "text/html"})


def caller(http: HttpTransport, server: ScriptedServer, heard: Heard | None = None) -> Caller:
    return Caller(
        http,
        server.access,
        clock=VirtualClock(),
        observer=(heard if heard is not None else Heard()).append,
        chance=lambda: 0.5,
    )


@pytest.mark.parametrize(
    "trouble",
    [
        answer(500, {"detail": "x"}),
        answer(502, text="<html>"),
        answer(503),
        answer(504),
        answer(408),
        answer(429),
        answer(429, headers={"Retry-After": "3"}),
        answer(413, headers={"Retry-After": "3"}),
        HTML,
        ASTRAY,
        reset(),
        truncated(b'{"id"', 50),
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
@in_virtual_time
async def test_what_is_safe_to_repeat_is_repeated(method: str, trouble: Step) -> None:
    heard = Heard()
    async with scripted(trouble, OK) as server, HttpTransport(server.access) as http:
        got = await caller(http, server, heard).call(method, "/cell_measurements/m1")
    assert got == ({"id": "m1"} if method == "GET" else None)
    assert len(server.seen) == 2
    assert [event.endpoint for event in heard.of(Exchanged)] == [
        f"{method} /cell_measurements/{{}}"
    ] * 2
    assert len(heard.of(Retrying)) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        answer(429),
        answer(429, headers={"Retry-After": "3"}),
        answer(503, headers={"Retry-After": "3"}),
        answer(413, headers={"Retry-After": "3"}),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
@in_virtual_time
async def test_a_post_that_was_not_done_is_sent_again_without_a_look(
    method: str, trouble: Step
) -> None:
    async with scripted(trouble, OK) as server, HttpTransport(server.access) as http:
        assert await caller(http, server).call(method, "/a", json={}) == {"id": "m1"}
    assert len(server.seen) == 2


AMBIGUOUS = [
    answer(500),
    answer(502),
    answer(503),
    answer(408),
    HTML,
    reset(),
    truncated(b"{", 50),
    answer(200, text=""),
]


@pytest.mark.parametrize("trouble", AMBIGUOUS)
@in_virtual_time
async def test_a_post_that_may_be_done_is_not_sent_again_blindly(trouble: Step) -> None:
    heard = Heard()
    async with scripted(trouble, OK) as server, HttpTransport(server.access) as http:
        with pytest.raises((AnswerLostError, UnavailableError)):
            await caller(http, server, heard).call("POST", "/a", json={})
    assert len(server.seen) == 1
    assert len(heard.of(RetriesExhausted)) == 1


@pytest.mark.parametrize("trouble", AMBIGUOUS)
@in_virtual_time
async def test_what_a_look_finds_is_the_result(trouble: Step) -> None:
    async with scripted(trouble, OK) as server, HttpTransport(server.access) as http:
        calls = caller(http, server)

        async def look() -> Any:
            return await calls.call("GET", "/found")

        assert await calls.call("POST", "/a", json={}, look=look) == {"id": "m1"}
    assert [seen.method for seen in server.seen] == ["POST", "GET"]


@pytest.mark.parametrize("trouble", AMBIGUOUS)
@in_virtual_time
async def test_where_a_look_finds_nothing_it_is_sent_again(trouble: Step) -> None:
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1

    async with scripted(trouble, trouble, OK) as server, HttpTransport(server.access) as http:
        assert await caller(http, server).call("POST", "/a", json={}, look=look) == {"id": "m1"}
    assert (looks, len(server.seen)) == (2, 3)


@in_virtual_time
async def test_a_look_that_fails_is_made_again_before_anything_is_sent() -> None:
    looks: list[int] = []

    async def look() -> Any:
        looks.append(len(server.seen))
        if len(looks) == 1:
            raise UnavailableError("not now", 503)
        return {"id": "found"}

    async with scripted(reset(), OK) as server, HttpTransport(server.access) as http:
        assert await caller(http, server).call("POST", "/a", look=look) == {"id": "found"}
    assert looks == [1, 1]


@in_virtual_time
async def test_a_committed_post_is_never_done_twice() -> None:
    """The server does the work and the answer is lost, again and again."""
    records: list[bytes] = []

    async with (
        scripted(committed_then_reset(records.append)) as server,
        HttpTransport(server.access) as http,
    ):

        async def look() -> Any:
            return {"id": "m1"} if records else None

        got = await caller(http, server).call("POST", "/a", json={"name": "x"}, look=look)
    assert got == {"id": "m1"}
    assert len(records) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ClientError), (401, AuthenticationError), (404, ClientError), (409, ConflictError)],
)
@in_virtual_time
async def test_a_final_answer_is_final(status: int, kind: type[IonworksError]) -> None:
    async with scripted(answer(status), OK) as server, HttpTransport(server.access) as http:
        with pytest.raises(kind):
            await caller(http, server).call("GET", "/a")
    assert len(server.seen) == 1


@in_virtual_time
async def test_the_same_answer_eight_times_parks_the_call() -> None:
    heard = Heard()
    trouble = [answer(500, {"error_code": "BOOM"})] * 20
    async with scripted(*trouble) as server, HttpTransport(server.access) as http:
        with pytest.raises(UnavailableError) as caught:
            await caller(http, server, heard).call("GET", "/a")
    assert caught.value.error_code == "BOOM"
    assert len(server.seen) == 8
    assert heard.of(RetriesExhausted)[0].reason == "the same answer 8 times"


@in_virtual_time
async def test_a_bad_link_is_given_more_patience_than_a_bad_answer() -> None:
    # Another call succeeds now and then: it is not an outage.
    steps = [reset(), reset(), reset(), answer(429)] * 4
    async with scripted(*steps, OK) as server, HttpTransport(server.access) as http:
        assert await caller(http, server).call("GET", "/a") == {"id": "m1"}
    assert len(server.seen) == 17


@in_virtual_time
async def test_different_answers_do_not_park_it_so_soon() -> None:
    trouble = [answer(500), answer(429)] * 6
    async with scripted(*trouble, OK) as server, HttpTransport(server.access) as http:
        assert await caller(http, server).call("GET", "/a") == {"id": "m1"}
    assert len(server.seen) == 13


@in_virtual_time
async def test_retry_after_is_honoured_by_everybody_at_that_endpoint() -> None:
    import anyio

    heard = Heard()
    async with (
        scripted(answer(429, headers={"Retry-After": "30"}), OK) as server,
        HttpTransport(server.access) as http,
    ):
        calls = caller(http, server, heard)
        async with anyio.create_task_group() as group:
            group.start_soon(calls.call, "GET", "/a/m1")
            await anyio.sleep(1)
            group.start_soon(calls.call, "GET", "/a/m2")
            await anyio.sleep(1)
            group.start_soon(calls.call, "GET", "/other/m2")
    at = [(seen.raw_path, seen.at) for seen in server.seen]
    assert at[1][0] == "/other/m2"
    assert at[1][1] < 4
    assert sorted(path for path, _ in at[2:]) == ["/a/m1", "/a/m2"]
    assert all(when >= 30 for _, when in at[2:])
    assert heard.of(Paused)[0].seconds == 30.0


@pytest.mark.parametrize("absurd", ["86400", "1e99", "Thu, 01 Jan 2099 00:00:00 GMT"])
@in_virtual_time
async def test_an_absurd_retry_after_is_clamped(absurd: str) -> None:
    async with (
        scripted(answer(503, headers={"Retry-After": absurd}), OK) as server,
        HttpTransport(server.access) as http,
    ):
        await caller(http, server).call("GET", "/a")
    assert 300 <= server.seen[1].at < 310


@in_virtual_time
async def test_a_deletion_whose_answer_was_lost_is_done_when_the_thing_is_gone() -> None:
    async with scripted(reset(), answer(404)) as server, HttpTransport(server.access) as http:
        assert await caller(http, server).call("DELETE", "/a/m1") is None
    async with scripted(answer(404)) as server, HttpTransport(server.access) as http:
        with pytest.raises(ClientError):
            await caller(http, server).call("DELETE", "/a/m1")
    # It is Studio that must say so.
    async with scripted(reset(), ASTRAY, OK) as server, HttpTransport(server.access) as http:
        await caller(http, server).call("DELETE", "/a/m1")
        assert len(server.seen) == 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@in_virtual_time
async def test_a_download_is_located_and_not_followed(status: int) -> None:
    step = answer(status, headers={"Location": "/signed/x?token=t"})
    async with scripted(answer(500), step) as server, HttpTransport(server.access) as http:
        url = await caller(http, server).locate("/cell_measurements/m1/steps/download")
    assert url == f"{server.url}/signed/x?token=t"
    assert len(server.seen) == 2


@in_virtual_time
async def test_a_download_without_a_redirect_is_refused() -> None:
    async with scripted(OK) as server, HttpTransport(server.access) as http:
        with pytest.raises(ClientError, match="no redirect"):
            await caller(http, server).locate("/a")
    found = answer(302, headers={"Location": "/x"})
    async with scripted(HTML, found) as server, HttpTransport(server.access) as http:
        assert await caller(http, server).locate("/a") == f"{server.url}/x"
    async with scripted(answer(404)) as server, HttpTransport(server.access) as http:
        with pytest.raises(ClientError, match="Not Found"):
            await caller(http, server).locate("/a")


@pytest.mark.parametrize(
    ("body", "given"),
    [('{"status": "ok"}', {"status": "ok"}), ("ok", "ok"), ("", "")],
)
@in_virtual_time
async def test_what_nobody_has_described_is_given_as_it_comes(body: str, given: object) -> None:
    step = answer(200, text=body, headers={"Content-Type": "text/plain"})
    async with scripted(step) as server, HttpTransport(server.access) as http:
        assert await caller(http, server).reach("/healthz") == given


@in_virtual_time
async def test_a_page_in_the_way_is_no_health() -> None:
    async with scripted(HTML, OK) as server, HttpTransport(server.access) as http:
        assert await caller(http, server).reach("/healthz") == {"id": "m1"}
        assert len(server.seen) == 2
