"""Every pair of a first and a second fault over the requests of one measurement.

A site is a fault at a step of the protocol. The first request of a step meets the first fault;
of the requests after it, the first one of another site's step meets the second. Everything
before the second fault is the same in all pairs that share the first, so one scenario with the
first fault alone shows which steps follow it: all other pairs cannot happen.

A measurement of a new cell is never listed, so every pair with the step ``list`` runs in a
Studio that knows the cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from tests.simulation.faulty_wire import FOR_API, FOR_STORE, Fault, FaultInjector
from tests.simulation.figures import API_STEPS, PLAIN, archive, fault_free
from tests.simulation.judge import Result
from tests.simulation.simulation import run
from tests.simulation.world import World

#: Answers with a meaning, the steps at which they can come, and the causes for which a
#: measurement may then fail.
MEANINGS: Final = {
    Fault.QUOTA: (("initiate", "put", "confirm"), {"permission"}),
    Fault.CHANNEL: (("confirm",), {"conflict"}),
    Fault.RIVAL: (("create_spec", "create_cell", "initiate", "confirm"), set[str]()),
    Fault.FORGOTTEN: (("list", "poll"), {"record_vanished"}),
}
#: The step that only a known cell takes.
LIST: Final = "list"
#: Cause of a measurement whose bytes the store twice reports wrongly.
TWICE_WRONG: Final = "integrity"


@dataclass(frozen=True, slots=True)
class Site:
    """A fault at a step."""

    step: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.fault} at {self.step}"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sites, and whether the Studio knows the cell of the measurement before."""

    first: Site
    second: Site
    cell_is_known: bool

    def __str__(self) -> str:
        return f"{self.first}, then {self.second}"


@dataclass(slots=True)
class _InTurn:
    """Injector of faults in turn, each at the first request of its step."""

    sites: list[Site]
    #: Steps of the requests after the last fault, in order of first appearance.
    later: dict[str, None] = field(default_factory=dict)

    def __call__(self, world: World, step: str) -> Fault | None:
        if not self.sites:
            self.later[step] = None
        elif self.sites[0].step == step:
            site = self.sites.pop(0)
            if site.fault is Fault.CRASH:
                world.dies_at = world.steps + 1
            return site.fault
        return None


def sites() -> Iterator[Site]:
    """Yield every fault at every step where it can happen."""
    for step in API_STEPS:
        yield from (Site(step, fault) for fault in (*FOR_API, Fault.CRASH))
    yield from (Site("put", fault) for fault in (*FOR_STORE, Fault.EARLY, Fault.CRASH))
    for fault, (steps, _) in MEANINGS.items():
        yield from (Site(step, fault) for step in steps)


def pairs() -> Iterator[Pair]:
    """Yield every pair that can happen; runs one or two scenarios for each first site."""
    for first in sites():
        yield from pairs_after(first)


def pairs_after(first: Site) -> Iterator[Pair]:
    """Yield every pair that can happen with this first site."""
    for cell_is_known in (False, True):
        in_turn = _InTurn([first])
        _run(in_turn, (first,), cell_is_known=cell_is_known)
        for second in sites():
            is_listed = LIST in (first.step, second.step)
            if is_listed is cell_is_known and second.step in in_turn.later:
                yield Pair(first, second, cell_is_known)


def draw_pairs(count: int, seed: int) -> Iterator[Pair]:
    """Draw pairs that can happen: a first site, then one of the second sites after it."""
    chance, every = Random(seed), list(sites())
    while count:
        if after := list(pairs_after(chance.choice(every))):
            yield chance.choice(after)
            count -= 1


def run_pair(pair: Pair) -> Result:
    """Run the upload of one measurement in which both faults happen."""
    in_turn = _InTurn([pair.first, pair.second])
    result = _run(in_turn, (pair.first, pair.second), cell_is_known=pair.cell_is_known)
    if in_turn.sites:
        result.violations.append(f"{in_turn.sites[0]} did not happen")
    return result


def _run(inject: FaultInjector, happening: tuple[Site, ...], *, cell_is_known: bool) -> Result:
    faults = [site.fault for site in happening]
    may_fail_as = {cause for fault in faults for cause in MEANINGS.get(fault, ((), ()))[1]}
    if faults == [Fault.LIE, Fault.LIE]:
        may_fail_as.add(TWICE_WRONG)
    scenario = replace(
        fault_free(archive(1)),
        # Long enough for a record to be forgotten while it is processed.
        rules=replace(PLAIN, processing_s=2.0),
        inject=inject,
        may_fail_as=frozenset(may_fail_as),
        cell_is_known=cell_is_known,
    )
    return run(scenario)
