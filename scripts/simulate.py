"""Live simulated stories of the whole engine: crashes, lost answers, outages, in virtual time.

python scripts/simulate.py --seeds 1000           seeds 0 to 999
python scripts/simulate.py --seed 4711            one of them again, told at length
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import replace

from tests.simulation.simulation import simulate
from tests.simulation.verdict import Telling


def main() -> int:
    """Live the stories that were asked for; 1 where one did not end as it must."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seed", type=int, help="this story only")
    options.add_argument("--seeds", type=int, default=200, help="so many stories")
    options.add_argument("--first", type=int, default=0, help="the first of them")
    asked = options.parse_args()
    if asked.seed is not None:
        told = simulate(asked.seed)
        show(told)
        return 1 if told.complaints else 0
    began, total, failed = time.monotonic(), Counter[str](), 0
    for seed in range(asked.first, asked.first + asked.seeds):
        told = simulate(seed)
        total.update(lives=told.lives, steps=told.steps, requests=told.requests)
        total.update(virtual_s=round(told.virtual_s), jobs=len(told.story.jobs))
        total.update(crashes=told.exit_codes.count(None))
        if told.complaints:
            failed += 1
            print(f"seed {seed}: {told.complaints[0]}")
            print(f"    again: python scripts/simulate.py --seed {seed}")
    seconds = time.monotonic() - began
    print(f"{asked.seeds} stories in {seconds:.1f} s, {failed} failed: {dict(total)}")
    return 1 if failed else 0


def show(told: Telling) -> None:
    """Tell a story at length."""
    print(replace(told.story, jobs=()))
    print(f"{len(told.story.jobs)} jobs, {told.lives} lives, exit codes {told.exit_codes}")
    print(f"{told.steps} steps, {told.requests} requests, {told.retries} retries")
    print(f"{told.virtual_s:.1f} virtual seconds; {dict(told.counts)} {dict(told.causes)}")
    for complaint in told.complaints:
        print(f"NOT AS IT MUST BE: {complaint}")


if __name__ == "__main__":
    sys.exit(main())
