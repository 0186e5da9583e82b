"""Write a job's report: one file, and beside it the pages that would make it too large."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from bulkload.core.plan_check import CONSEQUENCES
from bulkload.journal.whole import WholeJob
from bulkload.report.facts import RejectedFile, ReportFacts, gather
from bulkload.report.limits import (
    CELLS_INLINE,
    FILES_INLINE,
    FILES_PER_PAGE,
    PAGES_MAX,
    PLOTS_INLINE,
    PLOTS_MAX,
    PLOTS_PER_PAGE,
)
from bulkload.report.render import environment, write_html
from bulkload.report.view import report_values, way_out

REPORT_NAME: Final = "report.html"


def write_report(job_dir: Path, path: Path, *, plots: int = PLOTS_MAX) -> None:
    """Write the report of a job, finished or not; at most ``plots`` rejected files are drawn.

    Raises ``MissingExtraError`` without the extra ``report``, ``SettingsError`` for a job that
    has had no upload, ``JournalError`` and ``OSError``.

    Side effects: the file appears, or replaces an older one, whole; pages that do not fit into
    it are in a folder beside it, ``<name>-pages``, and replace those of an older report.
    """
    environment()  # Before the journal is read: what is missing is said at once.
    with WholeJob(job_dir) as whole:
        facts = gather(whole, job_dir, plots)
        pages = _Pages(path, str(job_dir))
        pages.clear()
        values = report_values(facts)
        values["causes"] = [_cause(facts, name, pages) for name in _order(facts)]
        values |= _plots(facts, pages)
        values["cells"] = facts.cells[:CELLS_INLINE]
        values["cell_pages"], values["cells_are_cut"] = pages.write(
            "cells", "Cells", facts.cells[CELLS_INLINE:], CELLS_INLINE, kind="cells"
        )
        write_html("report.html.j2", values, path)


@dataclass(frozen=True, slots=True)
class _Pages:
    """The pages beside a report."""

    report: Path
    job: str

    @property
    def folder(self) -> Path:
        return self.report.with_name(f"{self.report.stem}-pages")

    def clear(self) -> None:
        """Remove the pages of an older report."""
        for path in self.folder.glob("*-[0-9][0-9].html") if self.folder.is_dir() else ():
            path.unlink()

    def write(
        self, name: str, heading: str, items: Iterable[Any], each: int, *, kind: str
    ) -> tuple[list[str], bool]:
        """Write items as pages; return their places, and whether there were more than fit."""
        left = iter(items)
        groups: list[list[Any]] = []
        while len(groups) < PAGES_MAX and (group := list(islice(left, each))):
            groups.append(group)
        if not groups:
            return [], False
        self.folder.mkdir(exist_ok=True)
        places = []
        for number, group in enumerate(groups, start=1):
            path = self.folder / f"{name}-{number:02d}.html"
            values = {
                "job": self.job, "heading": heading, "page": number, "pages": len(groups),
                "items": group, "kind": kind, "report_name": self.report.name,
            }  # fmt: skip
            write_html("list.html.j2", values, path)
            places.append(f"{self.folder.name}/{path.name}")
        return places, next(left, None) is not None


def _order(facts: ReportFacts) -> list[str]:
    """Return the causes, the commonest first; consequences of others, then skipped ones, last."""
    return sorted(
        facts.causes,
        key=lambda one: (
            way_out(facts, one)[0] == "skipped",
            one in CONSEQUENCES,
            -facts.causes[one],
            one,
        ),
    )


def _cause(facts: ReportFacts, cause: str, pages: _Pages) -> dict[str, Any]:
    kind, text, command = way_out(facts, cause)
    shown = list(islice(facts.whole.entries_of_cause(cause), FILES_INLINE))
    places: list[str] = []
    is_cut = False
    if facts.causes[cause] > len(shown) > 0:
        heading = f"{cause}: {facts.causes[cause]:,} entries"
        places, is_cut = pages.write(
            f"cause-{re.sub(r'[^a-z0-9_]', '_', cause)}",
            heading,
            facts.whole.entries_of_cause(cause),
            FILES_PER_PAGE,
            kind="files",
        )
    return {
        "cause": cause,
        "kind": kind,
        "count": facts.causes[cause],
        "way_out": text,
        "command": command,
        "files": shown,
        "pages": places,
        "is_cut": is_cut,
    }


def _plots(facts: ReportFacts, pages: _Pages) -> dict[str, Any]:
    """Return the plots of the report, after those beside it are written."""
    with_plot = [one for one in facts.rejected if one.excerpt]
    more = _drawn(with_plot[PLOTS_INLINE:])
    heading = "Rejected files, around the flagged rows"
    places, _ = pages.write("plots", heading, more, PLOTS_PER_PAGE, kind="plots")
    return {
        "plot_list": list(_drawn(with_plot[:PLOTS_INLINE])),
        "plot_pages": places,
        "plots_left_out": facts.plots_left_out,
    }


def _drawn(rejected: Iterable[RejectedFile]) -> Iterator[dict[str, Any]]:
    for number, one in enumerate(rejected):
        # Here: a report without a plot loads no library of tables and none that draws.
        from markupsafe import Markup

        from bulkload.core.excerpt import excerpt_from_text
        from bulkload.report.plots import plot_svg

        title = f"{one.entry.cell} / {one.entry.measurement}"
        svg = plot_svg(excerpt_from_text(one.excerpt), title, name=f"p{number}")
        yield {
            "title": title,
            "cause": one.entry.cause,
            "message": one.entry.message,
            "svg": Markup(svg),  # noqa: S704 - its texts are escaped where it is made
        }
