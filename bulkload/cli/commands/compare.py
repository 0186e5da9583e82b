"""``bulkload compare``: file by file what Studio has of a source, also what other jobs uploaded."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Final

import anyio
from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.jobs.folder import absolute
from bulkload.cli.jobs.local_studio import local_studio
from bulkload.cli.jobs.output_paths import check_writable
from bulkload.cli.jobs.refusal import refused
from bulkload.cli.live.view import shown_live
from bulkload.cli.options.command_line import this_command
from bulkload.cli.options.shared import CheckOptions, LimitOptions, PrepareArguments, SourceOptions
from bulkload.cli.output.console import counted, say, show_problems
from bulkload.cli.output.help_format import OUTPUT, RUN, TARGET
from bulkload.cli.output.json_documents import AsJson, CompareDocument, print_document
from bulkload.clock import SystemClock
from bulkload.core.comparison import RESULTS, Compared, ComparisonCounts, ComparisonMark
from bulkload.core.plan_items import PlanItem
from bulkload.core.prepare_result import Prepared, PrepareTask, Rejected
from bulkload.core.snapshot import StageName
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.compare import PlanComparison
from bulkload.engine.limits import READERS
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.plan_reader import PlanReader
from bulkload.engine.plan_writer import plan_into
from bulkload.engine.progress import Progress
from bulkload.engine.run_settings import pool_limits
from bulkload.engine.single_flight import one_error
from bulkload.engine.studios import opener, target_of
from bulkload.engine.target import RunningStudio, Target
from bulkload.journal import JobRow, Store
from bulkload.settings import RunSettings
from bulkload.sources.columns import Cell
from bulkload.sources.writers import write_table
from bulkload.worker.pool import open_pool

COLUMNS: Final = (
    *("mark", "result", "spec", "cell", "measurement", "path", "measurement_id"),
    *("compared_by", "message"),
)
#: Lines shown of what is not equal, where a file has all of them.
SHOWN: Final = 50


def compare(
    *sources: Annotated[str, Parameter(negative=())],
    source_options: SourceOptions = SourceOptions(),
    check_options: CheckOptions = CheckOptions(),
    prepare_arguments: PrepareArguments = PrepareArguments(),
    limit_options: LimitOptions = LimitOptions(),
    url: Annotated[str | None, Parameter(group=TARGET)] = None,
    project: Annotated[str | None, Parameter(group=TARGET)] = None,
    local: Annotated[Path | None, Parameter(group=TARGET)] = None,
    read_all: Annotated[bool, Parameter(negative=(), group=RUN)] = False,
    out: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    as_json: AsJson = False,
) -> int:
    """Compare a source with what Studio holds, file by file; changes nothing.

    Each line begins with = (equal), * (differing), + (missing in Studio), - (in Studio, missing
    in the source) or ! (could not be compared). Exits with 0 only if all are equal and at least
    one was compared.

    Parameters
    ----------
    sources
        Folders, manifests, or a bulkload.toml.
    url
        Address of the API. IONWORKS_API_URL, else the hosted service, by default.
    project
        Id of the project. IONWORKS_PROJECT_ID by default.
    local
        Compare with the local Studio that has its data here.
    read_all
        Read every measurement back. By default the hash of the source that Studio's record names
        proves it equal, and what names none is read back.
    out
        Write the comparison as a table. As .csv, .xlsx, .parquet or .jsonl.
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """
    check_writable({"--out": out})
    console = Console(quiet=as_json)
    target = target_of(url=url, project=project, local=local)
    settings = RunSettings(
        checks=check_options.checks(),
        prepare_options=prepare_arguments.prepare_options(source_options),
        limits=limit_options.limits(),
    )
    progress = Progress(SystemClock(), (StageName.PLAN, StageName.COMPARE))
    with ExitStack() as stack:
        studio = None if local is None else stack.enter_context(local_studio(local))
        store = stack.enter_context(Store(None))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bulkload-compare-")))
        databases = stack.enter_context(source_options.databases(scratch))
        read = source_options.read(sources, settings.prepare_options, databases)
        with shown_live(Console(stderr=True), progress.snapshot):
            run, account = _planned(
                store, read, settings, sources, goes_on=source_options.go_on, progress=progress
            )
        if account.refusal:
            show_problems(console, account.problems, account.problem_count)
            refusal = refused(account, absolute(sources))
            say(console, refusal)
            return _concluded(ComparisonCounts(), [], refusal, None) if as_json else ExitCode.USAGE
        results = stack.enter_context((scratch / "results.jsonl").open("w+", encoding="utf-8"))
        keep = partial(_keep, results)
        stack.enter_context(one_error())
        asked = _Asked(
            store=store, run=run, settings=settings, target=target, studio=studio,
            scratch=scratch, on_result=keep, reads_all=read_all, progress=progress,
        )  # fmt: skip
        progress.counts["skipped"] = account.skips
        progress.plan_is_complete(account.planned, compare=READERS)
        # Also of what a dead network ended, the results so far are shown.
        with (
            _finally_shown(console, results, is_written=out is not None),
            shown_live(Console(stderr=True), progress.snapshot),
        ):
            counts = anyio.run(partial(_compare, asked))
        if out is not None:
            write_table(out, _rows(results), COLUMNS)
        if as_json:
            return _concluded(counts, list(_rows(results)), counts.statement, out)
    _summarise(console, counts, account, out)
    return ExitCode.ARRIVED if counts.is_proved else ExitCode.PARTIAL


def _concluded(
    counts: ComparisonCounts,
    entries: Sequence[Mapping[str, Cell]],
    statement: str,
    out: Path | None,
) -> int:
    proved = ExitCode.ARRIVED if counts.is_proved else ExitCode.PARTIAL
    return print_document(
        CompareDocument(
            counts={RESULTS[mark]: counts[mark] for mark in ComparisonMark},
            entries=entries,
            statement=statement,
            out=None if out is None else str(out),
            exit_code=proved if counts else ExitCode.USAGE,
        )
    )


def _planned(
    store: Store,
    read: Iterable[PlanItem],
    settings: RunSettings,
    sources: Sequence[str],
    *,
    goes_on: bool,
    progress: Progress,
) -> tuple[int, PlanAccount]:
    at = SystemClock().now().timestamp()
    run = store.begin_run(this_command(), {}, at)
    account = plan_into(
        store,
        run,
        read,
        checks=settings.checks,
        prepare_options=settings.prepare_options,
        at=at,
        sources=absolute(sources),
        goes_on=goes_on,
        on_entry=progress.found,
    )
    return run, account


def _keep(results: IO[str], one: Compared) -> None:
    results.write(json.dumps(_row(one)) + "\n")


@contextmanager
def _finally_shown(console: Console, results: IO[str], *, is_written: bool) -> Iterator[None]:
    """Print the results when the block ends, however it does: within it the live view is drawn.

    Of what is written to a file only the first are printed that are not equal.
    """
    try:
        yield
    finally:
        rows = _rows(results)
        if is_written:
            rows = islice((one for one in rows if one["mark"] != ComparisonMark.EQUAL.value), SHOWN)
        for one in () if console.quiet else rows:
            key = (one["spec"], one["cell"], one["measurement"])
            name = one["path"] if one["cell"] is None else " / ".join(map(str, key))
            why = f": {one['message']}" if one["message"] else ""
            say(console, printable(f"{one['mark']} {name}{why}"))


def _row(one: Compared) -> dict[str, Cell]:
    key = one.key or (None, None, None)
    return {
        "mark": one.mark.value,
        "result": RESULTS[one.mark],
        **dict(zip(("spec", "cell", "measurement"), key, strict=True)),
        "path": one.path or None,
        "measurement_id": one.measurement_id or None,
        "compared_by": one.by or None,
        "message": one.message or None,
    }


def _rows(results: IO[str]) -> Iterator[Mapping[str, Cell]]:
    results.seek(0)
    for line in results:
        yield json.loads(line)


def _summarise(
    console: Console, counts: ComparisonCounts, account: PlanAccount, out: Path | None
) -> None:
    left_out = f"; {counted(account.skips, 'entry')} left out by a rule" if account.skips else ""
    say(console, f"{counts.statement}{left_out}")
    if out is not None:
        say(console, f"comparison written to {printable(str(out))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A comparison that was asked for: plan, target, and where results go."""

    store: Store
    run: int
    settings: RunSettings
    target: Target
    studio: RunningStudio | None
    scratch: Path
    on_result: Callable[[Compared], None]
    reads_all: bool
    progress: Progress


async def _compare(asked: _Asked) -> ComparisonCounts:
    settings, plan = asked.settings, PlanReader(asked.store, asked.run)
    async with AsyncExitStack() as stack:
        limits = pool_limits(settings.limits)
        pool = await stack.enter_async_context(open_pool(limits, asked.scratch))
        open_studio = opener(asked.studio, asked.target)
        on_wire = asked.progress.wire.on_wire
        studio = await stack.enter_async_context(open_studio(on_wire, settings))

        async def prepare(row: JobRow) -> Prepared | Rejected:
            task = PrepareTask(
                job=row.job,
                checks=plan.checks_for(row.job, settings.checks),
                prepare_options=settings.prepare_options,
                spool_path=None,
            )
            answer = await pool.prepare(task)
            asked.progress.worked(answer.work_s)
            return answer

        comparison = PlanComparison(
            asked.store, asked.run, studio, prepare=prepare, scratch=asked.scratch,
            on_result=asked.on_result, reads_all=asked.reads_all, progress=asked.progress,
        )  # fmt: skip
        return await comparison.run()
