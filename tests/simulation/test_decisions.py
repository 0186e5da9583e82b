"""Each decision of the engine once, on the whole engine: what `make mutants` runs against it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.simulation.fault_pairs import Pair, Site, run_pair
from tests.simulation.faulty_wire import Fault
from tests.simulation.figures import PLAIN, archive, fault_free
from tests.simulation.judge import Result
from tests.simulation.simulation import run

JOBS = archive(3, a_cell=2)
ONE = frozenset(JOBS[:1])
#: A name that two cells have, so that it is two measurements.
NAME = frozenset({"run 0"})


def passing(**changes: Any) -> Result:
    result = run(replace(fault_free(JOBS), **changes))
    assert not result.violations, result.violations
    return result


@pytest.mark.parametrize(
    ("changes", "counts", "causes"),
    [
        ({}, {"created": 3}, {}),
        ({"bad": ONE}, {"created": 2, "rejected": 1}, {"unreadable": 1}),
        ({"there_before": ONE}, {"created": 2, "existing": 1}, {}),
        (
            {"rules": replace(PLAIN, fails_processing=NAME)},
            {"created": 1, "failed": 2},
            {"processing_failed": 2},
        ),
        (
            {"rules": replace(PLAIN, never_ends_processing=NAME)},
            {"created": 1, "failed": 2},
            {"processing_unfinished": 2},
        ),
        ({"grown": frozenset(JOBS)}, {"created": 3}, {}),
        (
            {"grown": frozenset(JOBS), "rules": replace(PLAIN, fails_extending=NAME)},
            {"created": 1, "failed": 2},
            {"processing_failed": 2},
        ),
        ({"grown": ONE, "attaches_raw": True}, {"created": 3}, {}),
        ({"is_rolled_back": True, "changed_by_others": ONE}, {"created": 3}, {}),
        ({"is_rolled_back": True, "there_before": ONE}, {"created": 2, "existing": 1}, {}),
        ({"rules": replace(PLAIN, processing_s=30.0), "crashes": (60,)}, {"created": 3}, {}),
        ({"rules": replace(PLAIN, gap_s=3.0), "crashes": (40,)}, {"created": 3}, {}),
    ],
)
def test_how_an_upload_ends(
    changes: dict[str, Any], counts: dict[str, int], causes: dict[str, int]
) -> None:
    result = passing(**changes)
    assert (result.counts, result.causes) == (counts, causes)


@pytest.mark.parametrize(
    ("site", "counts", "causes"),
    [
        (Site("initiate", Fault.RIVAL), {"existing": 1}, {}),
        (Site("confirm", Fault.RIVAL), {"existing": 1}, {}),
        (Site("create_cell", Fault.RIVAL), {"created": 1}, {}),
        (Site("confirm", Fault.CHANNEL), {"failed": 1}, {"conflict": 1}),
        (Site("initiate", Fault.QUOTA), {"failed": 1}, {"permission": 1}),
        (Site("poll", Fault.FORGOTTEN), {"failed": 1}, {"record_vanished": 1}),
        (Site("confirm", Fault.CRASH), {"created": 1}, {}),
        (Site("confirm", Fault.LATE), {"created": 1}, {}),
        (Site("put", Fault.EXPIRED), {"created": 1}, {}),
    ],
)
def test_how_a_fault_ends(site: Site, counts: dict[str, int], causes: dict[str, int]) -> None:
    result = run_pair(Pair(Site("find_spec", Fault.S500), site, cell_is_known=False))
    assert not result.violations, result.violations
    assert (result.counts, result.causes) == (counts, causes)


@pytest.mark.parametrize("lost", [Fault.LATE, Fault.TRUNCATED, Fault.S500_AFTER, Fault.HTML_AFTER])
def test_a_record_that_goes_while_its_confirm_is_unanswered_has_vanished(lost: Fault) -> None:
    sites = Site("confirm", lost), Site("poll", Fault.FORGOTTEN)
    result = run_pair(Pair(*sites, cell_is_known=False))
    assert not result.violations, result.violations
    assert (result.counts, result.causes) == ({"failed": 1}, {"record_vanished": 1})
