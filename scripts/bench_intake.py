"""Measure the way from an archive to a plan: planning, planning again, interruption, survey.

    python scripts/bench_intake.py [--files 1000000] [--survey-files 100000]
        [--members 10000] [--json FILE]
    python scripts/bench_intake.py --quick              tiny: only shows that it runs

Planning is done over sparse files of 4 KiB, the survey over small texts of a known maker. Each
figure is printed beside what was aimed at, and one that falls short says so.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from bulkload.cli.options.kept import listings_of
from bulkload.cli.options.shared import SourceOptions
from bulkload.core.prepare_result import PrepareOptions
from bulkload.core.survey.propose import Knowledge
from bulkload.engine.planning import planner
from bulkload.journal import Store
from bulkload.journal.database import FILE_NAME
from bulkload.settings import RunSettings
from bulkload.sources.limits import SETTLED_AFTER_NS
from bulkload.surveying.surveyor import default_workers, survey_sources

#: Files of a folder: a cell with this many tests.
FILES_A_CELL = 100
#: Seconds that an interrupted planning may take to end.
INTERRUPT_S = 5.0
#: Turns of the comparisons, of which the quickest counts.
TURNS = 2
SPECIFICATION = {
    "ratings": {
        "capacity": {"value": 2.0, "unit": "A*h"},
        "voltage_min": {"value": 2.5, "unit": "V"},
        "voltage_max": {"value": 4.2, "unit": "V"},
    }
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure, and the most that was aimed at."""

    what: str
    value: float
    unit: str
    #: None: nothing was aimed at.
    aim: float | None = None

    def line(self) -> str:
        """Return the figure as a row of a table."""
        aim = "" if self.aim is None else f"{self.aim:.3g}"
        verdict = "falls short" if self.aim is not None and self.value > self.aim else ""
        return f"| {self.what} | {self.value:.3g} {self.unit} | {aim} | {verdict} |"


