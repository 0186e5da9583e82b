"""``bulkload plan SOURCE --parts N --job JOB``: a job for several processes or machines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from bulkload.cli.jobs.folder import absolute
from bulkload.cli.jobs.refusal import refused
from bulkload.cli.options.command_line import this_command
from bulkload.cli.options.kept import kept_options
from bulkload.cli.options.shared import SourceOptions
from bulkload.cli.output.console import counted, say, show_problems
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.request import JobRequest
from bulkload.engine.target import Target
from bulkload.errors import SettingsError
from bulkload.journal.lock import exclusive
from bulkload.lanes.budget import check_counts
from bulkload.lanes.planning import PartPlanner, layout_for
from bulkload.settings import RunSettings


def plan_into_parts(
    sources: Sequence[str],
    source_options: SourceOptions,
    settings: RunSettings,
    target: Target,
    *,
    job_dir: Path | None,
    parts: int | None,
) -> int:
    """Plan a job into parts, to be run by `bulkload upload JOB --shard K/N`; sends nothing."""
    if job_dir is None or parts is None:
        raise SettingsError(
            "give both --parts and --job: the plan is kept in the job's folder, a part each"
        )
    check_counts(lanes=None, parts=parts)
    paths = absolute(sources)
    layout = layout_for(job_dir, parts, sources=paths, target=target, default=lambda: 1)
    if layout is None:
        raise SettingsError("--parts 1 is a plain job: `bulkload upload` plans and runs it at once")
    console = Console()
    job_dir.mkdir(parents=True, exist_ok=True)
    with exclusive(job_dir), source_options.databases(job_dir) as databases:
        job = JobRequest(
            job_dir=job_dir,
            target=target,
            sources=paths,
            source_options=kept_options(source_options),
            settings=settings,
            command=this_command(),
        )
        account = PartPlanner(job, layout, range(layout.parts)).from_sources(
            lambda: None,
            read=partial(source_options.read, sources, settings.prepare_options, databases),
            goes_on=source_options.go_on,
        )
    show_problems(console, account.problems, account.problem_count)
    show_problems(console, account.warnings, len(account.warnings))
    fit = account.jobs - account.contested
    say(
        console,
        f"{counted(fit, 'measurement')} in {counted(layout.parts, 'part')}; "
        f"{counted(account.skips, 'entry')} left out by a rule; "
        f"{counted(account.problem_count, 'problem')}",
    )
    if account.refusal:
        say(console, refused(account, paths))
        return ExitCode.USAGE
    say(
        console,
        printable(
            f"to run it on N machines: bulkload upload {job_dir} --shard K/N, with K from 0 to N-1"
        ),
    )
    return ExitCode.PARTIAL if account.problem_count else ExitCode.ARRIVED
