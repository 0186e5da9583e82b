"""Jobs of several parts: their journals read together, and what becomes of them judged."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa

from bulkload.journal.check import check_journal
from bulkload.journal.parts import part_folders
from bulkload.localstudio import LocalStudio
from tests.archives import sums
from tests.jobs import Row, Running, job_rows
from tests.official import judge_of

Made = Mapping[tuple[str, str, str], pa.Table]


def rows_of(job: Path) -> dict[str, Row]:
    """Return the rows of all parts by the path of the source; each is in one part only."""
    found = [row for folder in part_folders(job) for row in job_rows(folder)]
    by_path = {row.path: row for row in found}
    assert len(by_path) == len(found)
    return by_path


def lanes_of(run: Running) -> list[psutil.Process]:
    """Return the lanes of a run."""
    return [child for child in run.children() if is_lane(child)]


def is_lane(process: psutil.Process) -> bool:
    try:
        return "bulkload.lanes.lane" in process.cmdline()
    except psutil.Error:
        return False


def account(job: Path) -> list[dict[str, str]]:
    """Return the rows of the job's account."""
    with (job / "account.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def summary(job: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((job / "summary.json").read_text("utf-8"))
    return found


def assert_all_arrived(studio: LocalStudio, job: Path, made: Made) -> None:
    """Hold Studio, the parts' journals and the job's own account against what was made."""
    for folder in part_folders(job):
        assert list(check_journal(folder / "journal.sqlite")) == []
        assert not (folder / "spool").exists()
    with judge_of(studio) as judge:
        names = Counter(one.key for one in judge.measurements())
        assert names == Counter(made.keys())
        held = judge.by_key()
        for key, table in made.items():
            assert held[key].record.processing_status == "ready"
            assert sums(judge.time_series(held[key].id)) == sums(table)
    ids = {one.id for one in held.values()}
    planned = [row for row in account(job) if row["in_plan"] == "yes"]
    assert {row["measurement_id"] for row in planned} == ids
    assert {row["outcome"] for row in planned} == {"created"}
    counts = summary(job)["counts"]
    assert {kind: count for kind, count in counts.items() if count} == {"created": len(made)}
    assert summary(job)["planned"] == len(made)
    assert summary(job)["rows"] == sum(table.num_rows for table in made.values())
