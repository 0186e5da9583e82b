"""``bulkload plan``: what would be uploaded, what prevents it, and what Studio has of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import anyio
from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.commands.plan_made_from import carried_of
from bulkload.cli.commands.plan_outlook import show_outlook
from bulkload.cli.commands.plan_parts import plan_into_parts
from bulkload.cli.jobs.folder import absolute
from bulkload.cli.jobs.local_studio import local_studio
from bulkload.cli.jobs.refusal import refused
from bulkload.cli.live.view import shown_live
from bulkload.cli.options.command_line import this_command
from bulkload.cli.options.shared import CheckOptions, PrepareArguments, SourceOptions
from bulkload.cli.output.console import counted, say, show_problems
from bulkload.cli.output.help_format import OUTPUT, RUN, TARGET
from bulkload.cli.output.json_documents import (
    AsJson,
    PlanDocument,
    plain,
    print_document,
    problem_lines,
)
from bulkload.client.http.events import WireEvent, unobserved
from bulkload.client.studio import AsyncStudio
from bulkload.clock import SystemClock
from bulkload.core.outlook import Outlook, Standing
from bulkload.core.plan_items import UploadJob
from bulkload.core.snapshot import StageName
from bulkload.core.tally import ExitCode
from bulkload.core.terms import JobKey
from bulkload.core.text import printable
from bulkload.engine.contents import StudioContents
from bulkload.engine.outlook import look_at_studio
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.plan_writer import plan_into
from bulkload.engine.progress import Progress
from bulkload.engine.single_flight import one_error
from bulkload.engine.studios import opener, target_of
from bulkload.journal import Store
from bulkload.settings import RunLimits, RunSettings
from bulkload.sources.plan_file import write_plan
from bulkload.sources.plan_sheets import cells_of_two

#: What to do with metadata that a plan cannot carry: its sheet of cells has each name once.
_KEEP: Final = "the plan does not carry its metadata, so keep its cell.* beside the data"

OpenStudio = Callable[[Callable[[WireEvent], None], RunSettings], AsyncStudio]


def plan(
    *sources: Annotated[str, Parameter(negative=())],
    source_options: SourceOptions = SourceOptions(),
    prepare_arguments: PrepareArguments = PrepareArguments(),
    url: Annotated[str | None, Parameter(group=TARGET)] = None,
    project: Annotated[str | None, Parameter(group=TARGET)] = None,
    local: Annotated[Path | None, Parameter(group=TARGET)] = None,
    out: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    as_json: AsJson = False,
    check_options: CheckOptions = CheckOptions(),
    parts: Annotated[int | None, Parameter(group=RUN)] = None,
    job: Annotated[Path | None, Parameter(group=RUN)] = None,
) -> int:
    """Show what would be uploaded, and what prevents it. Sends nothing and reads no data.

    With a target it looks at Studio too: what is there already, what would be created, and how
    many requests, bytes and minutes that takes.

    Parameters
    ----------
    sources
        Folders, manifests, or databases (.toml).
    url
        Address of the API. With it, or a project, the plan looks at Studio.
    project
        Id of the project. With it the plan looks at Studio.
    local
        Look at the local Studio that has its data here.
    out
        Write the plan as a table. As .csv, .xlsx, .parquet or .jsonl; it can be edited, and
        uploaded as any manifest.
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    parts
        Plan a job of so many parts, for several machines. Each runs some with upload --shard.
    job
        Folder of that job.
    """
    console = Console(quiet=as_json)
    prepare_options = prepare_arguments.prepare_options(source_options)
    if parts is not None:
        settings = RunSettings(checks=check_options.checks(), prepare_options=prepare_options)
        target = target_of(url=url, project=project, local=local)
        return plan_into_parts(sources, source_options, settings, target, job_dir=job, parts=parts)
    asks_studio = url is not None or project is not None or local is not None
    with ExitStack() as stack:
        store = stack.enter_context(Store(None))
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="bulkload-plan-"))
        databases = stack.enter_context(source_options.databases(Path(scratch)))
        at = SystemClock().now().timestamp()
        run = store.begin_run(this_command(), {}, at)
        progress = Progress(SystemClock(), [StageName.PLAN])
        with shown_live(Console(stderr=True), progress.snapshot):
            account = plan_into(
                store,
                run,
                source_options.read(sources, prepare_options, databases),
                checks=check_options.checks(),
                prepare_options=prepare_options,
                at=at,
                sources=absolute(sources),
                goes_on=source_options.go_on,
                on_entry=progress.found,
            )
        seen = _Seen()
        if asks_studio and not account.refusal:
            _look(store, run, stack, seen, url=url, project=project, local=local)
        refusal = refused(account, absolute(sources)) if account.refusal else ""
        document = _document(store, run, account, seen, refusal=refusal, out=out)
        _show(console, account, seen, document)
        if out is not None:
            carried = carried_of(store, sources, source_options, prepare_arguments)
            for cell in cells_of_two(carried):
                say(console, printable(f"cell {cell} is one of two specifications: {_KEEP}"))
            standings = None if seen.outlook is None else seen.standing
            write_plan(out, store.planned(run), carried=carried, standings=standings)
            say(console, f"plan written to {printable(str(out))}")
    if refusal:
        say(console, refusal)
    return print_document(document) if as_json else document.exit_code


def _document(
    store: Store, run: int, account: PlanAccount, seen: _Seen, *, refusal: str, out: Path | None
) -> PlanDocument:
    specs, cells = store.count_parents(run)
    code = ExitCode.PARTIAL if account.problem_count else ExitCode.ARRIVED
    return PlanDocument(
        measurements=account.jobs - account.contested,
        cells=cells,
        specifications=specs,
        skipped=account.skips,
        studio=None if seen.outlook is None else plain(seen.outlook.specifications),
        problem_count=account.problem_count,
        problems=problem_lines(account.problems),
        warnings=problem_lines(account.warnings),
        refusal=refusal,
        out=None if out is None else str(out),
        exit_code=ExitCode.USAGE if refusal else code,
    )


@dataclass(slots=True)
class _Seen:
    """What Studio was found to have of a plan; nothing where it was not asked."""

    outlook: Outlook | None = None
    found: dict[JobKey, tuple[str, str]] = field(default_factory=dict)

    def on_found(self, job: UploadJob, standing: Standing, measurement_id: str) -> None:
        """Note a measurement whose name Studio has."""
        self.found[job.key] = standing.value, measurement_id

    def standing(self, job: UploadJob) -> tuple[str, str]:
        """Return how a job stands in Studio, and its id there."""
        return self.found.get(job.key, (Standing.NEW.value, ""))


def _look(
    store: Store,
    run: int,
    stack: ExitStack,
    seen: _Seen,
    *,
    url: str | None,
    project: str | None,
    local: Path | None,
) -> None:
    """Look at the target; a local Studio that has no data yet holds nothing, and is not made."""
    target = target_of(url=url, project=project, local=local)
    is_there = local is None or local.is_dir()
    running = None if local is None or not is_there else stack.enter_context(local_studio(local))
    with one_error():
        open_studio = opener(running, target) if is_there else None
        seen.outlook = anyio.run(partial(_look_at, store, run, open_studio, seen))


async def _look_at(store: Store, run: int, open_studio: OpenStudio | None, seen: _Seen) -> Outlook:
    clock = SystemClock()
    if open_studio is None:
        return await look_at_studio(store, run, None, clock, seen.on_found)
    async with open_studio(unobserved, RunSettings()) as studio:
        return await look_at_studio(store, run, StudioContents(studio), clock, seen.on_found)


def _show(console: Console, account: PlanAccount, seen: _Seen, document: PlanDocument) -> None:
    show_problems(console, account.problems, account.problem_count)
    show_problems(console, account.warnings, len(account.warnings))
    if seen.outlook is not None:
        show_outlook(console, seen.outlook, RunLimits())
    say(
        console,
        f"{counted(document.measurements, 'measurement')} of {counted(document.cells, 'cell')} in "
        f"{counted(document.specifications, 'specification')}; "
        f"{counted(document.skipped, 'entry')} left out by a rule; "
        f"{counted(document.problem_count, 'problem')}",
    )
