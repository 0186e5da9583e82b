"""Draw the states of a measurement from the lifecycle table, as the manual shows it.

python scripts/state_diagram.py            print the diagram (Mermaid)
"""

from __future__ import annotations

import sys
from collections import defaultdict

from bulkload.core.lifecycle import FINAL, TRANSITIONS, Attempting, Event, GaveUp, JobState

#: Events that change nothing: a table of its own says more than a loop at each state.
SILENT: tuple[type[Event], ...] = (Attempting, GaveUp)


def main() -> int:
    """Print the diagram."""
    print(diagram(), end="")
    return 0


def diagram() -> str:
    """Return the diagram with its fence and the sentence on what it leaves out."""
    arrows: dict[tuple[JobState, JobState], list[str]] = defaultdict(list)
    for (before, kind), after in TRANSITIONS.items():
        if kind not in SILENT:
            arrows[before, after].append(kind.__name__)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {JobState.PLANNED}"]
    for (before, after), names in sorted(arrows.items(), key=_in_order):
        lines.append(f"    {before} --> {after}: {', '.join(names)}")
    lines += [f"    {state} --> [*]" for state in JobState if state in FINAL]
    lines += ["```", ""]
    silent = " and ".join(f"`{kind.__name__}`" for kind in SILENT)
    open_states = ", ".join(state for state in JobState if state not in FINAL)
    lines.append(f"{silent} leave a state as it is; they can happen in: {open_states}.")
    return "\n".join(lines) + "\n"


def _in_order(arrow: tuple[tuple[JobState, JobState], list[str]]) -> tuple[int, int]:
    states = list(JobState)
    (before, after), _ = arrow
    return states.index(before), states.index(after)


if __name__ == "__main__":
    sys.exit(main())
