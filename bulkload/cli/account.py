"""``bulkload account``: every entry of a job with how it ended, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.console import counted, say
from bulkload.cli.help_format import OUTPUT
from bulkload.cli.jobfolder import journal_of
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.account import write_account
from bulkload.journal import Store
from bulkload.journal.account import ACCOUNT_NAME


def account(job_dir: Path, *, out: Annotated[Path | None, Parameter(group=OUTPUT)] = None) -> int:
    """Write every entry of a job with its outcome, cause, message, hashes, times and last proof.

    Each run and each `bulkload verify` also writes account.csv into the job folder.

    Parameters
    ----------
    job_dir
        The job's folder.
    out
        Where to write it: .csv, .xlsx, .parquet or .jsonl. account.csv in the job folder by
        default.
    """
    path = out or job_dir / ACCOUNT_NAME
    with Store(journal_of(job_dir), is_read_only=True) as store:
        count = write_account(store, job_dir, path)
    say(Console(), f"{counted(count, 'entry')} written to {printable(str(path))}")
    return ExitCode.ARRIVED
