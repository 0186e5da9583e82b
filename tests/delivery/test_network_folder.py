"""A job folder on a network file system: another form of the journal, the same promises."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from bulkload.journal import FILE_NAME, LOG_NAME, Store, database, find
from bulkload.journal.check import check_journal
from bulkload.journal.filesystem import is_on_network
from bulkload.localstudio import LocalStudio
from tests.archives import archive, write
from tests.jobs import Jobs
from tests.official import judge_of
from tests.simulation.scenario import scenario_of
from tests.simulation.simulation import run

MOUNTS = [
    ("/", "ext4", "rw"),
    ("/home", "nfs4", "rw,vers=4.2"),
    ("/home/lab/scratch", "xfs", "rw"),
    ("/mnt/share", "CIFS", "rw"),
    ("/mnt/drive", "NTFS", "rw,remote"),
]


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [SimpleNamespace(mountpoint=at, fstype=kind, opts=opts) for at, kind, opts in MOUNTS]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: parts)


@pytest.mark.skipif(sys.platform == "win32", reason="the mounts are POSIX paths")
@pytest.mark.usefixtures("mounts")
@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/srv/job", False),
        ("/home/lab/job", True),
        ("/home", True),
        ("/homework/job", False),
        ("/home/lab/scratch/job", False),
        ("/mnt/share/job", True),
        ("/mnt/drive/job", True),
    ],
)
def test_the_deepest_mount_decides(folder: str, *, expected: bool) -> None:
    assert is_on_network(Path(folder)) is expected


def mode_of(path: Path) -> str:
    with closing(database.connect(path, is_read_only=False)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every folder be on a network file system."""
    monkeypatch.setattr(database, "is_on_network", lambda _: True)


def test_a_database_that_was_moved_there_needs_no_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / FILE_NAME
    assert mode_of(path) == "wal"
    everywhere(monkeypatch)
    assert mode_of(path) == "delete"
    assert [one.name for one in tmp_path.iterdir()] == [FILE_NAME]


def test_every_command_works_with_the_log_of_transactions(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = archive(tmp_path / "archive", measurements=4)
    (tmp_path / "archive/spec 0/cell 0/run 3.csv").write_text("no table", "utf-8")
    jobs.use(studio)
    with monkeypatch.context() as patched:
        everywhere(patched)
        ended = jobs.upload("archive")
    assert (ended.code, ended.counts) == (3, {"created": 3, "rejected": 1})
    # From here on the file itself says what it is, wherever it lies.
    assert find(tmp_path / "job") == tmp_path / "job" / LOG_NAME
    assert jobs.command("journal", "check", "job").code == 0
    assert "3  created" in jobs.command("status", "job").out
    assert jobs.command("verify", "job", "--all").code == 0
    write(tmp_path / "archive/spec 0/cell 0/run 3.csv", made["spec 0", "cell 0", "run 3"])
    assert jobs.command("retry", "job").code == 0
    asked = studio.requests.total
    again = jobs.upload("archive")
    assert (again.code, again.counts) == (0, {"created": 4})
    assert studio.requests.total == asked
    assert jobs.command("rollback", "job", "--yes").code == 0
    with judge_of(studio) as judge:
        assert not judge.measurements()


@pytest.mark.parametrize("command", ["upload", "status", "journal"])
def test_a_damaged_log_ends_a_command_with_a_sentence(
    command: str, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    (tmp_path / "job").mkdir()
    log = tmp_path / "job" / LOG_NAME
    log.touch()
    jobs.use(studio)
    assert jobs.upload("archive").code == 0
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    asked = studio.requests.total
    words = {"upload": ["archive", "--job", "job"], "status": ["job"], "journal": ["check", "job"]}
    ended = jobs.command(command, *words[command])
    assert ended.code == 2
    assert "is damaged at byte" in ended.err
    assert studio.requests.total == asked
    assert log.read_bytes() == data


def test_a_record_cut_short_by_a_crash_is_in_the_log_of_the_next_run(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / LOG_NAME).touch()
    jobs.use(studio)
    assert jobs.upload("archive").code == 0
    with (tmp_path / "job" / LOG_NAME).open("ab") as log:
        log.write(b"\xff\xfecut short")
    archive(tmp_path / "archive", measurements=2)
    assert jobs.upload("archive").code == 0
    lines = (tmp_path / "job" / "log.jsonl").read_text("utf-8").splitlines()
    (line,) = [line for line in map(json.loads, lines) if line["level"] == "warning"]
    assert (line["event"], line["bytes"]) == ("journal.torn_record_removed", 11)


def test_crashes_and_faults_cost_nothing_there_either(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere(monkeypatch)
    for seed in [seed for seed in range(60) if scenario_of(seed).crashes][:12]:
        result = run(scenario_of(seed))
        assert not result.violations, f"seed {seed}: {result.violations}"


KILLED = """
import os, sys
from pathlib import Path
from bulkload.journal import Store, database
path = Path(sys.argv[1])
Store(path).close()
database.is_on_network = lambda _: True
store = Store(path)
run = store.begin_run("upload", {}, 0.0)
connection = store._connection
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE run SET command='torn'")
connection.execute("PRAGMA cache_spill=1")
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
def test_a_commit_that_was_torn_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / FILE_NAME
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    everywhere(monkeypatch)
    with Store(path) as store:
        last = store.last_run()
    assert last is not None
    assert last.command == "upload"
    assert list(check_journal(path)) == []


def test_a_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    import sqlite3

    from bulkload.errors import JournalError

    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("CREATE TABLE theirs (x)")
        foreign.commit()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="not a journal of bulkload"):
        database.connect(path, is_read_only=False)
    assert path.read_bytes() == before
