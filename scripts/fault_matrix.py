"""Every fault at every step of the protocol, every pair of faults, and the cost of faults.

    python scripts/fault_matrix.py                    20 seeds a case, 500 pairs drawn by a seed
    python scripts/fault_matrix.py --pairs all        every pair of faults (an hour of one core)
    python scripts/fault_matrix.py --pairs 3/8        the third of eight parts of them, alone
    python scripts/fault_matrix.py --seeds 2          the short form

The whole engine runs in virtual time (``tests.simulation``). A case is a kind of fault that
meets half of the requests of one step, in an upload of three measurements; a pair is two
faults, one after the other, in the upload of one. At the end every measurement must be in the
Studio exactly once, with the bytes that were intended, and be reported so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from tests.simulation.fault_pairs import Pair, draw_pairs, pairs, run_pair
from tests.simulation.figures import at_rate, fault_cases, run_case

#: Measurements of an upload by which the cost of faults is measured.
MEASUREMENTS = 200
FAULT_RATE = 0.1
#: Requests that a measurement may take at that rate, in those that it takes without faults.
MOST = 1.3
#: Pairs that are run without ``--pairs``.
SAMPLE = 500


def main() -> int:
    """Fill the matrix; return 1 where a case, a pair or the cost violates its bound."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=20, help="scenarios a case")
    options.add_argument(
        "--pairs", default=str(SAMPLE), help="number of pairs to draw, all, or K/N of all"
    )
    options.add_argument("--seed", type=int, default=0, help="by which pairs are drawn")
    asked = options.parse_args()
    if "/" in asked.pairs:
        part, parts = (int(number) for number in asked.pairs.split("/"))
        return 1 if pair_matrix(islice(pairs(), part - 1, None, parts)) else 0
    began = time.monotonic()
    failed = matrix(asked.seeds)
    failed += pair_matrix(
        pairs() if asked.pairs == "all" else draw_pairs(int(asked.pairs), asked.seed)
    )
    worst = cost(asked.seeds)
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
        f"reason, {ended['existing']} were another client's first, "
        f"{failed} scenarios with violations",
        flush=True,
    )
    return failed


def pair_matrix(chosen: Iterable[Pair]) -> int:
    """Run pairs of faults; return how many ended with violations."""
    failed = scenarios = 0
    ended = Counter[str]()
    began_s, cpu_s = time.monotonic(), time.process_time()
    for pair in chosen:
        result = run_pair(pair)
        scenarios += 1
        ended += result.counts
        if result.violations:
            failed += 1
            print(f"{pair}: {result.counts} {result.violations}", flush=True)
    print(
        f"pairs of faults: {scenarios} scenarios, {ended['created']} measurements delivered, "
        f"{ended['failed']} failed with the right reason, {ended['existing']} were another "
        f"client's first, {failed} scenarios with violations; {time.monotonic() - began_s:.0f} s "
        f"({time.process_time() - cpu_s:.0f} s of one core)",
        flush=True,
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
