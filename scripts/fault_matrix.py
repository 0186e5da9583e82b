"""Every trouble at every step of the protocol, and what a rate of trouble costs in requests.

    python scripts/fault_matrix.py                    20 seeds a cell of the matrix
    python scripts/fault_matrix.py --seeds 2          the short form

Lived by the whole engine in virtual time (``tests.simulation``). A cell is a kind of trouble
that strikes half of the requests of one step; at its end every measurement must be in the
Studio exactly once, with the bytes that were meant, and be reported so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter

from tests.simulation.figures import at_rate, cells, in_cell

#: Measurements of an upload by which the cost of trouble is measured.
MEASUREMENTS = 200
FAULT_RATE = 0.1
#: Requests that a measurement may take at that rate, in those that it takes without trouble.
MOST = 1.3


def main() -> int:
    """Fill the matrix; 1 where a cell or the cost is not as it must be."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=20, help="stories a cell")
    seeds = options.parse_args().seeds
    began = time.monotonic()
    failed = matrix(seeds)
    worst = cost(seeds)
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if failed or worst > MOST else 0


def matrix(seeds: int) -> int:
    """Live all cells; return how many stories did not end as they must."""
    failed = stories = 0
    ended = Counter[str]()
    for cell in cells():
        for seed in range(seeds):
            told = in_cell(cell, seed)
            stories += 1
            ended += told.counts
            if told.complaints:
                failed += 1
                print(f"{cell.kind} at {cell.step}, seed {seed}: {told.counts} {told.complaints}")
    kinds = len({cell.kind for cell in cells()})
    steps = len({cell.step for cell in cells()})
    print(
        f"{kinds} kinds of trouble at {steps} steps: {stories} stories, "
        f"{ended['created']} measurements delivered, {ended['failed']} failed with the right "
        f"reason, {ended['existing']} were somebody else's first, "
        f"{failed} stories did not end as they must"
    )
    return failed


def cost(seeds: int) -> float:
    """Measure requests a measurement in trouble over those without; return the worst."""
    calm = len(at_rate(MEASUREMENTS, 0.0, 0).sent)
    ratios = [len(at_rate(MEASUREMENTS, FAULT_RATE, seed).sent) / calm for seed in range(seeds)]
    print(
        f"requests a measurement at a fault rate of {FAULT_RATE:.0%}, over those without: "
        f"median {statistics.median(ratios):.2f}, worst {max(ratios):.2f} of {seeds} "
        f"({MEASUREMENTS} measurements each; at most {MOST} is the aim)"
    )
    return max(ratios)


if __name__ == "__main__":
    sys.exit(main())
