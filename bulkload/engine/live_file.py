"""The state of a run on disk: written once a second by the running process, read by others.

A state that cannot be written stops nothing: what is shown is not what is done.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bulkload.core.snapshot import Liveness, RunSnapshot, RunState, from_json, liveness
from bulkload.engine.limits import LAST_WRITE_LIMIT_S, WRITE_EVERY_S
from bulkload.journal.lock import is_held
from bulkload.journal.parts import part_folders

if TYPE_CHECKING:
    # Who only reads a state does not load what a run needs.
    from bulkload.clock import Clock
    from bulkload.engine.progress import Progress

FILE_NAME: Final = "live.json"


@asynccontextmanager
async def open_live_file(job_dir: Path, progress: Progress, clock: Clock) -> AsyncIterator[None]:
    """Write the state of a run into its folder while the block runs, and how it ended.

    Side effects: ``live.json``, whole at any moment. A disk that does not take it is left alone.
    """
    import anyio

    from bulkload.engine.single_flight import one_error

    path = job_dir / FILE_NAME
    with one_error():
        async with anyio.create_task_group() as group:
            group.start_soon(_keep_writing, path, progress, clock)
            try:
                yield
            finally:
                group.cancel_scope.cancel()
                progress.has_ended = True
                with suppress(Exception), anyio.move_on_after(LAST_WRITE_LIMIT_S, shield=True):
                    await _write(path, progress.snapshot())


async def _keep_writing(path: Path, progress: Progress, clock: Clock) -> None:
    while True:
        # Whatever is wrong with what is shown, it must not end what is done.
        with suppress(Exception):
            await _write(path, progress.snapshot())
        await clock.sleep(WRITE_EVERY_S)


async def _write(path: Path, snapshot: RunSnapshot) -> None:
    import anyio.to_thread

    # In a thread that is not waited for: a folder on the network may take its time, or for ever.
    await anyio.to_thread.run_sync(_put, path, snapshot, abandon_on_cancel=True)


def _put(path: Path, snapshot: RunSnapshot) -> None:
    # A name of its own for each state: a write that hung may go on beside a later one.
    scratch = path.with_name(f"{path.name}.{snapshot.state}.part")
    with suppress(OSError):
        scratch.write_text(json.dumps(snapshot.as_json()), "utf-8")
        scratch.replace(path)


@dataclass(frozen=True, slots=True)
class LiveState:
    """What is known of the process of one part."""

    folder: Path
    snapshot: RunSnapshot
    liveness: Liveness


def read_snapshots(job_dir: Path, now: float) -> list[LiveState]:
    """Return the last state of each part of a job that ever ran, at ``now`` (UTC seconds)."""
    found = []
    for folder in part_folders(job_dir):
        snapshot = read_snapshot(folder)
        if snapshot is not None:
            found.append(LiveState(folder, snapshot, _liveness(folder, snapshot, now)))
    return found


def read_snapshot(folder: Path) -> RunSnapshot | None:
    """Return the last state of a part, None where it has none or one that cannot be read."""
    try:
        return from_json(json.loads((folder / FILE_NAME).read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _liveness(folder: Path, snapshot: RunSnapshot, now: float) -> Liveness:
    if snapshot.state is RunState.ENDED:
        return Liveness.ENDED
    if snapshot.host != socket.gethostname():
        is_there = is_held(folder) if now - snapshot.at > WRITE_EVERY_S else None
        return liveness(snapshot, now, is_there=is_there)
    if snapshot.pid == os.getpid():
        return liveness(snapshot, now, is_there=True)
    import psutil

    try:
        process = psutil.Process(snapshot.pid)
        # A later process may have got the number of one that is gone.
        status = process.status()
        is_there = process.create_time() <= snapshot.at and status != psutil.STATUS_ZOMBIE
        is_suspended = status == psutil.STATUS_STOPPED
        return liveness(snapshot, now, is_there=is_there, is_suspended=is_suspended)
    except psutil.NoSuchProcess:
        return liveness(snapshot, now, is_there=False)
    except psutil.Error:
        return liveness(snapshot, now, is_there=None)
