"""What needs no network touches none, and what does need it asks as little as it can."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Ended, Jobs, event_names, running

#: Loaded by every Python process that starts with its folder on the path, children included:
#: writes down each address that is looked up or connected to.
GUARD = """
import os, sys

def _tell(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        with open(os.environ["NETWORK_TOUCHED"], "a") as file:
            file.write(f"{event} {arguments[-1]!r}\\n")

sys.addaudithook(_tell)
with open(os.environ["NETWORK_GUARDED"], "a") as file:
    file.write(f"{os.getpid()}\\n")
"""


class Guarded:
    """Runs commands whose processes, children too, tell of each use of the network."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._touched, self._processes = folder / "touched", folder / "guarded"
        (folder / "guard").mkdir()
        (folder / "guard" / "sitecustomize.py").write_text(GUARD, "utf-8")
        path = [str(folder / "guard"), *filter(None, [os.environ.get("PYTHONPATH")])]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
        monkeypatch.setenv("NETWORK_TOUCHED", str(self._touched))
        monkeypatch.setenv("NETWORK_GUARDED", str(self._processes))

    def run(self, *words: str, studio: LocalStudio) -> Ended:
        """Run a command against a Studio."""
        self._processes.unlink(missing_ok=True)
        with running(words, folder=self._folder, studio=studio) as started:
            return started.wait()

    @property
    def processes(self) -> int:
        """How many processes the guard watched in the last command."""
        return len(set(self._processes.read_text("utf-8").split()))

    @property
    def touched(self) -> str:
        """What was looked up or connected to."""
        return self._touched.read_text("utf-8") if self._touched.exists() else ""


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guarded:
    return Guarded(tmp_path, monkeypatch)


@pytest.mark.parametrize("words", [["check", "archive"], ["upload", "archive", "--dry-run"]])
def test_a_check_touches_no_network_and_leaves_no_folder(
    words: list[str], guarded: Guarded, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=3)
    (tmp_path / "archive" / "spec 0" / "cell 0" / "bad.csv").write_bytes(b"")
    before = {path.name for path in tmp_path.iterdir()}
    ended = guarded.run(*words, studio=studio)
    assert ended.code == 3, ended.err
    assert "3 of 4 measurements are fit to be uploaded" in ended.out
    assert "bad.csv" in ended.out
    assert guarded.processes >= 2, "the guard must watch parent and children"
    assert guarded.touched == ""
    assert studio.requests.total == 0
    assert {path.name for path in tmp_path.iterdir()} - before <= {"guarded"}


def test_the_guard_sees_an_upload_and_a_finished_job_asks_nothing(
    guarded: Guarded, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    words = ["upload", "archive", "--job", "job"]
    assert guarded.run(*words, studio=studio).code == 0
    assert "socket.connect" in guarded.touched
    (tmp_path / "touched").unlink()
    asked = studio.requests.total
    again = guarded.run(*words, studio=studio)
    assert again.code == 0
    assert "2  created" in again.out
    assert guarded.touched == ""
    assert studio.requests.total == asked
    # A job folder that is done needs no key either: the journal answers.
    assert '"requests": 0' in (tmp_path / "job" / "summary.json").read_text("utf-8")


def test_what_is_there_is_found_by_one_listing_a_cell_before_anything_is_read(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", cells=3, measurements=4)
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    # Whoever read these now would have to reject them.
    for path in (tmp_path / "archive").rglob("run *"):
        path.write_bytes(b"no longer what it was")
    asked = Counter(studio.requests.by_endpoint)
    ended = jobs.upload("archive", job="second")
    assert ended.code == 0, ended.out
    assert ended.counts == {"existing": len(made)}
    assert event_names(tmp_path / "second", "run 0") == ["Found"] * 3
    # The specification may be asked for by each cell that is looked at at the same time.
    used = Counter(studio.requests.by_endpoint) - asked
    assert used.pop("spec.list") <= 3
    assert used == {"project.get": 1, "instance.list": 3, "measurement.list": 3}


def test_only_what_is_missing_is_read(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=3)
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    added = archive(tmp_path / "archive", measurements=5)
    ended = jobs.upload("archive", job="second")
    assert ended.code == 0
    assert ended.counts == {"existing": 3, "created": len(added) - 3}
    assert "SourcePrepared" not in event_names(tmp_path / "second", "run 1")
    assert "SourcePrepared" in event_names(tmp_path / "second", "run 4")


def test_parents_are_asked_for_and_made_once_however_many_wait(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", specs=2, cells=2, measurements=6)
    for cell in (tmp_path / "archive").glob("spec */cell *"):
        (cell / "cell.json").write_text('{"batch": "LOT-7"}', "utf-8")
    jobs.use(studio)
    assert jobs.upload("archive").counts == {"created": 24}
    made = studio.requests.by_endpoint
    assert made["spec.create"] == 2
    assert made["batch.create"] == 2
    assert made["instance.create"] == 4
    assert made["measurement.initiate"] == made["measurement.confirm"] == 24


def test_rejected_files_leave_no_empty_parents_behind(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    for path in (tmp_path / "archive").rglob("run *"):
        path.write_bytes(b"")
    jobs.use(studio)
    assert jobs.upload("archive").counts == {"rejected": 2}
    assert not [name for name in studio.requests.by_endpoint if name.endswith(".create")]
