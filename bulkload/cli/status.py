"""``bulkload status``: the state of a job, also while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.console import EXAMPLES, rows_equation, say
from bulkload.cli.help_format import OUTPUT
from bulkload.cli.jobfolder import journal_of
from bulkload.core.outcome import OutcomeKind
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.errors import SettingsError
from bulkload.journal import RunRow, Store
from bulkload.journal.report import count_planned, entries_of_cause, examples, row_ledger, tally


def status(
    job_dir: Path,
    *,
    list_: Annotated[str | None, Parameter(name="--list", group=OUTPUT)] = None,
) -> int:
    """Show the state of a job: counts, causes and the last run, also while it is in progress.

    Parameters
    ----------
    job_dir
        The job's folder.
    list_
        Print only the entries of this cause. Such as no_layout; each on a line.
    """
    console = Console()
    with Store(journal_of(job_dir), is_read_only=True) as store:
        run, newest = store.last_upload(), store.last_run()
        if run is None or newest is None:
            raise SettingsError(
                f"{job_dir} has a journal without an upload; run `bulkload upload` first"
            )
        counts, causes = tally(store, run.id, is_waiting=True)
        if list_ is not None:
            return _list(console, store, run.id, list_, causes)
        planned = count_planned(store, run.id)
        say(console, _told(run))
        if newest.id != run.id:
            say(console, f"{_told(newest)}: {printable(newest.command)}")
        for kind in OutcomeKind:
            if counts[kind]:
                say(console, f"{counts[kind]:>12,}  {kind.value}")
        say(console, f"{planned - counts.total():>12,}  not done")
        say(console, f"{planned:>12,}  planned")
        say(console, rows_equation(row_ledger(store, run.id, is_waiting=True)))
        for cause, count in causes.most_common():
            say(console, f"{cause}: {count:,}")
        for outcome in examples(store, run.id, EXAMPLES):
            say(console, f"  {printable(outcome.message)}")
        missing = counts[OutcomeKind.REJECTED] + counts[OutcomeKind.FAILED]
        word = "to resume" if missing or planned > counts.total() else "the command was"
        say(console, f"{word}: {printable(run.command)}")
    return ExitCode.ARRIVED


def _list(
    console: Console, store: Store, run: int, cause: str, causes: Mapping[str, int]
) -> ExitCode:
    """Print the entries of one cause; raise ``SettingsError`` where there are none."""
    if cause not in causes:
        known = ", ".join(sorted(causes)) or "none"
        raise SettingsError(f"no entry of the job has the cause {cause}; its causes: {known}")
    for path, message in entries_of_cause(store, run, cause):
        place = "" if path in message else f"{path}: " if message else path
        say(console, printable(place + message))
    return ExitCode.ARRIVED


def _told(run: RunRow) -> str:
    began = datetime.fromtimestamp(run.started_at, UTC)
    state = "has ended" if run.ended_at else "is in progress, or was killed"
    return f"run {run.id} of {began:%Y-%m-%d %H:%M} UTC {state}"
