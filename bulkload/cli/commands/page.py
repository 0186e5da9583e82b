"""``bulkload page``: a job in a browser, while it runs and afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.options.ports import is_port
from bulkload.cli.output.console import say
from bulkload.cli.output.help_format import RUN
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.single_flight import one_error
from bulkload.errors import SettingsError


def page(
    job_dir: Path, *, port: Annotated[int, Parameter(group=RUN, validator=is_port)] = 0
) -> int:
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
