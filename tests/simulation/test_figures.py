"""The figures of delivery in their short form; the long form is in `scripts/`."""

from __future__ import annotations

import pytest

from tests.simulation.figures import (
    API_STEPS,
    at_rate,
    fault_cases,
    run_case,
    through_outage,
    under_limit,
)

#: Cases in which a measurement may end otherwise than as our own upload.
OTHERWISE = {
    *("quota", "channel", "lie", "rival", "forgotten"),
    *("processing fails", "processing never ends"),
}


@pytest.mark.parametrize("step", [*API_STEPS, "put"])
def test_every_fault_at_every_step_costs_no_measurement(step: str) -> None:
    """One seed a case; `scripts/fault_matrix.py` runs twenty."""
    for case in fault_cases():
        if case.step != step:
            continue
        result = run_case(case, 0)
        assert not result.violations, f"{case.kind} at {step}: {result.violations}"
        if case.kind not in OTHERWISE:
            assert result.counts == {"created": 3}, f"{case.kind} at {step}"


def test_faults_in_a_tenth_of_the_requests_costs_less_than_a_third_more() -> None:
    calm = at_rate(80, 0.0, 0)
    faulty = at_rate(80, 0.1, 0)
    assert not calm.violations + faulty.violations
    assert len(faulty.sent) <= 1.3 * len(calm.sent)


def test_an_outage_of_ten_minutes_is_waited_for_in_peace() -> None:
    result, sent = through_outage(60, 600.0, 0)
    assert not result.violations
    assert (result.runs, result.exit_codes) == (1, [0])
    assert result.counts == {"created": 60}
    assert sent <= 600


def test_a_limit_of_fifty_requests_a_second_is_reached_and_kept() -> None:
    pace = under_limit(1000, 50.0, 0, settles_s=30.0)
    assert not pace.result.violations
    assert pace.served_per_s >= 0.9 * 50.0
    assert pace.refused_part < 0.05
