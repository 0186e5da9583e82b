"""Pairs of faults, drawn by a seed; `scripts/fault_matrix.py --pairs all` runs every one."""

from __future__ import annotations

import pytest

from tests.simulation.fault_pairs import Pair, Site, draw_pairs, pairs_after, run_pair
from tests.simulation.faulty_wire import Fault

SEED = 20261129
PAIRS = 120
PER_TEST = 30


@pytest.mark.parametrize("part", range(PAIRS // PER_TEST))
def test_two_faults_cost_no_measurement(part: int) -> None:
    for pair in draw_pairs(PER_TEST, SEED + part):
        result = run_pair(pair)
        assert not result.violations, f"{pair}: {result.violations}"


def test_pairs_are_those_that_can_happen() -> None:
    """A lost answer to a creation is followed by a look, so an earlier step comes again."""
    lost = list(pairs_after(Site("create_cell", Fault.RESET_AFTER)))
    assert {pair.second.step for pair in lost} == {
        "find_cell", "initiate", "put", "confirm", "poll",
    }  # fmt: skip
    known = list(pairs_after(Site("list", Fault.S500)))
    assert {pair.second.step for pair in known} == {"list", "initiate", "put", "confirm", "poll"}
    assert all(pair.cell_is_known for pair in known)


def test_a_pair_that_cannot_happen_is_a_violation() -> None:
    pair = Pair(Site("confirm", Fault.S500), Site("create_spec", Fault.S500), cell_is_known=False)
    assert run_pair(pair).violations == ["500 at create_spec did not happen"]
