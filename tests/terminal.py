"""A terminal to run commands in: what stands on its screen is read as text."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyte

from tests.jobs import PATIENCE_S


class Terminal:
    """A pseudo-terminal with a process on it, and the screen that a person would see."""

    def __init__(self, columns: int, rows: int) -> None:
        self.screen = pyte.HistoryScreen(columns, rows, history=2000)
        self._stream = pyte.ByteStream(self.screen)
        self.ours, self._theirs = pty.openpty()
        self._set_size(columns, rows)
        #: Everything that was written to it.
        self.written = b""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, words: Sequence[str], **options: Any) -> None:
        """Start a process whose three streams are this terminal, and close the other side."""
        self.process = subprocess.Popen(
            words, stdin=self._theirs, stdout=self._theirs, stderr=self._theirs,
            start_new_session=True, **options,
        )  # fmt: skip
        os.close(self._theirs)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size, as a person who drags the window does."""
        self._set_size(columns, rows)
        self.screen.resize(rows, columns)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def lines(self) -> list[str]:
        """The lines of the screen that are not empty, without what has scrolled away."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    @property
    def whole(self) -> list[str]:
        """The lines that have scrolled away, and those of the screen."""
        history = [
            "".join(line[at].data for at in sorted(line)) for line in self.screen.history.top
        ]
        return [line.rstrip() for line in history if line.strip()] + self.lines

    def read_until(self, is_so: Callable[[], bool], what: str) -> None:
        """Take what is written until the screen is as awaited; fail where it never is."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < deadline, f"waited in vain: {what}\n" + "\n".join(self.lines)
            assert self._read(), f"the process ended before: {what}\n" + "\n".join(self.lines)

    def read_to_end(self) -> int:
        """Take all that is written until the process ends; return its exit code."""
        while self._read():
            pass
        assert self.process is not None
        return self.process.wait(PATIENCE_S)

    def _read(self) -> bool:
        """Take what is there within a second; False once the process has closed its side."""
        if not select.select([self.ours], [], [], 1.0)[0]:
            return True
        try:
            data = os.read(self.ours, 65536)
        except OSError:
            return False
        self.written += data
        self._stream.feed(data)
        return bool(data)


@contextmanager
def terminal(
    words: Sequence[str | Path],
    *,
    folder: Path,
    columns: int,
    rows: int = 40,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """Run a command of ours on a terminal; it is killed at the end where it still runs."""
    ambient = {name: value for name, value in os.environ.items() if "IONWORKS" not in name}
    # What a test run of CI may say of its own output.
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE"):
        ambient.pop(name, None)
    one = Terminal(columns, rows)
    one.start(
        [sys.executable, "-m", "bulkload", *map(str, words)],
        cwd=folder,
        env=ambient | {"TERM": "xterm-256color"} | dict(environment or {}),
    )
    assert one.process is not None
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        with suppress(OSError):
            os.close(one.ours)
