"""``bulkload page``: a job in a browser, while it runs and afterwards."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import IO, Annotated

import anyio
from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.console import say
from bulkload.cli.help_format import RUN
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.single_flight import one_error
from bulkload.errors import SettingsError
from bulkload.report.limits import PAGE_START_S


def page(job_dir: Path, *, port: Annotated[int, Parameter(group=RUN)] = 0) -> int:
    """Show a job in a browser: throughput, stages, cells, causes, single measurements.

    Serves this machine only, until it is interrupted, and only reads the job. From another
    machine: ssh -L 8321:127.0.0.1:8321 HOST, with --port 8321 here.

    Parameters
    ----------
    job_dir
        The job's folder. It may be running, finished, or not begun.
    port
        Port to listen on. A free one by default.
    """
    # Here: an upload, whose page is a process of its own, does not load what serves it.
    from bulkload.report.page.stories import be_nice

    if not job_dir.is_dir():
        raise SettingsError(f"{job_dir} is not a folder; give the folder that --job named")
    be_nice()
    with one_error():
        anyio.run(_serve, job_dir, port)
    return ExitCode.ARRIVED


async def _serve(job_dir: Path, port: int) -> None:
    from bulkload.report.page.server import PageServer

    async with PageServer(job_dir).serve(port) as address:
        say(Console(), printable(f"page: {address}"))
        await anyio.sleep_forever()


@contextmanager
def page_beside(job_dir: Path, port: tuple[int, ...] | None, errors: Console) -> Iterator[None]:
    """Serve the page of a run in a process of its own for the length of the block.

    ``port`` None serves nothing, an empty one takes a free port. A page that cannot be served is
    one sentence: the run goes on without it.
    """
    if port is None:
        yield
        return
    words = (
        sys.executable,
        "-m",
        "bulkload.report.page",
        str(job_dir),
        f"--port={next(iter(port), 0)}",
    )
    # It ends by itself, soon after its input has: nobody waits for it.
    process = subprocess.Popen(  # noqa: S603 - ourselves
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        say(errors, printable(f"page: {_first_line(process.stdout)}"))
        yield
    finally:
        process.stdin.close()
        Thread(target=process.wait, name="page", daemon=True).start()


def _first_line(stream: IO[str]) -> str:
    """Return the address of a page that was started, or why there is none."""
    found: list[str] = []

    def read() -> None:
        with stream:
            found.append(stream.readline().strip())

    reader = Thread(target=read, name="page-address", daemon=True)
    reader.start()
    reader.join(PAGE_START_S)
    return (found[0] if found else "") or "not served: its process did not start"
