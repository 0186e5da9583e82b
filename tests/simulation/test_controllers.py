"""Each feedback loop that is left is worth its lines: a figure gets worse without it."""

from __future__ import annotations

import pytest

from tests.simulation.controllers import LOOPS, Loop

#: Seconds and requests without a loop that count as worse.
A_TENTH = 1.1


@pytest.mark.parametrize(
    "loop", LOOPS, ids=[f"{loop.name}: {loop.scenario.__name__}" for loop in LOOPS]
)
def test_a_figure_gets_worse_without_the_loop(loop: Loop) -> None:
    if loop.scenario.__name__ in {"wide_link", "long_processing"}:
        pytest.skip("shows what the loop costs where it is not needed")
    with_it, without = loop.measure()
    assert with_it.failed == 0
    assert (
        without.failed > 0
        or without.requests > A_TENTH * with_it.requests
        or without.virtual_s > A_TENTH * with_it.virtual_s
    )
