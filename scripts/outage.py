"""A ten-minute outage in the middle, and a server that takes 50 requests a second.

    python scripts/outage.py

The whole engine runs in virtual time (``tests.simulation``).
"""

from __future__ import annotations

import argparse
import sys

from tests.simulation.figures import through_outage, under_limit

MEASUREMENTS = 200
OUTAGE_S = 600.0
#: Requests a second during the outage, at most.
MOST_PER_S = 1.0
LIMIT_PER_S = 50.0
LIMITED_MEASUREMENTS = 2000
SETTLES_S = 30.0
#: Part of the limit that must be reached, and part of the requests that may be refused.
LEAST_OF_LIMIT = 0.9
MOST_REFUSED = 0.05


def main() -> int:
    """Show both figures; 1 where one of them does not hold."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=5, help="scenarios a figure")
    seeds = options.parse_args().seeds
    return 0 if all([outages(seeds), limits(seeds)]) else 1


def outages(seeds: int) -> bool:
    """Show what happens in outages; true where all is as it must be."""
    holds = True
    for seed in range(seeds):
        result, sent = through_outage(MEASUREMENTS, OUTAGE_S, seed)
        per_s = sent / OUTAGE_S
        holds = holds and not result.violations and per_s <= MOST_PER_S
        print(
            f"seed {seed}: an outage of {OUTAGE_S:.0f} s: {result.counts['created']} of "
            f"{MEASUREMENTS} delivered in {result.runs} run, {sent} requests during the outage "
            f"({per_s:.2f} a second), {result.violations}"
        )
    return holds


def limits(seeds: int) -> bool:
    """Show how a run fares under a limit; true where all is as it must be."""
    holds = True
    for seed in range(seeds):
        pace = under_limit(LIMITED_MEASUREMENTS, LIMIT_PER_S, seed, SETTLES_S)
        share = pace.served_per_s / LIMIT_PER_S
        good = share >= LEAST_OF_LIMIT and pace.refused_part < MOST_REFUSED
        holds = holds and good and not pace.result.violations
        print(
            f"seed {seed}: a limit of {LIMIT_PER_S:.0f} requests a second: {share:.1%} of it "
            f"reached, {pace.refused_part:.2%} refused after the first {SETTLES_S:.0f} s, "
            f"{pace.result.violations}"
        )
    return holds


if __name__ == "__main__":
    sys.exit(main())
