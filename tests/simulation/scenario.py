"""What happens under one seed: an archive, a Studio with its options, faults, crashes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

from bulkload.core.existing import Existing
from bulkload.core.lifecycle import JobState
from bulkload.core.terms import JobKey
from tests.simulation.faulty_wire import FaultInjector, inject_by_chance
from tests.simulation.memory_studio import StudioRules
from tests.simulation.world import Outage


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens under one seed."""

    seed: int
    jobs: tuple[JobKey, ...]
    bad: frozenset[JobKey] = frozenset()
    #: There before the job came, with other content.
    there_before: frozenset[JobKey] = frozenset()
    #: Those of them that hold what the source holds.
    there_with_same: frozenset[JobKey] = frozenset()
    #: When the processing of what was there before ends, None where there was none.
    there_processed_s: float | None = None
    #: What they mean, and whether the plan found all names free.
    existing: Existing = Existing.REUSE
    expects_new: bool = False
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
    #: Measurements whose sources grow once everything was delivered; then all is uploaded again.
    grown: frozenset[JobKey] = frozenset()
    attaches_raw: bool = False
    #: Whether everything is rolled back in the end, and uploaded once more.
    is_rolled_back: bool = False
    #: Measurements that another client changes before the rollback.
    changed_by_others: frozenset[JobKey] = frozenset()
    #: Steps after which each run of the second upload, and of the rollback, crashes.
    later_crashes: tuple[int, ...] = ()
    #: Bytes that wait in the spool before no more is prepared.
    spool_limit_bytes: int = 2**30
    #: Lanes that run the parts of the job; a job that one runs has one part.
    lanes: int = 1
    #: Steps after which each lane dies, in the order in which they start.
    lane_crashes: tuple[int, ...] = ()
    workers: int = 2
    connections: int = 8
    outage_limit_s: float = 3600.0
    #: Causes for which a measurement may fail in the end: the right reason for its faults.
    may_fail_as: frozenset[str] = frozenset()
    #: State and cause of measurements that end otherwise than the fields above say.
    ends_as: Mapping[JobKey, tuple[JobState, str]] = field(default_factory=dict)
    inject: FaultInjector = inject_by_chance


def scenario_of(seed: int) -> Scenario:
    """Draw a scenario: an upload, in some a second one of grown sources, and a rollback."""
    scenario, chance = _upload_of(seed), Random(f"later {seed}")

    def some(part: float) -> frozenset[JobKey]:
        return frozenset(key for key in scenario.jobs if chance.random() < part)

    rules = scenario.rules
    never_stored = rules.fails_processing | rules.never_ends_processing
    not_ours = scenario.bad | scenario.there_before
    grown = some(0.5) - not_ours if chance.random() < 0.4 else frozenset()
    grown = frozenset(key for key in grown if key.measurement not in never_stored)
    failing = {key.measurement for key in grown if chance.random() < 0.2}
    return replace(
        scenario,
        grown=grown,
        attaches_raw=chance.random() < 0.3,
        is_rolled_back=chance.random() < 0.3,
        changed_by_others=some(0.2),
        later_crashes=tuple(
            int(chance.triangular(1, 40 * len(scenario.jobs), 15))
            for _ in range(chance.choice((0, 1, 3)))
        ),
        spool_limit_bytes=chance.choice((1, 5000, 2**30)),
        rules=replace(
            rules,
            fails_extending=frozenset(failing),
            extension_keeps_open_s=chance.choice((0.0, 0.0, 60.0)),
        ),
    )


def _upload_of(seed: int) -> Scenario:
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
    bad = some(0.1)
    return Scenario(
        seed=seed,
        jobs=jobs,
        bad=bad,
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
