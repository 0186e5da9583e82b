"""What a command loads and starts: only what it needs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Jobs

#: Runs a command in this process, and names on the last line what it has loaded.
_RUN = (
    "import sys; from bulkload.cli import run; code = run(sys.argv[1:]); "
    "print(*sorted({name.partition('.')[0] for name in sys.modules})); sys.exit(code)"
)

#: Libraries of tables. The parent of an upload never has a table in its hands.
TABLES = {"numpy", "pandas", "pyarrow"}
#: Libraries that ask Studio, keep a log or read sources.
WORK = {"aiohttp", "anyio", "pathspec", "psutil", "pydantic", "structlog", "tenacity", "yaml"}


def loaded(*words: str, folder: Path) -> set[str]:
    """Return the packages that a command loads, run as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("words", ["--help", "status --help", "upload --help"])
def test_a_page_of_help_loads_nothing_that_works(words: str, tmp_path: Path) -> None:
    assert not loaded(*words.split(), folder=tmp_path) & (TABLES | WORK)


def test_an_upload_and_its_status_load_no_tables(
    jobs: Jobs, studio: LocalStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.use(studio)
    archive(jobs.folder / "archive", measurements=2)
    upload = loaded("upload", "archive", "--job", "job", "--workers", "1", folder=jobs.folder)
    assert not upload & TABLES
    assert upload >= {"aiohttp", "pydantic"}
    assert not loaded("status", "job", folder=jobs.folder) & (TABLES | WORK)


def test_a_job_with_nothing_to_do_starts_no_process(
    jobs: Jobs, studio: LocalStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.use(studio)
    archive(jobs.folder / "archive", measurements=2)
    assert jobs.upload("archive").code == 0

    async def refuse(*words: Any, **_: Any) -> NoReturn:
        pytest.fail(f"a process was started: {words}")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    again = jobs.upload("archive")
    assert again.code == 0
    assert again.counts == {"created": 2}
