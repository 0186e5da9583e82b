"""``bulkload journal check``: check a job folder's journal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from bulkload.cli.console import EXAMPLES, say
from bulkload.cli.jobfolder import journal_of
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.journal.check import check_journal


def check(job_dir: Path) -> int:
    """Read a job's journal from end to end and check that it is intact.

    Replays every event and compares the result with what is stored. Changes nothing. Exits with 2
    if anything is wrong.

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
            f"{len(faults):,} faults. Keep {path} as evidence, and run the upload with a new "
            "--job folder; what Studio already has is found there by name.",
        )
        return ExitCode.USAGE
    say(console, f"{path} is intact")
    return ExitCode.ARRIVED
