"""A local Studio as a child process, for ``--local`` and the demo."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bulkload.core.systems import system_of
from bulkload.engine.target import RunningStudio
from bulkload.errors import SettingsError

_SYSTEM: Final = system_of(sys.platform)

#: How long a Studio may take until it answers: it starts in about a second.
START_LIMIT_S: Final = 60.0
#: How often its port file is looked for.
START_POLL_S: Final = 0.02
#: How long it may take to end.
END_LIMIT_S: Final = 10.0


@contextmanager
def local_studio(data: Path, *, options: Sequence[str] = ()) -> Iterator[RunningStudio]:
    """Run a Studio on ``data`` for the length of the block; it keeps its data.

    Raises ``SettingsError`` if it cannot start, with the end of its standard error.
    """
    data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bulkload-studio-") as scratch:
        port_file = Path(scratch) / "port"
        errors = Path(scratch) / "stderr"
        command = [sys.executable, "-m", "bulkload", "studio", "--data", str(data)]
        with errors.open("wb") as stderr:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
                [*command, "--port-file", str(port_file), "--ends-with-stdin", *options],
                # Never written to: it closes with this process, and that ends the Studio.
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                # Ctrl-C is for the run, which still needs the Studio to end well.
                start_new_session=_SYSTEM.has_sessions,
                creationflags=_SYSTEM.creation_flags,
            )
        try:
            _wait_for(port_file, process, errors)
            yield _reach(data)
        finally:
            _end(process)


def _wait_for(port_file: Path, process: subprocess.Popen[bytes], errors: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = errors.read_text("utf-8", errors="replace").strip()[-500:]
            raise SettingsError(f"the local Studio did not start: {tail or 'it printed nothing'}")
        time.sleep(START_POLL_S)


def _reach(data: Path) -> RunningStudio:
    address = json.loads((data / "studio.json").read_text("utf-8"))
    return RunningStudio(
        url=address["url"],
        project_id=address["project_id"],
        api_key=(data / "api_key").read_text("utf-8").strip(),
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
