"""``bulkload rollback``: delete what a job created, unless it was changed since."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.console import EXAMPLES, counted, say
from bulkload.cli.jobfolder import journal_of, studio_of, target_in
from bulkload.cli.options import this_command
from bulkload.client.http.events import unobserved
from bulkload.clock import SystemClock
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.rollback import Leftover, Rollback, RollbackReport, candidates
from bulkload.engine.studios import RunningStudio, opener
from bulkload.engine.target import Target
from bulkload.errors import SettingsError
from bulkload.journal import Store
from bulkload.journal.journal import open_journal
from bulkload.journal.lock import exclusive
from bulkload.settings import RunSettings


def rollback(
    job_dir: Path,
    *,
    run: Annotated[int | None, Parameter(name="--run")] = None,
    yes: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Delete from Studio what this job created, unless it was changed since.

    Lists the records and asks first; without a terminal it needs --yes. Exits with 3 if
    something had to be left.

    Parameters
    ----------
    job_dir
        The job's folder.
    run
        Only what this run created. Every run is listed with its number.
    yes
        Do not ask.
    """
    console = Console()
    path = journal_of(job_dir)
    target = target_in(job_dir)
    with exclusive(job_dir):
        with Store(path) as store:
            wanted = candidates(store, run)
            if run is not None and not wanted:
                raise SettingsError(f"run {run} of {job_dir} created nothing that is still there")
            _show(console, store, wanted)
            if not wanted or not (yes or _is_confirmed(console)):
                say(console, "nothing was deleted")
                return ExitCode.ARRIVED
            at = SystemClock().now().timestamp()
            settings = target.as_json()
            this_run = store.begin_run(this_command(), settings, at)
        with studio_of(target) as running:
            report = anyio.run(partial(_rollback, path, this_run, target, running, wanted))
        with Store(path) as store:
            counts = {"deleted": len(report.deleted), "left": len(report.left)}
            store.end_run(this_run, SystemClock().now().timestamp(), counts)
    for one in report.left:
        say(console, printable(f"left: {one.candidate.kind} {one.candidate.name}: {one.reason}"))
    say(console, f"{len(report.deleted):,} deleted, {len(report.left):,} left")
    return ExitCode.PARTIAL if report.left else ExitCode.ARRIVED


def _show(console: Console, store: Store, wanted: list[Leftover]) -> None:
    """List what each run created, with its sources."""
    for row in store.runs():
        made = [one for one in wanted if one.run == row.id]
        if made:
            began = datetime.fromtimestamp(row.started_at, UTC)
            sources = ", ".join(row.settings.get("sources", [])) or row.command
            say(console, printable(f"run {row.id} of {began:%Y-%m-%d %H:%M} UTC from {sources}"))
            _show_run(console, made)


def _show_run(console: Console, made: list[Leftover]) -> None:
    for kind, count in Counter(one.kind for one in made).items():
        say(console, f"  {counted(count, kind.removeprefix('cell_'))}")
        names = [one.name for one in made if one.kind == kind]
        for name in names[:EXAMPLES]:
            say(console, printable(f"    {name}"))
        if count > EXAMPLES:
            say(console, f"    and {count - EXAMPLES:,} more")


def _is_confirmed(console: Console) -> bool:
    if not sys.stdin.isatty():
        raise SettingsError(
            "there is no terminal to confirm on, so nothing was deleted; give --yes to delete"
        )
    return console.input("Delete these from Studio? Type yes: ").strip().lower() == "yes"


async def _rollback(
    path: Path, run: int, target: Target, running: RunningStudio | None, wanted: list[Leftover]
) -> RollbackReport:
    clock = SystemClock()
    open_studio = opener(running, target)
    async with (
        open_journal(path, run, lambda: clock.now().timestamp()) as journal,
        open_studio(unobserved, RunSettings()) as studio,
    ):
        return await Rollback(studio, journal).run(wanted)
