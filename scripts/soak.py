"""Soak: one long upload of tiny measurements, looked at from outside, tenth by tenth.

    python scripts/soak.py [--measurements 1000000] [--lanes 1] [--json F]

What must not grow from the first tenth to the last: memory and open files of the command and all
its processes, bytes of the journal a measurement, seconds a measurement. Then the same command
again (a finished job asks nothing), and once more with the journals lost: Studio's listing is swept
once, and no file is read. Twelve rows a measurement, into a local Studio of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from scripts.bench_processes import Studio, bulkload, studio
from scripts.make_archive import ArchiveSize, write_archive

MIB: Final = 2**20
ROWS: Final = 12
#: Measurements of a cell.
A_CELL: Final = 100
#: Seconds between two looks at the command.
LOOK_S: Final = 0.5
TENTHS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The command and its processes at a moment."""

    at_s: float
    done: int
    memory_bytes: int
    open_files: int
    journal_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenth:
    """A tenth of the measurements."""

    done: int
    rate: float
    #: The most of both in it.
    memory_mib: float
    open_files: int
    journal_bytes_each: float


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measurements", type=int, default=1_000_000)
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures there")
    asked = parser.parse_args()
    a_cell = min(A_CELL, asked.measurements)
    size = ArchiveSize(
        cells=asked.measurements // a_cell, measurements=a_cell, rows=ROWS, steps=ROWS // 4
    )
    with tempfile.TemporaryDirectory(prefix="bulkload-soak-") as scratch, studio() as target:
        archive = Path(scratch) / "archive"
        write_archive(archive, size)
        words = ["upload", str(archive), "--job", f"{scratch}/job"]
        lanes = ["--lanes", str(asked.lanes)] + ["--parts", "1"] * (asked.lanes == 1)
        looks = list(soaked([*words, *lanes], Path(scratch) / "job", target))
        tenths = list(tenths_of(looks, size.files))
        show(tenths, size.files)
        again = repeated([*words, *lanes], Path(scratch), target)
        words[-1] = f"{scratch}/lost"
        lost = repeated([*words, *lanes], Path(scratch), target)
    print(f"the same command again: {again['seconds']:.1f} s, {again['requests']} requests")
    print(
        f"with the journals lost: {lost['seconds']:.1f} s, {lost['requests']:,} requests, "
        f"{lost['bytes_read']:,} bytes of files read; {lost['counts']}"
    )
    if asked.json:
        figures = {"tenths": [asdict(one) for one in tenths], "again": again, "lost": lost}
        asked.json.write_text(json.dumps(figures), "utf-8")


def soaked(words: Sequence[str], job: Path, target: Studio) -> Iterator[Look]:
    """Upload; yield what is seen of the command until it ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bulkload", *words, "--quiet"],
        env=os.environ | target.environment,
        stdout=subprocess.DEVNULL,
    )
    began = time.perf_counter()
    while process.poll() is None:
        time.sleep(LOOK_S)
        with suppress(psutil.Error, OSError, ValueError, KeyError):
            yield look(process.pid, job, time.perf_counter() - began)
    if process.returncode:
        raise SystemExit(f"the upload ended with code {process.returncode}")


def look(pid: int, job: Path, at_s: float) -> Look:
    """Look at a run: its state as it writes it, its processes as the system sees them."""
    states = [json.loads(one.read_text("utf-8")) for one in job.glob("**/live.json")]
    parent = psutil.Process(pid)
    tree = [parent, *parent.children(recursive=True)]
    return Look(
        at_s=at_s,
        done=sum(dict(one["counts"]).get("created", 0) for one in states),
        memory_bytes=sum(one.memory_info().rss for one in tree),
        open_files=sum(one.num_fds() for one in tree),
        journal_bytes=sum(one.stat().st_size for one in job.glob("**/journal.sqlite")),
    )


def tenths_of(looks: Sequence[Look], files: int) -> Iterator[Tenth]:
    """Yield what was seen of each tenth; one that was over between two looks is left out."""
    for number in range(TENTHS):
        low, high = files * number / TENTHS, files * (number + 1) / TENTHS
        seen = [one for one in looks if low < one.done <= high]
        if len(seen) < 2 or seen[-1].done == seen[0].done:
            continue
        first, last = seen[0], seen[-1]
        yield Tenth(
            done=last.done,
            rate=(last.done - first.done) / (last.at_s - first.at_s),
            memory_mib=max(one.memory_bytes for one in seen) / MIB,
            open_files=max(one.open_files for one in seen),
            journal_bytes_each=last.journal_bytes / last.done,
        )


def show(tenths: Sequence[Tenth], files: int) -> None:
    """Print the tenths, and the last over the first."""
    print(f"{files:,} measurements of {ROWS} rows")
    print("| done | a second | memory of the tree, MiB | open files | journal, bytes each |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for one in tenths:
        print(
            f"| {one.done:,} | {one.rate:.1f} | {one.memory_mib:.0f} | {one.open_files} "
            f"| {one.journal_bytes_each:,.0f} |"
        )
    if len(tenths) > 1:
        first, last = tenths[0], tenths[-1]
        print(
            f"| last / first | {last.rate / first.rate:.2f} "
            f"| {last.memory_mib / first.memory_mib:.2f} "
            f"| {last.open_files / first.open_files:.2f} "
            f"| {last.journal_bytes_each / first.journal_bytes_each:.2f} |"
        )


def repeated(words: Sequence[str], scratch: Path, target: Studio) -> dict[str, Any]:
    """Run a command whose work is done already; return its seconds and its account."""
    summary = scratch / "summary.json"
    told = ("--quiet", "--summary", str(summary))
    taken = bulkload(*words, *told, environment=target.environment)
    account = json.loads(summary.read_text("utf-8"))
    kept = {name: account[name] for name in ("requests", "bytes_read")}
    counts = {kind: count for kind, count in account["counts"].items() if count}
    return {"seconds": taken.seconds, "counts": counts, **kept}


if __name__ == "__main__":
    main()
