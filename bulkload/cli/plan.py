"""``bulkload plan``: what would be uploaded, and what prevents it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.console import counted, say, show_problems
from bulkload.cli.help_format import OUTPUT
from bulkload.cli.jobfolder import absolute
from bulkload.cli.options import PrepareArguments, SourceOptions, this_command
from bulkload.cli.refusal import refused
from bulkload.clock import SystemClock
from bulkload.core.plan_items import Checks
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.plan_writer import plan_into
from bulkload.journal import Store
from bulkload.sources.manifest import write_plan


def plan(
    *sources: Annotated[str, Parameter(negative=())],
    source_options: SourceOptions = SourceOptions(),
    prepare_arguments: PrepareArguments = PrepareArguments(),
    out: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
) -> int:
    """Show what would be uploaded, and what prevents it. Sends nothing and reads no data.

    Parameters
    ----------
    sources
        Folders, archives, URLs, manifests, or .toml files.
    out
        Write the plan as .csv, .xlsx, .parquet or .jsonl. It can be edited, and uploaded as any
        manifest.
    """
    console = Console()
    prepare_options = prepare_arguments.prepare_options(source_options)
    with (
        Store(None) as store,
        tempfile.TemporaryDirectory(prefix="bulkload-plan-") as scratch,
        source_options.databases(Path(scratch)) as databases,
    ):
        at = SystemClock().now().timestamp()
        run = store.begin_run(this_command(), {}, at)
        account = plan_into(
            store,
            run,
            source_options.read(sources, prepare_options, databases),
            checks=Checks(),
            prepare_options=prepare_options,
            at=at,
            sources=absolute(sources),
            goes_on=source_options.go_on,
        )
        specs, cells = store.count_parents(run)
        if out is not None:
            write_plan(out, store.planned(run))
    show_problems(console, account.problems, account.problem_count)
    show_problems(console, account.warnings, len(account.warnings))
    fit = account.jobs - account.contested
    say(
        console,
        f"{counted(fit, 'measurement')} of {counted(cells, 'cell')} in "
        f"{counted(specs, 'specification')}; "
        f"{counted(account.skips, 'entry')} left out by a rule; "
        f"{counted(account.problem_count, 'problem')}",
    )
    if out is not None:
        say(console, f"plan written to {printable(str(out))}")
    if account.refusal:
        say(console, refused(account, absolute(sources)))
        return ExitCode.USAGE
    return ExitCode.PARTIAL if account.problem_count else ExitCode.ARRIVED
