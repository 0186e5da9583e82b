"""``bulkload merge``: parts that were run apart, together."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from bulkload.cli.output.console import counted, say
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.journal.whole import WholeJob
from bulkload.lanes.merge import merge as bring_together


def merge(job_dir: Path, *others: Path) -> int:
    """Bring the parts of a job together that were run on machines without a common disk.

    Copies the parts of the other folders into the job's. A part that both have is taken from the
    one that went on from the other; one that was run in both apart is refused. Doing it again
    changes nothing.

    Parameters
    ----------
    job_dir
        The job's folder. It may be new.
    others
        Folders of the same job that hold some of its parts.
    """
    console = Console()
    taken = bring_together(job_dir, others)
    said = ", ".join(f"{counted(count, 'part')} {word.value}" for word, count in taken.items())
    say(console, f"{printable(str(job_dir))}: {said or 'nothing to merge'}")
    with WholeJob(job_dir) as whole:
        if whole.missing:
            say(console, f"{counted(len(whole.missing), 'part')} still missing")
    return ExitCode.ARRIVED
