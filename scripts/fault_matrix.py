"""Every fault at every step of the protocol, and what a rate of faults costs in requests.

    python scripts/fault_matrix.py                    20 seeds a case
    python scripts/fault_matrix.py --seeds 2          the short form

The whole engine runs in virtual time (``tests.simulation``). A case is a kind of fault
that part half of the requests of one step; at its end every measurement must be in the
Studio exactly once, with the bytes that were intended, and be reported so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter

from tests.simulation.figures import at_rate, fault_cases, run_case

#: Measurements of an upload by which the cost of faults is measured.
MEASUREMENTS = 200
FAULT_RATE = 0.1
#: Requests that a measurement may take at that rate, in those that it takes without faults.
MOST = 1.3


def main() -> int:
    """Fill the matrix; return 1 where a case or the cost violates its bound."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=20, help="scenarios a case")
    seeds = options.parse_args().seeds
    began = time.monotonic()
    failed = matrix(seeds)
    worst = cost(seeds)
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if failed or worst > MOST else 0


def matrix(seeds: int) -> int:
    """Run all cases; return how many scenarios ended with violations."""
    failed = scenarios = 0
    ended = Counter[str]()
    for case in fault_cases():
        for seed in range(seeds):
            result = run_case(case, seed)
            scenarios += 1
            ended += result.counts
            if result.violations:
                failed += 1
                print(
                    f"{case.kind} at {case.step}, seed {seed}: {result.counts} {result.violations}"
                )
    kinds = len({case.kind for case in fault_cases()})
    steps = len({case.step for case in fault_cases()})
    print(
        f"{kinds} kinds of faults at {steps} steps: {scenarios} scenarios, "
        f"{ended['created']} measurements delivered, {ended['failed']} failed with the right "
        f"reason, {ended['existing']} were somebody else's first, "
        f"{failed} scenarios with violations"
    )
    return failed


def cost(seeds: int) -> float:
    """Measure requests a measurement with faults over those without; return the worst."""
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
