"""``bulkload studio``: the local Studio."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.options.ports import is_port
from bulkload.cli.output.console import say
from bulkload.core.tally import ExitCode
from bulkload.engine.single_flight import one_error
from bulkload.localstudio import LocalStudio, StudioSettings, serve


def studio(
    *,
    data: Path,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=is_port)] = 0,
    port_file: Path | None = None,
    latency: float = 0.0,
    processing: float = 0.0,
    ends_with_stdin: Annotated[bool, Parameter(show=False, negative=())] = False,
) -> int:
    """Run a Studio on this machine: for a rehearsal, a demo, or tests.

    Parameters
    ----------
    data
        Folder of its database, files and keys. Created if missing, and kept at the end.
    host
        Address to listen on. Any other than loopback opens it to the network, with
        unencrypted keys.
    port
        Port of the API. 0 takes a free one.
    port_file
        File to write the port to. Written when the Studio answers.
    latency
        Delay of each answer of the API, in seconds.
    processing
        Shortest processing of a measurement, in seconds.
    ends_with_stdin
        End when standard input is closed: the process that started it holds the other end, so
        that a Studio never outlives the run that it serves, however that ends.
    """
    data.mkdir(parents=True, exist_ok=True)
    settings = StudioSettings(
        data_dir=data, host=host, port=port, latency_s=latency, processing_s=processing
    )
    anyio.run(partial(_serve, settings, port_file, ends_with_stdin=ends_with_stdin))
    return ExitCode.ARRIVED


async def _serve(
    settings: StudioSettings, port_file: Path | None, *, ends_with_stdin: bool
) -> None:
    with one_error():
        async with anyio.create_task_group() as group:
            if ends_with_stdin:
                group.start_soon(_cancel_at_end_of_stdin, group.cancel_scope)
            await serve(settings, port_file=port_file, on_ready=_say)
            group.cancel_scope.cancel()


async def _cancel_at_end_of_stdin(scope: anyio.CancelScope) -> None:
    await anyio.to_thread.run_sync(sys.stdin.buffer.read, abandon_on_cancel=True)
    scope.cancel()


def _say(running: LocalStudio) -> None:
    console = Console()
    folder = running.settings.data_dir
    for line in (
        f"Studio at {running.url} (storage at {running.storage_url}); Ctrl-C ends it",
        f"export IONWORKS_API_URL={running.url}",
        f"export IONWORKS_PROJECT_ID={running.project_id}",
        f'export IONWORKS_API_KEY="$(cat {folder / "api_key"})"',
    ):
        say(console, line)
