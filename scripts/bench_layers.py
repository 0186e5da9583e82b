"""Measure what the delivery of a measurement costs the parent process, by layer.

The same deliveries to the same local Studio, one layer more at each step (``delivery_layers.py``):
raw, aio, wire, caller, client, upload, journal, watch, then whole runs with a preparer in the
process (pipe) and with children that answer at once (pool).

    python scripts/bench_layers.py [--sizes big,tiny] [--layers wire,pool] [--count 128] [--json F]

Where valgrind is installed, instructions are counted (callgrind, user space, all threads): the
same on a busy machine. Elsewhere it is the CPU time of the process. Only the deliveries count,
not the start, the plan or the account.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bulkload.cli.jobs.local_studio import local_studio  # noqa: E402
from bulkload.clock import Clock, SystemClock  # noqa: E402
from bulkload.engine.loop import loop_options  # noqa: E402
from bulkload.engine.target import RunningStudio  # noqa: E402
from scripts import delivery_layers as layers  # noqa: E402

#: Rows of a measurement, by size.
SIZES = {"big": 20_000, "tiny": 12}
RUNS = ("pipe", "pool")
#: How much slower callgrind is than the machine: a run's clock goes slower by as much, so that
#: what happens once a second (polls, the live state) happens as often a measurement as without.
SLOWDOWN = 30.0
SPEC, LEAST_WARM = "Bench", 12


def main() -> None:
    """Measure all layers, each in a process of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--layers", default=",".join((*layers.LAYERS, *RUNS)))
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--cpu", action="store_true", help="CPU time, also where valgrind is")
    parser.add_argument("--asyncio", action="store_true", help="not uvloop, also where it is")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--profile", type=Path, help="keep callgrind's files in this folder")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.asyncio:
        os.environ["BENCH_LOOP"] = "asyncio"
    if options.one:
        _measure_one(Path(options.one[0]), options.one[1])
        return
    counts = shutil.which("valgrind") is not None and not options.cpu
    found: dict[str, dict[str, float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="bench-layers-") as scratch,
        local_studio(Path(scratch, "studio")) as studio,
    ):
        for size in options.sizes.split(","):
            body = Path(scratch, size)
            _prepare(body, SIZES[size])
            for layer in options.layers.split(","):
                folder = _folder(body, studio, options.count)
                kept = options.profile and options.profile / f"{layer}-{size}.callgrind"
                cost = _child(folder, layer, kept, counts=counts) / options.count
                found.setdefault(layer, {})[size] = cost
                print(f"{layer} {size}: {cost:.2f}", file=sys.stderr, flush=True)
    unit = "M instructions" if counts else "CPU ms"
    _print(found, options.sizes.split(","), unit)
    if options.json:
        kept = {"unit": f"{unit} a measurement", "count": options.count, "layers": found}
        options.json.write_text(json.dumps(kept, indent=1), "utf-8")


def _print(found: dict[str, dict[str, float]], sizes: list[str], unit: str) -> None:
    print(f"{unit} a measurement\n\n| layer | {' | adds | '.join(sizes)} | adds |")
    print("|---" + "|---:|---:" * len(sizes) + "|")
    last = dict.fromkeys(sizes, 0.0)
    for layer, by_size in found.items():
        cells = [f"{by_size[size]:.2f} | {by_size[size] - last[size]:.2f}" for size in sizes]
        print(f"| {layer} | {' | '.join(cells)} |")
        last = by_size


# -- What is sent --------------------------------------------------------------------------------


