"""Bench of the main job: one table of ratios, all of one run on one machine.

    python scripts/bench.py [--only upload|cpu|memory ...] [--quick] [--json F]

upload   The same archive into the same local Studio (50 ms latency, 1 s processing): bulkload
         against the vendor's client as its documentation shows, plain and in 16 threads.
         A file of the vendor's loop is timed on a part of the archive; ratios are per file.
         bulkload's time is that of the whole command, from start of the interpreter to its end.
cpu      bulkload without latency against the floor: CSV to zstd Parquet in as many processes
         as there are cores, and nothing else. Starting the processes is part of both.
memory   Peak memory of bulkload's parent process with many tiny measurements against few.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from scripts.bench_processes import HERE, Studio, Taken, bulkload, run, studio
from scripts.make_archive import ArchiveSize, write_archive

MIB: Final = 2**20

LATENCY_S: Final = 0.05
PROCESSING_S: Final = 1.0
THREADS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured."""

    archive: ArchiveSize
    #: Files that the vendor's loops upload, plain and in threads.
    plain_files: int
    threaded_files: int
    #: Runs of what is quick; the median counts.
    repeats: int
    few: ArchiveSize
    many: ArchiveSize


FULL: Final = Scale(
    archive=ArchiveSize(cells=128, measurements=16, rows=20_000, steps=200),
    plain_files=12,
    threaded_files=48,
    repeats=3,
    few=ArchiveSize(cells=50, measurements=20, rows=24, steps=4),
    many=ArchiveSize(cells=1000, measurements=20, rows=24, steps=4),
)

