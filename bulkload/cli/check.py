"""``bulkload check``: read and validate everything, without a network."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
from anyio.abc import ObjectReceiveStream
from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.console import (
    EXAMPLES,
    NAMES,
    counted,
    say,
    show_causes,
    show_changes,
    show_findings,
    show_problems,
    show_remarks,
)
from bulkload.cli.jobfolder import absolute
from bulkload.cli.options import (
    CheckOptions,
    LimitOptions,
    PrepareArguments,
    SourceOptions,
    this_command,
)
from bulkload.cli.refusal import refused
from bulkload.clock import SystemClock
from bulkload.core.lifecycle import Event, JobState
from bulkload.core.plan_items import Scope
from bulkload.core.prepare_result import PrepareTask, Rejected
from bulkload.core.roots import roots
from bulkload.core.tally import ExitCode
from bulkload.engine.jobs import prepared_event, rejected_event
from bulkload.engine.plan_reader import PlanReader
from bulkload.engine.plan_writer import plan_into
from bulkload.engine.run_settings import pool_limits
from bulkload.journal import JobRow, Store, events
from bulkload.journal.report import changes, decisions, examples, findings, tally, warnings
from bulkload.journal.treatments import rejected_sources
from bulkload.settings import RunSettings
from bulkload.worker.pool import Pool, open_pool


def check(
    *sources: Annotated[str, Parameter(negative=())],
    source_options: SourceOptions = SourceOptions(),
    check_options: CheckOptions = CheckOptions(),
    prepare_arguments: PrepareArguments = PrepareArguments(),
    limit_options: LimitOptions = LimitOptions(),
) -> int:
    """Read and validate everything. Uses no network and writes nothing but its report.

    Parameters
    ----------
    sources
        Folders, archives, URLs, manifests, or .toml files.
    """
    console = Console()
    settings = RunSettings(
        checks=check_options.checks(),
        prepare_options=prepare_arguments.prepare_options(source_options),
        limits=limit_options.limits(),
    )
    clock = SystemClock()
    with (
        Store(None) as store,
        tempfile.TemporaryDirectory(prefix="bulkload-check-") as scratch,
        source_options.databases(Path(scratch)) as databases,
    ):
        at = clock.now().timestamp()
        run = store.begin_run(this_command(), {}, at)
        account = plan_into(
            store,
            run,
            source_options.read(sources, settings.prepare_options, databases),
            checks=settings.checks,
            prepare_options=settings.prepare_options,
            at=at,
            sources=absolute(sources),
            goes_on=source_options.go_on,
        )
        blocking = [problem for problem in account.problems if problem.scope is Scope.PLAN]
        show_problems(console, blocking, len(blocking))
        show_problems(console, account.warnings, len(account.warnings))
        anyio.run(partial(check_all, store, run, settings))
        fit = store.count_state(run, JobState.PREPARED)
        _, causes = tally(store, run, is_waiting=True)
        found = roots(rejected_sources(store, run), EXAMPLES)
        show_causes(console, causes, examples(store, run, EXAMPLES), found)
        show_changes(console, decisions(store, run, NAMES))
        show_remarks(console, warnings(store, run, EXAMPLES), changes(store, run), {})
        show_findings(console, findings(store, run))
    left_out = f"; {counted(account.skips, 'entry')} left out by a rule" if account.skips else ""
    say(
        console,
        f"{fit:,} of {account.jobs + account.rejected:,} measurements are fit to be uploaded; "
        f"{counted(account.problem_count, 'problem')} in the plan{left_out}",
    )
    if account.refusal:
        say(console, refused(account, absolute(sources)))
        return ExitCode.USAGE
    return ExitCode.ARRIVED if fit == account.jobs + account.rejected else ExitCode.PARTIAL


async def check_all(store: Store, run: int, settings: RunSettings) -> None:
    """Prepare every job of the plan, and record the result in its journal."""
    limits = settings.limits
    plan = PlanReader(store, run)
    send, receive = anyio.create_memory_object_stream[_Job](limits.workers)
    with tempfile.TemporaryDirectory(prefix="bulkload-check-") as scratch:
        async with (
            open_pool(pool_limits(limits), Path(scratch)) as pool,
            anyio.create_task_group() as group,
        ):
            for _ in range(limits.workers):
                group.start_soon(_check_some, pool, receive.clone(), store, run)
            receive.close()
            async with send:
                for spec, cell in plan.cells():
                    for row in plan.open_jobs(spec, cell):
                        await send.send(_job(row, plan, settings))


@dataclass(frozen=True, slots=True)
class _Job:
    """A job of the plan, and the task of a worker for it."""

    id: int
    task: PrepareTask


def _job(row: JobRow, plan: PlanReader, settings: RunSettings) -> _Job:
    job = row.job
    checks = plan.checks_for(job, settings.checks)
    return _Job(
        row.id,
        PrepareTask(
            job=job, checks=checks, prepare_options=settings.prepare_options, spool_path=None
        ),
    )


async def _check_some(pool: Pool, jobs: ObjectReceiveStream[_Job], store: Store, run: int) -> None:
    clock = SystemClock()
    async with jobs:
        async for one in jobs:
            answer = await pool.prepare(one.task)
            event: Event = (
                rejected_event(Path(one.task.job.path), answer)
                if isinstance(answer, Rejected)
                else prepared_event(answer)
            )
            events.append(store, run, one.id, clock.now().timestamp(), event)
