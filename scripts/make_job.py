"""Make a job folder without an upload: a journal and a log as a run of any size leaves them.

Names and messages may be given, hostile ones too: what a report or a page shows of them is then
looked at. Used by `bench_report.py` and by the tests.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from bulkload.core.campaign import FileSummary, summary_to_text
from bulkload.core.excerpt import excerpt, excerpt_to_text
from bulkload.core.frame import Frame
from bulkload.core.issues import IssueCode, ValidationIssue
from bulkload.core.lifecycle import (
    Confirmed,
    Event,
    Failed,
    Found,
    Initiated,
    ParentsKnown,
    ProcessingReady,
    SourcePrepared,
    SourceRejected,
    Stored,
)
from bulkload.core.plan_items import Skip, UploadJob
from bulkload.core.terms import CURRENT, TIME, VOLTAGE, JobKey
from bulkload.journal import FILE_NAME, Store, events
from bulkload.journal.codec import dump, job_to_text

#: When a made run began.
BEGAN: Final = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
#: Of every so many measurements one is rejected, exists, fails.
REJECTED_EACH, EXISTING_EACH, FAILED_EACH = 20, 33, 250
#: Jobs that share a transaction.
BATCH: Final = 5000
CAUSES: Final = (
    IssueCode.VOLTAGE_CONTINUITY,
    IssueCode.TIME_NOT_MONOTONIC,
    IssueCode.CURRENT_SIGN_REVERSED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSize:
    """How much to make."""

    cells: int
    measurements: int
    #: Seconds that the run took.
    seconds: float = 7200.0
    #: Measurements left open at the end of it; then the run has no end.
    open: int = 0
    #: Added to the names of cells and measurements, and to messages.
    spice: str = ""

    @property
    def total(self) -> int:
        """How many measurements that is."""
        return self.cells * self.measurements


def make_job(folder: Path, size: JobSize) -> None:
    """Write a job folder; it must not hold a job yet.

    Side effects: journal and log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    began = BEGAN.timestamp()
    with Store(folder / FILE_NAME) as store:
        run = store.begin_run("bulkload upload archive --job job", _settings(size), began)
        numbered = enumerate(_jobs(size))
        while batch := list(islice(numbered, BATCH)):
            with store.transaction():
                for number, job in batch:
                    _put(store, run, number, job, size)
        for name in ("Thumbs.db", "notes.txt"):
            store.put_skip(run, Skip(where=f"archive/{name}{size.spice}", rule="system_file"))
        where = f"archive/plan.csv, row 9{size.spice}"
        store.put_rejection(run, where, "no_layout", f"{where}: fits no layout{size.spice}")
        if not size.open:
            store.end_run(run, began + size.seconds + 5, {"exit_code": 3})
    _write_log(folder / "log.jsonl", size)


def _put(store: Store, run: int, number: int, job: UploadJob, size: JobSize) -> None:
    store.add_job(run, job, job_to_text(job), "made")
    at = BEGAN.timestamp() + size.seconds * number / size.total
    for event in _events(number, job, size):
        events.append(store, run, number + 1, at, event)
        at += 0.7


def _settings(size: JobSize) -> dict[str, Any]:
    return {
        "url": "https://someone:secret@studio.example/api?token=secret",
        "project": f"p-1{size.spice}",
        "is_waiting": True,
        "checks": {"strict": True, "skip_checks": [], "rated_capacity": None,
                   "voltage_window": None},
        "recipe": {"transforms": [], "extra_checks": "warn"},
        "existing": "reuse",
        "sources": [f"/data/archive{size.spice}"],
    }  # fmt: skip


def _jobs(size: JobSize) -> Iterator[UploadJob]:
    for cell in range(size.cells):
        for test in range(size.measurements):
            key = JobKey(
                f"NMC {21700 + cell % 3}", f"cell-{cell:05d}{size.spice}", f"{test:03d}{size.spice}"
            )
            path = f"/data/archive/{key.spec}/{key.cell}/{key.measurement}.csv"
            yield UploadJob(key=key, path=path)


