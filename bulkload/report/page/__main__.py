"""The page beside a run: a process of its own, which ends with the one that started it.

It prints the address of the page as its first line, and serves until its standard input ends: so it
outlives neither the run nor a run that was killed.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

import anyio
import anyio.to_thread

from bulkload.errors import BulkloadError
from bulkload.report.limits import FAREWELL_S
from bulkload.report.page.server import PageServer
from bulkload.report.page.stories import be_nice


async def _serve(job_dir: Path, port: int) -> None:
    async with PageServer(job_dir).serve(port) as address:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        # A read that cannot be woken is left behind when the process ends.
        await anyio.to_thread.run_sync(sys.stdin.buffer.read, abandon_on_cancel=True)
        # A viewer sees how the run ended.
        await anyio.sleep(FAREWELL_S)


def main() -> None:
    """Serve the page of a job; the exit code is 1 where it cannot be served."""
    parser = argparse.ArgumentParser(prog="bulkload.report.page")
    parser.add_argument("job_dir", type=Path)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    # The run itself decides on an interruption, and ends this process by ending its input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    be_nice()
    try:
        anyio.run(_serve, given.job_dir, given.port)
    except* BulkloadError as group:
        sys.stdout.write(f"{group.exceptions[0]}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
