"""The log grows without bound in number, never in one file, and loses no line."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from bulkload.engine.log import LogFile
from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.conftest import ROOT
from tests.jobs import Jobs

LINE = '{"event": "x"}\n'


def lines_in(folder: Path) -> list[str]:
    found: list[str] = []
    for path in sorted(folder.glob("log*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            found += file.readlines()
    return found + (folder / "log.jsonl").read_text("utf-8").splitlines(keepends=True)


def test_a_full_log_goes_on_in_a_new_file(tmp_path: Path) -> None:
    with LogFile(tmp_path / "log.jsonl", limit_bytes=4 * len(LINE)) as log:
        for _ in range(10):
            log.write(LINE)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["log.1.jsonl.gz", "log.2.jsonl.gz", "log.jsonl"]
    assert lines_in(tmp_path) == [LINE] * 10


def test_the_next_run_takes_the_next_number(tmp_path: Path) -> None:
    for _ in range(2):
        with LogFile(tmp_path / "log.jsonl", limit_bytes=2 * len(LINE)) as log:
            for _ in range(3):
                log.write(LINE)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["log.1.jsonl.gz", "log.2.jsonl.gz", "log.jsonl"]
    assert lines_in(tmp_path) == [LINE] * 6


def test_a_measurement_takes_what_the_manual_says(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    """Between two sizes of one archive: what a job folder takes besides is left out."""
    page = (ROOT / "bulkload" / "manual" / "operations.md").read_text("utf-8")
    stated = re.search(r"A measurement adds about ([\d.]+) kB to the log and ([\d.]+) kB", page)
    assert stated is not None, "the manual says what a measurement takes"
    jobs.use(studio)
    sizes = []
    for count in (10, 60):
        root = tmp_path / f"of {count}"
        archive(root, measurements=count, rows=20)
        (root / "spec 0" / "cell 0").rename(root / "spec 0" / f"cell {count}")
        job = f"job {count}"
        assert jobs.upload(root, job=job).counts == {"created": count}
        sizes.append(
            [(tmp_path / job / name).stat().st_size for name in ("log.jsonl", "journal.sqlite")]
        )
    for (small, large), limit_kb in zip(zip(*sizes, strict=True), stated.groups(), strict=True):
        taken_kb = (large - small) / 50 / 1000
        # A database grows by pages.
        assert 0.4 * float(limit_kb) < taken_kb < 1.3 * float(limit_kb), taken_kb
