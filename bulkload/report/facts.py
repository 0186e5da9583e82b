"""Everything that a report says of a job, read from the journals and logs of all its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bulkload.core.campaign import CampaignFinding
from bulkload.core.outcome import OutcomeKind
from bulkload.core.roots import Root, by_cause
from bulkload.core.tally import RowLedger
from bulkload.core.timeline import Course, WorkSpan, course_of, stretches
from bulkload.errors import SettingsError
from bulkload.journal import RunRow, Store
from bulkload.journal.overview import (
    NOT_DONE,
    JournalEntry,
    RunSummary,
    entries,
    events_over_time,
    excerpt_text,
    newest_event,
    reader_counts,
    run_summaries,
)
from bulkload.journal.report import Change, Remark
from bulkload.journal.whole import WholeJob
from bulkload.report.limits import (
    COURSE_BINS,
    EXAMPLES_SHOWN,
    LOG_BYTES,
    MEASUREMENTS_INLINE,
    NAMES_SHOWN,
    STRETCHES,
)
from bulkload.report.logs import add_log

#: Outcomes in the order in which they are shown.
OUTCOMES: Final = (*(kind.value for kind in OutcomeKind), NOT_DONE)
#: Outcomes of what did not arrive.
MISSING: Final = (OutcomeKind.REJECTED.value, OutcomeKind.FAILED.value, NOT_DONE)
#: Before every test whose file says when it began.
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFacts:
    """The measurements of one cell together."""

    spec: str
    cell: str
    counts: Counter[str]
    rows: int
    #: When its first test began and its last one ended, as far as files say so.
    begin: datetime | None
    end: datetime | None
    span_s: float
    #: The most that one step moved, in A.h, test after test.
    capacities: tuple[float, ...]
    #: Empty where the job has too many measurements to list.
    entries: tuple[JournalEntry, ...]

    @property
    def tests(self) -> int:
        """How many measurements it has."""
        return self.counts.total()

    @property
    def missing(self) -> int:
        """How many of them did not arrive."""
        return sum(self.counts[one] for one in MISSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedFile:
    """A rejected measurement, and what there is to plot of it."""

    entry: JournalEntry
    #: ``core.excerpt`` as JSON, empty where there is nothing to plot.
    excerpt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """A job as a report shows it."""

    whole: WholeJob
    job_dir: Path
    planned: int
    counts: Counter[OutcomeKind]
    causes: Counter[str]
    #: Of the rejected and failed entries, those that are known and accepted, by cause.
    accepted: Counter[str]
    #: What rejected sources have in common, by cause.
    roots: Mapping[str, list[Root]]
    #: The outcome of the entries that have a cause.
    kinds: dict[str, str]
    ledger: RowLedger
    cells: list[CellFacts]
    #: The first rejected measurements, and how many there are beyond.
    rejected: list[RejectedFile]
    plots_left_out: int
    courses: list[Course]
    decisions: list[Change]
    transforms: Counter[str]
    #: What retries chose for single measurements, as options.
    treatments: Counter[str]
    warnings: list[Remark]
    findings: list[tuple[str, CampaignFinding]]
    readers: Counter[tuple[str, str]]
    #: Oldest first.
    runs: list[RunSummary]

    @property
    def is_finished(self) -> bool:
        """Whether every planned entry, and every row of it, has an outcome."""
        everything = self.counts.total() == self.planned and not self.whole.missing
        return everything and self.ledger.adds_up

    @property
    def lost(self) -> int:
        """How many entries were rejected or failed."""
        return self.counts[OutcomeKind.REJECTED] + self.counts[OutcomeKind.FAILED]


def gather(whole: WholeJob, job_dir: Path, plots: int) -> ReportFacts:
    """Read a job's facts, with what there is to plot of the first ``plots`` rejected files.

    Raises ``SettingsError`` for a job that has had no upload.
    """
    last = whole.first_plan()
    if last is None:
        raise SettingsError(f"{job_dir} has a journal without an upload")
    is_waiting = bool(last.settings.get("is_waiting", True))
    counts, causes = whole.tally(is_waiting=is_waiting)
    planned = whole.count_planned()
    cells: list[CellFacts] = []
    rejected: list[RejectedFile] = []
    kinds: dict[str, str] = {}
    readers: Counter[tuple[str, str]] = Counter()
    runs: list[RunSummary] = []
    for store, plan in whole.plans():
        for cell in cells_of(store, plan):
            _take(cell, store, rejected, kinds, plots)
            cells.append(cell if planned <= MEASUREMENTS_INLINE else replace(cell, entries=()))
        for name, version, files in reader_counts(store):
            readers[name, version] += files
        runs += run_summaries(store)
    return ReportFacts(
        whole=whole,
        job_dir=job_dir,
        planned=planned,
        counts=counts,
        causes=causes,
        accepted=whole.accepted_causes(),
        roots=by_cause(whole.roots(0)),
        kinds=kinds,
        ledger=whole.row_ledger(is_waiting=is_waiting),
        cells=sorted(cells, key=lambda one: (one.spec, one.cell)),
        rejected=rejected,
        plots_left_out=sum(cell.counts["rejected"] for cell in cells) - len(rejected),
        courses=courses_of(whole, STRETCHES),
        decisions=whole.decisions(NAMES_SHOWN),
        transforms=whole.changes(),
        treatments=whole.treatments(),
        warnings=whole.warnings(EXAMPLES_SHOWN),
        findings=list(whole.findings()),
        readers=readers,
        runs=sorted(runs, key=lambda run: run.started_at),
    )


def _take(
    cell: CellFacts,
    store: Store,
    rejected: list[RejectedFile],
    kinds: dict[str, str],
    plots: int,
) -> None:
    """Note which outcome each cause leads to, and what there is to plot of rejected files."""
    for entry in cell.entries:
        if entry.cause:
            kinds.setdefault(entry.cause, entry.outcome)
        if entry.outcome == OutcomeKind.REJECTED and len(rejected) < plots:
            rejected.append(RejectedFile(entry=entry, excerpt=excerpt_text(store, entry.job)))


def cells_of(store: Store, plan: RunRow) -> Iterator[CellFacts]:
    """Yield the cells of a plan in the order of their names."""
    found = entries(store, plan.id, is_waiting=bool(plan.settings.get("is_waiting", True)))
    for (spec, cell), group in groupby(found, key=lambda one: (one.spec, one.cell)):
        # In the order in which they were tested, as far as the files say when that was.
        tests = sorted(group, key=lambda one: (one.start or _EARLIEST, one.job))
        yield CellFacts(
            spec=spec,
            cell=cell,
            counts=Counter(one.outcome for one in tests),
            rows=sum(one.rows or 0 for one in tests),
            begin=min((one.start for one in tests if one.start), default=None),
            end=max((one.end for one in tests if one.end), default=None),
            span_s=sum(one.span_s for one in tests),
            capacities=tuple(one.capacity for one in tests if one.capacity is not None),
            entries=tuple(tests),
        )


def courses_of(whole: WholeJob, limit: int) -> list[Course]:
    """Return the course of the newest stretches of work, the newest first."""
    spans = []
    for store, _ in whole.plans():
        newest = newest_event(store)
        for run in run_summaries(store):
            # A run that was killed has no end: its last event is as good.
            end = run.ended_at or (newest[1] if newest else run.started_at)
            spans.append((run.started_at, max(end, run.started_at)))
    found = []
    for stretch in reversed(stretches(spans)):
        course = _course(whole, stretch)
        if course.ended:
            found.append(course)
        if len(found) == limit:
            break
    return found


def _course(whole: WholeJob, stretch: WorkSpan) -> Course:
    width_s = stretch.bin_width_s(COURSE_BINS)
    counts = [
        (row.bin, row.name, row.events, row.bytes)
        for store, _ in whole.plans()
        for row in events_over_time(store, stretch.begin, stretch.end, width_s)
    ]
    course = course_of(stretch, COURSE_BINS, counts)
    for folder in whole.folders:
        add_log(course, folder, LOG_BYTES // len(whole.folders))
    course.outages.sort()
    return course


def target_of(settings: dict[str, Any]) -> str:
    """Return where a run uploaded to; a URL loses what may be a credential."""
    parts = urlsplit(str(settings.get("url") or ""))
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    project = settings.get("project")
    return url if project is None else f"{url}, project {project}"
