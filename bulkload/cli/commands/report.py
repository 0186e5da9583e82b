"""``bulkload report``: a job as one page that opens offline and can be mailed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.output.console import say
from bulkload.cli.output.help_format import OUTPUT
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.report.write import REPORT_NAME, write_report


def report(job_dir: Path, *, out: Annotated[Path | None, Parameter(group=OUTPUT)] = None) -> int:
    """Write a job as one page: sums, causes, plots, course, changes. Opens offline.

    Each upload also writes report.html into the job folder.

    Parameters
    ----------
    job_dir
        The job's folder.
    out
        Where to write it (.html). report.html in the job folder by default. What would make it
        too large to be mailed is in a folder beside it.
    """
    path = out or job_dir / REPORT_NAME
    write_report(job_dir, path)
    say(Console(), f"report: {printable(str(path))}")
    return ExitCode.ARRIVED
