"""Run simulated scenarios of the whole engine: crashes, lost answers, outages, in virtual time.

python scripts/simulate.py --seeds 1000           seeds 0 to 999
python scripts/simulate.py --seed 4711            one of them again, in full
python scripts/simulate.py --lanes --seeds 400    with two lanes, whose deaths are drawn too

Ctrl-C ends a long run with the account of what was run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace

from tests.simulation.judge import Result
from tests.simulation.lanes import lanes_scenario_of, run_with_lanes
from tests.simulation.scenario import scenario_of
from tests.simulation.simulation import run


def main() -> int:
    """Run the scenarios asked for; return 1 where one has violations."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seed", type=int, help="this scenario only")
    options.add_argument("--seeds", type=int, default=200, help="so many scenarios")
    options.add_argument("--first", type=int, default=0, help="the first of them")
    options.add_argument("--lanes", action="store_true", help="run each with two lanes")
    asked = options.parse_args()
    run_one = _run_with_lanes if asked.lanes else _run
    if asked.seed is not None:
        result = run_one(asked.seed)
        show(result)
        return 1 if result.violations else 0
    began, total, failed = time.monotonic(), Counter[str](), 0
    with suppress(KeyboardInterrupt):
        for seed in range(asked.first, asked.first + asked.seeds):
            result = run_one(seed)
            total.update(scenarios=1, runs=result.runs, steps=result.steps)
            total.update(requests=result.requests, virtual_s=round(result.virtual_s))
            total.update(jobs=len(result.scenario.jobs), crashes=result.crashes)
            total.update(lanes_died=result.lanes_died)
            if result.violations:
                failed += 1
                print(f"seed {seed}: {result.violations[0]}")
                lanes = "--lanes " if asked.lanes else ""
                print(f"    again: python scripts/simulate.py {lanes}--seed {seed}")
    seconds = time.monotonic() - began
    print(f"{total['scenarios']} scenarios in {seconds:.1f} s, {failed} failed: {dict(total)}")
    return 1 if failed else 0


def _run(seed: int) -> Result:
    return run(scenario_of(seed))


def _run_with_lanes(seed: int) -> Result:
    return run_with_lanes(lanes_scenario_of(seed))


def show(result: Result) -> None:
    """Print a scenario and its result in full."""
    print(replace(result.scenario, jobs=()))
    print(f"{len(result.scenario.jobs)} jobs, {result.runs} runs, exit codes {result.exit_codes}")
    print(f"{result.steps} steps, {result.requests} requests, {result.retries} retries")
    print(f"{result.virtual_s:.1f} virtual seconds; {dict(result.counts)} {dict(result.causes)}")
    for violation in result.violations:
        print(f"VIOLATION: {violation}")


if __name__ == "__main__":
    sys.exit(main())
