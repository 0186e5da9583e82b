"""``bulkload account``: every entry of a job with how it ended, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.console import counted, say
from bulkload.cli.help_format import OUTPUT
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.account import write_account
from bulkload.journal.account import ACCOUNT_NAME
from bulkload.journal.whole import WholeJob


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
    with WholeJob(job_dir) as whole:
        count = write_account(whole.stores(), job_dir, path)
    say(Console(), f"{counted(count, 'entry')} written to {printable(str(path))}")
    return ExitCode.ARRIVED
