"""``bulkload rollback``: delete what a job created, unless it was changed since."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.jobs.folder import studio_of, target_in
from bulkload.cli.live.view import shown_live
from bulkload.cli.options.command_line import this_command
from bulkload.cli.output.console import EXAMPLES, counted, say
from bulkload.cli.output.json_documents import AsJson, RollbackDocument, print_document
from bulkload.cli.output.json_lines import RecordLine
from bulkload.clock import SystemClock
from bulkload.core.snapshot import StageName
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.engine.progress import Progress
from bulkload.engine.rollback import (
    SHARED,
    Leftover,
    Rollback,
    RollbackReport,
    all_visible_at,
    candidates,
)
from bulkload.engine.studios import opener
from bulkload.engine.target import RunningStudio, Target
from bulkload.errors import SettingsError
from bulkload.journal import FILE_NAME, Store
from bulkload.journal.journal import open_journal
from bulkload.journal.lock import exclusive
from bulkload.journal.whole import WholeJob
from bulkload.settings import RunSettings


def rollback(
    job_dir: Path,
    *,
    run: Annotated[int | None, Parameter(name="--run")] = None,
    yes: Annotated[bool, Parameter(negative=())] = False,
    as_json: AsJson = False,
) -> int:
    """Delete from Studio what this job created, unless it was changed since.

    Lists the records and asks first; without a terminal it needs --yes. Exits with 3 if
    something had to be left.

    Parameters
    ----------
    job_dir
        The job's folder.
    run
        Only what this run created. Every run is listed with its number.
    yes
        Do not ask.
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """
    if as_json and not yes:
        raise SettingsError("--json asks nobody, so it needs --yes")
    console = Console(quiet=as_json)
    target = target_in(job_dir)
    with WholeJob(job_dir) as whole:
        folders, is_divided = whole.folders, whole.is_divided
    if is_divided and run is not None:
        raise SettingsError(
            f"{job_dir} has several parts, each with runs of its own: roll back one of them, such "
            f"as {folders[0]}"
        )
    with exclusive(job_dir):
        wanted = {folder: _wanted(console, folder, run) for folder in folders}
        if run is not None and not any(wanted.values()):
            raise SettingsError(f"run {run} of {job_dir} created nothing that is still there")
        if not any(wanted.values()) or not (yes or _is_confirmed(console)):
            say(console, "nothing was deleted")
            return _concluded([], as_json=as_json)
        progress = Progress(SystemClock(), [StageName.DELETE])
        progress.plan_is_complete(sum(map(len, wanted.values())))
        with studio_of(target) as running, shown_live(Console(stderr=True), progress.snapshot):
            deleting = _Deleting(target=target, running=running, progress=progress)
            reports = list(_roll_back(job_dir, wanted, deleting))
    deleted = sum(len(report.deleted) for report in reports)
    left = [one for report in reports for one in report.left]
    for one in left:
        say(console, printable(f"left: {one.candidate.kind} {one.candidate.name}: {one.reason}"))
    say(console, f"{deleted:,} deleted, {len(left):,} left")
    return _concluded(reports, as_json=as_json)


def _concluded(reports: Sequence[RollbackReport], *, as_json: bool) -> int:
    def line(one: Leftover, reason: str = "") -> RecordLine:
        return RecordLine(kind=one.kind, id=one.id, name=one.name, reason=reason)

    left = [line(one.candidate, one.reason) for report in reports for one in report.left]
    code = ExitCode.PARTIAL if left else ExitCode.ARRIVED
    if not as_json:
        return code
    deleted = [line(one) for report in reports for one in report.deleted]
    return print_document(RollbackDocument(deleted=deleted, left=left, exit_code=code))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deleting:
    """Where records are deleted, and what counts them."""

    target: Target
    running: RunningStudio | None
    progress: Progress


def _wanted(console: Console, folder: Path, run: int | None) -> list[Leftover]:
    """Return what a folder's runs made, and list it."""
    with Store(folder / FILE_NAME, is_read_only=True) as store:
        wanted = candidates(store, run)
        _show(console, store, wanted)
    return wanted


def _roll_back(
    job_dir: Path,
    wanted: Mapping[Path, list[Leftover]],
    deleting: _Deleting,
) -> Iterator[RollbackReport]:
    """Delete what each folder's runs made; what several parts may share goes last."""
    if job_dir in wanted:
        yield _roll_back_in(job_dir, wanted[job_dir], deleting)
        return
    for is_shared in (False, True):
        for folder, made in wanted.items():
            if now := [one for one in made if (one.kind in SHARED) is is_shared]:
                with exclusive(folder):
                    yield _roll_back_in(folder, now, deleting)


def _roll_back_in(folder: Path, wanted: list[Leftover], deleting: _Deleting) -> RollbackReport:
    """Delete records of one journal, as a run of it."""
    path = folder / FILE_NAME
    with Store(path) as store:
        at = SystemClock().now().timestamp()
        visible_at = all_visible_at(store, at)
        run = store.begin_run(this_command(), deleting.target.as_json(), at)
    report = anyio.run(partial(_rollback, path, run, wanted, deleting, visible_at))
    with Store(path) as store:
        counts = {"deleted": len(report.deleted), "left": len(report.left)}
        store.end_run(run, SystemClock().now().timestamp(), counts)
    return report


def _show(console: Console, store: Store, wanted: list[Leftover]) -> None:
    """List what each run created, with its sources."""
    for row in store.runs():
        made = [one for one in wanted if one.run == row.id]
        if made:
            began = datetime.fromtimestamp(row.started_at, UTC)
            sources = ", ".join(row.settings.get("sources", [])) or row.command
            say(console, printable(f"run {row.id} of {began:%Y-%m-%d %H:%M} UTC from {sources}"))
            _show_run(console, made)


def _show_run(console: Console, made: list[Leftover]) -> None:
    for kind, count in Counter(one.kind for one in made).items():
        say(console, f"  {counted(count, kind.removeprefix('cell_'))}")
        names = [one.name for one in made if one.kind == kind]
        for name in names[:EXAMPLES]:
            say(console, printable(f"    {name}"))
        if count > EXAMPLES:
            say(console, f"    and {count - EXAMPLES:,} more")


def _is_confirmed(console: Console) -> bool:
    if not sys.stdin.isatty():
        raise SettingsError(
            "there is no terminal to confirm on, so nothing was deleted; give --yes to delete"
        )
    return console.input("Delete these from Studio? Type yes: ").strip().lower() == "yes"


async def _rollback(
    path: Path, run: int, wanted: list[Leftover], deleting: _Deleting, visible_at: float
) -> RollbackReport:
    clock, progress = SystemClock(), deleting.progress
    open_studio = opener(deleting.running, deleting.target)
    async with (
        open_journal(path, run, lambda: clock.now().timestamp()) as journal,
        open_studio(progress.wire.on_wire, RunSettings()) as studio,
    ):
        rollback = Rollback(studio, journal, progress, clock, all_visible_at=visible_at)
        return await rollback.run(wanted)
