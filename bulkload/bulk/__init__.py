"""The bulk job from Python: survey, plan, check, upload, account, as functions with plain tables.

Every function works in a script and in a notebook, where an event loop runs already. A source is
a folder, a manifest, a plan, a table with a manifest's columns, or a dict of tables under
``(specification, cell, measurement)``.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
import pandas as pd

from bulkload.archives.access import on_disk
from bulkload.bulk.request import ReadingRequest, Source, UploadRequest
from bulkload.cli.commands.check import STAGES, check_all
from bulkload.cli.jobs.folder import absolute
from bulkload.cli.jobs.local_studio import local_studio
from bulkload.cli.options.kept import kept_options, listings_of
from bulkload.clock import SystemClock
from bulkload.core.lifecycle import Event
from bulkload.core.outcome import Outcome, OutcomeKind
from bulkload.core.survey.propose import Knowledge
from bulkload.core.terms import JobKey
from bulkload.engine.jobs import JobContext
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.plan_writer import plan_into
from bulkload.engine.planning import planner
from bulkload.engine.progress import ENDINGS, Progress
from bulkload.engine.request import RunRequest
from bulkload.engine.run import RunResult, run_job
from bulkload.engine.shutdown import Stop
from bulkload.engine.single_flight import one_error
from bulkload.engine.studios import opener, target_of
from bulkload.journal import FILE_NAME, Store
from bulkload.journal.account import ACCOUNT_COLUMNS, account_rows, proofs
from bulkload.journal.report import outcome
from bulkload.readers import ReadOptions
from bulkload.readers import read as read_file
from bulkload.settings import RunSettings
from bulkload.sources.columns import row_of
from bulkload.sources.manifest_header import KNOWN
from bulkload.surveying.plan_file import survey_rows
from bulkload.surveying.surveyor import default_workers, survey_sources

T = TypeVar("T")

#: What a plan's table has besides the columns of a manifest: what becomes of each entry.
DECISIONS: Final = ("upload", "rule", "warnings")


def survey(*sources: str | Path) -> pd.DataFrame:
    """Look at an archive and return a proposed plan: every file a row, with its evidence."""
    paths = [Path(source) for source in sources]
    found = survey_sources(paths, Knowledge(), workers=default_workers())
    return pd.DataFrame(survey_rows(found, paths, Path.cwd()))


def plan(*sources: Source, **options: Any) -> pd.DataFrame:
    """Return what would be uploaded, a row an entry; the table is a source of :func:`upload`.

    ``upload`` says yes or no, ``rule`` and ``warnings`` why not. ``attrs["refusal"]`` says why the
    plan as a whole could not be sent, empty where it could. ``options`` are those of the command
    line: ``layout``, ``specs``, ``include``, ``exclude``, ``go_on``. A ``bulkload.toml`` brings
    its own.
    """
    with _planned(sources, options) as (store, run, account):
        rows = [_plan_row(store, job.key, row_of(job)) for job in store.planned(run)]
        for row in account_rows(store, run, {}):
            if row["outcome"] in ("rejected", "skipped") and "measurement" not in row:
                decision = {"upload": "no", "rule": row["cause"], "warnings": row.get("message")}
                rows.append({"path": row["path"], **decision})
        table = pd.DataFrame(rows, columns=[column for column in KNOWN if column != "size_bytes"])
        table.attrs["refusal"] = account.refusal
        return table.dropna(axis="columns", how="all")


def _plan_row(store: Store, key: JobKey, row: dict[str, Any]) -> dict[str, Any]:
    known = store.find_job(key)
    is_contested = known is not None and known.state_text == "rejected"
    if known is None or not is_contested:
        return {"upload": "yes", **row}
    return {"upload": "no", "rule": known.cause, "warnings": known.message, **row}


def check(*sources: Source, **options: Any) -> pd.DataFrame:
    """Read and validate everything without a network; return the account of it.

    ``outcome`` is ``fit``, ``rejected`` or ``skipped``.
    """
    with _planned(sources, options) as (store, run, _):
        _blocking(partial(check_all, store, run, RunSettings(), Progress(SystemClock(), STAGES)))
        rows = [
            {**row, "outcome": "fit" if row["outcome"] == "not done" else row["outcome"]}
            for row in account_rows(store, run, {})
        ]
        return pd.DataFrame(rows, columns=list(ACCOUNT_COLUMNS))


def upload(*sources: Source, **arguments: Any) -> pd.DataFrame:
    """Upload and return the account: a row an entry. The same call again resumes.

    Takes the arguments of :func:`run`. ``attrs`` has ``exit_code`` (that of the command),
    ``stopped_because`` and ``job``. Raises ``PlanError`` for a plan that is refused as a whole.
    """
    request = UploadRequest.of(sources, arguments)
    result = _blocking(partial(_carry_out, request, Progress(SystemClock())))
    table = account(request.job_dir)
    table.attrs.update(
        exit_code=int(result.report.exit_code),
        stopped_because=result.stopped_because,
        job=str(request.job_dir),
    )
    return table


async def run(*sources: Source, **arguments: Any) -> AsyncIterator[Outcome]:
    """Upload and yield each entry's outcome as it ends; what ended before comes last.

    Arguments: ``job``, ``url``, ``project``, ``local`` (the target, as on the command line),
    ``layout``, ``specs`` (a path, or for tables a dict of name -> payload), ``include``,
    ``exclude``, ``go_on``, and ``settings`` (:class:`bulkload.settings.RunSettings`).

    Raises ``PlanError`` for a plan that is refused as a whole. What a run that stopped did not
    come to is yielded as failed and resumable. Leaving the loop early stops the run.
    """
    request = UploadRequest.of(sources, arguments)
    ended: asyncio.Queue[int | None] = asyncio.Queue()
    task = asyncio.create_task(_carry_out(request, _Reporting(ended)))
    task.add_done_callback(lambda _: ended.put_nowait(None))
    reported: set[int] = set()
    try:
        while (job := await ended.get()) is not None:
            if job not in reported:
                reported.add(job)
                with Store(request.job_dir / FILE_NAME, is_read_only=True) as store:
                    yield outcome(store.get_job(job))
        result = await task
        for one in _others(request.job_dir, result.run, reported):
            yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def read(path: str | Path, *, reader: str | None = None, member: str | None = None) -> pd.DataFrame:
    """Read one test from a file of a cycler; ``attrs["provenance"]`` says how.

    Raises ``UnreadableError`` with the reason.
    """
    with on_disk(str(path)) as file:
        series = read_file(file, ReadOptions(reader=reader, member=member))
    table: pd.DataFrame = series.table.to_pandas()
    table.attrs["provenance"] = dict(series.provenance)
    return table


def account(job_dir: str | Path) -> pd.DataFrame:
    """Return every entry of a job with its outcome, cause, message, hashes, times and proof."""
    folder = Path(job_dir)
    with Store(folder / FILE_NAME, is_read_only=True) as store:
        last = store.last_upload()
        rows = [] if last is None else [*account_rows(store, last.id, proofs(folder))]
    return pd.DataFrame(rows, columns=list(ACCOUNT_COLUMNS))


class _Reporting(Progress):
    """Counters that also report the number of each job that ends."""

    def __init__(self, ended: asyncio.Queue[int | None]) -> None:
        super().__init__(SystemClock())
        self._ended = ended

    def on_event(self, context: JobContext, event: Event) -> None:
        super().on_event(context, event)
        if type(event) in ENDINGS:
            self._ended.put_nowait(context.id)


@contextmanager
def _planned(
    sources: tuple[Source, ...], options: Mapping[str, Any]
) -> Iterator[tuple[Store, int, PlanAccount]]:
    """Plan into a temporary journal."""
    with Store(None) as store, tempfile.TemporaryDirectory(prefix="bulkload-plan-") as scratch:
        reading = ReadingRequest.of(sources, options, Path(scratch))
        prepare = reading.prepare.prepare_options(reading.options)
        at = SystemClock().now().timestamp()
        with reading.options.databases(Path(scratch)) as databases:
            run_number = store.begin_run("", {}, at)
            account = plan_into(
                store,
                run_number,
                reading.options.read(reading.paths, prepare, databases),
                checks=reading.checks.checks(),
                prepare_options=prepare,
                at=at,
                sources=absolute(reading.paths),
                goes_on=reading.options.go_on,
            )
            yield store, run_number, account


async def _carry_out(request: UploadRequest, progress: Progress) -> RunResult:
    target = target_of(url=request.url, project=request.project, local=request.local)
    options = request.reading.options
    prepare = request.reading.prepare.prepare_options(options)
    settings = replace(request.settings, prepare_options=prepare)
    sources = absolute(request.reading.paths)
    with ExitStack() as stack, one_error():
        studio = None
        if request.local is not None:
            studio = await anyio.to_thread.run_sync(
                stack.enter_context, local_studio(request.local)
            )
        databases = stack.enter_context(options.databases(request.job_dir))
        listings = listings_of(sources, options, request.job_dir)
        read_again = partial(options.read, sources, prepare, databases, listings=listings)
        make_plan = planner(
            read_again,
            settings,
            sources,
            request.job_dir,
            goes_on=options.go_on,
            listings=listings,
        )
        return await run_job(
            RunRequest(
                job_dir=request.job_dir,
                make_plan=make_plan,
                target=target,
                sources=sources,
                source_options=kept_options(options),
                settings=settings,
                command=f"bulkload resume {request.job_dir}",
                open_studio=opener(studio, target),
            ),
            progress,
            Stop(settings.limits.grace_s),
        )


def _others(job_dir: Path, run_number: int, reported: set[int]) -> Iterator[Outcome]:
    """Yield the outcomes of a plan's entries that did not end before the eyes of the caller."""
    with Store(job_dir / FILE_NAME, is_read_only=True) as store:
        for job in store.jobs():
            if job.plan_run == run_number and job.id not in reported:
                yield outcome(job)
        for row in account_rows(store, run_number, {}):
            if "measurement" not in row and row["in_plan"] == "yes":
                yield Outcome(
                    key=JobKey("", "", ""),
                    kind=OutcomeKind(row["outcome"]),
                    path=row["path"],
                    cause=row["cause"],
                    message=row.get("message", ""),
                )


def _blocking(act: Callable[[], Awaitable[T]]) -> T:
    """Await an act to its end: in a thread of its own where a loop runs here already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return anyio.run(act)
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(anyio.run, act).result()