QUICK: Final = Scale(
    archive=ArchiveSize(cells=2, measurements=2, rows=400, steps=4),
    plain_files=1,
    threaded_files=2,
    repeats=1,
    few=ArchiveSize(cells=2, measurements=2, rows=24, steps=4),
    many=ArchiveSize(cells=4, measurements=4, rows=24, steps=4),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table."""

    what: str
    value: str
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one bench found: lines for people, figures for machines."""

    lines: list[Line]
    figures: dict[str, Any]


def upload_bench(scale: Scale, folder: Path) -> Result:
    """Measure bulkload against the vendor's client."""
    archive = _archive(folder, "archive", scale.archive)
    ours, threads = [], []
    # Turn by turn: what slows the machine down for a while slows both.
    for _ in range(scale.repeats):
        taken, _ = _uploaded(
            archive, scale.archive, folder, latency_s=LATENCY_S, processing_s=PROCESSING_S
        )
        ours.append(taken)
        threads.append(_official(archive, scale.threaded_files, threads=THREADS)[0])
    plain_s, plain_cpu_s = _official(archive, scale.plain_files, threads=0)
    our_s = statistics.median(one.seconds for one in ours) / scale.archive.files
    our_cpu_s = statistics.median(one.cpu_s for one in ours) / scale.archive.files
    threaded = statistics.median(
        theirs / (one.seconds / scale.archive.files)
        for one, theirs in zip(ours, threads, strict=True)
    )
    shape = f"{scale.archive.files} files of {scale.archive.rows:,} rows"
    return Result(
        lines=[
            Line(
                what=f"vendor's client, a loop / bulkload, time a file ({shape})",
                value=f"{plain_s / our_s:.0f}",
                target="at least 150",
            ),
            Line(
                what=f"vendor's client, {THREADS} threads / bulkload, time a file",
                value=f"{threaded:.1f}",
                target="at least 15",
            ),
            Line(
                what="vendor's client, a loop / bulkload, CPU time a file",
                value=f"{plain_cpu_s / our_cpu_s:.1f}",
            ),
        ],
        figures={
            "files": scale.archive.files,
            "bulkload_s_per_file": our_s,
            "vendor_loop_s_per_file": plain_s,
            "vendor_threads_s_per_file": threads,
            "bulkload_cpu_s_per_file": our_cpu_s,
            "vendor_loop_cpu_s_per_file": plain_cpu_s,
            "runs": [_plain(one) for one in ours],
        },
    )


def _official(archive: Path, files: int, *, threads: int) -> tuple[float, float]:
    """Return the seconds and the CPU seconds a file that the vendor's client takes."""
    with studio(latency_s=LATENCY_S, processing_s=PROCESSING_S) as target:
        taken = run(
            [
                sys.executable,
                str(HERE / "bench_official.py"),
                str(archive),
                *("--files", str(files), "--threads", str(threads)),
            ],
            target.environment,
        )
        answer = json.loads(taken.output.splitlines()[-1])
    return answer["seconds"] / answer["files"], answer["cpu_s"] / answer["files"]


def cpu_bench(scale: Scale, folder: Path) -> Result:
    """Measure bulkload without latency against the floor, a run of each in turn."""
    archive = _archive(folder, "archive", scale.archive)
    floors, uploads, checks, studio_s = [], [], [], []
    for _ in range(scale.repeats):
        with tempfile.TemporaryDirectory(dir=folder) as out:
            floors.append(run([sys.executable, str(HERE / "bench_floor.py"), str(archive), out]))
        checks.append(bulkload("check", str(archive)))
        taken, served_s = _uploaded(archive, scale.archive, folder)
        uploads.append(taken)
        studio_s.append(served_s)
    floor = statistics.median(one.seconds for one in floors)
    floor_cpu = statistics.median(one.cpu_s for one in floors)
    files = scale.archive.files

    def line(what: str, seconds: float, below: float, target: str = "") -> Line:
        return Line(what=what, value=f"{seconds / below:.2f}", target=target)

    return Result(
        lines=[
            line(
                "`bulkload upload` without latency / floor, time (the Studio shares the cores)",
                statistics.median(one.seconds for one in uploads),
                floor,
                "below 1.5",
            ),
            line(
                "`bulkload check` (read, validate, digest; no encoding) / floor, time",
                statistics.median(one.seconds for one in checks),
                floor,
            ),
            line(
                "`bulkload upload`, parent and children / floor, CPU time",
                statistics.median(one.cpu_s for one in uploads),
                floor_cpu,
            ),
            line(
                "of it the parent process",
                statistics.median(one.own_cpu_s for one in uploads),
                floor_cpu,
            ),
            line("the local Studio / floor, CPU time", statistics.median(studio_s), floor_cpu),
        ],
        figures={
            "files": files,
            "floor": [_plain(one) for one in floors],
            "check": [_plain(one) for one in checks],
            "upload": [_plain(one) for one in uploads],
            "studio_cpu_s": studio_s,
        },
    )


def memory_bench(scale: Scale, folder: Path) -> Result:
    """Measure the parent's peak memory with few and with many measurements."""
    peaks: dict[int, int] = {}
    runs: dict[str, Any] = {}
    for size in (scale.few, scale.many):
        archive = _archive(folder, f"tiny-{size.files}", size)
        taken, _ = _uploaded(archive, size, folder)
        peaks[size.files] = taken.peak_bytes
        runs[str(size.files)] = _plain(taken)
    few, many = peaks[scale.few.files], peaks[scale.many.files]
    what = (
        f"parent's peak memory, {scale.many.files:,} / {scale.few.files:,} measurements "
        f"(difference {(many - few) / MIB:.0f} MiB)"
    )
    return Result(
        lines=[Line(what=what, value=f"{many / few:.2f}", target="within 60 MiB")],
        figures={"peak_bytes": peaks, "runs": runs},
    )


def _archive(folder: Path, name: str, size: ArchiveSize) -> Path:
    root = folder / name
    if not root.exists():
        write_archive(root, size)
    return root


def _uploaded(
    archive: Path,
    size: ArchiveSize,
    folder: Path,
    *,
    latency_s: float = 0.0,
    processing_s: float = 0.0,
) -> tuple[Taken, float]:
    """Upload an archive into an empty Studio; return what that took, and the Studio's CPU time.

    Ends the bench where not every file arrived: a figure of half a job is none.
    """
    with (
        tempfile.TemporaryDirectory(dir=folder) as job,
        studio(latency_s=latency_s, processing_s=processing_s) as target,
    ):
        summary = Path(job) / "summary.json"
        before_s = target.cpu_s()
        words = ("upload", str(archive), "--job", job, "--summary", str(summary), "--quiet")
        taken = bulkload(*words, environment=target.environment)
        _check_arrived(summary, size, target)
        return taken, target.cpu_s() - before_s


def _check_arrived(summary: Path, size: ArchiveSize, target: Studio) -> None:
    told = json.loads(summary.read_text("utf-8"))
    if told["counts"]["created"] != size.files or told["rows"] != size.files * size.rows:
        raise SystemExit(f"not all arrived at {target.url}: {told}")


def _plain(taken: Taken) -> dict[str, Any]:
    return {name: value for name, value in asdict(taken).items() if name != "output"}


BENCHES: Final[dict[str, Callable[[Scale, Path], Result]]] = {
    "upload": upload_bench,
    "cpu": cpu_bench,
    "memory": memory_bench,
}


def main() -> None:
    """Run the benches asked for and print their table."""
    parser = argparse.ArgumentParser(description="Bench of the main job.")
    parser.add_argument("--only", nargs="+", choices=sorted(BENCHES), default=sorted(BENCHES))
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--folder", type=Path, help="keep the archives here for the next time")
    args = parser.parse_args()
    scale = QUICK if args.quick else FULL
    results: dict[str, Any] = {"cores": os.cpu_count(), "quick": args.quick}
    print("| what | ratio | target |\n| --- | ---: | --- |", flush=True)
    with tempfile.TemporaryDirectory(prefix="bulkload-bench-") as scratch:
        folder = args.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for name, bench in BENCHES.items():
            if name in args.only:
                result = bench(scale, folder)
                results[name] = result.figures
                for line in result.lines:
                    print(f"| {line.what} | {line.value} | {line.target} |", flush=True)
    if args.json is not None:
        args.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
