"""The rollback of a scenario: what must be gone after it, and what must still be there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from bulkload.core.lifecycle import JobState
from bulkload.engine.rollback import RollbackReport
from bulkload.journal import Store
from tests.simulation.judge import Result
from tests.simulation.memory_studio import MemoryStudio
from tests.simulation.world import World

#: Rollbacks with faults at most, and then without.
MAX_FAULTY: Final = 8
MAX_CALM: Final = 3


def roll_back(
    world: World,
    result: Result,
    open_store: Callable[[], Store],
    roll_back_once: Callable[[int | None], RollbackReport | None],
) -> None:
    """Roll back as often as it takes, then compare the Studio with what must be left."""
    scenario, studio = result.scenario, world.studio
    with open_store() as store:
        created = {
            row.key: str(row.measurement_id) for row in store.jobs() if row.state is JobState.READY
        }
        parents = {parent.id for parent in store.parents()}
    for key in scenario.changed_by_others & set(created):
        studio.records[created.pop(key)].updated_at += 1.0
    goes = _with_empty_parents(studio, created.values(), parents)
    left = set(studio.records) - goes
    for number in range(MAX_FAULTY + MAX_CALM):
        world.faults_are_over = number >= MAX_FAULTY
        crashes = scenario.later_crashes
        report = roll_back_once(crashes[number] if number < len(crashes) else None)
        # A rollback that could not hear what became of a record says so, and is run again.
        if report is not None and goes.isdisjoint(one.candidate.id for one in report.left):
            break
    still_there = goes & set(studio.records)
    result.violations += [f"the rollback left {one}" for one in sorted(still_there)]
    wrongly = left - set(studio.records)
    result.violations += [f"the rollback deleted {one}" for one in sorted(wrongly)]


def _with_empty_parents(
    studio: MemoryStudio, measurements: Iterable[str], ours: set[str]
) -> set[str]:
    """Return the measurements, and those of our parents that hold nothing else."""
    goes = set(measurements)
    for kind in ("cell_instance", "cell_specification"):
        for one in list(studio.records.values()):
            children = {child.id for child in studio.records.values() if child.parent == one.id}
            if one.kind == kind and one.id in ours and children <= goes:
                goes.add(one.id)
    return goes
