"""A lane, seen by the process that started it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import Process

from bulkload.core.systems import system_of
from bulkload.core.tally import ExitCode
from bulkload.lanes.limits import LANE_END_S
from bulkload.lanes.messages import Answers, LaneSetup, NewShare, RunPart, StopPart
from bulkload.worker.process import encode_message

#: What lanes print, which is nothing unless one fails: the standard error of one that died.
LOG_NAME: Final = "lanes.log"

_SYSTEM: Final = system_of(sys.platform)


class LaneProcess:
    """A lane that runs as a process of this one."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self._process = process
        self.answers = Answers(process.stdout)

    @classmethod
    async def start(cls, setup: LaneSetup) -> LaneProcess:
        """Start a lane and tell it what holds for all parts."""
        with (setup.job_dir / LOG_NAME).open("ab") as log:
            process = await anyio.open_process(
                [sys.executable, "-X", "faulthandler", "-m", "bulkload.lanes.lane"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # Ctrl-C is for the supervisor: it decides how the run ends.
                start_new_session=_SYSTEM.has_sessions,
                creationflags=_SYSTEM.creation_flags,
            )
        lane = cls(process)
        await lane.send(setup)
        return lane

    async def send(self, message: LaneSetup | RunPart | NewShare | StopPart) -> None:
        """Send a message; a lane that has died says so by its answers' end."""
        assert self._process.stdin is not None
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._process.stdin.send(encode_message(message))

    def kill(self) -> None:
        """End the lane, whatever it does; its workers end with it."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> int:
        """Let the lane end, which has nothing to do or is dead; return its exit code."""
        assert self._process.stdin is not None
        with anyio.CancelScope(shield=True):
            await self._process.stdin.aclose()
            with anyio.move_on_after(LANE_END_S):
                await self._process.wait()
            if self._process.returncode is None:
                self.kill()
            code = await self._process.wait()
            await self._process.aclose()
        return code


def death_of(code: int, job_dir: Path) -> tuple[str, ExitCode]:
    """Return how a lane died that ended with a code, and the code of a run that gives it up."""
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    sentence = f"its lane {how} ({job_dir / LOG_NAME} has its last words)"
    return sentence, ExitCode.STOPPED if code < 0 else ExitCode.DEFECT


def remove_empty_log(job_dir: Path) -> None:
    """Remove the lanes' log where none of them said anything."""
    path = job_dir / LOG_NAME
    with suppress(OSError):
        if not path.stat().st_size:
            path.unlink()
