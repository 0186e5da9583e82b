"""What each feedback loop of delivery is worth: figures with it and without it, in virtual time.

    python scripts/controllers.py [WORD...]

A loop stays where a figure gets worse without it: more failed, or a tenth more requests, or a
tenth more time. ``WORD`` limits the table to the loops whose name contains it.
"""

from __future__ import annotations

import sys

from tests.simulation.controllers import LOOPS, Figures


def cells(figures: Figures) -> str:
    """Return three cells of the table."""
    return f"{figures.failed} | {figures.requests} | {figures.virtual_s:.0f}"


def main(words: list[str]) -> int:
    """Print the table."""
    print("| loop | work | failed | requests | seconds | failed without | requests | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for loop in LOOPS:
        if words and not any(word in loop.name for word in words):
            continue
        with_it, without = loop.measure()
        work = (loop.scenario.__doc__ or "").strip().rstrip(".")
        print(f"| {loop.name} | {work} | {cells(with_it)} | {cells(without)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
