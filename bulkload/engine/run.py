"""One invocation of the main job: lock, plan, pipeline (``pipeline.py``), account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

import anyio

from bulkload.client.http.events import WireEvent
from bulkload.client.studio import AsyncStudio
from bulkload.clock import Clock
from bulkload.core.bottleneck import bottleneck
from bulkload.core.flow.backlog import BacklogCap
from bulkload.core.lifecycle import Event
from bulkload.core.snapshot import StageName
from bulkload.core.tally import ExitCode, RunReport, exit_code
from bulkload.engine.account import write_account
from bulkload.engine.backlog import Backlog
from bulkload.engine.existing import ExistingRecords
from bulkload.engine.job_steps import JobSteps
from bulkload.engine.jobs import JobContext, Recorder
from bulkload.engine.limits import FIRST_POLL_S
from bulkload.engine.log import FILE_NAME as LOG_NAME
from bulkload.engine.log import LogWatcher, open_log
from bulkload.engine.parents import Parents
from bulkload.engine.pipeline import Parts, Pipeline
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.plan_reader import PlanReader
from bulkload.engine.processing import ProcessingPoller
from bulkload.engine.progress import Progress, upload_capacity
from bulkload.engine.raw_data import RawFiles
from bulkload.engine.request import RunRequest
from bulkload.engine.run_settings import kept_settings, pool_limits
from bulkload.engine.shutdown import Stop
from bulkload.engine.spans import RunSpans
from bulkload.engine.target import Target
from bulkload.engine.uploader import Uploader
from bulkload.errors import (
    AuthenticationError,
    BulkloadError,
    ClientError,
    ConnectionSetupError,
    DiskError,
    JournalError,
    OutageError,
    PermissionDeniedError,
    PlanError,
    SettingsError,
    TransientError,
)
from bulkload.journal import FILE_NAME, Store
from bulkload.journal.acceptance import accepted_causes
from bulkload.journal.account import ACCOUNT_NAME
from bulkload.journal.limits import NEWS_NAMED
from bulkload.journal.lock import exclusive
from bulkload.journal.news import news
from bulkload.journal.parts import read_layout
from bulkload.journal.report import SUMMARY_NAME, row_ledger, tally, write_json
from bulkload.worker.pool import Preparer
from bulkload.worker.spool import Spool

SPOOL_NAME: Final = "spool"


class PlanInvalidError(PlanError):
    """The plan has problems; nothing was sent. ``account`` names them."""

    def __init__(self, account: PlanAccount) -> None:
        super().__init__(f"{account.refusal}; nothing was sent")
        self.account = account


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended."""

    report: RunReport
    run: int
    plan: PlanAccount
    #: Messages of what is newly rejected or failed, the first ones.
    lost: tuple[str, ...] = ()
    #: Why the run stopped before its end, empty where it did not.
    stopped_because: str = ""


class _Watchers:
    """Passes each event to the counters, the log and, where they are asked for, the spans."""

    def __init__(self, progress: Progress, log: LogWatcher, spans: RunSpans | None = None) -> None:
        self._progress = progress
        self._log = log
        self._spans = spans
        if spans is not None:
            progress.on_move = spans.moved

    def on_event(self, context: JobContext, event: Event) -> None:
        self._progress.on_event(context, event)
        self._log.on_event(context, event)
        if self._spans is not None:
            self._spans.on_event(context, event)

    def on_wire(self, event: WireEvent) -> None:
        self._progress.wire.on_wire(event)
        self._log.on_wire(event)
        if self._spans is not None:
            self._spans.on_wire(event)

    def on_backlog_limit(self, limit: int) -> None:
        self._progress.stages.capacity[StageName.PROCESSING] = limit
        self._log.on_backlog_limit(limit)


