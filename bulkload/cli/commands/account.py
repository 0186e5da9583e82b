"""``bulkload account``: every entry of a job with how it ended, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.output.console import counted, say
from bulkload.cli.output.help_format import OUTPUT
from bulkload.cli.output.json_documents import AccountDocument, AsJson, print_document
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.account import write_account
from bulkload.journal.account import ACCOUNT_NAME
from bulkload.journal.whole import WholeJob


def account(
    job_dir: Path,
    *,
    out: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    as_json: AsJson = False,
) -> int:
    """Write every entry of a job with its outcome, cause, message, hashes, times and last proof.

    Each run and each `bulkload verify` also writes account.csv into the job folder.

    Parameters
    ----------
    job_dir
        The job's folder.
    out
        Where to write it: .csv, .xlsx, .parquet or .jsonl. account.csv in the job folder by
        default.
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """
    path = out or job_dir / ACCOUNT_NAME
    with WholeJob(job_dir) as whole:
        count = write_account(whole.stores(), job_dir, path)
    if as_json:
        document = AccountDocument(entries=count, out=str(path), exit_code=ExitCode.ARRIVED)
        return print_document(document)
    say(Console(), f"{counted(count, 'entry')} written to {printable(str(path))}")
    return ExitCode.ARRIVED
