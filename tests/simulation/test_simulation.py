"""The whole engine, hundreds of stories: crashes, lost answers, outages, all in virtual time.

A story that does not end as it must prints its seed; ``python scripts/simulate.py --seed N``
lives it again, step by step the same.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.simulation import simulate, tell
from tests.simulation.story import Story, story_of
from tests.simulation.troubled_wire import Trouble
from tests.simulation.verdict import Telling
from tests.simulation.world import World

ROOT = Path(__file__).resolve().parents[2]

#: Stories lived here; `scripts/simulate.py --seeds N` lives more.
SEEDS = 240
PER_TEST = 20


@pytest.mark.parametrize("first", range(0, SEEDS, PER_TEST))
def test_every_story_ends_as_it_must(first: int) -> None:
    failed = {
        seed: told.complaints
        for seed in range(first, first + PER_TEST)
        if (told := simulate(seed)).complaints
    }
    again = "; ".join(f"python scripts/simulate.py --seed {seed}" for seed in failed)
    assert not failed, f"{failed}\nagain: {again}"


def test_a_story_is_the_same_in_another_process() -> None:
    seed = next(seed for seed in range(100) if story_of(seed).crashes)
    told = [
        subprocess.run(
            [sys.executable, "scripts/simulate.py", "--seed", str(seed)],
            cwd=ROOT,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    steps = [text.splitlines()[1:] for text in told]
    assert steps[0] == steps[1]
    here = simulate(seed)
    assert f"{here.steps} steps, {here.requests} requests" in told[0]


def quiet(**changes: Any) -> Story:
    """Give a story without trouble, crash or outage, with what is changed in it."""
    story = replace(
        story_of(3), bad=frozenset(), there_before=frozenset(), outages=(), fault_rate=0.0
    )
    rules = replace(story.rules, gap_s=0.0, fails_processing=frozenset(), url_lifetime_s=3600.0)
    story = replace(
        story, crashes=(), stops=(), rules=replace(rules, never_ends_processing=frozenset())
    )
    return replace(story, **changes)


def lived(story: Story) -> Telling:
    told = tell(story)
    assert not told.complaints, told.complaints
    return told


def test_a_crash_at_every_single_step_costs_nothing() -> None:
    """Not by chance: the engine dies at each step of an upload in turn."""
    jobs = story_of(3).jobs[:2]
    steps = lived(quiet(jobs=jobs, connections=1)).steps
    for step in range(1, steps + 1):
        told = tell(quiet(jobs=jobs, connections=1, crashes=(step,)))
        assert not told.complaints, f"died at step {step} of {steps}: {told.complaints}"
        assert told.exit_codes == [None, 0]
        assert told.counts == {"created": len(jobs)}


# -- The judge itself: what is wrong must be found ----------------------------------------


def test_a_store_that_loses_what_it_took_is_found() -> None:
    def lose(world: World, step: str) -> Trouble | None:
        if step == "confirm":
            for key in world.studio.objects:
                world.studio.objects[key] = b"shorter"
        return None

    told = tell(quiet(deal=lose))
    assert any("does not" in words for words in told.complaints)
    assert any(words.startswith("verify:") for words in told.complaints)


def test_a_record_that_goes_away_behind_our_back_is_found() -> None:
    def forget(world: World, step: str) -> Trouble | None:
        if step == "poll" and world.now() > 1.0:
            for one in world.studio.measurements()[:1]:
                del world.studio.records[one.id]
        return None

    rules = replace(quiet().rules, processing_s=0.3)
    slow = replace(rules, never_ends_processing=frozenset())
    told = tell(quiet(deal=forget, rules=slow, latency_s=0.5, connections=1))
    assert told.complaints
