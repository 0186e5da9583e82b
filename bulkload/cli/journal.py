"""``bulkload journal check``: whether a job folder's journal is whole."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from bulkload.cli.console import EXAMPLES, say
from bulkload.cli.jobfolder import journal_of
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.journal.check import check_journal


def check(job_dir: Path) -> int:
    """Read a job's journal from end to end and say whether it is whole.

    Replays every event and compares what follows with what is noted beside. Changes nothing.
    Exits with 2 where anything is wrong.

    Parameters
    ----------
    job_dir
        The job's folder.
    """
    console = Console()
    path = journal_of(job_dir)
    faults = list(check_journal(path))
    for fault in faults[: EXAMPLES * 10]:
        say(console, printable(fault))
    if faults:
        say(
            console,
            f"{len(faults):,} faults. Keep {path} for the record, and run the upload with a new "
            "--job folder: what is in Studio already is found there by name.",
        )
        return ExitCode.USAGE
    say(console, f"{path} is whole")
    return ExitCode.ARRIVED
