"""What happens under one seed: an archive, a Studio with its options, faults, crashes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bulkload.core.digest import content_digest
from bulkload.core.terms import JobKey
from bulkload.tables.frames import to_frame
from tests.simulation.engine import Content
from tests.simulation.faulty_wire import FaultInjector, inject_by_chance
from tests.simulation.memory_studio import StudioRules
from tests.simulation.world import Outage

#: Different measurements there are: contents are made once a process and shared by scenarios.
CONTENTS: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens under one seed."""

    seed: int
    jobs: tuple[JobKey, ...]
    bad: frozenset[JobKey] = frozenset()
    #: There before the job came, with other content.
    there_before: frozenset[JobKey] = frozenset()
    #: Whether the Studio holds the specifications and cells of the jobs before.
    cell_is_known: bool = False
    rules: StudioRules = field(default_factory=StudioRules)
    outages: tuple[Outage, ...] = ()
    fault_rate: float = 0.0
    latency_s: float = 0.02
    requests_per_s: float | None = None
    #: Steps after which each run crashes; a run beyond them ends by itself.
    crashes: tuple[int, ...] = ()
    #: Seconds after which each run receives a stop.
    stops: tuple[float | None, ...] = ()
    #: By how much the clock of this machine is ahead of the Studio's, in seconds.
    clock_ahead_s: float = 0.0
    workers: int = 2
    connections: int = 8
    outage_limit_s: float = 3600.0
    #: Causes for which a measurement may fail in the end: the right reason for its faults.
    may_fail_as: frozenset[str] = frozenset()
    inject: FaultInjector = inject_by_chance


@lru_cache(CONTENTS)
def content(number: int) -> Content:
    """Make the content of a measurement, different for each number."""
    rows = 20 + number
    table = pa.table(
        {
            "Time [s]": np.arange(rows) * 10.0,
            "Voltage [V]": 3.8 - 0.001 * np.arange(rows) - 1e-4 * number,
            "Current [A]": np.full(rows, 0.5),
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return Content(
        data=sink.getvalue().to_pybytes(),
        rows=rows,
        columns=tuple(table.column_names),
        content_digest=content_digest(to_frame(table)),
    )


def scenario_of(seed: int) -> Scenario:
    """Draw a scenario."""
    chance = Random(seed)
    jobs = tuple(
        JobKey(f"spec {s}", f"cell {c}", f"run {m}")
        for s in range(chance.randint(1, 2))
        for c in range(chance.randint(1, 3))
        for m in range(chance.randint(1, 5))
    )

    def some(part: float) -> frozenset[JobKey]:
        return frozenset(key for key in jobs if chance.random() < part)

    there_before = some(0.3) if chance.random() < 0.25 else frozenset()
    failing = some(0.3) if chance.random() < 0.2 else frozenset()
    stuck = some(0.2) if chance.random() < 0.04 else frozenset()
    rules = StudioRules(
        processing_s=chance.choice((0.0, 0.3, 2.0, 30.0)),
        gap_s=chance.choice((0.0, 0.0, 0.5, 3.0)),
        url_lifetime_s=chance.choice((3600.0, 3600.0, 5.0)),
        finds_duplicate_at_initiate=chance.random() < 0.7,
        names_existing_id=chance.random() < 0.7,
        confirms_twice=chance.random() < 0.5,
        fails_processing=frozenset(key.measurement for key in failing),
        never_ends_processing=frozenset(key.measurement for key in stuck),
    )
    return Scenario(
        seed=seed,
        jobs=jobs,
        bad=some(0.1),
        there_before=there_before,
        rules=rules,
        outages=_outages(chance),
        fault_rate=chance.choice((0.0, 0.02, 0.1, 0.1, 0.3)),
        latency_s=chance.choice((0.002, 0.02, 0.2)),
        crashes=tuple(
            int(chance.triangular(1, 60 * len(jobs), 20))
            for _ in range(chance.choice((0, 1, 2, 4)))
        ),
        stops=tuple(
            chance.uniform(0.0, 20.0) if chance.random() < 0.15 else None for _ in range(3)
        ),
        workers=chance.randint(1, 3),
        connections=chance.choice((1, 2, 8, 32)),
        outage_limit_s=chance.choice((30.0, 3600.0)),
        # Chance may let a store report a wrong digest twice in a row: then it failed as it must.
        may_fail_as=frozenset({"integrity"}),
    )


def _outages(chance: Random) -> tuple[Outage, ...]:
    found = []
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        begins_s = chance.uniform(0.0, 20.0)
        found.append(Outage(begins_s, begins_s + chance.choice((3.0, 45.0, 600.0))))
    return tuple(found)
