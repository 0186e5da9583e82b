"""``bulkload report``: a job as one page that opens offline and can be mailed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.console import say
from bulkload.cli.help_format import OUTPUT
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.errors import BulkloadError, MissingExtraError
from bulkload.report.limits import PLOTS_AT_END
from bulkload.report.write import REPORT_NAME, write_report

#: What writing a report may meet that must not change how an upload ended.
_FAILURES: Final = (BulkloadError, OSError)


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


def report_after(job_dir: Path, asked: Path | None, errors: Console) -> None:
    """Write the report of an upload into its job folder, and where it was asked for.

    An upload has ended as it has: what prevents the report is one sentence, and none where the
    extra is not installed and nobody asked.
    """
    try:
        for path in (job_dir / REPORT_NAME, *([] if asked is None else [asked])):
            write_report(job_dir, path, plots=PLOTS_AT_END)
    except MissingExtraError as error:
        if asked is not None:
            say(errors, printable(f"no report: {error}"))
    except _FAILURES as error:
        say(errors, printable(f"the report cannot be written: {error}"))
