"""CPU of a measurement with one lane, two and four: what lanes share would make it grow.

    python scripts/bench_lanes.py [--rows 12] [--measurements 1200] [--rounds 3] [--json F]

Each run uploads an archive into an empty local Studio with the same parts, workers and connections,
whatever its lanes. The CPU is that of the command with all its lanes and workers, read from the
system when they have ended; the Studio's is counted apart. A process costs something to start, and
more lanes are more processes: so each number of lanes uploads a small archive and a large one, turn
by turn, and the difference is what a further measurement costs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.bench_processes import bulkload, studio
from scripts.make_archive import ArchiveSize, write_archive

LANES: Final = (1, 2, 4)
#: The same for every number of lanes: each of four has a worker and enough connections.
PARTS: Final = 8
WORKERS: Final = 4
CONNECTIONS: Final = 32
CELLS: Final = 40
#: Part of the measurements that the small archive holds.
SMALL: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU of uploads of the small archive and the large one, in s."""

    small_s: Sequence[float]
    large_s: Sequence[float]
    #: Of the local Studio, large archive.
    studio_s: Sequence[float]

    def each_ms(self, more: int) -> list[float]:
        """Return the CPU of a further measurement in each round, in ms."""
        pairs = zip(self.small_s, self.large_s, strict=True)
        return [1000 * (large - small) / more for small, large in pairs]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=12, help="of a measurement")
    parser.add_argument("--measurements", type=int, default=1200, help="of the large archive")
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument("--json", type=Path, help="write the figures there")
    asked = parser.parse_args()
    each = max(SMALL, asked.measurements // CELLS)
    sizes = [
        ArchiveSize(cells=CELLS, measurements=count, rows=asked.rows, steps=3)
        for count in (each // SMALL, each)
    ]
    with tempfile.TemporaryDirectory(prefix="bulkload-bench-") as folder:
        costs = measure(sizes, asked.rounds, Path(folder))
    more = sizes[1].files - sizes[0].files
    print(f"{sizes[1].files:,} measurements of {asked.rows:,} rows, {asked.rounds} rounds, medians")
    print("| lanes | CPU of a further measurement, ms | over one lane | Studio's, ms |")
    print("| ---: | ---: | ---: | ---: |")
    base = costs[LANES[0]].each_ms(more)
    for lanes, cost in costs.items():
        each_ms = cost.each_ms(more)
        ratio = statistics.median(one / of for one, of in zip(each_ms, base, strict=True))
        of_studio = 1000 * statistics.median(cost.studio_s) / sizes[1].files
        print(f"| {lanes} | {statistics.median(each_ms):.2f} | {ratio:.2f} | {of_studio:.2f} |")
    if asked.json:
        figures = {lanes: cost.each_ms(more) for lanes, cost in costs.items()}
        asked.json.write_text(json.dumps({"cores": os.cpu_count(), "each_ms": figures}), "utf-8")


def measure(sizes: Sequence[ArchiveSize], rounds: int, folder: Path) -> dict[int, Cost]:
    """Return what each number of lanes costs."""
    archives = []
    for size in sizes:
        archives.append(folder / f"{size.files}")
        write_archive(archives[-1], size)
    # What the first run of all compiles, no other one does.
    upload(archives[0], sizes[0].files, LANES[-1])
    taken: dict[int, list[list[tuple[float, float]]]] = {lanes: [] for lanes in LANES}
    # Turn by turn: what slows the machine down for a while slows all.
    for _ in range(rounds):
        for lanes in LANES:
            both = zip(archives, sizes, strict=True)
            taken[lanes].append([upload(archive, size.files, lanes) for archive, size in both])
    return {
        lanes: Cost(
            small_s=[one[0][0] for one in found],
            large_s=[one[1][0] for one in found],
            studio_s=[one[1][1] for one in found],
        )
        for lanes, found in taken.items()
    }


def upload(archive: Path, files: int, lanes: int) -> tuple[float, float]:
    """Upload into an empty Studio; return the CPU of the command's processes and the Studio's."""
    with tempfile.TemporaryDirectory(prefix="bulkload-bench-") as job, studio() as target:
        summary = Path(job) / "summary.json"
        before_s = target.cpu_s()
        taken = bulkload(
            *("upload", str(archive), "--job", f"{job}/job", "--summary", str(summary), "--quiet"),
            *("--lanes", str(lanes), "--parts", str(PARTS), "--workers", str(WORKERS)),
            *("--connections", str(CONNECTIONS)),
            environment=target.environment,
        )
        served_s = target.cpu_s() - before_s
        arrived = json.loads(summary.read_text("utf-8"))["counts"]["created"]
    if arrived != files:
        raise SystemExit(f"{arrived} of {files} measurements arrived: half a job is no figure")
    return taken.cpu_s, served_s


if __name__ == "__main__":
    main()
