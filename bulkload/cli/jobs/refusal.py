"""Messages about a plan that cannot be run: the reason, and what would fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bulkload.cli.output.console import counted
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Problem
from bulkload.core.survey.content import ContentKind
from bulkload.core.survey.proposal import FileFacts
from bulkload.core.survey.propose import Knowledge, propose
from bulkload.core.text import shown
from bulkload.engine.plan_account import PlanAccount

#: Layouts proposed: more than that is work for `bulkload survey`.
PROPOSED: Final = 3


def refused(account: PlanAccount, sources: Sequence[str]) -> str:
    """Return why a plan is refused and what to do, on a few lines."""
    fits = [*_layouts(account.problems, sources)]
    go_on = "" if account.refusal == "no entry fits" else ", or send the rest with --go-on"
    problems = counted(account.problem_count, "problem")
    return "\n".join(
        (
            f"nothing was sent: {problems} in the plan; {account.refusal}.",
            *fits,
            f"Fix what is named above and run the same command again{go_on}.",
        )
    )


def _layouts(problems: Sequence[Problem], sources: Sequence[str]) -> Iterator[str]:
    """Yield layouts that the paths without one would fit, with figures."""
    misfits = [Path(one.where) for one in problems if one.rule == Rule.NO_LAYOUT]
    for source in sources:
        below = [path for path in misfits if path.is_relative_to(source)]
        facts = [
            FileFacts(
                path=path.relative_to(source).as_posix(),
                size_bytes=1,
                modified_s=0.0,
                kind=ContentKind.DATA,
            )
            for path in below
        ]
        layouts = propose(facts, Knowledge()).layouts if facts else ()
        best = sorted(layouts, key=lambda one: -one.fitting)[:PROPOSED]
        for one in best:
            if one.is_exact:
                yield f"--layout {shown(one.text)} fits {one.fitting:,} of these paths."
        if below:
            yield f"bulkload survey {shown(source)} looks at the files and proposes a plan."
