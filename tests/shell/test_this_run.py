"""What a run found at its sources: new, grown, changed, gone, unchanged, as a backup tool."""

from __future__ import annotations

from pathlib import Path

from bulkload.localstudio import LocalStudio
from tests.archives import archive, series, write
from tests.jobs import Jobs


def test_the_summary_says_what_became_of_the_sources(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=5, rows=20)
    cell = tmp_path / "archive" / "spec 0" / "cell 0"
    jobs.use(studio)
    first = jobs.upload("archive")
    assert first.summary["this_run"] == {
        "new": 5, "grown": 0, "changed": 0, "gone": 0, "unchanged": 0,
    }  # fmt: skip
    write(cell / "run 9.csv", series(rows=20, seed=9))
    write(cell / "run 1.csv", series(rows=10, seed=1))
    whole = (cell / "run 0.csv").read_text("utf-8")
    (cell / "run 0.csv").write_text(whole + whole.splitlines()[-1] + "\n", "utf-8")
    (cell / "run 3.csv").unlink()
    again = jobs.upload("archive")
    assert again.summary["this_run"] == {
        "new": 1, "grown": 1, "changed": 1, "gone": 1, "unchanged": 2,
    }  # fmt: skip
    assert "since the last run: 1 new, 1 grown, 1 changed, 1 gone, 2 unchanged" in again.out
