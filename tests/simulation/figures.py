"""The figures of delivery, measured on the whole engine in virtual time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from bulkload.core.terms import JobKey
from tests.simulation.faulty_wire import FOR_API, FOR_STORE, Fault, FaultInjector
from tests.simulation.judge import Result
from tests.simulation.memory_studio import StudioRules
from tests.simulation.scenario import Scenario
from tests.simulation.simulation import run
from tests.simulation.world import Outage, World

#: Requests that an upload makes, by the step of the protocol that each takes.
API_STEPS: Final = (
    "find_spec",
    "create_spec",
    "find_cell",
    "create_cell",
    "list",
    "initiate",
    "confirm",
    "poll",
)
#: Part of the requests of a step that meet the fault of their case.
FAULT_PART: Final = 0.5
#: Seconds for which a fault of every request lasts.
CONSTANT_FAULT_S: Final = 300.0
DAY_S: Final = 86_400.0
#: A Studio in which nothing goes wrong.
PLAIN: Final = StudioRules(processing_s=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultCase:
    """One case of the matrix: a fault at a step, and what else is out of order."""

    fault: Fault
    step: str
    #: Name of the fault, where its kind alone would be ambiguous.
    name: str = ""
    part: float = FAULT_PART
    ends_s: float = math.inf
    clock_ahead_s: float = 0.0
    rules: StudioRules = PLAIN
    #: Whether the engine dies on its way too.
    is_killed: bool = False
    may_fail_as: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """Return the row of the matrix."""
        return self.name or self.fault.value


def archive(measurements: int, a_cell: int = 10) -> tuple[JobKey, ...]:
    """Return the keys of an archive of one specification."""
    return tuple(
        JobKey("spec", f"cell {number // a_cell}", f"run {number % a_cell}")
        for number in range(measurements)
    )


def fault_free(jobs: tuple[JobKey, ...], seed: int = 0) -> Scenario:
    """Return a scenario in which nothing goes wrong."""
    return Scenario(seed=seed, jobs=jobs, rules=PLAIN, connections=16)


def fault_cases() -> Iterator[FaultCase]:
    """Yield every fault at every step where it can happen."""
    for step in API_STEPS:
        yield from (FaultCase(fault=fault, step=step) for fault in FOR_API)
        yield FaultCase(
            fault=Fault.S500, step=step, name="500 always", part=1.0, ends_s=CONSTANT_FAULT_S
        )
        for name, ahead_s in (("a day ahead", DAY_S), ("a day behind", -DAY_S)):
            yield FaultCase(
                fault=Fault.S429_DATE, step=step, name=f"clock {name}", clock_ahead_s=ahead_s
            )
    # A store that twice reports other bytes than were sent has not stored them.
    for fault in FOR_STORE:
        may_fail_as = frozenset({"integrity"} if fault is Fault.LIE else ())
        yield FaultCase(fault=fault, step="put", may_fail_as=may_fail_as)
    for fault in (Fault.S500, Fault.EXPIRED, Fault.EARLY):
        name = f"{fault} always"
        yield FaultCase(fault=fault, step="put", name=name, part=1.0, ends_s=CONSTANT_FAULT_S)
    yield from _meanings()


def _meanings() -> Iterator[FaultCase]:
    """Yield answers with a meaning: rejections, rivals, and failures of the Studio itself."""
    for step in ("initiate", "put", "confirm"):
        yield FaultCase(fault=Fault.QUOTA, step=step, may_fail_as=frozenset({"permission"}))
    yield FaultCase(fault=Fault.CHANNEL, step="confirm", may_fail_as=frozenset({"conflict"}))
    for step in ("create_spec", "create_cell", "initiate", "confirm"):
        yield FaultCase(fault=Fault.RIVAL, step=step)
    keeps = replace(PLAIN, upload_keeps_name_s=30.0)
    yield FaultCase(fault=Fault.STALE_UPLOAD, step="initiate", rules=keeps)
    for step in ("initiate", "put", "confirm"):
        yield FaultCase(
            fault=Fault.RESET_AFTER,
            step=step,
            name="our own stale upload",
            rules=keeps,
            is_killed=True,
        )
    for step in ("create_spec", "create_cell", "confirm"):
        rules = replace(PLAIN, gap_s=3.0)
        yield FaultCase(fault=Fault.RESET_AFTER, step=step, name="shows late", rules=rules)
    for step in ("list", "poll"):
        yield FaultCase(
            fault=Fault.FORGOTTEN,
            step=step,
            rules=replace(PLAIN, processing_s=2.0),
            may_fail_as=frozenset({"record_vanished"}),
        )
    failing = frozenset({"run 0"})
    for name, rules in (
        ("processing fails", replace(PLAIN, fails_processing=failing)),
        ("processing never ends", replace(PLAIN, never_ends_processing=failing)),
    ):
        yield FaultCase(fault=Fault.RESET_AFTER, step="poll", name=name, rules=rules)


def run_case(case: FaultCase, seed: int) -> Result:
    """Run an upload of three measurements with one kind of fault at one step."""

    def inject(world: World, step: str) -> Fault | None:
        is_there = step == case.step and world.now() < case.ends_s
        return case.fault if is_there and world.chance.random() < case.part else None

    # Two of a cell and one of another: listings as well as single questions are asked.
    scenario = replace(
        fault_free(archive(3, a_cell=2), seed),
        inject=inject,
        rules=case.rules,
        clock_ahead_s=case.clock_ahead_s,
        crashes=(20 + 7 * seed,) if case.is_killed else (),
        may_fail_as=case.may_fail_as,
    )
    return run(scenario)


def at_rate(
    measurements: int, fault_rate: float, seed: int, injector: FaultInjector | None = None
) -> Result:
    """Run an upload in which that part of all requests meets faults of any kind."""
    scenario = replace(fault_free(archive(measurements), seed), fault_rate=fault_rate)
    return run(scenario if injector is None else replace(scenario, inject=injector))


def through_outage(measurements: int, seconds: float, seed: int) -> tuple[Result, int]:
    """Run an upload through an outage in its middle; return it and the requests in the outage."""
    calm = run(fault_free(archive(measurements), seed))
    begins_s = calm.sent[len(calm.sent) // 2][0]
    outage = Outage(begins_s, begins_s + seconds)
    result = run(replace(fault_free(archive(measurements), seed), outages=(outage,)))
    sent = sum(outage.begins_s <= at < outage.ends_s for at, _ in result.sent)
    return result, sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Pace of a run on a server with a limit of requests a second."""

    result: Result
    #: Requests that were served, a second, and the part that was refused, once settled.
    served_per_s: float
    refused_part: float


def under_limit(measurements: int, per_s: float, seed: int, settles_s: float) -> Pace:
    """Run an upload to a server with a limit; measure from ``settles_s`` to nearly the end."""
    scenario = replace(
        fault_free(archive(measurements), seed), requests_per_s=per_s, connections=32, workers=16
    )
    result = run(scenario)
    api = [(at, status) for at, service, status in result.exchanged if service == "api"]
    # The end of a run is short of work, and shows nothing of the limit.
    last_s = result.ended_s * 0.9
    settled = [status for at, status in api if settles_s <= at < last_s]
    refused = sum(status == 429 for status in settled)
    return Pace(
        result=result,
        served_per_s=(len(settled) - refused) / (last_s - settles_s),
        refused_part=refused / max(1, len(settled)),
    )
