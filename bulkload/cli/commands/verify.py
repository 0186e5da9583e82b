"""``bulkload verify``: read back and compare."""

from __future__ import annotations

import random
import tempfile
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import anyio
from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.commands.pack import verify_pack
from bulkload.cli.commands.verify_migration import is_migration, prove
from bulkload.cli.jobs.folder import studio_of, target_in
from bulkload.cli.live.view import shown_live
from bulkload.cli.output.console import say
from bulkload.cli.output.json_documents import AsJson, VerifyDocument, print_document
from bulkload.cli.output.json_lines import DifferenceLine
from bulkload.clock import SystemClock
from bulkload.core.prepare_result import Prepared, PrepareTask, Rejected
from bulkload.core.snapshot import StageName
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.account import write_account
from bulkload.engine.plan_reader import PlanReader
from bulkload.engine.progress import Progress
from bulkload.engine.run_settings import pool_limits, with_kept_settings
from bulkload.engine.single_flight import one_error
from bulkload.engine.studios import opener
from bulkload.engine.target import RunningStudio, Target
from bulkload.engine.verify import VerifyReport
from bulkload.engine.verify import verify as compare
from bulkload.errors import SettingsError
from bulkload.evidence.container import is_pack
from bulkload.journal import JobRow, Store
from bulkload.journal.account import ACCOUNT_NAME
from bulkload.journal.report import write_json
from bulkload.journal.whole import WholeJob
from bulkload.settings import RunSettings
from bulkload.worker.pool import Preparer, open_pool

#: Measurements to read back by default: without a difference, fewer than 1 % of a large job differ.
DEFAULT_SAMPLE: Final = 300
REPORT_NAME: Final = "verify.json"


def verify(
    job_dir: Path,
    *,
    sample: int | None = None,
    all_: Annotated[bool, Parameter(name="--all", negative=())] = False,
    seed: int | None = None,
    sources: Path | None = None,
    as_json: AsJson = False,
) -> int:
    """Read back what this job stands for in Studio, and compare it with what was uploaded.

    Compares row count, columns and a digest of the values. With --all, measurements that were
    in Studio before the job are compared with their sources, which are read again. Writes
    verify.json into the job folder, and keeps earlier proofs beside it. Exits with 3 if
    anything differs, with 2 if there was
    nothing to compare.

    A job that migrated a database is read back whole; the database is asked again, and
    migration.csv and migration.html, the page to be signed, are written beside verify.json.

    Parameters
    ----------
    job_dir
        The job's folder, or a pack of `bulkload pack`. A pack needs no job folder.
    sample
        Number of measurements to read back. Chosen at random; 300 by default.
    all_
        Read back every measurement.
    seed
        Seed of the sample. The same seed chooses the same measurements.
    sources
        Compare a pack with the original files in this folder. Not with Studio.
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """
    if all_ and sample is not None:
        raise SettingsError("give --sample or --all, not both")
    if sample is not None and sample < 1:
        raise SettingsError("--sample must be at least 1")
    chosen_seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    if is_pack(job_dir):
        size = None if all_ else sample or DEFAULT_SAMPLE
        return verify_pack(job_dir, sources=sources, sample=size, seed=chosen_seed, as_json=as_json)
    if sources is not None:
        raise SettingsError("--sources is for a pack; a job folder knows its sources: give --all")
    target = target_in(job_dir)
    # What is to replace a database is read back whole, unless a sample is asked for.
    is_all = all_ or (sample is None and is_migration(job_dir))
    size = None if is_all else sample or DEFAULT_SAMPLE
    progress = Progress(SystemClock(), [StageName.COMPARE])
    live = shown_live(Console(stderr=True), progress.snapshot)
    with studio_of(target) as running, one_error(), live:
        verifying = partial(_verify, job_dir, target, running, size, chosen_seed)
        report = anyio.run(partial(verifying, progress=progress))
    if not report.sample and not is_migration(job_dir):
        existing = f"; {report.existing:,} existed before it: give --all" if report.existing else ""
        raise SettingsError(f"{job_dir} created nothing that could be compared{existing}")
    console = Console(quiet=as_json)
    for one in report.differences:
        say(console, printable(f"{one.key} ({one.measurement_id}) from {one.path}: {one.message}"))
    say(console, f"{report.statement} ({report.rows:,} rows compared, seed {chosen_seed})")
    if report.existing:
        say(
            console,
            f"{report.existing:,} existed before this job and were not compared; --all reads "
            "their sources and compares them",
        )
    keep_proof(job_dir, report, target, chosen_seed)
    is_proved = bool(report.sample) and not report.differences
    if is_migration(job_dir):
        with WholeJob(job_dir) as whole:
            is_proved = prove(job_dir, whole, report, target) and is_proved
    code = ExitCode.ARRIVED if is_proved else ExitCode.PARTIAL
    return print_document(_document(report, chosen_seed, code)) if as_json else code


