"""``bulkload merge``: parts that were run apart, together."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from bulkload.cli.output.console import counted, say
from bulkload.cli.output.json_documents import AsJson, MergeDocument, print_document
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.journal.whole import WholeJob
from bulkload.lanes.merge import merge as bring_together


def merge(job_dir: Path, *others: Path, as_json: AsJson = False) -> int:
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
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """
    console = Console()
    taken = bring_together(job_dir, others)
    with WholeJob(job_dir) as whole:
        missing = [folder.name for folder in whole.missing]
    if as_json:
        return print_document(
            MergeDocument(
                job=str(job_dir),
                parts={word.value: count for word, count in taken.items()},
                missing_parts=missing,
                exit_code=ExitCode.ARRIVED,
            )
        )
    said = ", ".join(f"{counted(count, 'part')} {word.value}" for word, count in taken.items())
    say(console, f"{printable(str(job_dir))}: {said}")
    if missing:
        say(console, f"{counted(len(missing), 'part')} still missing")
    return ExitCode.ARRIVED
