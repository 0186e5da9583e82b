"""A table as it was read, plotted: in the terminal, or as a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from bulkload.cli.output.console import say
from bulkload.core.braille import curve, marks
from bulkload.core.excerpt import Excerpt, excerpt_from_text
from bulkload.core.prepare_result import PrepareTask
from bulkload.core.terms import MeasurementType
from bulkload.core.text import printable
from bulkload.engine.plan_reader import PlanReader
from bulkload.engine.run_settings import with_kept_settings
from bulkload.journal import JobRow, Store
from bulkload.journal.overview import excerpt_text
from bulkload.report.plots import check_ending, description, write_plot
from bulkload.settings import RunSettings
from bulkload.worker.prepare import prepare

#: Lines of the plot of one signal.
HEIGHT: Final = 8
#: Columns left of it, for the scale.
MARGIN: Final = 10
#: Most columns of a plot: beyond it a line is a walk for the eye.
MAX_WIDTH: Final = 160


@dataclass(slots=True)
class Plots:
    """Draws one plot after another; only the first goes into a file of the name that was given."""

    console: Console
    #: None for the terminal.
    path: Path | None
    _drawn: int = 0

    def __post_init__(self) -> None:
        """Raise ``SettingsError`` before anything is read for a file that is no plot."""
        if self.path is not None:
            check_ending(self.path)

    def draw(self, text: str, title: str) -> None:
        """Plot what a worker or the journal kept of a table, as JSON."""
        if not text:
            say(self.console, "nothing to plot: no table with voltage or current was read")
            return
        excerpt = excerpt_from_text(text)
        self._drawn += 1
        if self.path is not None:
            path = self.path
            if self._drawn > 1:
                path = path.with_stem(f"{path.stem}-{self._drawn}")
            write_plot(excerpt, title, path)
            say(self.console, printable(f"plot: {path}"))
            return
        say(self.console, description(excerpt))
        if not _can_draw(self.console):
            say(
                self.console,
                "this terminal cannot draw curves; name a file after --plot",
            )
            return
        width = max(10, min(self.console.width, MAX_WIDTH) - MARGIN)
        for name, values in excerpt.signals:
            _draw(self.console, excerpt, name, values, width)


def plotted(store: Store, row: JobRow) -> str:
    """Return what there is to plot of a job: its source read again, else what the journal kept.

    The source is read as the run read it. One that has gone, or reads no more, leaves what was
    kept when it was rejected.
    """
    run = store.last_upload()
    kept = excerpt_text(store, row.id)
    if run is None or row.job.type is not MeasurementType.TIME_SERIES:
        return kept
    settings = with_kept_settings(run.settings, RunSettings())
    plan = PlanReader(store, run.id)
    job = row.job
    task = PrepareTask(
        job=job,
        checks=plan.checks_for(job, settings.checks),
        prepare_options=settings.prepare_options,
        spool_path=None,
        plots_whole=True,
    ).treated(plan.treatment(row.id))
    return prepare(task).excerpt or kept


def _can_draw(console: Console) -> bool:
    try:
        "⡇▲".encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _draw(
    console: Console, excerpt: Excerpt, name: str, values: tuple[float | None, ...], width: int
) -> None:
    known = [one for one in values if one is not None]
    if not known:
        say(console, f"{name}: no value")
        return
    say(console, name, style="bold")
    labels = {0: f"{max(known):.4g}", HEIGHT - 1: f"{min(known):.4g}"}
    for number, line in enumerate(curve(excerpt.rows, values, width=width, height=HEIGHT)):
        say(console, f"{labels.get(number, ''):>{MARGIN - 2}} │{line}".rstrip())
    if excerpt.flagged:
        under = marks(excerpt.rows, excerpt.flagged, width=width)
        say(console, f"{'flagged':>{MARGIN - 2}} │{under}".rstrip(), style="red")
    ends = f"row {excerpt.rows[0]:,}", f"{excerpt.rows[-1]:,}"
    say(console, " " * MARGIN + ends[0] + ends[1].rjust(width - len(ends[0])))
