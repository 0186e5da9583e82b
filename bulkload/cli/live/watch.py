"""Watch a run from another terminal: what its process last wrote of itself, drawn anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from rich.console import Console

from bulkload.cli.live.lines import duration
from bulkload.cli.live.view import REDRAW_EVERY_S, shown_live
from bulkload.core.snapshot import Liveness, RunSnapshot, merged
from bulkload.engine.live_file import LiveState, read_snapshots


def watch(console: Console, job_dir: Path) -> None:
    """Show a job's run until it has ended or its process is gone; at once without one."""
    states = live_states(job_dir)
    if not is_at_work(states):
        return

    def snapshot() -> tuple[RunSnapshot, Sequence[str]]:
        return merged(one.snapshot for one in states), liveness_lines(states)

    with shown_live(console, snapshot):
        while is_at_work(states):
            Event().wait(REDRAW_EVERY_S)
            # What was there cannot vanish: a file that is being replaced is read the next time.
            states = live_states(job_dir) or states


def live_states(job_dir: Path) -> list[LiveState]:
    """Return what the parts of a job last said of themselves."""
    return read_snapshots(job_dir, _now())


def is_at_work(states: Sequence[LiveState]) -> bool:
    """Return whether a process works on any part, or pauses."""
    return any(one.liveness in (Liveness.ALIVE, Liveness.PAUSED) for one in states)


def liveness_lines(states: Sequence[LiveState]) -> list[str]:
    """Return whether the processes of a job are alive, paused or dead."""
    if len(states) == 1:
        return [_liveness_of(states[0], _now())]
    counts = Counter(one.liveness for one in states)
    said = ", ".join(f"{counts[word]:,} {word}" for word in Liveness if counts[word])
    return [f"{len(states):,} parts: {said}"]


def _liveness_of(state: LiveState, now: float) -> str:
    shown = state.snapshot
    process = f"process {shown.pid} on {shown.host}"
    age = duration(max(0.0, now - shown.at))
    match state.liveness:
        case Liveness.ALIVE:
            began = datetime.fromtimestamp(shown.started_at, UTC)
            return f"alive: run {shown.run}, {process}, since {began:%Y-%m-%d %H:%M} UTC"
        case Liveness.PAUSED:
            why = "" if shown.pauses else f"; it was suspended or is stuck, last news {age} ago"
            return f"paused: run {shown.run}, {process}{why}"
        case Liveness.DEAD:
            return f"dead: {process} is gone without having ended its run, last news {age} ago"
        case Liveness.ENDED:
            return f"ended: run {shown.run}, {age} ago, exit code {shown.exit_code}"


def _now() -> float:
    return datetime.now(UTC).timestamp()
