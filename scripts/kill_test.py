"""SIGKILL at random instants of an upload, parent and children, resumed each time.

    python scripts/kill_test.py --kills 1000          the long form
    python scripts/kill_test.py --kills 10 --measurements 40
    python scripts/kill_test.py --kills 400 --lanes 3   supervisor, lanes and their workers

Real processes, a real local Studio over HTTP. A round uploads an archive into an empty Studio
and is killed again and again until it comes to its end; rounds follow one another, in two processes
side by side, until there were so many kills. The time between two kills is drawn from an
exponential distribution: no instant of a run is likelier than another, its start and its end
included. After each kill of a parent its journal must be whole, and what it calls done must be
in the Studio and ready. With ``--lanes`` the job has four parts, and each run draws another number
of lanes, up to that. At the end of a round every measurement must be there once, and
``bulkload verify --all`` must find each equal to what was uploaded.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import anyio
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.csv
from anyio.from_thread import start_blocking_portal

from bulkload.client.studio import AsyncStudio
from bulkload.core.lifecycle import JobState
from bulkload.errors import JournalError
from bulkload.journal import FILE_NAME, LOG_NAME, find
from bulkload.journal.check import check_journal
from bulkload.journal.database import connect
from bulkload.journal.parts import part_folder
from bulkload.localstudio import LocalStudio, StudioSettings

#: Rounds that run side by side: while one starts a process, the other works.
PROCESSES = 2
#: Mean time between two kills, in the time of an upload and its ``verify`` undisturbed.
BETWEEN = 0.1
#: By how much that grows with each run of a round, so that it ends on a busy machine too.
SLOWER = 1.03
#: Part of the kills that go to a child; the others go to the parent.
CHILDREN = 0.7
RUN_LIMIT_S = 600.0
#: Exit codes of a run that left something out, and of one that gave up a part whose lanes died.
PARTIAL, STOPPED = 3, 5
#: Parts of a job that is run with lanes.
PARTS = 4
ROWS = 60


@dataclass
class Account:
    """Figures of all rounds of a process."""

    kills: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    measurements: int = 0
    #: Parents that were killed before their first request.
    early: int = 0
    #: Runs that left files out whose reader was killed twice.
    left_out: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Account) -> None:
        """Add the figures of another process."""
        self.kills += other.kills
        self.rounds += other.rounds
        self.measurements += other.measurements
        self.early += other.early
        self.left_out += other.left_out
        self.wrong += other.wrong

    def __str__(self) -> str:
        return (
            f"{self.kills.total()} kills ({self.kills['parents']} of parents, {self.early} of them "
            f"before the first request; {self.kills['children']} of children; "
            f"{self.kills['lanes']} of lanes), {self.rounds} "
            f"rounds, {self.measurements} measurements, {self.left_out} runs left out files whose "
            f"reader was killed twice: {len(self.wrong)} lost, twice or falsely done"
        )


def main() -> int:
    """Kill so often as asked; 1 where anything was lost, twice or falsely done."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, default=1000)
    options.add_argument("--measurements", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--lanes", type=int, default=0, help="as many at most, each run")
    options.add_argument("--minutes", type=float, default=240.0, help="no new round after that")
    asked = options.parse_args()
    began = time.monotonic()
    each = math.ceil(asked.kills / PROCESSES)
    whole = Account()
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as executor:
        for account in executor.map(
            run_rounds,
            [asked.seed * PROCESSES + number for number in range(PROCESSES)],
            [each] * PROCESSES,
            [asked.measurements] * PROCESSES,
            [asked.minutes] * PROCESSES,
            [asked.lanes] * PROCESSES,
        ):
            whole.add(account)
    print(f"{time.monotonic() - began:.0f} s: {whole}")
    for problem in whole.wrong:
        print(f"WRONG: {problem}")
    return 1 if whole.wrong else 0


def run_rounds(seed: int, kills: int, measurements: int, minutes: float, lanes: int = 0) -> Account:
    """Run one round after another until there were so many kills."""
    account, chance, began = Account(), random.Random(seed), time.monotonic()
    usual_s = 0.0
    while account.kills.total() < kills and time.monotonic() - began < minutes * 60:
        with tempfile.TemporaryDirectory(prefix="bulkload-kill-") as folder, ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal("asyncio"))
            settings = StudioSettings(
                data_dir=Path(folder) / "studio", latency_s=0.005, processing_s=0.05
            )
            studio = LocalStudio(settings)
            stack.enter_context(portal.wrap_async_context_manager(studio))
            one = Round(Path(folder), studio, chance, account, measurements, lanes=lanes)
            if usual_s:
                one.run(kills, usual_s * BETWEEN)
            else:
                # The first upload is not killed: it shows how long one takes here.
                starts = time.monotonic()
                one.run(0, math.inf)
                usual_s = time.monotonic() - starts
        print(f"seed {seed}: {account}", *account.wrong, sep="\nWRONG: ", flush=True)
    return account


