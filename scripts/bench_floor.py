"""The floor under an upload's CPU work: CSV to zstd Parquet, and nothing else.

As many processes as cores, each with one thread, take turns on the files; pyarrow with its
defaults, no validation, no digest, no network. Starting the processes is part of it, as it is
part of ``bulkload upload``.

    python scripts/bench_floor.py ARCHIVE OUT
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet


def convert(archive: Path, out: Path, part: int, parts: int) -> None:
    """Convert every ``parts``-th file, beginning with the ``part``-th."""
    pa.set_cpu_count(1)
    for number, path in enumerate(sorted(archive.glob("*/*/*.csv"))):
        if number % parts == part:
            table = pa.csv.read_csv(path)
            pa.parquet.write_table(table, out / f"{number}.parquet", compression="zstd")


def main() -> None:
    """Convert the archive, or this process's part of it."""
    archive, out, *part = sys.argv[1:]
    if part:
        convert(Path(archive), Path(out), int(part[0]), int(part[1]))
        return
    count = os.cpu_count() or 1
    command = [sys.executable, __file__, archive, out]
    processes = [subprocess.Popen([*command, str(number), str(count)]) for number in range(count)]
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit("a converting process failed")


if __name__ == "__main__":
    main()
