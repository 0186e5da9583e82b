"""The plan on its way into the job: what is counted is what is kept."""

from __future__ import annotations

from pathlib import Path

from bulkload.localstudio import LocalStudio
from tests.archives import archive, specification
from tests.jobs import Jobs


def test_an_entry_that_two_sources_leave_out_is_left_out_once(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    """The folder of specifications lies within the source: both come by the same entries."""
    archive(tmp_path / "archive", measurements=1)
    spec = tmp_path / "archive" / "spec 0"
    specification(spec, name="spec 0")
    for name in (".DS_Store", "Thumbs.db", "cell 0/~$open.xlsx"):
        (spec / name).write_bytes(b"x")
    jobs.use(studio)
    ended = jobs.upload("archive", "--specs", spec.resolve())
    assert ended.code == 0, ended.out
    summary = ended.summary
    assert summary["counts"]["created"] == 1
    assert sum(summary["counts"].values()) == summary["planned"]
    again = jobs.upload("archive", "--specs", spec.resolve())
    assert again.code == 0
    assert again.summary["counts"] == summary["counts"]


def test_an_entry_that_is_gone_from_the_plan_no_longer_counts(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=3)
    extra = tmp_path / "archive" / "spec 0" / ".hidden"
    extra.write_bytes(b"x")
    jobs.use(studio)
    assert jobs.upload("archive").counts == {"created": 3, "skipped": 1}
    extra.unlink()
    (tmp_path / "archive/spec 0/cell 0/run 1.csv").unlink()
    ended = jobs.upload("archive")
    assert ended.code == 0
    assert ended.counts == {"created": 2}
    assert ended.summary["planned"] == 2
    assert ended.summary["requests"] == 0


def test_a_plan_that_was_refused_leaves_what_is_done_done(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=3)
    jobs.use(studio)
    assert jobs.upload("archive").counts == {"created": 3}
    stray = tmp_path / "archive" / "spec 0" / "cell 0" / "cell.yaml"
    stray.write_bytes(b"colour: red")
    assert jobs.upload("archive").code == 2
    assert "has ended" in jobs.command("status", "job").out
    stray.unlink()
    asked = studio.requests.total
    assert jobs.upload("archive").counts == {"created": 3}
    assert studio.requests.total == asked
