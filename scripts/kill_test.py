"""SIGKILL at random instants of an upload, parent and children, resumed each time.

    python scripts/kill_test.py --kills 1000          the long form
    python scripts/kill_test.py --kills 10 --measurements 40

Real processes, a real local Studio over HTTP. A round uploads an archive into an empty Studio
and is killed again and again until it comes to its end; rounds follow one another until there
were so many kills. After each kill of a parent, what its journal calls done must be in the
Studio and ready. At the end of a round every measurement must be there once, and
``bulkload verify --all`` must find each equal to what was meant.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
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
from bulkload.journal import FILE_NAME, store
from bulkload.localstudio import LocalStudio, StudioSettings

#: Requests between two kills, at most: an upload of 200 measurements takes about a thousand.
MOST_BETWEEN = 60
#: Part of a run's last kills that strikes a child all the same; the others strike the parent.
CHILDREN = 0.2
#: Runs that are killed before anything is sent: start, plan, first look.
EARLY = 0.1
LOOK_S = 0.002
RUN_LIMIT_S = 300.0
#: Exit code of a run that left something out.
PARTIAL = 3
ROWS = 60


@dataclass
class Account:
    """What was seen over all rounds."""

    kills: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    measurements: int = 0
    #: Rounds in which a run left files out whose reader was killed twice.
    left_out: int = 0
    wrong: list[str] = field(default_factory=list)


def main() -> int:
    """Kill so often as asked; 1 where anything was lost, twice or falsely done."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, default=1000)
    options.add_argument("--measurements", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--minutes", type=float, default=240.0, help="no new round after that")
    asked = options.parse_args()
    chance = random.Random(asked.seed)
    account = Account()
    began = time.monotonic()
    while account.kills.total() < asked.kills and time.monotonic() - began < asked.minutes * 60:
        with tempfile.TemporaryDirectory(prefix="bulkload-kill-") as folder, ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal("asyncio"))
            settings = StudioSettings(
                data_dir=Path(folder) / "studio", latency_s=0.005, processing_s=0.05
            )
            studio = LocalStudio(settings)
            stack.enter_context(portal.wrap_async_context_manager(studio))
            Round(Path(folder), studio, chance, account, asked.measurements).live(asked.kills)
        print(
            f"round {account.rounds}: {account.kills.total()} kills {dict(account.kills)}, "
            f"{account.measurements} measurements, wrong: {account.wrong}",
            flush=True,
        )
    seconds = time.monotonic() - began
    print(
        f"{account.kills.total()} kills in {seconds:.0f} s ({dict(account.kills)}), "
        f"{account.rounds} rounds, {account.measurements} measurements "
        f"({account.left_out} times a run left out files whose reader was killed twice, and the "
        "next one brought them): "
        f"{len(account.wrong)} lost, twice or falsely done"
    )
    return 1 if account.wrong else 0


class Round:
    """One archive on its way into one empty Studio."""

    def __init__(
        self,
        folder: Path,
        studio: LocalStudio,
        chance: random.Random,
        account: Account,
        measurements: int,
    ) -> None:
        self._folder = folder
        self._studio = studio
        self._chance = chance
        self._account = account
        self._measurements = measurements
        make_archive(folder / "archive", measurements)

    def live(self, most_kills: int) -> None:
        """Start the upload, kill it, start it again, until it is done; then judge."""
        while True:
            is_last = self._account.kills.total() >= most_kills
            code = self._run(0 if is_last else self._chance.randint(1, 4))
            if code is None:
                self._judge_claims()
            elif code == PARTIAL and not is_last and self._lost_readers():
                # Two of its readers were killed: the file is left out, the next run takes it up.
                self._account.left_out += 1
                most_kills = 0
            else:
                break
        if code == 0:
            self._judge_end()
        else:
            said = (self._folder / "out.txt").read_text("utf-8", errors="replace")
            self._account.wrong.append(f"the last run ended with {code}: {said}")

    def _lost_readers(self) -> bool:
        summary = json.loads((self._folder / "job" / "summary.json").read_text("utf-8"))
        return set(summary["causes"]) == {"reader_died"}

    def _run(self, kills: int) -> int | None:
        """Run until the last of some kills, which strikes the parent; None where it did."""
        log = (self._folder / "out.txt").open("w", encoding="utf-8")
        words = ["upload", "archive", "--job", "job", "--workers", "2"]
        with log, self._start(words, log) as process:
            for number in range(kills):
                if not self._wait_for_moment(process, is_first=number == 0):
                    break
                victim = self._victim(process, is_last=number == kills - 1)
                self._account.kills["children" if victim != process.pid else "parents"] += 1
                os.kill(victim, 9)
                if victim == process.pid:
                    process.wait()
                    return None
            try:
                return process.wait(RUN_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                self._account.wrong.append("a run that does not end")
                return 1

    def _start(self, words: Sequence[str], log: IO[str]) -> subprocess.Popen[bytes]:
        ambient = {name: value for name, value in os.environ.items() if "IONWORKS" not in name}
        return subprocess.Popen(
            [sys.executable, "-m", "bulkload", *words],
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

    def _wait_for_moment(self, process: subprocess.Popen[bytes], *, is_first: bool) -> bool:
        """Wait for some requests, or for some time where it is early; False where it ended."""
        if is_first and self._chance.random() < EARLY:
            until_s = time.monotonic() + self._chance.uniform(0.05, 1.5)
            while time.monotonic() < until_s and process.poll() is None:
                time.sleep(LOOK_S)
            return process.poll() is None
        target = self._studio.requests.total + self._chance.randrange(MOST_BETWEEN)
        while self._studio.requests.total <= target:
            if process.poll() is not None:
                return False
            time.sleep(LOOK_S)
        time.sleep(self._chance.uniform(0.0, 0.02))
        return process.poll() is None

    def _victim(self, process: subprocess.Popen[bytes], *, is_last: bool) -> int:
        if not is_last or self._chance.random() < CHILDREN:
            try:
                children = psutil.Process(process.pid).children()
            except psutil.Error:
                children = []
            if children:
                return self._chance.choice(children).pid
        return process.pid

    def _judge_claims(self) -> None:
        """Hold what a killed run's journal calls done against the Studio."""
        path = self._folder / "job" / FILE_NAME
        if not path.exists():
            return
        try:
            with closing(store.connect(path)) as reader:
                rows = reader.execute(
                    "SELECT measurement_id FROM job WHERE state=?", (JobState.READY.value,)
                ).fetchall()
        except (JournalError, sqlite3.Error) as error:
            self._account.wrong.append(f"the journal of a killed run cannot be read: {error}")
            return
        ready = {one for one, (_, status) in self._held().items() if status == "ready"}
        for row in rows:
            if row["measurement_id"] not in ready:
                self._account.wrong.append(f"{row['measurement_id']} is falsely called done")

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
        if (self._folder / "job" / "spool").exists():
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
