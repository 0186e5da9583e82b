"""``bulkload plan``: what would be uploaded, and what is in the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.console import say, show_problems
from bulkload.cli.help_format import OUTPUT
from bulkload.cli.jobfolder import default_job
from bulkload.cli.options import PrepareArguments, SourceOptions
from bulkload.core.plan_items import PlanItem, UploadJob
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.plan_writer import PlanAccount
from bulkload.sources.manifest import write_plan


def plan(
    *sources: Annotated[str, Parameter(negative=())],
    source_options: SourceOptions = SourceOptions(),
    prepare_arguments: PrepareArguments = PrepareArguments(),
    out: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
) -> int:
    """Say what would be uploaded, and what is in the way; sends nothing, reads no data.

    Parameters
    ----------
    sources
        Folders, manifests (.csv, .xlsx, .parquet, .jsonl), or databases (.toml).
    out
        Write the plan as .csv, .xlsx, .parquet or .jsonl. It can be edited, and uploaded as any
        manifest.
    """
    console = Console()
    account = PlanAccount()
    cells: dict[str, set[str]] = {}
    with source_options.databases(default_job(sources)) as databases:
        items = source_options.read(sources, prepare_arguments.prepare_options(), databases)
        jobs = _jobs(items, account, cells)
        if out is None:
            deque(jobs, maxlen=0)
        else:
            write_plan(out, jobs)
    show_problems(console, account.problems, account.problem_count)
    show_problems(console, account.warnings, len(account.warnings))
    say(
        console,
        f"{account.jobs:,} measurements of {sum(map(len, cells.values())):,} cells in "
        f"{len(cells):,} specifications; {account.skips:,} entries left out by a rule; "
        f"{account.problem_count:,} problems",
    )
    if out is not None:
        say(console, f"plan written to {printable(str(out))}")
    return ExitCode.USAGE if account.problem_count else ExitCode.ARRIVED


def _jobs(
    items: Iterable[PlanItem], account: PlanAccount, cells: dict[str, set[str]]
) -> Iterator[UploadJob]:
    """Yield the jobs of a plan and count what goes by."""
    for item in items:
        account.count(item)
        if isinstance(item, UploadJob):
            cells.setdefault(item.key.spec, set()).add(item.key.cell)
            yield item
