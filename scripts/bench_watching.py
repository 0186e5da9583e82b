"""What it costs to be watched: the parent process of an upload, unwatched and watched.

    python scripts/bench_watching.py [--cells N] [--measurements N] [--pairs N] [--counted N]

Each act of watching is measured by itself, with 128 measurements under way: what is done once a
second costs that much CPU in each second, what is written into the log so much a measurement
(``--direct`` does only that).

Then the same archive of small measurements is uploaded into a local Studio, in pairs, one after the
other, the first of each in turn:

- unwatched: no log, no state on disk, no view;
- watched: log, state on disk, the live view on a terminal of 120 columns, metrics that are asked
  for once a second, and the page with three viewers that read its stream.

What is counted is the parent process alone, all its threads, from where it begins to plan to its
end: not the start of the interpreter, and no report, which both would write. It is counted in CPU
seconds, and where valgrind is installed in instructions too (callgrind, user space), which a busy
machine does not change. Printed is the median of the ratios of the pairs. The page is a process of
its own: its CPU stands beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import io
import json
import os
import pty
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import psutil
from prometheus_client import generate_latest
from rich.console import Console, Group
from rich.live import Live

from bulkload.cli.live.lines import live_lines
from bulkload.clock import SystemClock
from bulkload.core.lifecycle import JobState, Stored
from bulkload.core.plan_items import UploadJob
from bulkload.core.terms import JobKey
from bulkload.engine.jobs import JobContext
from bulkload.engine.log import LogWatcher, open_log
from bulkload.engine.metrics import SnapshotCollector
from bulkload.engine.progress import Progress
from scripts.bench_processes import Studio, studio
from scripts.make_archive import ArchiveSize, write_archive

#: Runs a command of ours, and writes the CPU seconds of this process alone into a file. Under
#: callgrind, which makes a program slower, its clock goes slower by as much: what is done once a
#: second is done as often a measurement as without.
_PROGRAM: Final = """
import contextlib, json, os, subprocess, sys, time
import bulkload.cli.jobs.run, bulkload.cli.live.view, bulkload.clock
import bulkload.engine.live_file, bulkload.engine.log
slowdown = float(os.environ["SLOWDOWN"])
clock = bulkload.clock.SystemClock
monotonic, sleep = clock.monotonic, clock.sleep
if slowdown > 1:
    clock.monotonic = lambda self: monotonic(self) / slowdown
    clock.sleep = lambda self, seconds: sleep(self, seconds * slowdown)
    bulkload.cli.live.view.REDRAW_EVERY_S *= slowdown
bulkload.cli.jobs.run.report_after = lambda *_: None
carry_out, began = bulkload.cli.jobs.run._watched, []
async def counted(*words):
    if slowdown > 1:
        control = ["callgrind_control", "-i", "on", str(os.getpid())]
        subprocess.run(control, capture_output=True, check=True)
    began.append((time.process_time(), time.perf_counter()))
    return await carry_out(*words)
bulkload.cli.jobs.run._watched = counted
if os.environ["WATCHED"] == "no":
    bulkload.engine.live_file.WRITE_EVERY_S = 1e9
    bulkload.engine.log.LogWatcher._write = lambda *_: None
    bulkload.cli.jobs.run.shown_live = lambda *_: contextlib.nullcontext()
from bulkload.cli import run
from bulkload.cli.output.terminal import queued_output
with queued_output():
    code = run(sys.argv[1:])
cpu_s, at = began[0]
taken = {"code": code, "cpu_s": time.process_time() - cpu_s, "seconds": time.perf_counter() - at}
with open(os.environ["TAKEN"], "w") as file:
    json.dump(taken, file)
