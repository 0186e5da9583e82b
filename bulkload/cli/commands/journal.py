"""``bulkload journal check``: check a job folder's journal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from bulkload.cli.output.console import EXAMPLES, say
from bulkload.cli.output.json_documents import AsJson, JournalDocument, print_document
from bulkload.cli.output.json_lines import JournalLine
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.journal import find
from bulkload.journal.check import check_journal
from bulkload.journal.whole import WholeJob


def check(job_dir: Path, *, as_json: AsJson = False) -> int:
    """Read a job's journal from end to end and check that it is intact.

    Replays every event and compares the result with what is stored. Changes nothing. Exits with 2
    if anything is wrong.

    Parameters
    ----------
    job_dir
        The job's folder.
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """
    console = Console()
    with WholeJob(job_dir) as whole:
        folders = whole.folders
    found = [
        JournalLine(path=str(path), faults=list(check_journal(path)))
        for path in filter(None, map(find, folders))
    ]
    code = ExitCode.USAGE if any(one.faults for one in found) else ExitCode.ARRIVED
    if as_json:
        return print_document(JournalDocument(journals=found, exit_code=code))
    for one in found:
        _show(console, one)
    return code


def _show(console: Console, journal: JournalLine) -> None:
    for fault in journal.faults[: EXAMPLES * 10]:
        say(console, printable(fault))
    if journal.faults:
        say(
            console,
            f"{len(journal.faults):,} faults. Keep {journal.path} as evidence, and run the upload "
            "with a new --job folder; what Studio already has is found there by name.",
        )
    else:
        say(console, f"{journal.path} is intact")
