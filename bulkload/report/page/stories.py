"""One cell's measurements, one measurement's whole story, and its plot."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from asyncio import Lock, create_subprocess_exec, subprocess, to_thread, wait_for
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkload.core.decisions import phrase
from bulkload.core.excerpt import excerpt_from_text
from bulkload.core.lifecycle import SourcePrepared, SourceRejected
from bulkload.core.systems import system_of
from bulkload.core.terms import MeasurementType
from bulkload.errors import BulkloadError
from bulkload.journal import JobRow, Store
from bulkload.journal.overview import excerpt_text, measurements_of
from bulkload.journal.whole import WholeJob
from bulkload.report.limits import (
    PAGE_MEASUREMENTS,
    PLOT_SOURCE_BYTES,
    PLOT_TIME_S,
    PLOTS_KEPT,
)
from bulkload.report.plots import plot_svg


class NoPlotError(BulkloadError):
    """There is nothing to plot; the message says why."""


def cell(job_dir: Path, spec: str, name: str) -> list[dict[str, Any]]:
    """Return the measurements of a cell, the first of them where it has very many."""
    with WholeJob(job_dir) as whole:
        for part, store in enumerate(whole.stores()):
            plan = store.last_upload()
            if plan is None:
                continue
            if found := measurements_of(store, plan, (spec, name), PAGE_MEASUREMENTS):
                return [{"part": part, **one._asdict()} for one in found]
    return []


def story(job_dir: Path, part: int, job: int) -> dict[str, Any] | None:
    """Return all that the journal knows of a measurement, None where it knows none."""
    with WholeJob(job_dir) as whole:
        found = _row(whole, part, job)
        return None if found is None else _story(*found)


def _row(whole: WholeJob, part: int, job: int) -> tuple[Store, JobRow] | None:
    for number, store in enumerate(whole.stores()):
        if number == part and (row := store.row("job_get", job)) is not None:
            return store, JobRow._make(row)
    return None


def _story(store: Store, row: JobRow) -> dict[str, Any]:
    source = store.last_read(row.id)
    provenance = json.loads(source.provenance or "{}") if source is not None else {}
    findings: tuple[tuple[str, str], ...] = ()
    remedy = ""
    if isinstance(source, SourcePrepared):
        findings = source.warnings
    elif isinstance(source, SourceRejected):
        findings, remedy = source.findings, source.remedy
    return {
        "title": str(row.key),
        "path": row.job.place,
        "state": row.state_text,
        "cause": row.cause,
        "message": row.message,
        "rows": row.rows,
        "source_bytes": row.source_bytes,
        "sha256": row.source_sha256,
        "measurement_id": row.measurement_id,
        "reader": provenance.get("reader"),
        "findings": [f"{code}: {text}" for code, text in findings],
        "remedy": remedy or "",
        "decisions": [
            f"{phrase(one['code'])}: {one['detail']}" for one in provenance.get("decisions", ())
        ],
        "history": [{"at": at, "name": name} for at, name in store.history(row.id)],
        "plot": "kept" if excerpt_text(store, row.id) else _readable(row),
    }


def _readable(row: JobRow) -> str:
    """Return ``source`` where a plot can be made by reading the source again, else nothing."""
    is_series = row.job.type is MeasurementType.TIME_SERIES
    return "source" if is_series and (row.source_bytes or 0) <= PLOT_SOURCE_BYTES else ""


@dataclass(slots=True)
class Plotter:
    """Draws one plot at a time, and keeps the last ones."""

    job_dir: Path
    _lock: Lock = field(default_factory=Lock)
    _kept: OrderedDict[tuple[int, int, int], str] = field(default_factory=OrderedDict)

    async def plot(self, part: int, job: int) -> str:
        """Return the plot of a measurement as SVG; ``NoPlotError`` without one.

        What the journal kept of a rejected file is drawn at once. Of any other the source is read
        again, in a process of its own: it may be large, or harm its reader.
        """
        async with self._lock:
            folder, row, kept = await to_thread(self._find, part, job)
            # A source that was read anew has another event: it is drawn anew.
            key = (part, job, row.source_mtime_ns or 0)
            if key not in self._kept:
                title = str(row.key)
                self._kept[key] = (
                    await to_thread(_drawn, kept, title) if kept else await _read(folder, row)
                )
                while len(self._kept) > PLOTS_KEPT:
                    self._kept.popitem(last=False)
            return self._kept[key]

    def _find(self, part: int, job: int) -> tuple[Path, JobRow, str]:
        with WholeJob(self.job_dir) as whole:
            found = _row(whole, part, job)
            if found is None:
                raise NoPlotError("the journal has no such measurement")
            store, row = found
            kept = excerpt_text(store, row.id)
            if not kept and not _readable(row):
                raise NoPlotError(
                    "not a time series, or too large to be read again beside a run; "
                    "bulkload show FILE --plot draws it"
                )
            return whole.folders[part], row, kept


def _drawn(kept: str, title: str) -> str:
    return plot_svg(excerpt_from_text(kept), title, is_file=True)


async def _read(folder: Path, row: JobRow) -> str:
    with tempfile.TemporaryDirectory(prefix="bulkload-plot-") as scratch:
        path = Path(scratch) / "plot.svg"
        words = ("show", f"--job={folder}", f"--plot={path}", "--", str(row.key))
        process = await create_subprocess_exec(
            *(sys.executable, "-m", "bulkload", *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            await wait_for(process.wait(), PLOT_TIME_S)
        except TimeoutError:
            raise NoPlotError(f"reading the source took longer than {PLOT_TIME_S:.0f} s") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if not path.exists():
            raise NoPlotError("the source is not there, or has no voltage and current to plot")
        return await to_thread(path.read_text, "utf-8")


def be_nice() -> None:
    """Take what the run leaves of the processors, where the system knows of that."""
    if system_of(sys.platform).has_nice:
        with suppress(OSError):
            os.nice(10)
