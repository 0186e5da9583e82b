"""Upload a part of an archive with the vendor's client, as its documentation shows.

A process of its own, so that nothing of bulkload runs beside it. What is timed is the loop:
imports and the opening of the client are left out, in the vendor's favour. Reading is done
with polars, the faster of the two tables that the client takes.

    python scripts/bench_official.py ARCHIVE --files 12 [--threads 16]

Prints ``{"files": ..., "seconds": ..., "cpu_s": ...}``. The target comes from the environment.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from ionworks import Ionworks


def main() -> None:
    """Time one of the two loops."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--files", type=int, required=True)
    parser.add_argument("--threads", type=int, default=0, help="0: the plain loop")
    args = parser.parse_args()
    paths = sorted(args.archive.glob("*/*/*.csv"))[: args.files]
    client = Ionworks()
    began, cpu_began = time.perf_counter(), time.process_time()
    if args.threads:
        upload_in_threads(client, paths, args.threads)
    else:
        upload_one_by_one(client, paths)
    seconds = time.perf_counter() - began
    cpu_s = time.process_time() - cpu_began
    print(json.dumps({"files": len(paths), "seconds": seconds, "cpu_s": cpu_s}))


def upload_one_by_one(client: Any, paths: list[Path]) -> None:
    """Create or get everything, a file after another, each waited for."""
    spec = make_specification(client, paths)
    for cell, files in by_cell(paths).items():
        instance = client.cell_instance.create_or_get(spec.id, {"name": cell})
        for path in files:
            upload(client, spec, instance.id, path)


def upload_in_threads(client: Any, paths: list[Path], threads: int) -> None:
    """Create or get the cells, then all files in threads, and wait once for all of them."""
    spec = make_specification(client, paths)
    with ThreadPoolExecutor(threads) as pool:
        cells = by_cell(paths)
        instances = pool.map(
            lambda cell: client.cell_instance.create_or_get(spec.id, {"name": cell}), cells
        )
        ids = {cell: instance.id for cell, instance in zip(cells, instances, strict=True)}
        one = partial(upload, client, spec, wait_for_processing=False)
        records = pool.map(one, [ids[path.parent.name] for path in paths], paths)
        client.cell_measurement.wait_for_processing([record.id for record in records])


def make_specification(client: Any, paths: list[Path]) -> Any:
    """Create or get the specification that lies beside the cells."""
    text = (paths[0].parent.parent / "spec.json").read_text("utf-8")
    return client.cell_spec.create_or_get(json.loads(text))


def by_cell(paths: list[Path]) -> dict[str, list[Path]]:
    """Return the files of each cell."""
    cells: dict[str, list[Path]] = {}
    for path in paths:
        cells.setdefault(path.parent.name, []).append(path)
    return cells


def upload(
    client: Any, spec: Any, instance_id: str, path: Path, *, wait_for_processing: bool = True
) -> Any:
    """Read and upload one file with all the checks that the documentation recommends."""
    ratings = spec.ratings
    # All rows are looked at for the types: by default polars breaks off at the first 0.5 below
    # a hundred rows of 0.
    table = pl.read_csv(path, infer_schema_length=None)
    return client.cell_measurement.create_or_get(
        instance_id,
        {"measurement": {"name": path.stem}, "time_series": table},
        validate_strict=True,
        rated_capacity=ratings["capacity"]["value"],
        voltage_window=(ratings["voltage_min"]["value"], ratings["voltage_max"]["value"]),
        wait_for_processing=wait_for_processing,
    )


if __name__ == "__main__":
    main()
