"""``bulkload pack``: evidence to keep, and the check of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import anyio
from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.jobs.folder import studio_of
from bulkload.cli.live.view import shown_live
from bulkload.cli.output.console import counted, say
from bulkload.cli.output.help_format import OUTPUT
from bulkload.cli.output.json_documents import (
    AsJson,
    PackCheckDocument,
    PackDocument,
    print_document,
)
from bulkload.clock import SystemClock
from bulkload.core.snapshot import StageName
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.limits import READERS
from bulkload.engine.progress import Progress
from bulkload.engine.single_flight import one_error
from bulkload.engine.studios import opener
from bulkload.engine.target import RunningStudio, Target
from bulkload.errors import SettingsError
from bulkload.evidence.checking import (
    CheckedPack,
    PackComparison,
    against_sources,
    against_studio,
    checked_pack,
)
from bulkload.evidence.writing import write_pack
from bulkload.journal import find
from bulkload.journal.lock import exclusive
from bulkload.journal.parts import part_folders
from bulkload.settings import RunSettings

#: Differences that are named one by one.
NAMED: Final = 100


def pack(
    job_dir: Path,
    *,
    out: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    as_json: AsJson = False,
) -> int:
    """Write what a job can prove into one file or folder, to be kept and checked without the job.

    It holds plan, account, hashes, ids, versions, proofs, exceptions with who accepted them, and
    evidence.html, the page for the person who signs. A digest over all is printed: keep it
    elsewhere. `bulkload verify PACK` checks a pack.

    Parameters
    ----------
    job_dir
        The job's folder.
    out
        Where to write it. A .zip file, or a new folder; JOB-evidence.zip by default.
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """
    path = out or Path(f"{job_dir.resolve().name}-evidence.zip")
    progress = Progress(SystemClock(), [StageName.WRITE])
    with ExitStack() as stack:
        for folder in part_folders(job_dir):
            if find(folder) is not None:
                stack.enter_context(exclusive(folder))
        stack.enter_context(shown_live(Console(stderr=True), progress.snapshot))
        written = write_pack(job_dir, path, progress)
    if as_json:
        return print_document(
            PackDocument(
                out=str(written.path),
                files=written.files,
                digest=written.digest,
                exit_code=ExitCode.ARRIVED,
            )
        )
    say(Console(), printable(f"{counted(written.files, 'file')} packed into {written.path}"))
    say(Console(), f"digest: {written.digest}")
    return ExitCode.ARRIVED


def verify_pack(
    path: Path, *, sources: Path | None, sample: int | None, seed: int, as_json: bool
) -> int:
    """Check a pack, and compare it with Studio or with the sources; return the exit code.

    ``sample`` is how many measurements are read back, None for all.
    """
    console = Console(quiet=as_json)
    with checked_pack(path) as checked:
        what, found, code = "", PackComparison(), ExitCode.PARTIAL
        for problem in checked.problems:
            say(console, printable(problem))
        if checked.problems:
            say(console, "the pack is not as it was written, so nothing was compared with it")
        else:
            say(
                console,
                "the pack is as it was written, if this is the digest that was printed then:",
            )
            say(console, f"digest: {checked.digest}")
            progress = Progress(SystemClock(), [StageName.COMPARE])
            with shown_live(Console(stderr=True), progress.snapshot):
                if sources is None:
                    what, found = "Studio", _with_studio(checked, sample, seed, progress)
                else:
                    what = f"the files in {sources}"
                    total = sum(bool(one["source_sha256"]) for one in checked.measurements())
                    progress.plan_is_complete(total)
                    found = against_sources(checked, sources, progress)
            code = _concluded(console, found, what)
        return print_document(_document(checked, found, what, code)) if as_json else code


def _document(
    checked: CheckedPack, found: PackComparison, what: str, code: ExitCode
) -> PackCheckDocument:
    return PackCheckDocument(
        problems=checked.problems,
        digest=checked.digest,
        compared_with=what,
        total=found.total,
        compared=found.compared,
        rows=found.rows,
        unknown=found.unknown,
        differences=found.differences,
        exit_code=code,
    )


def _with_studio(
    checked: CheckedPack, sample: int | None, seed: int, progress: Progress
) -> PackComparison:
    kept = checked.about["target"]
    target = Target(url=kept["url"], project_id=kept["project"])
    total = sum(one["content_digest"] is not None for one in checked.measurements())
    progress.plan_is_complete(total if sample is None else min(sample, total), compare=READERS)
    with studio_of(target) as running, one_error():
        chosen = _chosen(total, sample, seed)
        return anyio.run(partial(_compare, checked, target, running, chosen, progress))


def _chosen(total: int, sample: int | None, seed: int) -> Callable[[int], bool]:
    if sample is None or sample >= total:
        return lambda _: True
    # Reproducible by its seed; it keeps no secret.
    chance = random.Random(seed)  # noqa: S311 - chance that can be replayed, no secret
    numbers = frozenset(chance.sample(range(total), sample))
    return numbers.__contains__


async def _compare(
    checked: CheckedPack,
    target: Target,
    running: RunningStudio | None,
    chosen: Callable[[int], bool],
    progress: Progress,
) -> PackComparison:
    async with opener(running, target)(progress.wire.on_wire, RunSettings()) as studio:
        return await against_studio(checked, studio, chosen, progress)


def _concluded(console: Console, found: PackComparison, what: str) -> ExitCode:
    """Print a comparison; raise ``SettingsError`` where nothing was compared."""
    if not found.compared:
        raise SettingsError(
            f"nothing was compared with {what}: of {counted(found.unknown, 'measurement')} the "
            "pack does not know the content"
        )
    for difference in islice(found.differences, NAMED):
        say(console, printable(difference))
    if (more := len(found.differences) - NAMED) > 0:
        say(console, f"and {more:,} more")
    rows = f", {found.rows:,} rows" if found.rows else ""
    sample = f"{found.compared:,} of " if found.compared < found.total else ""
    say(
        console,
        printable(
            f"{sample}{counted(found.total, 'measurement')} compared with {what}{rows}: "
            f"{counted(len(found.differences), 'difference')}"
        ),
    )
    if found.unknown:
        say(console, f"not compared, because the pack does not know them: {found.unknown:,}")
    return ExitCode.PARTIAL if found.differences else ExitCode.ARRIVED
