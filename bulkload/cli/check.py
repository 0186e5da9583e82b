"""``bulkload check``: read and validate everything, touch no network."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
from anyio.abc import ObjectReceiveStream
from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.options import (
    CheckOptions,
    LimitOptions,
    RecipeOptions,
    SourceOptions,
    this_command,
)
from bulkload.clock import SystemClock
from bulkload.console import EXAMPLES, printable, say, show_problems
from bulkload.core.prepared import PrepareTask, Refused
from bulkload.core.tally import ExitCode
from bulkload.journal import store
from bulkload.journal.codec import job_from_text
from bulkload.planbook import PlanBook
from bulkload.planning import plan_into
from bulkload.pool import Pool, PoolLimits, open_pool
from bulkload.settings import RunSettings


def check(
    *sources: Annotated[str, Parameter(negative=())],
    source_options: SourceOptions = SourceOptions(),
    check_options: CheckOptions = CheckOptions(),
    recipe_options: RecipeOptions = RecipeOptions(),
    limit_options: LimitOptions = LimitOptions(),
) -> int:
    """Read and validate everything, touch no network, write nothing but this report.

    Parameters
    ----------
    sources
        Folders or manifests (.csv, .xlsx, .parquet, .jsonl).
    """
    console = Console()
    settings = RunSettings(
        checks=check_options.checks(),
        recipe=recipe_options.recipe(),
        limits=limit_options.limits(),
    )
    clock = SystemClock()
    with closing(store.connect(None)) as connection:
        at = clock.now().timestamp()
        run = store.begin_run(connection, this_command(), {}, at)
        account = plan_into(
            connection,
            run,
            source_options.read(sources, settings.recipe),
            checks=settings.checks,
            recipe=settings.recipe,
            at=at,
        )
        show_problems(console, account.problems, account.problem_count)
        show_problems(console, account.warnings, len(account.warnings))
        verdicts = anyio.run(
            partial(
                _check_all,
                connection,
                run,
                settings,
            )
        )
    verdicts.show(console)
    left_out = f"; {account.skips:,} entries left out by a rule" if account.skips else ""
    say(
        console,
        f"{verdicts.good:,} of {account.jobs:,} measurements are fit to be uploaded "
        f"({verdicts.rows:,} rows); {account.problem_count:,} problems in the plan{left_out}",
    )
    if account.problem_count:
        return ExitCode.USAGE
    return ExitCode.PARTIAL if verdicts.refused else ExitCode.ARRIVED


class _Verdicts:
    """What the check found, bounded however many files there are."""

    def __init__(self) -> None:
        self.good = 0
        self.rows = 0
        self.refused: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}

    def refuse(self, answer: Refused) -> None:
        self.refused[answer.cause] += 1
        kept = self._examples.setdefault(answer.cause, [])
        if len(kept) < EXAMPLES:
            kept.append(answer.message)

    def show(self, console: Console) -> None:
        for cause, count in self.refused.most_common():
            say(console, f"rejected: {cause} ({count:,})", style="yellow")
            for message in self._examples[cause]:
                say(console, f"  {printable(message)}")


async def _check_all(connection: sqlite3.Connection, run: int, settings: RunSettings) -> _Verdicts:
    limits = settings.limits
    verdicts = _Verdicts()
    plan = PlanBook(connection, run)
    pool_limits = PoolLimits(
        workers=limits.workers,
        time_limit_s=limits.time_limit_s,
        memory_limit_bytes=limits.child_memory_bytes,
    )
    send, receive = anyio.create_memory_object_stream[PrepareTask](limits.workers)
    with tempfile.TemporaryDirectory(prefix="bulkload-check-") as scratch:
        async with (
            open_pool(pool_limits, Path(scratch)) as pool,
            anyio.create_task_group() as group,
        ):
            for _ in range(limits.workers):
                group.start_soon(_check_some, pool, receive.clone(), verdicts)
            receive.close()
            async with send:
                for spec, cell in plan.cells():
                    for row in plan.open_jobs(spec, cell):
                        job = job_from_text(row["payload"])
                        stated = plan.checks_for(job, settings.checks)
                        await send.send(
                            PrepareTask(
                                job=job, checks=stated, recipe=settings.recipe, spool_path=None
                            )
                        )
    return verdicts


async def _check_some(
    pool: Pool, tasks: ObjectReceiveStream[PrepareTask], verdicts: _Verdicts
) -> None:
    async with tasks:
        async for task in tasks:
            answer = await pool.prepare(task)
            if isinstance(answer, Refused):
                verdicts.refuse(answer)
            else:
                verdicts.good += 1
                verdicts.rows += answer.rows
