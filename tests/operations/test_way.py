"""What stands between here and Studio: told at once, with what to change, and never per file."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trustme
from aiohttp import web

from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Ended, Jobs, running

FILES = 4
Handler = Callable[[web.Request], web.Response]
PAGE = "<!doctype html><title>Sign in</title>"


@contextmanager
def server(handle: Handler, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    """Run an HTTP server on loopback in a thread; yield its address and the paths it was asked."""
    asked: list[str] = []
    ready, addresses = threading.Event(), []
    loop = asyncio.new_event_loop()

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return handle(request)

    async def start() -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        addresses.append(runner.addresses[0][1])
        ready.set()
        await stopping.wait()
        await runner.cleanup()

    stopping = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(start(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield f"{'https' if tls else 'http'}://localhost:{addresses[0]}", asked
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
        loop.close()


@pytest.fixture
def lab(jobs: Jobs, studio: LocalStudio) -> Jobs:
    archive(jobs.folder / "archive", measurements=FILES)
    jobs.use(studio)
    return jobs


def nothing_was_booked(ended: Ended, code: int) -> None:
    assert ended.code == code, ended.out + ended.err
    assert ended.counts == {}
    assert ended.summary["exit_code"] == code


ANSWERS: dict[str, tuple[Handler, str]] = {
    "407": (lambda _: web.Response(status=407), "the proxy asks for credentials"),
    "301": (
        lambda _: web.Response(status=301, headers={"Location": "https://new.example/api"}),
        "https://new.example/api came instead; set IONWORKS_API_URL",
    ),
    "308": (
        lambda _: web.Response(status=308, headers={"Location": "/login"}),
        "/login came instead; set IONWORKS_API_URL",
    ),
    "a page at 403": (
        lambda _: web.Response(status=403, text=PAGE, content_type="text/html"),
        "a web page of another server came instead; check the address",
    ),
    "a page at 200": (
        lambda _: web.Response(text=PAGE, content_type="text/html"),
        "a web page of another server came instead; check the address",
    ),
    "a page at 404": (
        lambda _: web.Response(status=404, text=PAGE, content_type="text/html"),
        "a web page of another server came instead; check the address",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_not_studios_ends_the_run_at_once(name: str, lab: Jobs) -> None:
    handle, said = ANSWERS[name]
    with server(handle) as (url, asked):
        ended = lab.upload("archive", "--url", url)
    nothing_was_booked(ended, 2)
    assert said in ended.out
    assert len(asked) == 1


def test_an_answer_of_another_service_is_a_sentence(lab: Jobs) -> None:
    with server(lambda _: web.json_response({"status": "ok"})) as (url, _asked):
        ended = lab.upload("archive", "--url", url)
    assert ended.code == 2
    said = " ".join((ended.out + ended.err).split())
    assert "is not a valid Project: id: Field required; name: Field required" in said
    assert "pydantic" not in said


def test_a_project_that_is_not_there(lab: Jobs) -> None:
    ended = lab.upload("archive", "--project", "nowhere")
    nothing_was_booked(ended, 2)
    assert "the project nowhere at" in ended.out
    assert "check --project or IONWORKS_PROJECT_ID" in ended.out


def test_a_project_without_permission(lab: Jobs) -> None:
    body = {"error_code": "FORBIDDEN", "message": "no access to this project"}
    with server(lambda _: web.json_response(body, status=403)) as (url, asked):
        ended = lab.upload("archive", "--url", url)
    nothing_was_booked(ended, 4)
    assert "no access to this project; ask its owner for access" in ended.out
    assert len(asked) == 1


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_of(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def refused(_: web.Request) -> web.Response:
    return web.json_response({"message": "the API key is not valid"}, status=401)


@pytest.mark.parametrize("name", ["localhost", "elsewhere.example"])
def test_a_certificate_that_is_not_trusted(name: str, authority: trustme.CA, lab: Jobs) -> None:
    with server(refused, tls_of(authority, name)) as (url, asked):
        ended = lab.upload("archive", "--url", url)
    nothing_was_booked(ended, 2)
    assert "its certificate is not trusted" in ended.out
    assert "SSL_CERT_FILE" in ended.out
    assert asked == []


def test_the_authority_of_an_organization_is_taken_from_ssl_cert_file(
    authority: trustme.CA, lab: Jobs, studio: LocalStudio
) -> None:
    bundle = lab.folder / "authority.pem"
    authority.cert_pem.write_to_path(bundle)
    with server(refused, tls_of(authority, "localhost")) as (url, asked):
        words = ["upload", "archive", "--url", url, "--job", "job", "--workers", "1"]
        environment = {"SSL_CERT_FILE": str(bundle)}
        # The libraries read the variable when they are loaded: a process of its own.
        with running(words, folder=lab.folder, studio=studio, environment=environment) as run:
            ended = run.wait()
    nothing_was_booked(ended, 4)
    assert len(asked) == 1


def test_https_to_a_port_that_speaks_http(lab: Jobs) -> None:
    with server(refused) as (url, _):
        ended = lab.upload("archive", "--url", url.replace("http://", "https://"))
    nothing_was_booked(ended, 2)
    assert "https or http, and the port" in ended.out


@pytest.mark.parametrize("value", ["http://127.0.0.1:9", "127.0.0.1:9"])
def test_a_proxy_that_is_not_there_is_named(value: str, lab: Jobs) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        lab.environment.delenv(name, raising=False)
    lab.environment.setenv("http_proxy", value)
    ended = lab.upload("archive", "--url", "http://studio.example")
    nothing_was_booked(ended, 2)
    assert "cannot connect to the proxy 127.0.0.1" in ended.out
    assert "check the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY" in ended.out


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:9", "http://:bad"])
def test_a_proxy_that_cannot_be_used_is_refused(value: str, lab: Jobs) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        lab.environment.delenv(name, raising=False)
    lab.environment.setenv("http_proxy", value)
    ended = lab.upload("archive", "--url", "http://studio.example")
    assert ended.code == 2
    assert "http_proxy" in ended.out


def test_an_empty_address_is_not_the_hosted_service(lab: Jobs) -> None:
    lab.environment.setenv("IONWORKS_API_URL", "")
    ended = lab.upload("archive")
    assert ended.code == 2
    assert "IONWORKS_API_URL is empty" in ended.err