def _events(number: int, job: UploadJob, size: JobSize) -> Sequence[Event]:
    if number >= size.total - size.open:
        return ()
    if number % REJECTED_EACH == REJECTED_EACH - 1:
        return (_rejected(number, job, size),)
    prepared = _prepared(number, job, size)
    if number % EXISTING_EACH == EXISTING_EACH - 1:
        return prepared, Found(measurement_id=f"old-{number}")
    known = ParentsKnown(instance_id=f"cell-{number // size.measurements}")
    initiated = Initiated(measurement_id=f"m-{number}")
    if number % FAILED_EACH == FAILED_EACH - 1:
        message = f"{job.path}: Studio answered 422: no such channel{size.spice}"
        return prepared, known, Failed(cause="conflict", message=message)
    confirmed = Confirmed(measurement_id=f"m-{number}")
    return prepared, known, initiated, Stored(), confirmed, ProcessingReady()


def _prepared(number: int, job: UploadJob, size: JobSize) -> SourcePrepared:
    cell, test = divmod(number, size.measurements)
    start = BEGAN - timedelta(days=900 - 20 * test - cell % 7)
    summary = FileSummary(
        name=job.key.measurement,
        rows=20_000 + number % 977,
        start=start,
        span_s=86_400.0 + 60 * (number % 97),
        voltage=4.1,
        current=2.5 + cell % 5,
        sign=1,
        capacity=5.0 * math.exp(-0.012 * test) + 0.02 * ((number * 7919) % 11) / 11,
        figures=((float(number), 1.0, 2.0), (3.5, float(number), 4.0), (1.0, 2.0, float(number))),
    )
    decision = {
        "code": "current_negated", "detail": "positive is charge in this format",
        "evidence": "format", "rows": 20_000,
    }  # fmt: skip
    provenance = {
        "reader": "arbin", "reader_version": "0.1.0",
        "decisions": [decision] if cell % 2 else [], "transforms": [],
    }  # fmt: skip
    return SourcePrepared(
        rows=summary.rows,
        size_bytes=310_000 + number % 5000,
        sha256=f"{number:064x}",
        content_digest=f"{number:064x}",
        source_bytes=1_200_000 + number % 9000,
        source_mtime_ns=1_700_000_000_000_000_000 + number,
        source_sha256=f"{number:064x}",
        columns=(TIME, VOLTAGE, CURRENT),
        summary=summary_to_text(summary),
        provenance=dump(provenance),
    )


def _rejected(number: int, job: UploadJob, size: JobSize) -> SourceRejected:
    code = CAUSES[number // REJECTED_EACH % len(CAUSES)]
    rows = np.arange(4000)
    voltage = 3.7 + 0.4 * np.sin(rows / 300) + 0.01 * np.sin(rows * (number % 13))
    flagged = 500 + number % 3000
    voltage[flagged : flagged + 40 : 2] -= 1.7
    frame = Frame.of(
        {TIME: rows * 10.0, VOLTAGE: voltage, CURRENT: 2.5 * np.sign(np.cos(rows / 300))}
    )
    payload = {} if code is CAUSES[2] else {"row_index": flagged, "threshold_volts": 1.36}
    shown = excerpt(frame, [ValidationIssue(code, "made", payload=payload)])
    assert shown is not None
    return SourceRejected(
        cause=code,
        message=f"{job.path}: the check {code} fails at row {flagged}{size.spice}",
        source_bytes=1_200_000,
        source_mtime_ns=1,
        rows=len(rows),
        excerpt=excerpt_to_text(shown),
    )


def _write_log(path: Path, size: JobSize) -> None:
    """Write the lines of a log that a report reads, among others."""
    lines: list[dict[str, Any]] = []
    for number in range(200):
        at = BEGAN + timedelta(seconds=size.seconds * number / 200)
        stamp = {"run": 1, "level": "info", "timestamp": at.isoformat().replace("+00:00", "Z")}
        lines.append({"job": number, "event": "Stored", **stamp})
        if number % 10 == 0:
            window = 4 + 20 * math.sin(number / 60) ** 2
            level = {"service": "api", "control": "window", "value": round(window, 1)}
            lines.append({**level, "event": "LevelChanged", **stamp})
        if number % 25 == 0:
            retry = {"service": "storage", "cause": "server_error", "attempts": 1, "delay_s": 1.0}
            lines.append({**retry, "event": "Retrying", **stamp})
        if number == 120:
            outage = {
                "service": "api",
                "seconds": size.seconds / 25,
                "reason": f"no answer{size.spice}",
            }
            lines.append({**outage, "event": "OutOfReach", **stamp})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
