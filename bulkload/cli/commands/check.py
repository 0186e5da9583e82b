"""``bulkload check``: read and validate everything, without a network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import anyio
from anyio.abc import ObjectReceiveStream
from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.jobs.folder import absolute
from bulkload.cli.jobs.refusal import refused
from bulkload.cli.live.view import shown_live
from bulkload.cli.options.command_line import this_command
from bulkload.cli.options.shared import CheckOptions, LimitOptions, PrepareArguments, SourceOptions
from bulkload.cli.output.console import (
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
from bulkload.cli.output.json_documents import AsJson, CheckDocument, print_document, problem_lines
from bulkload.cli.output.json_lines import LostLine
from bulkload.clock import SystemClock
from bulkload.core.lifecycle import Event, JobState
from bulkload.core.plan_items import Scope
from bulkload.core.prepare_result import Prepared, PrepareTask, Rejected
from bulkload.core.roots import roots
from bulkload.core.snapshot import StageName
from bulkload.core.tally import ExitCode
from bulkload.engine.jobs import prepared_event, rejected_event
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.plan_reader import PlanReader
from bulkload.engine.plan_writer import plan_into
from bulkload.engine.progress import Progress
from bulkload.engine.run_settings import pool_limits
from bulkload.journal import JobRow, Store, events
from bulkload.journal.report import (
    changes,
    decisions,
    entries_of_cause,
    examples,
    findings,
    tally,
    warnings,
)
from bulkload.journal.treatments import rejected_sources
from bulkload.settings import RunSettings
from bulkload.worker.pool import Pool, open_pool

#: The stages of a check.
STAGES: Final = (StageName.PLAN, StageName.PREPARE)


def check(
    *sources: Annotated[str, Parameter(negative=())],
    source_options: SourceOptions = SourceOptions(),
    check_options: CheckOptions = CheckOptions(),
    prepare_arguments: PrepareArguments = PrepareArguments(),
    limit_options: LimitOptions = LimitOptions(),
    as_json: AsJson = False,
) -> int:
    """Read and validate everything. Uses no network and writes nothing but its report.

    Parameters
    ----------
    sources
        Folders, archives, URLs, manifests, or .toml files.
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """
    console = Console(quiet=as_json)
    settings = RunSettings(
        checks=check_options.checks(),
        prepare_options=prepare_arguments.prepare_options(source_options),
        limits=limit_options.limits(),
    )
    with (
        Store(None) as store,
        tempfile.TemporaryDirectory(prefix="bulkload-check-") as scratch,
        source_options.databases(Path(scratch)) as databases,
    ):
        at = SystemClock().now().timestamp()
        run = store.begin_run(this_command(), {}, at)
        errors, progress = Console(stderr=True), Progress(SystemClock(), STAGES)
        with shown_live(errors, progress.snapshot):
            account = plan_into(
                store,
                run,
                source_options.read(sources, settings.prepare_options, databases),
                checks=settings.checks,
                prepare_options=settings.prepare_options,
                at=at,
                sources=absolute(sources),
                goes_on=source_options.go_on,
                on_entry=progress.found,
            )
        blocking = [problem for problem in account.problems if problem.scope is Scope.PLAN]
        show_problems(console, blocking, len(blocking))
        show_problems(console, account.warnings, len(account.warnings))
        _begin(progress, account, settings.limits.workers)
        with shown_live(errors, progress.snapshot):
            anyio.run(partial(check_all, store, run, settings, progress))
        fit = store.count_state(run, JobState.PREPARED)
        _, causes = tally(store, run, is_waiting=True)
        _show(console, store, run, causes)
        rejected = list(_lost(store, run, causes)) if as_json else []
    planned = account.jobs + account.rejected
    refusal = refused(account, absolute(sources)) if account.refusal else ""
    code = ExitCode.ARRIVED if fit == planned else ExitCode.PARTIAL
    document = CheckDocument(
        planned=planned,
        fit=fit,
        skipped=account.skips,
        causes=causes,
        rejected=rejected,
        warnings=problem_lines(account.warnings),
        refusal=refusal,
        exit_code=ExitCode.USAGE if refusal else code,
    )
    _conclude(console, document, account)
    return print_document(document) if as_json else document.exit_code


def _show(console: Console, store: Store, run: int, causes: Mapping[str, int]) -> None:
    """Print what was noticed, and what cannot be sent last."""
    show_changes(console, decisions(store, run, NAMES))
    show_remarks(console, warnings(store, run, EXAMPLES), changes(store, run), {})
    show_findings(console, findings(store, run))
    found = roots(rejected_sources(store, run), EXAMPLES)
    show_causes(console, causes, examples(store, run, EXAMPLES), found)


def _begin(progress: Progress, account: PlanAccount, workers: int) -> None:
    """Note what is to be checked, and what the plan has ended already."""
    progress.counts.update(rejected=account.rejected + account.contested, skipped=account.skips)
    progress.plan_is_complete(account.planned, prepare=workers)


def _conclude(console: Console, document: CheckDocument, account: PlanAccount) -> None:
    left_out = f"; {counted(account.skips, 'entry')} left out by a rule" if account.skips else ""
    say(
        console,
        f"{document.fit:,} of {document.planned:,} measurements are fit to be uploaded; "
        f"{counted(account.problem_count, 'problem')} in the plan{left_out}",
    )
    if document.refusal:
        say(console, document.refusal)


def _lost(store: Store, run: int, causes: Iterable[str]) -> Iterator[LostLine]:
    """Yield every entry that cannot be sent."""
    skips = {row["rule"] for row in store.rows("tally_skips", run)}
    for cause in sorted(set(causes) - skips):
        for path, message in entries_of_cause(store, run, cause):
            yield LostLine(path=path, cause=cause, message=message)


async def check_all(store: Store, run: int, settings: RunSettings, progress: Progress) -> None:
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
                group.start_soon(_check_some, pool, receive.clone(), store, run, progress)
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


async def _check_some(
    pool: Pool, jobs: ObjectReceiveStream[_Job], store: Store, run: int, progress: Progress
) -> None:
    clock = SystemClock()
    async with jobs:
        async for one in jobs:
            progress.entered(one.id, StageName.PREPARE, one.task.job.place)
            answer = await pool.prepare(one.task)
            progress.worked(answer.work_s)
            is_fit = isinstance(answer, Prepared)
            progress.came_out(one.id, StageName.PREPARE, "fit" if is_fit else "rejected")
            if isinstance(answer, Rejected):
                progress.failed(answer.cause, answer.message)
            else:
                progress.bytes_read += answer.source.size_bytes
            event: Event = (
                rejected_event(Path(one.task.job.path), answer)
                if isinstance(answer, Rejected)
                else prepared_event(answer)
            )
            events.append(store, run, one.id, clock.now().timestamp(), event)
