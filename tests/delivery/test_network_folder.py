"""A job folder on a network file system: another form of the journal, the same promises."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from bulkload.journal import FILE_NAME, store
from bulkload.journal.check import check_journal
from bulkload.journal.filesystem import is_on_network
from bulkload.testing.simulation import tell
from bulkload.testing.story import story_of

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
    with closing(store.connect(path)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every folder be on a network file system."""
    monkeypatch.setattr(store, "is_on_network", lambda _: True)


def test_the_journal_needs_no_shared_memory_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / FILE_NAME
    assert mode_of(path) == "wal"
    everywhere(monkeypatch)
    # Also for a folder that was moved there: what it holds is taken along.
    assert mode_of(path) == "delete"
    assert [one.name for one in tmp_path.iterdir()] == [FILE_NAME]


def test_crashes_and_trouble_cost_nothing_there_either(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere(monkeypatch)
    for seed in [seed for seed in range(60) if story_of(seed).crashes][:12]:
        told = tell(story_of(seed))
        assert not told.complaints, f"seed {seed}: {told.complaints}"


KILLED = """
import os, sys
from pathlib import Path
from bulkload.journal import store
store.is_on_network = lambda _: True
path = Path(sys.argv[1])
connection = store.connect(path)
run = store.begin_run(connection, "upload", {}, 0.0)
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
    with closing(store.connect(path)) as connection:
        last = store.last_run(connection)
        assert last is not None
        assert last["command"] == "upload"
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
        store.connect(path)
    assert path.read_bytes() == before
