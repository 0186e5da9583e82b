"""A job folder knows its sources, nothing found is no success, and what left the plan is named."""

from __future__ import annotations

import shutil

import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import archive, series, write
from tests.jobs import Jobs


@pytest.fixture
def two(jobs: Jobs, studio: LocalStudio) -> Jobs:
    """Two archives whose folders have one name."""
    archive(jobs.folder / "x1/arch", measurements=2)
    archive(jobs.folder / "x2/arch", measurements=1)
    (jobs.folder / "x2/arch/spec 0/cell 0").rename(jobs.folder / "x2/arch/spec 0/cell 9")
    jobs.use(studio)
    return jobs


def test_two_archives_of_one_name_have_job_folders_of_their_own(two: Jobs) -> None:
    first = two.command("upload", "x1/arch", "--workers", "1")
    second = two.command("upload", "x2/arch", "--workers", "1")
    assert (first.code, second.code) == (0, 0)
    folders = sorted(path.name for path in (two.folder / ".bulkload").iterdir())
    assert folders[0] == "arch"
    assert len(folders) == 2
    rolled_back = two.command("rollback", f".bulkload/{folders[1]}", "--yes")
    assert "1 measurement" in rolled_back.out
    assert "cell 9" in rolled_back.out
    assert "2 " in two.command("status", ".bulkload/arch").out
    again = two.command("upload", "x1/arch", "--workers", "1")
    assert again.code == 0
    assert sorted(path.name for path in (two.folder / ".bulkload").iterdir()) == folders


def test_a_job_folder_refuses_another_archive(two: Jobs) -> None:
    assert two.upload("x1/arch").code == 0
    refused = two.upload("x2/arch")
    assert refused.code == 2
    for path in (two.folder / "x1/arch", two.folder / "x2/arch"):
        assert str(path) in refused.err
    assert "--job another folder" in refused.err
    status = two.command("status", "job")
    assert "2  created" in status.out


def test_an_archive_that_was_moved_or_copied_is_the_same(two: Jobs) -> None:
    assert two.upload("x1/arch").code == 0
    shutil.copytree(two.folder / "x1/arch", two.folder / "copy", copy_function=shutil.copyfile)
    again = two.upload("copy")
    assert again.code == 0
    assert again.counts == {"created": 2}


@pytest.mark.parametrize("command", ["upload", "plan", "check"])
def test_an_empty_folder_is_no_success(command: str, jobs: Jobs, studio: LocalStudio) -> None:
    (jobs.folder / "empty").mkdir()
    jobs.use(studio)
    ended = jobs.command(command, "empty")
    assert ended.code == 2
    assert f"no measurement was found in {jobs.folder / 'empty'}" in ended.err
    assert studio.requests.total == 0


def test_a_manifest_of_headers_is_no_success(jobs: Jobs, studio: LocalStudio) -> None:
    (jobs.folder / "plan.csv").write_text("spec,cell,measurement,path\n")
    jobs.use(studio)
    ended = jobs.upload("plan.csv")
    assert ended.code == 2
    assert "a manifest with rows" in ended.err


def test_a_share_that_is_not_mounted_changes_nothing(jobs: Jobs, studio: LocalStudio) -> None:
    archive(jobs.folder / "archive", measurements=2)
    jobs.use(studio)
    assert jobs.upload("archive").code == 0
    before = jobs.command("status", "job").out
    shutil.rmtree(jobs.folder / "archive")
    (jobs.folder / "archive").mkdir()
    ended = jobs.upload("archive")
    assert ended.code == 2
    assert "This job had 2 before: look whether the source is there" in ended.err
    after = jobs.command("status", "job").out
    assert [line for line in before.splitlines() if "created" in line or "planned" in line] == [
        line for line in after.splitlines() if "created" in line or "planned" in line
    ]


def test_what_left_the_plan_is_named(jobs: Jobs, studio: LocalStudio) -> None:
    archive(jobs.folder / "archive", measurements=3)
    jobs.use(studio)
    assert jobs.upload("archive").code == 0
    cell = jobs.folder / "archive/spec 0/cell 0"
    (cell / "run 0.csv").rename(cell / "renamed.csv")
    ended = jobs.upload("archive")
    assert ended.code == 0
    assert "1 measurements that this job brought into Studio are no longer in the plan" in ended.out
    assert "run 0" in ended.out


def test_a_file_that_was_not_read_is_not_missing(jobs: Jobs, studio: LocalStudio) -> None:
    cell = jobs.folder / "archive/spec 0/cell 0"
    archive(jobs.folder / "archive", measurements=1)
    (cell / "run 0.csv").unlink()
    for number in (2, 3):
        write(cell / f"RPT-{number}.csv", series(seed=number))
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    for number in (0, 1, 4, 5):
        write(cell / f"RPT-{number}.csv", series(seed=number))
    ended = jobs.upload("archive", job="second")
    assert ended.counts == {"created": 4, "existing": 2}
    assert "without" not in ended.out


def test_rollback_lists_each_run_and_undoes_one(jobs: Jobs, studio: LocalStudio) -> None:
    archive(jobs.folder / "archive", measurements=2)
    jobs.use(studio)
    assert jobs.upload("archive").code == 0
    write(jobs.folder / "archive/spec 0/cell 0/later.csv", series(seed=9))
    assert jobs.upload("archive").counts == {"created": 3}
    ended = jobs.command("rollback", "job", "--run", "2", "--yes")
    assert ended.code == 0, ended.out
    assert "run 2 of " in ended.out
    assert f"from {jobs.folder / 'archive'}" in ended.out
    assert "run 1 of" not in ended.out
    assert "1 deleted, 0 left" in ended.out
    assert jobs.command("rollback", "job", "--run", "2", "--yes").code == 2
    assert "run 1 of" in jobs.command("rollback", "job", "--yes").out
