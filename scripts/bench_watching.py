"""What it costs to be watched: CPU time of an upload's parent process with and without a view.

    python scripts/bench_watching.py [--cells N] [--measurements N] [--repeats N]

Each act of watching is measured by itself, with 128 measurements under way: what is done once a
second costs that much CPU in each second (``--direct`` does only that). Then the same archive of
small measurements is uploaded into the same local Studio, turn by turn: unwatched (quiet, and the
state on disk written once only), with the state on disk, with the live view on a terminal of 120
columns, and with metrics that are asked for once a second beside it. Counted is the parent process
alone, all its threads, from the start of the command to its end; the medians are compared.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import json
import os
import pty
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client import generate_latest
from rich.console import Console, Group
from rich.live import Live

from bulkload.cli.live.text import live_lines
from bulkload.clock import SystemClock
from bulkload.engine.metrics import SnapshotCollector
from bulkload.engine.progress import Progress
from scripts.bench_processes import studio
from scripts.make_archive import ArchiveSize, write_archive

#: Runs a command of ours, and writes the CPU seconds of this process alone into a file.
_PROGRAM: Final = """
import json, os, sys, time
import bulkload.engine.live_file as live_file
if os.environ["WATCHED"] == "no":
    live_file.WRITE_EVERY_S = 1e9
from bulkload.cli import run
from bulkload.cli.output.terminal import queued_output
began = time.perf_counter()
with queued_output():
    code = run(sys.argv[1:])
taken = {"code": code, "cpu_s": time.process_time(), "seconds": time.perf_counter() - began}
with open(os.environ["TAKEN"], "w") as file:
    json.dump(taken, file)
"""

VARIANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "unwatched": ("--quiet",),
    "state on disk": ("--quiet",),
    "and the live view": (),
    "and metrics, asked each second": ("--metrics", "0"),
}
#: Measurements under way, and how often an act is repeated, where acts are measured by themselves.
UNDER_WAY: Final = 128
ACTS: Final = 300
#: Seconds between two requests for the metrics.
SCRAPE_EVERY_S: Final = 1.0


def upload(variant: str, archive: Path, folder: Path, environment: Mapping[str, str]) -> float:
    """Upload an archive on a terminal; return the CPU seconds of the parent process."""
    taken = folder / "taken.json"
    command = [
        sys.executable, "-c", _PROGRAM, "upload", str(archive), "--job", str(folder / "job"),
        *VARIANTS[variant],
    ]  # fmt: skip
    more = {"TAKEN": str(taken), "WATCHED": "no" if variant == "unwatched" else "yes"}
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | environment | more
    )
    os.close(theirs)
    _read(ours)
    os.close(ours)
    process.wait()
    found = json.loads(taken.read_text("utf-8"))
    if found["code"]:
        raise SystemExit(f"{variant}: the upload ended with code {found['code']}")
    print(f"{variant}: {found['cpu_s']:.2f} s of CPU, {found['seconds']:.1f} s", flush=True)
    return float(found["cpu_s"])


def _read(terminal: int) -> None:
    """Take all that is written; ask for the metrics once their address is known."""
    said, is_asked = "", False
    has_ended = threading.Event()
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        said = (said + data.decode("utf-8", "replace"))[-4096:]
        address = re.search(r"metrics: (http://\S+)", said)
        if address is not None and not is_asked:
            is_asked = True
            threading.Thread(target=_scrape, args=(address[1], has_ended), daemon=True).start()
    has_ended.set()


def _scrape(address: str, has_ended: threading.Event) -> None:
    while not has_ended.wait(SCRAPE_EVERY_S):
        with suppress(OSError), urllib.request.urlopen(address) as answer:
            answer.read()


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


def _ms(act: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(ACTS):
        act()
    return (time.process_time() - began) / ACTS * 1000


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cells", type=int, default=50)
    parser.add_argument("--measurements", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--direct", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bulkload-watching-") as scratch:
        acts = each_act_ms(Path(scratch))
    print("| act, once a second | CPU, ms |\n|---|---:|")
    for act, milliseconds in {**acts, "all of them": sum(acts.values())}.items():
        print(f"| {act} | {milliseconds:.2f} |")
    if asked.direct:
        return
    size = ArchiveSize(cells=asked.cells, measurements=asked.measurements, rows=24, steps=4)
    found: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory(prefix="bulkload-watching-") as scratch:
        archive = Path(scratch) / "archive"
        write_archive(archive, size)
        for turn in range(asked.repeats):
            for variant in VARIANTS:
                folder = Path(scratch) / f"{variant}-{turn}"
                folder.mkdir()
                with studio() as one:
                    taken = upload(variant, archive, folder, one.environment)
                found[variant].append(taken)
    base = statistics.median(found["unwatched"])
    print(f"\n| parent process, {size.files} measurements | CPU, s | more |\n|---|---:|---:|")
    for variant, all_taken in found.items():
        median = statistics.median(all_taken)
        print(f"| {variant} | {median:.2f} | {(median / base - 1) * 100:+.1f} % |")


if __name__ == "__main__":
    main()
