"""Two lanes against one Studio in virtual time: they share specifications, and die at any step.

A scenario that does not end as it must prints its seed: ``python scripts/simulate.py --lanes
--seed N`` runs it again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Final

from bulkload.core.terms import JobKey
from tests.simulation.figures import archive, fault_free
from tests.simulation.judge import Result
from tests.simulation.lanes import LANES, lanes_scenario_of, run_with_lanes
from tests.simulation.scenario import Scenario

#: Scenarios run here; `scripts/simulate.py --lanes --seeds N` runs more.
SEEDS: Final = 6
#: Of every so many steps of an upload, one at which a lane dies.
STEPS_APART: Final = 13


def calm(**changes: Any) -> Scenario:
    """Return a scenario without faults: four cells of one specification, in several parts."""
    scenario = fault_free(archive(8, a_cell=2), seed=4)
    return replace(scenario, lanes=LANES, **({"connections": 4, "workers": 2} | changes))


def passing(scenario: Scenario) -> Result:
    result = run_with_lanes(scenario)
    assert not result.violations, result.violations
    assert result.exit_codes[-1] == 0
    assert result.counts == {"created": len(scenario.jobs)}
    return result


def test_lanes_that_create_the_same_specification_resolve_the_conflict() -> None:
    result = passing(calm())
    assert result.clients > LANES, "no lane had a second part"
    statuses = Counter(status for _, service, status in result.exchanged if service == "api")
    assert statuses[409] == 1


def test_what_a_lane_had_goes_to_those_that_still_run() -> None:
    """One part is ten times as large as the others: its lane prepares alone in the end."""
    small = [JobKey("spec", cell, "run 0") for cell in ("a", "b", "c", "d", "e")]
    large = [JobKey("spec", "a", f"run {number}") for number in range(1, 20)]
    result = passing(replace(calm(), jobs=(*small, *large)))
    # Each of two lanes has one of two workers while both run.
    assert result.most_preparing == 2


def test_a_lane_that_dies_at_any_step_costs_nothing() -> None:
    for step in range(1, passing(calm()).steps // LANES, STEPS_APART):
        assert passing(calm(lane_crashes=(step,))).lanes_died == 1


def test_every_scenario_with_lanes_ends_without_violations() -> None:
    results = {seed: run_with_lanes(lanes_scenario_of(seed)) for seed in range(SEEDS)}
    failed = {seed: one.violations for seed, one in results.items() if one.violations}
    again = "; ".join(f"python scripts/simulate.py --lanes --seed {seed}" for seed in failed)
    assert not failed, f"{failed}\nagain: {again}"
    assert sum(one.lanes_died for one in results.values()) > 0
    assert sum(one.crashes for one in results.values()) > 0
