"""A run's news as text: what a quiet run prints, and what a notification says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bulkload.core.tally import Newly, RunReport
from bulkload.core.text import printable


def news_text(
    report: RunReport, *, lost: Sequence[str], gone: Sequence[str], stopped_because: str = ""
) -> str:
    """Return what is worth telling of a run, a line each; empty where there is no news.

    ``lost`` are messages of what is newly rejected or failed, and ``gone`` names of what left the
    plan: the first ones, whose numbers the report has.
    """
    lines = _lines(report, lost, gone, stopped_because)
    return "\n".join(map(printable, lines)) if report.has_news else ""


def _lines(
    report: RunReport, lost: Sequence[str], gone: Sequence[str], stopped_because: str
) -> Iterator[str]:
    yield f"{report.job}: {report.statement}"
    newly = sum(report.this_run.get(word, 0) for word in (Newly.REJECTED, Newly.FAILED))
    yield from _listed("newly rejected or failed", newly, lost)
    yield from _listed("no longer in the plan", report.this_run.get("gone", 0), gone)
    if stopped_because:
        yield f"stopped: {stopped_because}"


def _listed(title: str, count: int, first: Sequence[str]) -> Iterator[str]:
    if not count:
        return
    shown = first[:count]
    yield f"{title}:"
    yield from (f"  {one}" for one in shown)
    if count > len(shown):
        yield f"  and {count - len(shown):,} more"