async def run_job(request: RunRequest, progress: Progress, stop: Stop) -> RunResult:
    """Carry out a run and return its account.

    Raises ``PlanInvalidError`` before anything is sent, ``JournalBusyError``,
    ``JournalError`` and ``SettingsError``; everything else that can happen is in the result.

    Side effects: the job folder with journal, log, spool and summary.
    """
    if (layout := read_layout(request.job_dir)) is not None:
        raise SettingsError(
            f"{request.job_dir} is a job of {layout.parts:,} parts: run `bulkload upload`, which "
            "starts lanes for them"
        )
    request.job_dir.mkdir(parents=True, exist_ok=True)
    with exclusive(request.job_dir):
        path = request.job_dir / FILE_NAME
        with Store(path) as store:
            last = store.last_run()
            if last is not None:
                request.target.check_same(last.settings, request.job_dir)
            run = store.begin_run(
                request.command,
                request.target.as_json()
                | kept_settings(request.settings)
                | request.kept_sources(store),
                _seconds(request.clock),
            )
            progress.begin(run, request.command, lambda: stop.exit_code is not None)
            async with (
                request.open_live_file(request.job_dir, progress, request.clock),
                _open_preparing_parts(request) as parts,
            ):
                try:
                    account = await anyio.to_thread.run_sync(
                        request.make_plan, store, run, progress.found
                    )
                except BulkloadError as error:
                    store.end_run(run, _seconds(request.clock), {"error": str(error)})
                    raise
                if account.refusal:
                    ending = {"problems": account.problem_count}
                    store.end_run(run, _seconds(request.clock), ending)
                    raise PlanInvalidError(account)
                capacity = upload_capacity(request.settings.limits)
                progress.plan_is_complete(account.planned, **capacity)
                stopped = await _deliver(request, store, run, progress, stop, parts=parts)
                result = _account(request, store, run, progress, account=account, stopped=stopped)
                progress.exit_code = result.report.exit_code
            return result


def _seconds(clock: Clock) -> float:
    return clock.now().timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class _PreparingParts:
    """What prepares files, and where the results are stored."""

    pool: Preparer
    spool: Spool


@asynccontextmanager
async def _open_preparing_parts(request: RunRequest) -> AsyncIterator[_PreparingParts]:
    """Empty the spool, before the run and after it, and end what workers there were."""
    limits = request.settings.limits
    with closing(Spool(request.job_dir / SPOOL_NAME, limits.spool_limit_bytes)) as spool:
        async with request.open_pool(pool_limits(limits), spool.folder) as pool:
            yield _PreparingParts(pool=pool, spool=spool)


async def _deliver(
    request: RunRequest,
    store: Store,
    run: int,
    progress: Progress,
    stop: Stop,
    *,
    parts: _PreparingParts,
) -> tuple[ExitCode | None, str]:
    """Run the pipeline where there is work; return why it stopped early, if it did."""
    counts, _ = tally(store, run, is_waiting=request.settings.is_waiting)
    progress.counts.update(counts)
    if next(store.cells_with_work(run), None) is None:
        return None, ""
    try:
        with stop.whole:
            await _run_pipeline(request, run, progress, stop, parts)
    except AuthenticationError as error:
        return ExitCode.AUTH_FAILED, f"Studio rejected the credentials: {error}"
    except PermissionDeniedError as error:
        return ExitCode.AUTH_FAILED, str(error)
    except (ConnectionSetupError, SettingsError) as error:
        return ExitCode.USAGE, str(error)
    except OutageError as error:
        return ExitCode.STOPPED, str(error)
    except (JournalError, DiskError) as error:
        return ExitCode.STOPPED, str(error)
    if stop.exit_code is not None:
        return stop.exit_code, stop.reason
    return None, ""


async def _check_project(studio: AsyncStudio, target: Target) -> None:
    """Ask once for what concerns every measurement: whether the project is there for this key.

    Raises ``SettingsError`` or ``PermissionDeniedError``, and the errors that end every run. An
    answer that says nothing of the project (a server error, an endpoint that is not there) stops
    nothing: the uploads will show.
    """
    if target.project_id is None:
        return
    try:
        await studio.project.get(target.project_id)
    except AuthenticationError:
        raise
    except TransientError:
        return
    except ClientError as error:
        if error.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
            return
        message = f"the project {target.project_id} at {target.url}: {error}"
        if error.status_code == HTTPStatus.FORBIDDEN:
            raise PermissionDeniedError(
                f"{message}; ask its owner for access", error.status_code
            ) from error
        raise SettingsError(f"{message}; check --project or IONWORKS_PROJECT_ID") from error


