"""Commands run for real: in this process, with real children and real HTTP, or as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from bulkload.cli import run
from bulkload.journal import FILE_NAME
from bulkload.journal.database import connect
from bulkload.localstudio import LocalStudio

StartStudio = Callable[..., LocalStudio]

#: A process that does not come to the awaited point in this time has hung, in seconds.
PATIENCE_S = 180.0
#: How often a condition is looked at where nothing tells of it, in seconds.
LOOK_S = 0.005


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    job: Path | None = None

    @property
    def summary(self) -> dict[str, Any]:
        """The summary that the job folder holds."""
        assert self.job is not None
        found: dict[str, Any] = json.loads((self.job / "summary.json").read_text("utf-8"))
        return found

    @property
    def counts(self) -> dict[str, int]:
        """The outcomes that there were."""
        return {kind: count for kind, count in self.summary["counts"].items() if count}

    @property
    def rows(self) -> dict[str, Row]:
        """The journal's rows by the measurement's name."""
        assert self.job is not None
        return {row.measurement: row for row in job_rows(self.job)}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the journal says of a job."""

    measurement: str
    cell: str
    path: str
    state: str
    cause: str
    message: str
    measurement_id: str | None
    rows: int | None


def job_rows(job: Path) -> list[Row]:
    """Return the rows of a job folder's journal."""
    names = Row.__dataclass_fields__
    with closing(connect(job / FILE_NAME, is_read_only=True)) as reader:
        found = reader.execute("SELECT * FROM job ORDER BY id").fetchall()
        return [Row(**{name: row[name] for name in names}) for row in found]


def event_names(job: Path, measurement: str) -> list[str]:
    """Return the names of what happened to a measurement, in order."""
    with closing(connect(job / FILE_NAME, is_read_only=True)) as reader:
        rows = reader.execute(
            "SELECT name FROM event JOIN job ON event.job = job.id "
            "WHERE measurement=? ORDER BY event.id",
            (measurement,),
        ).fetchall()
        return [row["name"] for row in rows]


def environment_of(studio: LocalStudio) -> dict[str, str]:
    """Return the settings that lead a client to a local Studio."""
    return {
        "IONWORKS_API_KEY": studio.api_key,
        "IONWORKS_API_URL": studio.url,
        "IONWORKS_PROJECT_ID": studio.project_id,
    }


@dataclass(kw_only=True)
class Jobs:
    """Runs commands in this process: the real command line, real children, real HTTP."""

    folder: Path
    environment: pytest.MonkeyPatch
    captured: pytest.CaptureFixture[str]
    #: Children of a run: one starts faster than two, and most tests read a handful of files.
    workers: int = 1
    _settings: Mapping[str, str] = field(default_factory=dict)

    def use(self, studio: LocalStudio) -> None:
        """Make a Studio the target of what follows."""
        for name, value in environment_of(studio).items():
            self.environment.setenv(name, value)

    def command(self, *words: str | Path) -> Ended:
        """Run a command as ``bulkload`` with these words would."""
        tokens = [str(word) for word in words]
        self.environment.setattr(sys, "argv", ["bulkload", *tokens])
        self.captured.readouterr()
        code = run(tokens)
        out, err = self.captured.readouterr()
        return Ended(code=int(code), out=out, err=err)

    def upload(self, *words: str | Path, job: str | Path = "job") -> Ended:
        """Upload sources; ``job`` is the job folder."""
        ended = self.command("upload", *words, "--job", job, "--workers", str(self.workers))
        return Ended(code=ended.code, out=ended.out, err=ended.err, job=self.folder / job)


@dataclass(kw_only=True)
class Running:
    """A command that runs as a process."""

    process: subprocess.Popen[str]
    job: Path

    def wait(self, timeout_s: float = PATIENCE_S) -> Ended:
        """Wait for the end."""
        out, err = self.process.communicate(timeout=timeout_s)
        return Ended(code=self.process.returncode, out=out, err=err, job=self.job)

    def children(self) -> list[psutil.Process]:
        """Return the processes that it has started."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def readers(self) -> list[psutil.Process]:
        """Return its children that read files."""
        return [child for child in self.children() if is_reader(child)]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)


def is_reader(process: psutil.Process) -> bool:
    """Return whether a process is a child that reads files."""
    try:
        return "bulkload.worker.process" in process.cmdline()
    except psutil.Error:
        return False


@contextmanager
def running(
    words: Sequence[str | Path],
    *,
    folder: Path,
    studio: LocalStudio | None = None,
    job: str = "job",
    environment: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    **options: Any,
) -> Iterator[Running]:
    """Run a command as a process; it is killed at the end of the block where it still runs.

    ``before`` are words that start it, such as those of a shell that sets a limit.
    """
    ambient = {name: value for name, value in os.environ.items() if "IONWORKS" not in name}
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "bulkload", *map(str, words)],
        cwd=folder,
        env=ambient | ({} if studio is None else environment_of(studio)) | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    started = Running(process=process, job=folder / job)
    try:
        yield started
    finally:
        orphans = started.children()
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        for orphan in orphans:
            if orphan.is_running():
                orphan.kill()


def until(is_so: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until something is so that nothing tells of; fail where it never is."""
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s in vain: {what}"
        time.sleep(LOOK_S)