def sparse_archive(root: Path, files: int) -> None:
    """Make an archive in the default layout, of files that take no room on the disk."""
    for cell in range(files // FILES_A_CELL):
        folder = root / f"spec {cell % 4}" / f"cell {cell:05d}"
        folder.mkdir(parents=True)
        for test in range(FILES_A_CELL):
            with (folder / f"run {test:03d}.csv").open("wb") as file:
                file.truncate(4096)
    for spec in root.iterdir():
        (spec / "spec.json").write_text(json.dumps(SPECIFICATION), "utf-8")


def survey_archive(root: Path, files: int) -> None:
    """Make an archive of small tests, each different, with names that have to be understood."""
    header = "Time [s],Voltage [V],Current [A],Step count\n"
    rows = "".join(f"{at}.0,3.{at:03d},0.5,0\n" for at in range(40))
    for cell in range(files // FILES_A_CELL):
        folder = root / f"{20 + cell % 3 * 10}degC" / f"LFP-{cell:05d}"
        folder.mkdir(parents=True)
        for test in range(FILES_A_CELL):
            name = f"LFP-{cell:05d}_RPT{test}_2023-{1 + test % 12:02d}-{1 + test % 28:02d}.csv"
            (folder / name).write_text(f"{header}{rows}{cell}.{test},3.1,0.5,0\n", "utf-8")


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long some work takes, on the clock and of processors (children included)."""
    began, before = time.perf_counter(), os.times()
    work()
    after = os.times()
    return time.perf_counter() - began, sum(after[:4]) - sum(before[:4])


def plan(archive: Path, job_dir: Path) -> None:
    """Plan an archive into a job folder, as an upload does before it sends anything."""
    options, prepare_options, sources = SourceOptions(), PrepareOptions(), [str(archive)]
    job_dir.mkdir(exist_ok=True)
    listings = listings_of(sources, options, job_dir)
    read = partial(options.read, sources, prepare_options, listings=listings)
    settings = RunSettings(prepare_options=prepare_options)
    make_plan = planner(read, settings, sources, job_dir, listings=listings)
    with Store(job_dir / FILE_NAME) as store:
        account = make_plan(store, store.begin_run("bench", {}, 0.0), lambda: None)
    if account.problem_count:
        raise SystemExit(f"the plan has {account.problem_count} problems")


def interrupted_s(archive: Path) -> float:
    """Return how long ``bulkload plan`` runs on after Ctrl-C."""
    # Started in the background of a shell, this process ignores the signal, and its children would.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "bulkload", "plan", str(archive)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        try:
            process.wait(timeout=3.0)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        began = time.perf_counter()
        process.wait(timeout=120)
        return time.perf_counter() - began


def peak_mib() -> float:
    """Return the most memory that this process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(
    folder: Path, files: int, survey_files: int, members: int, turns: int
) -> Iterator[Figure]:
    """Make the archives and measure; yield each figure as it is known."""
    archive, job_dir = folder / "sparse", folder / "job"
    archive.mkdir()
    sparse_archive(archive, files)
    # What was written this moment may change unseen, so that its listing is not kept.
    time.sleep(SETTLED_AFTER_NS / 1e9)
    first, first_cpu = seconds(lambda: plan(archive, job_dir))
    scale = files / 1_000_000
    yield Figure(what=f"planning {files:,} files", value=first, unit="s", aim=60 * scale)
    yield Figure(what="processor time of it", value=first_cpu, unit="s", aim=60 * scale)
    yield Figure(what="memory of it", value=peak_mib(), unit="MiB", aim=1024)
    again, again_cpu = seconds(lambda: plan(archive, job_dir))
    yield Figure(what="planning again, nothing changed", value=again, unit="s", aim=first / 3)
    yield Figure(what="processor time of it", value=again_cpu, unit="s", aim=first_cpu / 3)
    yield Figure(what="end after Ctrl-C", value=interrupted_s(archive), unit="s", aim=INTERRUPT_S)
    yield from survey_figures(folder / "tests", survey_files)
    yield from archive_figures(folder, members, turns)


def survey_figures(tests: Path, files: int) -> Iterator[Figure]:
    """Measure a survey beyond the reading of the beginnings of its files."""
    survey_archive(tests, files)
    reading, reading_cpu = seconds(lambda: read_beginnings(tests))
    taken, taken_cpu = seconds(
        lambda: survey_sources([tests], Knowledge(), workers=default_workers())
    )
    what = f"survey of {files:,} files beyond reading their beginnings"
    aim = 60 * files / 100_000
    yield Figure(what=what, value=taken - reading, unit="s", aim=aim)
    yield Figure(what="processor time of it", value=taken_cpu - reading_cpu, unit="s")


def archive_figures(folder: Path, members: int, turns: int) -> Iterator[Figure]:
    """Measure a zip against the same files in a folder, by turns: planning, and one run."""
    root = folder / "members"
    header = "Time [s],Voltage [V],Current [A],Step count\n"
    rows = "".join(f"{at}.0,{4 - at / 1000:.3f},0.5,0\n" for at in range(200))
    for number in range(members):
        path = root / "NMC" / f"cell {number // FILES_A_CELL:05d}" / f"run {number:06d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{header}{rows}200.{number:06d},3.8,0.5,0\n", "utf-8")
    (root / "NMC" / "spec.json").write_text(json.dumps(SPECIFICATION), "utf-8")
    packed = folder / "members.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(root))
    for what, command in (
        ("planning", ["plan"]),
        ("one run", ["upload", "--local", "studio", "--quiet", "--no-strict"]),
    ):
        taken: dict[str, list[tuple[float, float]]] = {"members": [], "members.zip": []}
        for turn in range(turns):
            for source, times in taken.items():
                place = folder / f"{what} {source} {turn}"
                place.mkdir()
                words = [*command, str(folder / source)]
                times.append(seconds(partial(run, words, place)))
        for at, of in enumerate(("on the clock", "of processors")):
            packed_s, plain_s = (
                min(one[at] for one in taken[name]) for name in ("members.zip", "members")
            )
            label = f"{what}: a zip of {members:,} against its folder, {of}"
            yield Figure(what=label, value=packed_s / plain_s, unit="times", aim=1.2)


def run(words: Sequence[str], place: Path) -> None:
    """Run a command in a folder of its own; raise where it does not arrive."""
    command = [sys.executable, "-m", "bulkload", *words]
    ended = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{' '.join(words)}: {ended.stdout[-500:]}{ended.stderr[-500:]}")


def read_beginnings(folder: Path) -> None:
    """Read the beginning of each file, and nothing else."""
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), "rb", buffering=0) as file:  # noqa: PTH118, PTH123
                file.read(16 * 1024)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--survey-files", type=int, default=100_000)
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    stated = parser.parse_args()
    files, survey_files, members = stated.files, stated.survey_files, stated.members
    turns = TURNS
    if stated.quick:
        files, survey_files, members, turns = 200, 200, 10, 1
    figures: list[Figure] = []
    print("| what | value | aimed at, at most | |\n|---|---:|---:|---|")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-intake-")))
        for figure in measure(folder, files, survey_files, members, turns):
            print(figure.line(), flush=True)
            figures.append(figure)
    if stated.json is not None:
        stated.json.write_text(json.dumps([asdict(one) for one in figures], indent=1), "utf-8")


if __name__ == "__main__":
    main()
