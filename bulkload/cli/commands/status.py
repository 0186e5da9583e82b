"""``bulkload status``: the state of a job, also while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.live.lines import plain_line
from bulkload.cli.live.watch import is_at_work, live_states, liveness_lines
from bulkload.cli.live.watch import watch as show_until_over
from bulkload.cli.output.console import (
    ACCEPTED,
    EXAMPLES,
    counted,
    rows_equation,
    say,
    show_roots,
    show_treatments,
)
from bulkload.cli.output.help_format import OUTPUT
from bulkload.cli.output.json_documents import AsJson, StatusDocument, plain, print_document
from bulkload.cli.output.json_lines import ProcessLine
from bulkload.core.outcome import OutcomeKind
from bulkload.core.roots import by_cause
from bulkload.core.snapshot import Liveness, merged
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.errors import SettingsError
from bulkload.journal import RunRow, Store
from bulkload.journal.whole import WholeJob

#: What a part of several may be, in the order in which it is said.
_PART_STATES: Final = ("done", "in progress, or killed", "open")


def status(
    job_dir: Path,
    *,
    list_: Annotated[str | None, Parameter(name="--list", group=OUTPUT)] = None,
    watch: Annotated[bool, Parameter(negative=(), group=OUTPUT)] = False,
    as_json: AsJson = False,
) -> int:
    """Show the state of a job: counts, causes and the last run, also while it is in progress.

    Parameters
    ----------
    job_dir
        The job's folder.
    list_
        Print only the entries of this cause. Such as no_layout; each on a line.
    watch
        Show the run in progress until it ends. Leave with Ctrl-C; the run goes on.
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """
    console = Console()
    if watch:
        with suppress(KeyboardInterrupt):
            show_until_over(console, job_dir)
    with WholeJob(job_dir) as whole:
        run = whole.first_plan()
        if run is None:
            raise SettingsError(
                f"{job_dir} has a journal without an upload; run `bulkload upload` first"
            )
        if as_json:
            return print_document(_document(whole, job_dir, run))
        return _show(console, whole, job_dir, run, only=list_)


def _document(whole: WholeJob, job_dir: Path, run: RunRow) -> StatusDocument:
    counts, causes = whole.tally(is_waiting=True)
    planned = whole.count_planned()
    return StatusDocument(
        job=str(job_dir),
        command=run.command,
        planned=planned,
        counts={str(kind): counts[kind] for kind in OutcomeKind},
        not_done=planned - counts.total(),
        causes=causes,
        accepted=whole.accepted_causes(),
        rows=plain(whole.row_ledger(is_waiting=True)),
        missing_parts=[folder.name for folder in whole.missing],
        processes=[
            ProcessLine(folder=str(one.folder), liveness=one.liveness, state=one.snapshot.as_json())
            for one in live_states(job_dir)
        ],
        exit_code=ExitCode.ARRIVED,
    )


def _show(
    console: Console, whole: WholeJob, job_dir: Path, run: RunRow, *, only: str | None
) -> ExitCode:
    counts, causes = whole.tally(is_waiting=True)
    if only is not None:
        return _list(console, whole, only, causes)
    planned = whole.count_planned()
    _show_runs(console, whole, run)
    _show_live(console, job_dir)
    accepted = whole.accepted_causes()
    of_root = by_cause(whole.roots(EXAMPLES))
    examples: dict[str, list[str]] = {}
    for outcome in whole.examples(EXAMPLES):
        examples.setdefault(outcome.cause, []).append(outcome.message)
    for cause, count in causes.most_common():
        known = f" ({accepted[cause]:,} accepted)" if accepted[cause] else ""
        say(console, f"{cause}: {count:,}{known}")
        if found := of_root.get(cause):
            show_roots(console, found, job_dir)
            continue
        for message in examples.get(cause, ()):
            say(console, f"  {printable(message)}")
    show_treatments(console, whole.treatments())
    say(console, rows_equation(whole.row_ledger(is_waiting=True)))
    for kind in OutcomeKind:
        if counts[kind]:
            say(console, f"{counts[kind]:>12,}  {kind.value}")
    if accepted:
        say(console, f"{accepted.total():>12,}  {ACCEPTED}")
    say(console, f"{planned - counts.total():>12,}  not done")
    say(console, f"{planned:>12,}  planned")
    missing = counts[OutcomeKind.REJECTED] + counts[OutcomeKind.FAILED] - accepted.total()
    word = "to resume" if missing or planned > counts.total() else "the command was"
    say(console, f"{word}: {printable(run.command)}")
    return ExitCode.ARRIVED


def _show_live(console: Console, job_dir: Path) -> None:
    """Print whether a run that has not ended is at work, and how far it is."""
    states = live_states(job_dir)
    if all(one.liveness is Liveness.ENDED for one in states):
        return
    for line in liveness_lines(states):
        say(console, printable(line))
    if is_at_work(states):
        say(console, plain_line(merged(one.snapshot for one in states)))


def _show_runs(console: Console, whole: WholeJob, run: RunRow) -> None:
    """Print when the job was run last, and which of several parts are done."""
    if whole.is_divided:
        _show_parts(console, whole)
        return
    say(console, _run_line(run))
    for store in whole.stores():
        newest = store.last_run()
        if newest is not None and newest.id != run.id:
            say(console, f"{_run_line(newest)}: {printable(newest.command)}")


def _show_parts(console: Console, whole: WholeJob) -> None:
    states = Counter(_part_state(store, last) for store, last in whole.plans())
    said = ", ".join(f"{states[word]:,} {word}" for word in _PART_STATES if states[word])
    total = len(whole.folders) + len(whole.missing)
    say(console, f"{counted(total, 'part')}: {said}")
    if whole.missing:
        names = ", ".join(folder.name for folder in whole.missing[:EXAMPLES])
        more = len(whole.missing) - EXAMPLES
        names += f" and {more:,} more" if more > 0 else ""
        say(
            console,
            f"NOT COUNTED: {counted(len(whole.missing), 'part')} not in this folder ({names}): "
            "bring them here with `bulkload merge`",
        )


def _part_state(store: Store, last: RunRow) -> str:
    if not store.count_open(last.id):
        return "done"
    newest = store.last_run() or last
    return "open" if newest.ended_at else "in progress, or killed"


def _list(console: Console, whole: WholeJob, cause: str, causes: Mapping[str, int]) -> ExitCode:
    """Print the entries of one cause; raise ``SettingsError`` where there are none."""
    if cause not in causes:
        known = ", ".join(sorted(causes)) or "none"
        raise SettingsError(f"no entry of the job has the cause {cause}; its causes: {known}")
    for path, message in whole.entries_of_cause(cause):
        place = "" if path in message else f"{path}: " if message else path
        say(console, printable(place + message))
    return ExitCode.ARRIVED


def _run_line(run: RunRow) -> str:
    began = datetime.fromtimestamp(run.started_at, UTC)
    state = "has ended" if run.ended_at else "is in progress, or was killed"
    return f"run {run.id} of {began:%Y-%m-%d %H:%M} UTC {state}"
