"""The page of a run, served beside it for as long as it works."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import IO

from rich.console import Console

from bulkload.cli.output.console import say
from bulkload.core.text import printable
from bulkload.report.limits import PAGE_START_S


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
    # It ends by itself, soon after its input has: there is no need to wait for it.
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
    """Return the address of a page that was started, or why it was not."""
    found: list[str] = []

    def read() -> None:
        with stream:
            found.append(stream.readline().strip())

    reader = Thread(target=read, name="page-address", daemon=True)
    reader.start()
    reader.join(PAGE_START_S)
    return (found[0] if found else "") or "not served: its process did not start"
