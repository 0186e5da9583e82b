"""What surrounds a command: streams, clocks that stand, masks, paths, few open files, IPv6."""

from __future__ import annotations

import signal
import socket
import stat
import sys
from pathlib import Path

import pytest
from aiohttp import web

from bulkload.client.storage.storage import Storage
from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Jobs, StartStudio, environment_of, running, until

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="shells and signals of POSIX")


@posix_only
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_bare_environment_and_closed_streams(
    closed: str, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1, rows=20)
    bare = [f"{name}={value}" for name, value in environment_of(studio).items()]
    before = ["env", "-i", *bare, "sh", "-c", f'exec "$@" {closed}', "sh"]
    words = ["upload", "archive", "--job", "job", "--workers", "1"]
    with running(words, folder=tmp_path, before=before) as run:
        ended = run.wait()
    assert ended.code == 0, ended.err
    assert ended.counts == {"created": 1}


@posix_only
def test_a_run_that_was_suspended_goes_on(start_studio: StartStudio, tmp_path: Path) -> None:
    studio = start_studio()
    archive(tmp_path / "archive", measurements=12, rows=20)
    words = ["upload", "archive", "--job", "job", "--workers", "1"]
    with running(words, folder=tmp_path, studio=studio) as run:
        until(lambda: studio.requests.total > 3, "the run is under way")
        run.signal(signal.SIGSTOP)
        run.signal(signal.SIGCONT)
        ended = run.wait()
    assert ended.code == 0, ended.err
    assert ended.counts == {"created": 12}


@posix_only
@pytest.mark.parametrize(("mask", "mode"), [("022", 0o644), ("077", 0o600)])
def test_the_umask_is_obeyed(mask: str, mode: int, studio: LocalStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=1, rows=20)
    before = ["sh", "-c", f'umask {mask}; exec "$@"', "sh"]
    words = ["upload", "archive", "--job", "job", "--workers", "1"]
    with running(words, folder=tmp_path, studio=studio, before=before) as run:
        assert run.wait().code == 0
    kept = [path for path in (tmp_path / "job").iterdir() if path.is_file()]
    assert kept
    # Some files are for their owner alone, whatever the mask.
    modes = {stat.S_IMODE(path.stat().st_mode) for path in kept}
    assert modes <= {mode, 0o600}
    assert mode in modes


def test_one_archive_by_any_path_is_one_job(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(tmp_path / "archive", measurements=2, rows=20)
    (tmp_path / "link").symlink_to("archive")
    (tmp_path / "elsewhere").mkdir()
    jobs.use(studio)
    assert jobs.upload("archive").counts == {"created": 2}
    asked = studio.requests.total
    for path in ("./archive/", tmp_path / "archive", "link", f"{tmp_path}/elsewhere/../archive"):
        again = jobs.upload(path)
        assert (again.code, again.counts) == (0, {"created": 2}), again.err
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert jobs.command("upload", "../archive", "--job", "../job").code == 0
    monkeypatch.chdir(tmp_path / "archive")
    assert jobs.command("upload", ".", "--job", "../job").code == 0
    assert studio.requests.total == asked


@posix_only
def test_forty_open_files_are_enough(studio: LocalStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=20, rows=20)
    before = ["sh", "-c", 'ulimit -n 40; exec "$@"', "sh"]
    words = ["upload", "archive", "--job", "job", "--workers", "1", "--connections", "8"]
    with running(words, folder=tmp_path, studio=studio, before=before) as run:
        ended = run.wait()
    assert ended.code == 0, ended.err
    assert ended.counts == {"created": 20}


@posix_only
def test_too_few_open_files_are_a_sentence_before_anything_is_sent(
    studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1, rows=20)
    before = ["sh", "-c", 'ulimit -n 16; exec "$@"', "sh"]
    words = ["upload", "archive", "--job", "job", "--workers", "1", "--connections", "8"]
    with running(words, folder=tmp_path, studio=studio, before=before) as run:
        ended = run.wait()
    assert ended.code == 2
    assert " ".join(ended.err.split()) == (
        "bulkload: --connections 8 and --workers 1 need 36 open files, and this process may have "
        "16: raise that limit (ulimit -Hn), or lower --connections or --workers"
    )
    assert studio.requests.total == 0


@posix_only
def test_a_low_limit_of_open_files_that_may_be_raised_is_raised(
    studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1, rows=20)
    before = ["sh", "-c", 'ulimit -Sn 32; exec "$@"', "sh"]
    words = ["upload", "archive", "--job", "job", "--workers", "1", "--connections", "64"]
    with running(words, folder=tmp_path, studio=studio, before=before) as run:
        ended = run.wait()
    assert ended.code == 0, ended.err


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 on loopback")
@pytest.mark.anyio
async def test_an_address_of_ipv6() -> None:
    seen: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_put("/o", take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "::1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with Storage() as store:
            await store.put(f"http://[::1]:{port}/o", b"content")
    finally:
        await runner.cleanup()
    assert seen == [b"content"]
