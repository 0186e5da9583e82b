"""Carry out a job from the terminal: what `upload`, `resume`, `retry` and `demo` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

import anyio
from rich.console import Console

from bulkload.cli.jobs.ending import Ending, EndOptions, RunMessage
from bulkload.cli.jobs.folder import absolute, default_job
from bulkload.cli.jobs.local_studio import local_studio
from bulkload.cli.jobs.output_paths import check_writable
from bulkload.cli.jobs.page_beside import page_beside
from bulkload.cli.jobs.refusal import refused
from bulkload.cli.jobs.report_after import report_after
from bulkload.cli.jobs.requests import request_of
from bulkload.cli.jobs.run_document import document_of, document_of_refusal
from bulkload.cli.live.view import shown_live
from bulkload.cli.options.command_line import this_command
from bulkload.cli.options.kept import kept_options, listings_of
from bulkload.cli.options.lanes import LaneOptions
from bulkload.cli.options.run_output import RunOutput
from bulkload.cli.options.shared import SourceOptions
from bulkload.cli.output.console import (
    EXAMPLES,
    NAMES,
    say,
    show_changes,
    show_findings,
    show_problems,
    show_remarks,
    show_report,
)
from bulkload.cli.output.json_documents import print_document
from bulkload.cli.output.terminal import dropped_output
from bulkload.core.outcome import OutcomeKind
from bulkload.core.run_news import news_text
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.log import FILE_NAME as LOG_NAME
from bulkload.engine.log import open_log
from bulkload.engine.loop import loop_options
from bulkload.engine.metrics import served_metrics
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.progress import Progress
from bulkload.engine.request import JobRequest, RunRequest
from bulkload.engine.run import PlanInvalidError, RunResult, run_job
from bulkload.engine.shutdown import Stop, obeying_signals, stop_by
from bulkload.engine.single_flight import one_error
from bulkload.engine.studios import target_of
from bulkload.journal import Gone
from bulkload.journal.report import SUMMARY_NAME, write_json, write_references
from bulkload.journal.whole import WholeJob
from bulkload.lanes.progress import LanesProgress
from bulkload.lanes.request import LanesRequest
from bulkload.lanes.run import run_lanes
from bulkload.settings import RunSettings

#: Whoever interrupts a run does not wait for its report: `bulkload report` writes it.
_INTERRUPTED: Final = frozenset({ExitCode.INTERRUPTED, ExitCode.TERMINATED})


def upload_sources(
    sources: Sequence[str],
    source_options: SourceOptions,
    settings: RunSettings,
    *,
    url: str | None,
    project: str | None,
    local: Path | None,
    job: Path | None,
    summary: Path | None,
    log_json: Path | None,
    references: Path | None,
    report: Path | None,
    lane_options: LaneOptions,
    output: RunOutput,
    end_options: EndOptions,
) -> int:
    """Plan sources and upload what they hold; return the exit code."""
    ending = end_options.ending()
    check_writable(
        {
            "--summary": summary,
            "--log-json": log_json,
            "--references": references,
            "--report": report,
        }
    )
    target = target_of(url=url, project=project, local=local)
    job_dir = job or default_job(sources, target)
    with ExitStack() as stack:
        stack.enter_context(ending.following(job_dir))
        studio = None if local is None else stack.enter_context(local_studio(local))
        dbs = stack.enter_context(source_options.databases(job_dir))
        listings = listings_of(sources, source_options, job_dir)
        read = partial(
            source_options.read, sources, settings.prepare_options, dbs, listings=listings
        )
        request = request_of(
            JobRequest(
                job_dir=job_dir, target=target, sources=absolute(sources), settings=settings,
                source_options=kept_options(source_options), command=this_command(),
                log_path=log_json,
            ),
            read,
            lane_options,
            studio=studio,
            goes_on=source_options.go_on,
            listings=listings,
        )  # fmt: skip
        code, _ = carry_out(request, output, summary=summary, report=report, ending=ending)
    if references is not None:
        with WholeJob(job_dir) as whole:
            write_references(whole.plans(), references)
    return code


def carry_out(
    request: RunRequest | LanesRequest,
    output: RunOutput,
    *,
    summary: Path | None = None,
    report: Path | None = None,
    ending: Ending | None = None,
) -> tuple[ExitCode, Mapping[OutcomeKind, int]]:
    """Run a job and print its progress and report; return the exit code and the counts."""
    errors, console = Console(stderr=True), Console(quiet=output.quiet or output.as_json)
    with page_beside(request.job_dir, output.page, errors):
        try:
            act = partial(_watched, request, output)
            result = anyio.run(act, backend_options=loop_options())
        except PlanInvalidError as error:
            return _refuse(error.account, request, output, ending), {}
        show_problems(console, result.plan.warnings, len(result.plan.warnings))
        _show_gone(console, result.plan.gone)
        if result.report.exit_code not in _INTERRUPTED and _sees_whole_job(request):
            report_after(request.job_dir, report, errors)
        _show(console, request, result, as_json=output.as_json)
        if summary is not None:
            write_json(summary, result.report.as_json())
        _show_news(request, result, output, ending)
        _log_dropped_output(request)
    return result.report.exit_code, result.report.counts


def _refuse(
    account: PlanAccount, request: JobRequest, output: RunOutput, ending: Ending | None
) -> ExitCode:
    """Print why a plan cannot be run."""
    errors = Console(stderr=True)
    show_problems(errors, account.problems, account.problem_count)
    refusal = refused(account, request.sources)
    say(errors, refusal)
    if ending is not None:
        ending.news = _of_refusal(refusal)
    if output.as_json:
        print_document(document_of_refusal(request, account, refusal))
    return ExitCode.USAGE


def _of_refusal(refusal: str) -> RunMessage:
    """Return the news of a plan that cannot be run."""
    code = ExitCode.USAGE
    statement = f"{refusal.partition(chr(10))[0]} exit code {code:d} ({code.text})"
    return RunMessage(statement=statement, text=refusal, exit_code=code, summary=None)


def _show_news(
    request: RunRequest | LanesRequest, result: RunResult, output: RunOutput, ending: Ending | None
) -> None:
    """Print the news of a quiet run, and leave them to what follows the run."""
    report = result.report
    text = news_text(
        report,
        lost=result.lost,
        gone=result.plan.gone.names,
        stopped_because=result.stopped_because,
    )
    if output.quiet and not output.as_json and text:
        say(Console(), text)
        if not report.is_finished:
            # The last line, also of a quiet run, is the command that resumes it.
            say(Console(), request.command)
    if ending is not None:
        ending.news = RunMessage(
            statement=report.statement,
            text=text,
            exit_code=report.exit_code,
            summary=request.job_dir / SUMMARY_NAME,
            has_news=report.has_news,
        )


def _show_gone(console: Console, gone: Gone) -> None:
    """Name what earlier runs brought into Studio and the plan does not hold any more."""
    if gone.total:
        more = f" and {gone.total - len(gone.names):,} more" if gone.total > len(gone.names) else ""
        say(
            console,
            printable(
                f"{gone.total:,} measurements that this job brought into Studio are no longer in "
                f"the plan and stay as they are: {', '.join(gone.names)}{more}"
            ),
        )


def _log_dropped_output(request: JobRequest) -> None:
    """Note in the log what the terminal did not take."""
    if not (dropped := dropped_output()):
        return
    logger, log_file = open_log(request.log_path or request.job_dir / LOG_NAME)
    with log_file:
        for one in dropped:
            logger.warning("terminal.output_dropped", **asdict(one))


def _sees_whole_job(request: RunRequest | LanesRequest) -> bool:
    """Return whether what this run says at its end is true of the job.

    Several shards may end at once, and none of them sees more than its own parts.
    """
    return not (isinstance(request, LanesRequest) and request.is_shard)


async def _watched(request: RunRequest | LanesRequest, output: RunOutput) -> RunResult:
    has_lanes = isinstance(request, LanesRequest)
    progress = LanesProgress(request.clock) if has_lanes else Progress(request.clock)
    stop = Stop(request.settings.limits.grace_s)
    errors = Console(stderr=True, quiet=output.quiet)

    def announce(_: ExitCode) -> None:
        errors.print(
            "stopping: no new files are started, and open uploads have "
            f"{request.settings.limits.grace_s:.0f} s to finish. Interrupt again to stop at once."
        )

    until = request.settings.until
    with ExitStack() as stack:
        stack.enter_context(one_error())
        if output.metrics is not None:
            folder = request.job_dir if _sees_whole_job(request) else None
            serving = served_metrics(output.metrics, progress.snapshot, folder)
            say(errors, f"metrics: {stack.enter_context(serving)}")
        stack.enter_context(shown_live(errors, progress.snapshot))
        async with obeying_signals(stop, announce), anyio.create_task_group() as group:
            if until is not None:
                group.start_soon(stop_by, stop, until, request.clock, progress)
            if isinstance(request, LanesRequest):
                assert isinstance(progress, LanesProgress)
                result = await run_lanes(request, progress, stop)
            else:
                result = await run_job(request, progress, stop)
            group.cancel_scope.cancel()
    return result


def _show(
    console: Console, request: RunRequest | LanesRequest, result: RunResult, *, as_json: bool
) -> None:
    parts = request.parts if isinstance(request, LanesRequest) else None
    with WholeJob(request.job_dir, parts) as whole:
        if as_json:
            print_document(document_of(request, result, whole))
            return
        show_changes(console, whole.decisions(NAMES))
        show_remarks(console, whole.warnings(EXAMPLES), whole.changes(), whole.treatments())
        show_findings(console, whole.findings())
        show_report(console, result.report, whole.examples(EXAMPLES), whole.roots(EXAMPLES))
    if result.stopped_because:
        say(console, printable(f"stopped: {result.stopped_because}"))
    if not result.report.is_finished:
        say(console, "to resume:")
        say(console, request.command)