def _prepare(folder: Path, rows: int) -> None:
    """Prepare one measurement with the real worker's code."""
    from bulkload.core.plan_items import Checks, UploadJob
    from bulkload.core.prepare_result import PrepareTask
    from bulkload.core.terms import JobKey
    from bulkload.worker.prepare import prepare
    from bulkload.worker.process import encode_message
    from tests.archives import series, write

    folder.mkdir()
    source = write(folder / "m.csv", series(rows=rows, steps=max(2, rows // 100)))
    body = folder / "body.parquet"
    job = UploadJob(key=JobKey(SPEC, "cell", "m"), path=str(source))
    answer = prepare(PrepareTask(job=job, checks=Checks(strict=True), spool_path=str(body)))
    (folder / "prepared").write_bytes(pickle.dumps(answer))
    (folder / "answer").write_bytes(encode_message(answer))


def _folder(body: Path, studio: RunningStudio, count: int) -> Path:
    """Make the folder of one run of a layer: an archive, and a cell in Studio."""
    folder = Path(tempfile.mkdtemp(dir=body.parent))
    for name in ("prepared", "answer", "body.parquet"):
        (folder / name).symlink_to(body / name)
    cell = f"cell {uuid.uuid4().hex[:8]}"
    archive = folder / "archive" / SPEC / cell
    archive.mkdir(parents=True)
    for number in range(count + LEAST_WARM):
        (archive / f"m{number}.csv").write_bytes(b"")
    (archive.parent / "spec.json").write_text("{}", "utf-8")
    with_studio = {"url": studio.url, "api_key": studio.api_key, "project_id": studio.project_id}
    cell_id = asyncio.run(_make_cell(studio, cell))
    kept = {**with_studio, "cell": cell, "cell_id": cell_id, "count": count}
    (folder / "bench.json").write_text(json.dumps(kept), "utf-8")
    return folder


async def _make_cell(studio: RunningStudio, name: str) -> str:
    from bulkload.client.studio import AsyncStudio

    async with AsyncStudio(
        api_key=studio.api_key, base_url=studio.url, project_id=studio.project_id
    ) as client:
        spec = await client.cell_spec.create_or_get({"name": SPEC})
        cell = await client.cell_instance.create_or_get(spec.id, {"name": name})
        return str(cell.id)


# -- One layer in a process of its own -----------------------------------------------------------


def _child(folder: Path, layer: str, kept: Path | None, *, counts: bool) -> float:
    """Run a layer; return millions of instructions, or milliseconds of CPU."""
    command = [sys.executable, __file__, "--one", str(folder), layer]
    out = "/dev/null" if kept is None else str(kept)
    valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no"]
    if counts:
        command = [*valgrind, f"--callgrind-out-file={out}", *command]
    # The order of sets and of dictionaries' buckets would add noise.
    environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    if counts:
        return int(done.stderr.rpartition("Collected : ")[2].split()[0]) / 1e6
    return float(done.stdout)


class _Meter:
    """Counts what is spent between ``on`` and ``off``."""

    def __init__(self) -> None:
        self._began = 0.0
        self.ms = 0.0

    def on(self) -> None:
        """Begin."""
        self._control("on")
        self._began = time.process_time()

    def off(self) -> None:
        """End."""
        self.ms = (time.process_time() - self._began) * 1e3
        self._control("off")

    def _control(self, state: str) -> None:
        if _is_counted():
            command = ["callgrind_control", "-i", state, str(os.getpid())]
            subprocess.run(command, capture_output=True, check=True)


def _measure_one(folder: Path, layer: str) -> None:
    kept = json.loads((folder / "bench.json").read_text("utf-8"))
    bench = layers.Bench(
        folder=folder,
        studio=RunningStudio(
            url=kept["url"], api_key=kept["api_key"], project_id=kept["project_id"]
        ),
        body=folder / "body.parquet",
        prepared=layers.load_prepared(folder),
        cell_id=kept["cell_id"],
        spec=SPEC,
        cell=kept["cell"],
        count=kept["count"],
    )
    meter = _Meter()
    act = partial(_whole_run if layer in RUNS else _layer, bench, layer, meter)
    anyio.run(act, backend_options={} if os.environ.get("BENCH_LOOP") else loop_options())
    print(meter.ms)


async def _layer(bench: layers.Bench, layer: str, meter: _Meter) -> None:
    async with layers.LAYERS[layer](bench) as deliver:
        numbers = iter(range(bench.count + LEAST_WARM))
        # Connections, parents and caches are there before it counts.
        await layers.share_out(deliver, _first(numbers, LEAST_WARM))
        meter.on()
        await layers.share_out(deliver, numbers)
        meter.off()


def _first(numbers: Iterator[int], count: int) -> Iterator[int]:
    return (next(numbers) for _ in range(count))


def _is_counted() -> bool:
    """Return whether this process runs under valgrind."""
    return "valgrind" in os.environ.get("LD_PRELOAD", "")


class _SlowClock(SystemClock):
    """A clock that callgrind does not make fast."""

    def monotonic(self) -> float:
        """Return seconds of this clock."""
        return super().monotonic() / SLOWDOWN

    async def sleep(self, seconds: float) -> None:
        """Sleep for seconds of this clock."""
        await super().sleep(seconds * SLOWDOWN)


async def _whole_run(bench: layers.Bench, layer: str, meter: _Meter) -> None:
    from bulkload.client.delivery import Delivery
    from bulkload.engine.progress import Progress
    from bulkload.engine.request import RunRequest
    from bulkload.engine.run import run_job
    from bulkload.engine.shutdown import Stop
    from bulkload.engine.target import Target
    from bulkload.journal.journal import Journal, open_journal
    from bulkload.settings import RunLimits, RunSettings
    from bulkload.worker.pool import open_pool

    if layer == "pool":
        _replace_children(bench.folder)

    @asynccontextmanager
    async def preparing(*arguments: Any) -> AsyncIterator[Any]:
        if layer == "pipe":
            yield layers.InstantPool(bench)
        else:
            async with open_pool(*arguments) as pool:
                yield pool

    @asynccontextmanager
    async def journal_of(*arguments: Any) -> AsyncIterator[Journal]:
        async with open_journal(*arguments) as journal:
            yield journal
        # All is delivered: what follows is the account.
        meter.off()

    def plan(store: Any, run: int, *_: Any) -> Any:
        account = layers.plan(bench, store, run)
        meter.on()
        return account

    clock: Clock = _SlowClock() if _is_counted() else SystemClock()
    request = RunRequest(
        job_dir=bench.folder / "job",
        make_plan=plan,
        target=Target(url=bench.studio.url, project_id=bench.studio.project_id),
        settings=RunSettings(limits=RunLimits(workers=2)),
        command="bench",
        open_studio=lambda observer, _: bench.open_client(
            Delivery(connections=32, observer=observer)
        ),
        open_journal=journal_of,
        clock=clock,
        open_pool=preparing,
    )
    result = await run_job(request, Progress(clock), Stop(1.0))
    assert result.report.exit_code == 0, result


def _replace_children(folder: Path) -> None:
    """Have the pool start children that answer at once."""
    start = asyncio.create_subprocess_exec

    async def instead(*_: Any, **options: Any) -> Any:
        return await start(sys.executable, "-c", layers.CHILD, str(folder), **options)

    asyncio.create_subprocess_exec = instead


if __name__ == "__main__":
    main()
