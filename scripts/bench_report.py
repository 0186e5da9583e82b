"""The report of a large job: its size, the time to write it, the time until a browser shows it.

    python scripts/bench_report.py --measurements 100000 --cells 2000

Makes a job folder (journal and log) of that size, with 5 % rejected files that have a plot each,
and writes its report as the end of an upload does. The browser is the system's Chromium, driven by
Playwright; without either, that figure is left out. Times are of one run: look at how busy the
machine is, which is printed too.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import tempfile
import time
from pathlib import Path

from bulkload.report.limits import PLOTS_AT_END
from bulkload.report.write import REPORT_NAME, write_report
from scripts.make_job import JobSize, make_job


def main() -> None:
    """Make the job, write the report, open it, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measurements", type=int, default=100_000)
    parser.add_argument("--cells", type=int, default=2_000)
    given = parser.parse_args()
    size = JobSize(cells=given.cells, measurements=given.measurements // given.cells)
    with tempfile.TemporaryDirectory(prefix="bulkload-report-") as scratch:
        folder = Path(scratch) / "job"
        made_s = _timed(lambda: make_job(folder, size))
        journal_mb = (folder / "journal.sqlite").stat().st_size / 1e6
        load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
        print(f"made: {size.total:,} measurements of {size.cells:,} cells in {made_s:.0f} s, "
              f"journal {journal_mb:.0f} MB; {load}")  # fmt: skip
        report = folder / REPORT_NAME
        before = time.process_time()
        wall_s = _timed(lambda: write_report(folder, report, plots=PLOTS_AT_END))
        cpu_s = time.process_time() - before
        beside = list((folder / "report-pages").glob("*.html"))
        print(f"report: {report.stat().st_size / 1e6:.2f} MB; beside it {len(beside)} pages, "
              f"{sum(page.stat().st_size for page in beside) / 1e6:.1f} MB")  # fmt: skip
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(f"written in {cpu_s:.1f} s of CPU ({wall_s:.1f} s), peak memory {peak_mb:.0f} MB")
        _open(report)


def _timed(act: object) -> float:
    assert callable(act)
    began = time.monotonic()
    act()
    return time.monotonic() - began


def _open(report: Path) -> None:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        print("no browser: first paint not measured")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for number in range(3):
            page = browser.new_page()
            page.goto(report.as_uri())
            paint_ms = page.evaluate(
                "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
            )
            loaded_ms = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
            print(f"browser, run {number + 1}: first paint after {paint_ms:.0f} ms, "
                  f"loaded after {loaded_ms:.0f} ms")  # fmt: skip
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