class Round:
    """One archive on its way into one empty Studio."""

    def __init__(
        self,
        folder: Path,
        studio: LocalStudio,
        chance: random.Random,
        account: Account,
        measurements: int,
        *,
        lanes: int,
    ) -> None:
        self._lanes = lanes
        self._folder = folder
        self._studio = studio
        self._chance = chance
        self._account = account
        self._measurements = measurements
        make_archive(folder / "archive", measurements)
        # Every other journal is of the form for a network file system.
        form = (FILE_NAME, LOG_NAME)[account.rounds % 2]
        for place in self._places():
            place.mkdir(parents=True)
            (place / form).touch()

    def _places(self) -> list[Path]:
        """Return the folders of the journals."""
        job = self._folder / "job"
        return [part_folder(job, part) for part in range(PARTS)] if self._lanes else [job]

    def run(self, most_kills: int, between_s: float) -> None:
        """Start the upload, kill it, start it again, until it is done; then judge."""
        while True:
            is_last = self._account.kills.total() >= most_kills
            code = self._run(math.inf if is_last else between_s)
            between_s *= SLOWER
            if code is None:
                self._judge_claims()
            elif code == PARTIAL and not is_last and self._lost_readers():
                # Two of its readers were killed: the file is left out, the next run takes it up.
                self._account.left_out += 1
            elif code == STOPPED and self._lanes and not is_last:
                continue
            else:
                break
        if code == 0:
            self._judge_end()
        else:
            printed = (self._folder / "out.txt").read_text("utf-8", errors="replace")
            self._account.wrong.append(f"the last run ended with {code}: {printed}")

    def _lost_readers(self) -> bool:
        summary = json.loads((self._folder / "job" / "summary.json").read_text("utf-8"))
        return set(summary["causes"]) == {"reader_died"}

    def _run(self, between_s: float) -> int | None:
        """Run until the parent is killed; return its exit code, None where it was killed."""
        log = (self._folder / "out.txt").open("w", encoding="utf-8")
        command = ["upload", "archive", "--job", "job", "--workers", "2"]
        if self._lanes:
            lanes = self._chance.randint(1, self._lanes)
            command += ["--parts", str(PARTS), "--lanes", str(lanes)]
        before = self._studio.requests.total
        ends_s = time.monotonic() + RUN_LIMIT_S
        with log, self._start(command, log) as process:
            while (left_s := ends_s - time.monotonic()) > 0:
                wait_s = self._chance.expovariate(1.0) * between_s
                try:
                    return process.wait(min(wait_s, left_s))
                except subprocess.TimeoutExpired:
                    if wait_s < left_s and self._kill(process.pid):
                        process.wait()
                        self._account.early += self._studio.requests.total == before
                        return None
            process.kill()
            self._account.wrong.append("a run that does not end")
            return 1

    def _start(self, command: Sequence[str], log: IO[str]) -> subprocess.Popen[bytes]:
        ambient = {name: value for name, value in os.environ.items() if "IONWORKS" not in name}
        return subprocess.Popen(
            [sys.executable, "-m", "bulkload", *command],
            cwd=self._folder,
            env=ambient
            | {
                "IONWORKS_API_KEY": self._studio.api_key,
                "IONWORKS_API_URL": self._studio.url,
                "IONWORKS_PROJECT_ID": self._studio.project_id,
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def _kill(self, parent: int) -> bool:
        """Kill the parent, or one of its children if it has any; True where it was the parent."""
        process = psutil.Process(parent)
        if self._chance.random() >= CHILDREN:
            process.kill()
            self._account.kills["parents"] += 1
            return True
        # A child may end by itself in this very moment.
        with suppress(psutil.NoSuchProcess):
            if children := process.children(recursive=True):
                child = self._chance.choice(children)
                word = "lanes" if "bulkload.lanes.lane" in child.cmdline() else "children"
                child.kill()
                self._account.kills[word] += 1
        return False

    def _judge_claims(self) -> None:
        """Hold what a killed run's journal calls done against the Studio.

        A copy is read: the next run must find what a crash left behind.
        """
        for place in self._places():
            self._judge_journal(place)

    def _judge_journal(self, place: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self._folder) as copies:
            for file in place.glob("journal*"):
                shutil.copy(file, copies)
            path = find(Path(copies))
            if path is None or not path.stat().st_size:
                return
            try:
                with closing(connect(path, is_read_only=False)) as reader:
                    rows = reader.execute(
                        "SELECT measurement_id FROM job WHERE state=?", (JobState.READY.value,)
                    ).fetchall()
                self._account.wrong += check_journal(path)
            except JournalError as error:
                self._account.wrong.append(f"the journal of a killed run: {error}")
                return
        ready = {one for one, (_, status) in self._held().items() if status == "ready"}
        self._account.wrong += [
            f"{row['measurement_id']} is falsely called done"
            for row in rows
            if row["measurement_id"] not in ready
        ]

    def _judge_end(self) -> None:
        account = self._account
        account.rounds += 1
        account.measurements += self._measurements
        summary = json.loads((self._folder / "job" / "summary.json").read_text("utf-8"))
        if summary["counts"]["created"] != self._measurements:
            account.wrong.append(f"{summary['counts']} of {self._measurements}")
        names = Counter(name for name, _ in self._held().values())
        account.wrong += [
            f"{name} is there {count} times" for name, count in names.items() if count > 1
        ]
        if len(names) != self._measurements:
            account.wrong.append(f"{len(names)} of {self._measurements} are there")
        if any((place / "spool").exists() for place in self._places()):
            account.wrong.append("the spool outlives the run")
        with (self._folder / "verify.txt").open("w") as log:
            if self._start(["verify", "job", "--all"], log).wait() != 0:
                account.wrong.append((self._folder / "verify.txt").read_text("utf-8"))

    def _held(self) -> dict[str, tuple[str, str | None]]:
        """List what the Studio holds: id -> name with its cell, and status."""

        async def ask() -> dict[str, tuple[str, str | None]]:
            async with AsyncStudio(
                api_key=self._studio.api_key,
                base_url=self._studio.url,
                project_id=self._studio.project_id,
            ) as client:
                return {
                    one.id: (f"{one.cell_instance_id}/{one.name}", one.processing_status)
                    async for one in client.cell_measurement.list_by_project()
                }

        return anyio.run(ask)


def make_archive(root: Path, measurements: int) -> None:
    """Write an archive of small measurements, each different."""
    ratings = {
        "capacity": {"value": 2.0, "unit": "A*h"},
        "voltage_min": {"value": 2.5, "unit": "V"},
        "voltage_max": {"value": 4.3, "unit": "V"},
    }
    for number in range(measurements):
        folder = root / "spec" / f"cell {number // 10}"
        folder.mkdir(parents=True, exist_ok=True)
        step = np.arange(ROWS) * 4 // ROWS
        current = np.where(step % 2 == 0, 0.5, -0.5) * (1 + 0.001 * number)
        charge = np.cumsum(current) * 10.0 / 3600.0
        table = pa.table(
            {
                "Time [s]": 10.0 * np.arange(ROWS),
                "Voltage [V]": np.round(3.8 - 2.0 * charge - 0.02 * current, 6),
                "Current [A]": np.round(current, 6),
                "Step count": step,
            }
        )
        pyarrow.csv.write_csv(table, folder / f"run {number % 10}.csv")
    (root / "spec" / "spec.json").write_text(json.dumps({"ratings": ratings}), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