def _document(report: VerifyReport, seed: int, code: ExitCode) -> VerifyDocument:
    return VerifyDocument(
        total=report.total,
        compared=report.sample,
        rows=report.rows,
        differences=[
            DifferenceLine(
                key=str(one.key),
                measurement_id=one.measurement_id,
                path=one.path,
                message=one.message,
            )
            for one in report.differences
        ],
        existing_not_compared=report.existing,
        statement=report.statement,
        seed=seed,
        exit_code=code,
    )


def keep_proof(job_dir: Path, report: VerifyReport, target: Target, seed: int) -> None:
    """Write a proof under its time, as the newest one, and into the account.

    Side effects: ``verify-<time>.json``, ``verify.json`` and ``account.csv`` in the job folder.
    """
    now = SystemClock().now().astimezone(UTC)
    messages = {one.measurement_id: one.message for one in report.differences}
    kept = {name: value for name, value in asdict(report).items() if name != "compared"}
    proof = {
        **kept,
        "statement": report.statement,
        "seed": seed,
        "date": now.isoformat(" ", "seconds"),
        "target": target.as_json(),
        "list": [
            {"measurement_id": one, "result": messages.get(one, "equal")}
            for one in sorted({*report.compared.values(), *messages})
        ],
    }
    write_json(job_dir / f"verify-{now:%Y-%m-%dT%H%M%S.%f}Z.json", proof)
    write_json(job_dir / REPORT_NAME, proof)
    with WholeJob(job_dir) as whole:
        write_account(whole.stores(), job_dir, job_dir / ACCOUNT_NAME)


async def _verify(
    job_dir: Path,
    target: Target,
    running: RunningStudio | None,
    sample: int | None,
    seed: int,
    *,
    progress: Progress,
) -> VerifyReport:
    # Reproducible by its seed; it keeps no secret.
    chance = random.Random(seed)  # noqa: S311 - chance that can be replayed, no secret
    open_studio = opener(running, target)
    async with AsyncExitStack() as stack:
        whole = stack.enter_context(WholeJob(job_dir))
        if whole.missing:
            names = ", ".join(folder.name for folder in whole.missing)
            raise SettingsError(
                f"{job_dir} does not hold its parts {names}, so a proof would not be the job's: "
                "bring them here with `bulkload merge`"
            )
        sources = None
        if sample is None and any(store.count_existing() for store in whole.stores()):
            last = whole.first_plan()
            assert last is not None
            sources = await _open_sources(stack, with_kept_settings(last.settings, RunSettings()))
        studio = await stack.enter_async_context(open_studio(progress.wire.on_wire, RunSettings()))
        return await compare(
            whole.stores, studio, sample=sample, chance=chance, sources=sources, progress=progress
        )


async def _open_sources(stack: AsyncExitStack, settings: RunSettings) -> _Sources:
    """Start workers that read the sources again, as the last upload did."""
    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="bulkload-verify-"))
    pool = await stack.enter_async_context(open_pool(pool_limits(settings.limits), Path(scratch)))
    return _Sources(settings, pool)


class _Sources:
    """Reads sources again with the settings of the last upload."""

    def __init__(self, settings: RunSettings, pool: Preparer) -> None:
        self._settings = settings
        self._pool = pool

    def task(self, store: Store, row: JobRow) -> PrepareTask:
        """Return what is to be prepared for a job of this journal."""
        plan, job = PlanReader(store, row.plan_run), row.job
        task = PrepareTask(
            job=job,
            checks=plan.checks_for(job, self._settings.checks),
            prepare_options=self._settings.prepare_options,
            spool_path=None,
        )
        return task.treated(plan.treatment(row.id))

    async def prepare(self, task: PrepareTask) -> Prepared | Rejected:
        """Read and validate a source."""
        return await self._pool.prepare(task)
