"""The figures of delivery in their short form; the long one is in `scripts/`."""

from __future__ import annotations

import pytest

from tests.simulation.figures import (
    API_STEPS,
    at_rate,
    cells,
    in_cell,
    through_outage,
    under_limit,
)

#: Cells in which a measurement may end otherwise than as our own upload.
OTHERWISE = {
    *("quota", "channel", "lie", "rival", "forgotten"),
    *("processing fails", "processing never ends"),
}


@pytest.mark.parametrize("step", [*API_STEPS, "put"])
def test_every_trouble_at_every_step_costs_no_measurement(step: str) -> None:
    """One seed a cell; `scripts/fault_matrix.py` lives twenty."""
    for cell in cells():
        if cell.step != step:
            continue
        told = in_cell(cell, 0)
        assert not told.complaints, f"{cell.kind} at {step}: {told.complaints}"
        if cell.kind not in OTHERWISE:
            assert told.counts == {"created": 3}, f"{cell.kind} at {step}"


def test_trouble_in_a_tenth_of_the_requests_costs_less_than_a_third_more() -> None:
    calm = at_rate(80, 0.0, 0)
    troubled = at_rate(80, 0.1, 0)
    assert not calm.complaints + troubled.complaints
    assert len(troubled.sent) <= 1.3 * len(calm.sent)


def test_an_outage_of_ten_minutes_is_waited_for_in_peace() -> None:
    told, sent = through_outage(60, 600.0, 0)
    assert not told.complaints
    assert (told.lives, told.exit_codes) == (1, [0])
    assert told.counts == {"created": 60}
    assert sent <= 600


def test_a_limit_of_fifty_requests_a_second_is_reached_and_kept() -> None:
    pace = under_limit(1000, 50.0, 0, settles_s=30.0)
    assert not pace.told.complaints
    assert pace.served_per_s >= 0.9 * 50.0
    assert pace.refused_part < 0.05
