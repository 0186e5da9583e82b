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
        "newly_rejected": 0, "newly_failed": 0, "recovered": 0, "newly_accepted": 0,
    }  # fmt: skip
    write(cell / "run 9.csv", series(rows=20, seed=9))
    write(cell / "run 1.csv", series(rows=10, seed=1))
    whole = (cell / "run 0.csv").read_text("utf-8")
    (cell / "run 0.csv").write_text(whole + whole.splitlines()[-1] + "\n", "utf-8")
    (cell / "run 3.csv").unlink()
    again = jobs.upload("archive")
    # Studio holds other content under the two names: they do not arrive.
    assert again.summary["this_run"] == {
        "new": 1, "grown": 1, "changed": 1, "gone": 1, "unchanged": 2,
        "newly_rejected": 0, "newly_failed": 2, "recovered": 0, "newly_accepted": 0,
    }  # fmt: skip
    assert "since the last run: 1 new, 1 grown, 1 changed, 1 gone, 2 unchanged" in again.out
    # What is gone was told once: it is no news the night after, though it is still named.
    last = jobs.upload("archive")
    assert last.summary["this_run"]["gone"] == 0
    # So are the two that fail again for the reason that is known.
    assert last.summary["counts"]["failed"] == 2
    assert last.summary["this_run"]["newly_failed"] == 0
    for cause in last.summary["causes"]:
        assert jobs.command("accept", "job", "--cause", cause, "--reason", "known").code == 0
    known = jobs.upload("archive")
    assert (known.code, known.summary["accepted"]) == (0, last.summary["causes"]), known.out
    assert "1 measurements that this job brought into Studio are no longer" in last.out


def test_what_is_rejected_is_news_once_until_its_content_changes_or_it_arrives(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    archive(root, measurements=3, rows=20)
    bad = root / "spec 0" / "cell 0" / "bad.csv"
    bad.write_text("not a test\n")
    (root / "stray.txt").write_text("a stray")
    jobs.use(studio)

    def newly() -> dict[str, int]:
        this_run = jobs.upload("archive").summary["this_run"]
        return {word: count for word, count in this_run.items() if count}

    assert newly() == {"new": 4, "newly_rejected": 2}
    assert newly() == {"unchanged": 4}
    # What a retry finds again is known too.
    jobs.command("retry", "job", "--cause", "unknown_format", "--workers", "1")
    assert newly() == {"unchanged": 4}
    bad.write_text("not a test yet\n")
    assert newly() == {"grown": 1, "unchanged": 3, "newly_rejected": 1}
    write(bad, series(rows=20, seed=8))
    assert newly() == {"grown": 1, "unchanged": 3, "recovered": 1}
    assert newly() == {"unchanged": 4}