async def _run_pipeline(
    request: RunRequest, run: int, progress: Progress, stop: Stop, parts: _PreparingParts
) -> None:
    settings = request.settings
    async with AsyncExitStack() as stack:
        logger, log_file = open_log(request.log_path or request.job_dir / LOG_NAME, run=run)
        stack.enter_context(log_file)
        spans = stack.enter_context(request.open_spans(request.command))
        watchers = _Watchers(progress, LogWatcher(logger, log_file), spans)
        journal = await stack.enter_async_context(
            request.open_journal(request.job_dir / FILE_NAME, run, lambda: _seconds(request.clock))
        )
        studio = await stack.enter_async_context(request.open_studio(watchers.on_wire, settings))
        await _check_project(studio, request.target)
        logger.info("run.started", command=request.command, planned=progress.planned)
        if journal.reader.torn_bytes:
            logger.warning("journal.torn_record_removed", bytes=journal.reader.torn_bytes)
        recorder = Recorder(journal, watchers)
        backlog = Backlog(BacklogCap(poll_s=FIRST_POLL_S), request.clock, watchers.on_backlog_limit)
        plan = PlanReader(journal.reader, run)
        parents = Parents(studio, recorder, specification=plan.specification, cell=plan.cell)
        records = ExistingRecords(studio, scratch=parts.spool.folder)
        steps = JobSteps(
            recorder,
            records=records,
            uploader=Uploader(
                studio, recorder, parents=parents, sends_provenance=settings.sends_provenance
            ),
            raw_files=RawFiles(studio, recorder, journal) if settings.attaches_raw else None,
            existing=settings.existing,
        )
        await Pipeline(
            Parts(
                journal=journal,
                recorder=recorder,
                plan=plan,
                pool=parts.pool,
                spool=parts.spool,
                parents=parents,
                records=records,
                steps=steps,
                poller=ProcessingPoller(studio, recorder, request.clock, backlog),
                backlog=backlog,
                settings=settings,
                share=request.share,
                allow_connections=studio.allow_connections,
                progress=progress,
                intake=stop.intake,
            )
        ).run()


def _account(
    request: RunRequest,
    store: Store,
    run: int,
    progress: Progress,
    *,
    account: PlanAccount,
    stopped: tuple[ExitCode | None, str],
) -> RunResult:
    is_waiting = request.settings.is_waiting
    counts, causes = tally(store, run, is_waiting=is_waiting)
    accepted = accepted_causes(store, run)
    found = news(store, run)
    ledger = row_ledger(store, run, is_waiting=is_waiting)
    report = RunReport(
        job=str(request.job_dir),
        planned=account.planned,
        counts=counts,
        causes=causes,
        accepted=accepted,
        ledger=ledger,
        bytes_read=progress.bytes_read,
        bytes_sent=progress.wire.bytes_sent,
        requests=progress.wire.requests,
        retries=progress.wire.retries,
        elapsed_s=progress.elapsed_s,
        this_run=account.this_run + found.counts,
        bottleneck=bottleneck(progress.shares(request.settings.limits), progress.elapsed_s),
        exit_code=exit_code(
            planned=account.planned,
            counts=counts,
            accepted=accepted.total(),
            ledger=ledger,
            stopped=stopped[0],
        ),
    )
    why = stopped[1]
    try:
        _keep_account(request, store, run, report)
    except (JournalError, OSError) as error:
        # What was delivered is in the journal; only this run's own account is not on disk.
        why = why or f"the summary of the run cannot be written: {error}"
        if stopped[0] is None:
            report = replace(report, exit_code=ExitCode.STOPPED)
    lost = (*account.newly_rejected, *found.lost)[:NEWS_NAMED]
    return RunResult(report=report, run=run, plan=account, lost=lost, stopped_because=why)


def _keep_account(request: RunRequest, store: Store, run: int, report: RunReport) -> None:
    summary = report.as_json()
    store.end_run(run, _seconds(request.clock), summary)
    if request.is_part:
        return
    write_json(request.job_dir / SUMMARY_NAME, summary)
    is_waiting = request.settings.is_waiting
    write_account([store], request.job_dir, request.job_dir / ACCOUNT_NAME, is_waiting=is_waiting)
