"""``bulkload journal check``: check a job folder's journal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from bulkload.cli.console import EXAMPLES, say
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.journal import find
from bulkload.journal.check import check_journal
from bulkload.journal.whole import WholeJob


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
    with WholeJob(job_dir) as whole:
        folders = whole.folders
    is_intact = True
    for path in filter(None, map(find, folders)):
        faults = list(check_journal(path))
        for fault in faults[: EXAMPLES * 10]:
            say(console, printable(fault))
        if faults:
            is_intact = False
            say(
                console,
                f"{len(faults):,} faults. Keep {path} as evidence, and run the upload with a new "
                "--job folder; what Studio already has is found there by name.",
            )
        else:
            say(console, f"{path} is intact")
    return ExitCode.ARRIVED if is_intact else ExitCode.USAGE
