"""Commands that a bench runs, and what they took: time, CPU, memory of the process alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

HERE: Final = Path(__file__).resolve().parent

#: How often a process is looked at. Its peak is kept by the system where that is known, so
#: only what happens in its last moments can be missed.
POLL_S: Final = 0.05

#: What a command finds in the environment: modules are compiled once, as where they are installed.
COMPILED: Final = {"PYTHONDONTWRITEBYTECODE": ""}

#: How long a Studio may take until it answers.
START_LIMIT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a command took."""

    seconds: float
    #: User and system time of the process and of all its children, in s.
    cpu_s: float
    #: The same of the process alone.
    own_cpu_s: float
    #: Peak resident memory of the process alone.
    peak_bytes: int
    output: str


class _Look:
    """Looks at one process until it ends."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._seen = psutil.Process(process.pid)
        self.peak_bytes = 0
        self.own_cpu_s = 0.0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._thread.join()

    def _watch(self) -> None:
        while self._process.poll() is None:
            try:
                self.peak_bytes = max(self.peak_bytes, _peak_bytes(self._seen))
                times = self._seen.cpu_times()
            except psutil.Error:
                return
            self.own_cpu_s = times.user + times.system
            time.sleep(POLL_S)


def _peak_bytes(process: psutil.Process) -> int:
    """Return the high-water mark of a process, its present size where the system keeps none."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        for line in status.read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    memory = process.memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))


def run(command: Sequence[str], environment: Mapping[str, str] = {}) -> Taken:
    """Run a command to its end; raises ``SystemExit`` with its words where it fails."""
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        cpu_before = _children_cpu_s()
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=stdout,
            stderr=stderr,
            text=True,
            env=os.environ | {**COMPILED, **environment},
        )
        look = _Look(process)
        code = process.wait()
        seconds = time.perf_counter() - began
        look.end()
        stdout.seek(0)
        stderr.seek(0)
        output = stdout.read()
        if code:
            words = (stderr.read() + output)[-2000:]
            raise SystemExit(f"{' '.join(command)}\nended with code {code}:\n{words}")
    return Taken(
        seconds=seconds,
        cpu_s=_children_cpu_s() - cpu_before,
        own_cpu_s=look.own_cpu_s,
        peak_bytes=look.peak_bytes,
        output=output,
    )


def _children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """A local Studio in a process of its own."""

    url: str
    project_id: str
    process: psutil.Process
    api_key: str = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """What tells a client where it is."""
        return {
            "IONWORKS_API_URL": self.url,
            "IONWORKS_API_KEY": self.api_key,
            "IONWORKS_PROJECT_ID": self.project_id,
        }

    def cpu_s(self) -> float:
        """Return the CPU time it has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def studio(*, latency_s: float = 0.0, processing_s: float = 0.0) -> Iterator[Studio]:
    """Run an empty Studio for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="bulkload-bench-") as folder:
        data, port_file = Path(folder) / "studio", Path(folder) / "port"
        process = subprocess.Popen(
            [
                *(sys.executable, str(HERE / "bench_studio.py"), str(data), str(port_file)),
                *("--latency", str(latency_s), "--processing", str(processing_s)),
            ],
            env=os.environ | COMPILED,
        )
        try:
            _wait_for(port_file, process)
            address = json.loads((data / "studio.json").read_text("utf-8"))
            yield Studio(
                url=address["url"],
                project_id=address["project_id"],
                process=psutil.Process(process.pid),
                api_key=(data / "api_key").read_text("utf-8").strip(),
            )
        finally:
            process.terminate()
            process.wait()


def _wait_for(port_file: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the local Studio did not start")
        time.sleep(POLL_S)


def bulkload(*words: str, environment: Mapping[str, str] = {}) -> Taken:
    """Run a command of bulkload as a user would."""
    return run([sys.executable, "-m", "bulkload", *words], environment)
