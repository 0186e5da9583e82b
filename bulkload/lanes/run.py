"""A run with lanes: plan the parts, have lanes run them, and write one account."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Final

import anyio
import anyio.to_thread

from bulkload.core.tally import ExitCode, Newly, RunReport, exit_code
from bulkload.engine.account import write_account
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.progress import upload_capacity
from bulkload.engine.run import SPOOL_NAME, PlanInvalidError, RunResult
from bulkload.engine.shutdown import Stop
from bulkload.engine.single_flight import one_error
from bulkload.errors import JournalError
from bulkload.journal import FILE_NAME, Store
from bulkload.journal.account import ACCOUNT_NAME
from bulkload.journal.limits import NEWS_NAMED
from bulkload.journal.lock import exclusive
from bulkload.journal.news import news
from bulkload.journal.parts import part_folder
from bulkload.journal.report import SUMMARY_NAME, tally, write_json
from bulkload.journal.whole import WholeJob
from bulkload.lanes.crew import Crew, StartLane
from bulkload.lanes.dask_cluster import connected
from bulkload.lanes.dask_runner import DaskRunner
from bulkload.lanes.lane_process import LaneProcess, remove_empty_log
from bulkload.lanes.parts_runner import PartsRunner
from bulkload.lanes.progress import LanesProgress
from bulkload.lanes.request import LanesRequest

#: Of several reasons why parts were left undone, the one that decides the exit code.
_GRAVEST: Final = (ExitCode.DEFECT, ExitCode.USAGE, ExitCode.STOPPED)


async def run_lanes(
    request: LanesRequest,
    progress: LanesProgress,
    stop: Stop,
    *,
    start_lane: StartLane = LaneProcess.start,
) -> RunResult:
    """Carry out a run with lanes and return its account.

    Raises what ``engine.run.run_job`` raises, before anything is sent; everything else that can
    happen is in the result.

    Side effects: what the parts' runs write into their folders, and for a whole job its summary
    and account.
    """
    request.job_dir.mkdir(parents=True, exist_ok=True)
    progress.begin(0, request.command, lambda: stop.exit_code is not None)
    # Two machines may run the shards of a job at once; each part has a lock of its own.
    with nullcontext() if request.is_shard else exclusive(request.job_dir):
        async with _lanes(request, progress, stop, start_lane) as runner_of:
            plan = await anyio.to_thread.run_sync(request.make_plan, progress.found)
            if plan.refusal and not request.is_shard:
                raise PlanInvalidError(plan)
            open_parts = await anyio.to_thread.run_sync(_look, request, progress)
            progress.plan_is_complete(plan.planned, **upload_capacity(request.settings.limits))
            runner = runner_of(open_parts)
            with one_error():
                await runner.run()
        remove_empty_log(request.job_dir)
        result = _account(request, progress, stop, runner, plan)
        progress.has_ended = True
        progress.exit_code = result.report.exit_code
        return result


@asynccontextmanager
async def _lanes(
    request: LanesRequest, progress: LanesProgress, stop: Stop, start_lane: StartLane
) -> AsyncIterator[Callable[[Sequence[int]], PartsRunner]]:
    """Yield what makes the lanes for some parts: processes of this one, or those of a cluster.

    A cluster that does not answer is a mistake that should show before an archive is planned.
    """
    if request.dask is None:
        yield partial(Crew, request, progress, stop, start_lane=start_lane)
        return
    limits = request.settings.limits
    async with connected(request.dask, lanes=request.lanes, limits=limits) as client:
        yield partial(DaskRunner, request, progress, stop, client=client)


def _look(request: LanesRequest, progress: LanesProgress) -> list[int]:
    """Note what the parts hold; return those with something to do, the largest first.

    A large part that begins last would keep one lane busy while the others have nothing to do. A
    part whose lane was killed after its last job has a spool left: a lane run on it removes that.
    """
    counts: dict[int, Counter[str]] = {}
    open_jobs: dict[int, int] = {}
    found = []
    with WholeJob(request.job_dir, request.parts) as whole:
        for folder, (store, last) in zip(whole.folders, whole.plans(), strict=True):
            part = int(folder.name)
            ended, _ = tally(store, last.id, is_waiting=request.settings.is_waiting)
            counts[part] = Counter({kind.value: count for kind, count in ended.items()})
            open_jobs[part] = store.count_open(last.id)
            if open_jobs[part] or (folder / SPOOL_NAME).exists():
                found.append(part)
    progress.parts_hold(counts)
    return sorted(found, key=lambda part: -open_jobs[part])


def _account(
    request: LanesRequest,
    progress: LanesProgress,
    stop: Stop,
    runner: PartsRunner,
    plan: PlanAccount,
) -> RunResult:
    is_waiting = request.settings.is_waiting
    stopped, why = _stopped(stop, runner)
    this_run, lost = _news(request, runner, plan)
    with WholeJob(request.job_dir, request.parts) as whole:
        counts, causes = whole.tally(is_waiting=is_waiting)
        accepted = whole.accepted_causes()
        ledger = whole.row_ledger(is_waiting=is_waiting)
        report = RunReport(
            job=str(request.job_dir),
            planned=plan.planned,
            counts=counts,
            causes=causes,
            accepted=accepted,
            ledger=ledger,
            bytes_read=progress.bytes_read,
            bytes_sent=progress.wire.bytes_sent,
            requests=progress.wire.requests,
            retries=progress.wire.retries,
            elapsed_s=progress.elapsed_s,
            this_run=this_run,
            bottleneck=_bottleneck(runner.reports.values()),
            exit_code=exit_code(
                planned=plan.planned,
                counts=counts,
                accepted=accepted.total(),
                ledger=ledger,
                stopped=stopped,
            ),
        )
        if not request.is_shard:
            try:
                write_json(request.job_dir / SUMMARY_NAME, report.as_json())
                path = request.job_dir / ACCOUNT_NAME
                write_account(whole.stores(), request.job_dir, path, is_waiting=is_waiting)
            except (JournalError, OSError) as error:
                why = why or f"the summary of the run cannot be written: {error}"
                if stopped is None:
                    report = replace(report, exit_code=ExitCode.STOPPED)
    return RunResult(report=report, run=0, plan=plan, lost=lost, stopped_because=why)


def _news(
    request: LanesRequest, runner: PartsRunner, plan: PlanAccount
) -> tuple[Counter[str], tuple[str, ...]]:
    """Return what became of sources and entries since the last run, and what is newly lost.

    Side effects: a part that no lane had to run counts as told of, too.
    """
    this_run = Counter(plan.this_run)
    lost = [*plan.newly_rejected, *runner.lost]
    for report in runner.reports.values():
        this_run.update({word: report.this_run.get(word, 0) for word in Newly})
    at = request.clock.now().timestamp()
    for part in [] if request.is_shard else set(request.parts) - runner.parts:
        with Store(part_folder(request.job_dir, part) / FILE_NAME) as store:
            if (last := store.last_run()) is not None:
                found = news(store, last.id)
                this_run.update(found.counts)
                lost += found.lost
                store.end_run(last.id, at, {"this_run": dict(found.counts)})
    return this_run, tuple(lost[:NEWS_NAMED])


def _stopped(stop: Stop, runner: PartsRunner) -> tuple[ExitCode | None, str]:
    """Return why the run ended before its end, and the code that follows."""
    if stop.exit_code is not None:
        return stop.exit_code, stop.reason
    if not runner.failures:
        return None, ""
    code = next(code for code in _GRAVEST if any(code is one for one, _ in runner.failures))
    return code, "; ".join(sentence for _, sentence in runner.failures)


def _bottleneck(reports: Iterable[RunReport]) -> str:
    """Return what limited the parts' runs for most of their time."""
    seconds: Counter[str] = Counter()
    for one in reports:
        seconds[one.bottleneck] += round(one.elapsed_s * 1000)
    return seconds.most_common(1)[0][0] if seconds else "none"