"""
#: How much slower callgrind is than the machine.
SLOWDOWN: Final = 30.0

OPTIONS: Final[Mapping[bool, tuple[str, ...]]] = {
    False: (),
    True: ("--page", "--metrics", "0"),
}
#: Viewers of the page.
VIEWERS: Final = 3
#: Measurements under way, and how often an act is repeated, where acts are measured by themselves.
UNDER_WAY: Final = 128
ACTS: Final = 300
#: Seconds between two requests for the metrics.
SCRAPE_EVERY_S: Final = 1.0
#: Lines of the log of a measurement that is created.
LOG_LINES: Final = 6


@dataclass(slots=True)
class Watched:
    """What one upload took, and what its watchers saw."""

    seconds: float = 0.0
    cpu_s: float = 0.0
    #: Millions of instructions, 0 where they were not counted.
    instructions: float = 0.0
    #: States of the page that all viewers together were sent, and answers of the metrics.
    states: int = 0
    scrapes: int = 0
    page_cpu_s: float = 0.0


class Pair(NamedTuple):
    """The same upload twice."""

    unwatched: Watched
    watched: Watched


def upload(archive: Path, folder: Path, to: Studio, *, watched: bool, counted: bool) -> Watched:
    """Upload an archive on a terminal; return what the parent process took."""
    taken = folder / "taken.json"
    command = [
        sys.executable, "-c", _PROGRAM, "upload", str(archive), "--job", str(folder / "job"),
        *OPTIONS[watched],
    ]  # fmt: skip
    if counted:
        count = folder / "callgrind"
        valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no"]
        command = [*valgrind, f"--callgrind-out-file={count}", *command]
    slowdown = SLOWDOWN if counted else 1.0
    more = {
        "TAKEN": str(taken),
        "WATCHED": "yes" if watched else "no",
        "SLOWDOWN": str(slowdown),
        "PYTHONHASHSEED": "0",
    }
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs,
        env=os.environ | to.environment | more,
    )  # fmt: skip
    os.close(theirs)
    found = Watched()
    said = _read(ours, _Watchers(found, psutil.Process(process.pid), slowdown))
    os.close(ours)
    process.wait()
    if not taken.exists() or (ended := json.loads(taken.read_text("utf-8")))["code"]:
        raise SystemExit(f"the upload failed:\n{said}")
    found.cpu_s, found.seconds = ended["cpu_s"], ended["seconds"]
    if counted:
        found.instructions = int(said.rpartition("Collected : ")[2].split()[0]) / 1e6
    return found


class _Watchers:
    """Those who look at a run from outside: once the addresses are known."""

    def __init__(self, found: Watched, parent: psutil.Process, slowdown: float) -> None:
        self._found, self._parent, self._slowdown = found, parent, slowdown
        self._has_ended = threading.Event()
        self._begun: set[str] = set()
        self._page: psutil.Process | None = None

    def read(self, said: str) -> None:
        """Begin to look at what a text of the terminal gives the address of."""
        metrics = re.search(r"metrics: (http://\S+?)\s", said)
        if metrics is not None:
            self._begin(self._scrape, metrics[1], 1)
        page = re.search(r"page: (http://\S+?)\s", said)
        if page is not None:
            self._begin(self._view, f"{page[1]}stream", VIEWERS)

    def end(self) -> None:
        """Note what the page took: it goes on for some seconds after the run."""
        self._has_ended.set()
        if self._page is not None:
            with suppress(psutil.Error):
                times = self._page.cpu_times()
                self._found.page_cpu_s = times.user + times.system

    def _begin(self, act: Callable[[str], None], address: str, count: int) -> None:
        if address not in self._begun:
            self._begun.add(address)
            for _ in range(count):
                threading.Thread(target=act, args=(address,), daemon=True).start()

    def _scrape(self, address: str) -> None:
        while not self._has_ended.wait(SCRAPE_EVERY_S * self._slowdown):
            with suppress(OSError), urllib.request.urlopen(address) as answer:
                answer.read()
                self._found.scrapes += 1

    def _view(self, address: str) -> None:
        with suppress(psutil.Error):
            self._page = next(
                child
                for child in self._parent.children()
                if "bulkload.report.page" in child.cmdline()
            )
        with suppress(OSError), urllib.request.urlopen(address) as stream:
            for line in stream:
                self._found.states += line.startswith(b"event: state")


def _read(terminal: int, watchers: _Watchers) -> str:
    """Take all that is written; return the last of it."""
    said = ""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        said = (said + data.decode("utf-8", "replace"))[-8192:]
        watchers.read(said)
    watchers.end()
    return said


def each_act_ms(folder: Path) -> dict[str, float]:
    """Return the CPU time of each act of watching, in milliseconds."""
    progress = Progress(SystemClock())
    progress.plan_is_complete(5000, prepare=2, api=32, storage=32)
    names = progress.stages.names[1:]
    for number in range(UNDER_WAY):
        stage = names[number % len(names)]
        progress.entered(number, stage, f"/archive/NMC 21700/NMC-{number % 40}/{number}.csv")
    state = progress.snapshot()
    console = Console(file=io.StringIO(), force_terminal=True, width=120, height=40)
    path = folder / "live.json"
    with Live(console=console, auto_refresh=False, redirect_stdout=False) as live:
        return {
            "state of the run": _ms(progress.snapshot),
            "state written to disk": _ms(
                lambda: path.write_text(json.dumps(state.as_json()), "utf-8")
            ),
            "drawing": _ms(lambda: live.update(Group(*live_lines(state, 120, 40)), refresh=True)),
            "metrics": _ms(lambda: generate_latest(SnapshotCollector(lambda: state))),
        }


def log_ms(folder: Path) -> float:
    """Return the CPU time of the log of one measurement, in milliseconds."""
    job = UploadJob(key=JobKey("NMC 21700", "NMC-1", "test 1"), path="/archive/1.csv")
    context = JobContext(
        id=1, job=job, state=JobState.INITIATED, known_ids=frozenset(), stored=None,
        instance_id=None, measurement_id=None, source_sha256=None, raw_data_id=None,
        has_attempted_extension=False,
    )  # fmt: skip
    logger, file = open_log(folder / "log.jsonl", run=1)
    with file:
        watcher = LogWatcher(logger, file)

        async def lines() -> None:
            for _ in range(LOG_LINES):
                watcher.on_event(context, Stored())

        return _ms(lambda: asyncio.run(lines())) - _ms(lambda: asyncio.run(asyncio.sleep(0)))


def _ms(act: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(ACTS):
        act()
    return (time.process_time() - began) / ACTS * 1000


def pairs(archive: Path, scratch: Path, count: int, *, counted: bool) -> list[Pair]:
    """Upload unwatched and watched, turn by turn."""
    found = []
    for turn in range(count):
        one: dict[bool, Watched] = {}
        for watched in (turn % 2 == 1, turn % 2 == 0):
            folder = Path(tempfile.mkdtemp(dir=scratch))
            with studio() as to:
                one[watched] = upload(archive, folder, to, watched=watched, counted=counted)
            print(f"{'watched' if watched else 'unwatched'}: {one[watched]}", file=sys.stderr)
        found.append(Pair(one[False], one[True]))
    return found


def _print(name: str, unit: str, pairs: Sequence[Pair], of: Callable[[Watched], float]) -> None:
    if not pairs:
        return
    ratios = [of(pair.watched) / of(pair.unwatched) for pair in pairs]
    medians = [statistics.median(map(of, one)) for one in zip(*pairs, strict=True)]
    more = (statistics.median(ratios) - 1) * 100
    spread = f"{(min(ratios) - 1) * 100:+.1f} to {(max(ratios) - 1) * 100:+.1f} %"
    figures = " | ".join(f"{one:,.2f} {unit}" for one in medians)
    print(f"| {name} | {len(pairs)} | {figures} | {more:+.1f} % | {spread} |")


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cells", type=int, default=50)
    parser.add_argument("--measurements", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--counted", type=int, default=1, help="pairs that callgrind counts")
    parser.add_argument("--direct", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bulkload-watching-") as scratch:
        acts = each_act_ms(Path(scratch))
        of_log = log_ms(Path(scratch))
    print("| act, once a second | CPU, ms |\n|---|---:|")
    for act, milliseconds in {**acts, "all of them": sum(acts.values())}.items():
        print(f"| {act} | {milliseconds:.2f} |")
    print(f"\nThe log of one measurement: {of_log:.3f} ms")
    if asked.direct:
        return
    size = ArchiveSize(cells=asked.cells, measurements=asked.measurements, rows=24, steps=4)
    with tempfile.TemporaryDirectory(prefix="bulkload-watching-") as scratch:
        archive = Path(scratch) / "archive"
        write_archive(archive, size)
        has_valgrind = shutil.which("valgrind") is not None
        timed = pairs(archive, Path(scratch), asked.pairs, counted=False)
        counted = pairs(archive, Path(scratch), asked.counted * has_valgrind, counted=True)
    print(
        f"\n| parent process, {size.files} measurements | pairs | unwatched | watched | more |",
        end="",
    )
    print(" from pair to pair |\n|---|---:|---:|---:|---:|---:|")
    _print("CPU", "s", timed, lambda one: one.cpu_s)
    _print("instructions", "M", counted, lambda one: one.instructions)
    if timed:
        _print_seen([pair.watched for pair in timed])


def _print_seen(watched: Sequence[Watched]) -> None:
    def median(of: Callable[[Watched], float]) -> float:
        return statistics.median(map(of, watched))

    print(
        f"\nIn a watched run of {median(lambda one: one.seconds):.1f} s the {VIEWERS} viewers were "
        f"sent {median(lambda one: one.states):.0f} states together, the metrics were asked for "
        f"{median(lambda one: one.scrapes):.0f} times, and the page took "
        f"{median(lambda one: one.page_cpu_s):.2f} s of CPU in its own process."
    )


if __name__ == "__main__":
    main()
