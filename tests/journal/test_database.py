"""The journal's file: where it is, of which version, and how it is opened to be read."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bulkload.errors import JournalBusyError, JournalError
from bulkload.journal import FILE_NAME, LOG_NAME, Store, database
from bulkload.journal.database import connect, find
from bulkload.journal.lock import exclusive, is_held
from bulkload.journal.report import tally

#: What makes a journal of today one of an older version, which lacked these.
BACK_TO_2 = (
    "DROP VIEW accepted_job; DROP VIEW accepted_entry; DROP TABLE acceptance; "
    "DROP TABLE treatment; PRAGMA user_version=2;"
)
#: What is said of a journal that is not there, or cannot be made.
UNOPENED = r"^the journal .*/journal\.sqlite cannot be opened: unable"
BACK_TO = {1: f"DROP TABLE rejection; {BACK_TO_2} PRAGMA user_version=1;", 2: BACK_TO_2}


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with one run."""
    path = tmp_path / FILE_NAME
    with Store(path) as store:
        store.begin_run("bulkload upload", {}, 0.0)
    return path


@pytest.mark.parametrize("version", [1, 2])
def test_a_journal_of_an_older_version_is_read_and_taken_on(version: int, path: Path) -> None:
    with closing(sqlite3.connect(path)) as old:
        old.executescript(BACK_TO[version])
    with Store(path, is_read_only=True) as store:
        assert tally(store, 1, is_waiting=True)[0].total() == 0
        assert list(store.rows("acceptances")) == []
    assert version_of(path) == version
    with Store(path) as store:
        assert store.put_rejection(1, "/a.csv", "no_layout", "does not fit")
    assert version_of(path) == 3
    with Store(path) as store:
        assert store.is_rejection_known("/a.csv", "no_layout")
        assert list(store.rows("acceptances")) == []


def test_a_database_of_another_program_is_left_whatever_its_version(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as other:
        other.executescript("CREATE TABLE photo (id); PRAGMA user_version=1;")
    before = path.read_bytes()
    for is_read_only in (False, True):
        with pytest.raises(JournalError) as raised:
            Store(path, is_read_only=is_read_only)
        assert str(raised.value) == f"{path} is not a journal of bulkload"
    assert path.read_bytes() == before


def test_a_journal_of_a_newer_version_is_left(path: Path) -> None:
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version=4")
    with pytest.raises(JournalError) as raised:
        Store(path)
    assert str(raised.value) == f"{path} is a journal of version 4; this bulkload reads version 3"


def test_a_journal_that_is_not_there_is_made_by_who_may_write(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=UNOPENED):
        Store(tmp_path / FILE_NAME, is_read_only=True)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(JournalError, match=UNOPENED):
        Store(tmp_path / "no folder" / FILE_NAME)
    (tmp_path / FILE_NAME).touch()
    # An empty file is one that a crash left before its first commit.
    with pytest.raises(JournalError, match="is not a journal of bulkload"):
        Store(tmp_path / FILE_NAME, is_read_only=True)
    with Store(tmp_path / FILE_NAME) as store:
        assert store.begin_run("bulkload upload", {}, 0.0) == 1


def test_a_folder_holds_one_journal_of_either_form(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    (tmp_path / LOG_NAME).mkdir()
    assert find(tmp_path) is None
    (tmp_path / LOG_NAME).rmdir()
    (tmp_path / LOG_NAME).touch()
    assert find(tmp_path) == tmp_path / LOG_NAME
    (tmp_path / FILE_NAME).touch()
    with pytest.raises(JournalError) as raised:
        find(tmp_path)
    assert str(raised.value) == f"{tmp_path} holds two journals, {FILE_NAME} and {LOG_NAME}"
    (tmp_path / LOG_NAME).unlink()
    assert find(tmp_path) == tmp_path / FILE_NAME


def test_a_new_journal_on_a_network_is_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def is_on_network(folder: Path) -> bool:
        asked.append(folder)
        return True

    monkeypatch.setattr(database, "is_on_network", is_on_network)
    Store(tmp_path / FILE_NAME).close()
    assert [one.name for one in tmp_path.iterdir()] == [LOG_NAME]
    assert asked == [tmp_path]


@pytest.mark.parametrize(
    ("wal", "is_writable", "mode"),
    [
        (None, True, "mode=ro"),
        (b"", True, "mode=ro"),
        (b"commits", True, "mode=ro"),
        # Reading in the usual way would write beside the file.
        (None, False, "mode=ro&immutable=1"),
        (b"", False, "mode=ro&immutable=1"),
        (b"commits", False, "mode=ro"),
    ],
)
def test_a_journal_that_cannot_be_written_beside_is_read_as_it_lies(
    wal: bytes | None,
    mode: str,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_writable: bool,
) -> None:
    if wal is not None:
        path.with_name(FILE_NAME + "-wal").write_bytes(wal)
    asked = []

    def access(folder: Path, how: int) -> bool:
        asked.append((folder, how))
        return is_writable

    monkeypatch.setattr(os, "access", access)
    assert database._reading(path) == mode
    assert asked in ([], [(path.parent, os.W_OK)])


def test_rows_are_read_by_name_and_every_statement_is_its_own_transaction(path: Path) -> None:
    for is_read_only in (False, True):
        with closing(connect(path, is_read_only=is_read_only)) as connection:
            assert connection.execute("SELECT command FROM run").fetchone()["command"]
            assert connection.isolation_level is None


# -- The lock ------------------------------------------------------------------------------------


def test_a_folder_is_held_for_the_length_of_a_run(tmp_path: Path) -> None:
    assert is_held(tmp_path) is None
    with exclusive(tmp_path):
        assert is_held(tmp_path) is True
        with pytest.raises(JournalBusyError) as raised, exclusive(tmp_path):
            pass
    assert str(raised.value) == (
        f"another run is using {tmp_path}: wait for it, or give --job another folder"
    )
    assert is_held(tmp_path) is False
    # Whoever looks does not change anything.
    assert [one.name for one in tmp_path.iterdir()] == ["lock.sqlite"]


def test_who_asks_whether_a_folder_is_held_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_s = []
    really = sqlite3.connect

    def connect(database: str, *, uri: bool, timeout: float = 5.0) -> sqlite3.Connection:
        waits_s.append(timeout)
        return really(database, uri=uri, timeout=0.0)

    with exclusive(tmp_path):
        monkeypatch.setattr(sqlite3, "connect", connect)
        assert is_held(tmp_path) is True
    assert waits_s == [0.0]


def test_a_folder_that_cannot_be_locked_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "no folder"
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(JournalError) as raised, exclusive(folder):
        pass
    assert str(raised.value) == (
        f"{folder} cannot be locked: Permission denied: it may not be written in"
    )
    monkeypatch.setattr(os, "access", lambda where, how: (where, how) == (folder, os.W_OK))
    with pytest.raises(JournalError) as raised, exclusive(folder):
        pass
    assert str(raised.value) == f"{folder} cannot be locked: unable to open database file"


def test_a_lock_that_is_no_lock_is_no_reason_to_wait(tmp_path: Path) -> None:
    (tmp_path / "lock.sqlite").mkdir()
    assert is_held(tmp_path) is None
    with (
        pytest.raises(JournalError, match="cannot be locked: unable to open") as raised,
        exclusive(tmp_path),
    ):
        pass
    assert not isinstance(raised.value, JournalBusyError)
