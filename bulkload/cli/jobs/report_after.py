"""The report that an upload writes when it has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.console import Console

from bulkload.cli.output.console import say
from bulkload.core.text import printable
from bulkload.errors import BulkloadError, MissingExtraError
from bulkload.report.limits import PLOTS_AT_END
from bulkload.report.write import REPORT_NAME, write_report

#: What writing a report may meet that must not change how an upload ended.
_FAILURES: Final = (BulkloadError, OSError)


def report_after(job_dir: Path, asked: Path | None, errors: Console) -> None:
    """Write the report of an upload into its job folder, and where it was asked for.

    An upload has ended as it has: what prevents the report is one sentence, and none where the
    extra is not installed and no report was asked for.
    """
    try:
        for path in (job_dir / REPORT_NAME, *([] if asked is None else [asked])):
            write_report(job_dir, path, plots=PLOTS_AT_END)
    except MissingExtraError as error:
        if asked is not None:
            say(errors, printable(f"no report: {error}"))
    except _FAILURES as error:
        say(errors, printable(f"the report cannot be written: {error}"))
