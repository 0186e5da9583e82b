"""Measure the memory of a run's process tree, from outside, for tables of growing length.

    python scripts/bench_memory.py [--rows 1000000 4000000 16000000] [--memory 640]

A native CSV and a SQLite database of each length go to a local Studio of this process under
``--memory``. Peak is the largest sum of the resident memory of the command and all its children,
looked at every 50 ms. The tables are longer than what fits in one piece.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from bulkload.localstudio import LocalStudio, StudioSettings
from tests.archives import specification
from tests.memory.tree import measured, write_database, write_large


def main() -> None:
    """Print a row for each table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 4_000_000, 16_000_000])
    parser.add_argument("--memory", type=int, default=640, help="of the tree, in MiB")
    asked = parser.parse_args()
    print(f"machine busy: load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"| source | rows | MiB | peak of the tree (--memory {asked.memory}) | rows/s |")
    print("|---|---|---|---|---|")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        portal = stack.enter_context(start_blocking_portal("asyncio"))
        studio = LocalStudio(StudioSettings(data_dir=folder / "studio"))
        stack.enter_context(portal.wrap_async_context_manager(studio))
        for rows in asked.rows:
            for kind in ("CSV", "SQLite"):
                print(_row(kind, rows, asked.memory, folder / f"{kind}{rows}", studio))


def _row(kind: str, rows: int, memory_mib: int, folder: Path, studio: LocalStudio) -> str:
    """Upload one table; return what it took as a row of a table."""
    if kind == "CSV":
        path = folder / "archive" / "spec" / "cell" / f"{folder.name}.csv"
        specification(folder / "archive" / "spec")
        write_large(path, rows)
        source = "archive"
    else:
        write_database(folder, rows)
        path, source = folder / "lab.db", "migration.toml"
    words = ("upload", source, "--job", "job", "--no-wait", "--memory", f"{memory_mib}MiB")
    began = time.monotonic()
    found = measured(words, folder, studio)
    took = time.monotonic() - began
    assert found.ended.counts == {"created": 1}, found.ended.err
    size = path.stat().st_size / 2**20
    return f"| {kind} | {rows:,} | {size:,.0f} | {found.peak_mib:.0f} MiB | {rows / took:,.0f} |"


if __name__ == "__main__":
    main()
