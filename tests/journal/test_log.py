"""The journal as a log of its transactions: what was committed is there, and nothing else."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import stat
import tempfile
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from bulkload.core.lifecycle import Act, Attempting, Failed, Restarted
from bulkload.core.plan_items import CellMetadata, Skip, Specification, UploadJob
from bulkload.core.terms import JobKey
from bulkload.errors import JournalError
from bulkload.journal import FILE_NAME, LOG_NAME, Parent, Store, events
from bulkload.journal.check import check_journal
from bulkload.journal.codec import job_to_text
from bulkload.journal.recordfile import RecordFile, read_records

TABLES = ("run", "specification", "cell", "job", "event", "skip", "parent", "raw_data")
HEADER = b"bulkload journal log 1\n"
#: Every how many bytes a sweep looks that another one does at every byte; prime to any field's.
SAMPLED_BYTES = 7


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a journal's path in a folder that keeps a log: an empty one is one not begun."""
    (tmp_path / LOG_NAME).touch()
    return tmp_path / FILE_NAME


@pytest.fixture
def log(path: Path) -> Path:
    return path.with_name(LOG_NAME)


def content(store: Store) -> dict[str, list[Any]]:
    return {
        name: sorted(
            map(repr, map(tuple, store._connection.execute(f"SELECT * FROM {name}").fetchall()))
        )
        for name in TABLES
    }


def specification(called: str) -> Specification:
    return Specification(name="s", payload={"name": called}, origin="spec.json")


def write_everything(store: Store) -> None:
    """Write by every way that the journal has."""
    first = store.begin_run("bulkload upload 🔋", {"url": None}, 0.1 + 1e9)
    job = UploadJob(key=JobKey("s", 'c"\n', "m"), path="m.csv")
    with store.transaction():
        store.put_specification(specification("s"))
        store.put_cell(CellMetadata(spec="s", cell='c"\n', payload={}))
        store.add_job(first, job, job_to_text(job), "recipe")
        store.put_skip(first, Skip(where="a", rule="hidden"))
        store.put_skip(first, Skip(where="b", rule="hidden"))
    with store.transaction():
        events.append(store, first, 1, 1.5, Attempting(act=Act.INITIATE))
        events.append(store, first, 1, 2.5, Failed(cause="a", message="b"))
    with store.transaction():
        store.put_parent(first, Parent("cell_instance", "i1", "c", None, "now"))
        store.put_parent(first, Parent("cell_instance", "i2", "d", "i1", None))
        store.put_raw_data("ff", "r1")
        store.put_raw_data("ff", "r2")
        store.drop_parent("cell_instance", "i1")
        store.put_specification(specification("t"))
    store.end_run(first, 3.5, {"exit_code": 3})
    second = store.begin_run("again", {"url": None}, 4.5)
    with store.transaction():
        store.take_over_plan(second, store.plan_before(second))
        store.replan_job(second, 1, path="n.csv", payload=job_to_text(job), options_digest="x")
        events.append(store, second, 1, 5.5, Restarted(reason="again"))


def test_what_is_read_back_is_what_was_written(path: Path, log: Path, tmp_path: Path) -> None:
    """By the connection that wrote, by a reader, by the next run, and as a database has it."""
    plain = tmp_path / "plain"
    plain.mkdir()
    with Store(plain / FILE_NAME) as store:
        write_everything(store)
        meant = content(store)
    with Store(path) as store:
        write_everything(store)
        assert content(store) == meant
        with Store(path, is_read_only=True) as reader:
            assert content(reader) == meant
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader._connection.execute("DELETE FROM run")
    with Store(path) as store:
        assert content(store) == meant
    assert list(check_journal(log)) == []
    assert sorted(one.name for one in tmp_path.iterdir()) == [LOG_NAME, "plain"]


def test_what_was_rolled_back_is_not_there(path: Path) -> None:
    with Store(path) as store:
        store.begin_run("kept", {}, 0.0)
        store._connection.execute("BEGIN")
        store.begin_run("undone", {}, 0.0)
        store._connection.execute("ROLLBACK")
        with pytest.raises(sqlite3.IntegrityError):
            store._connection.execute("INSERT INTO run (id, command) VALUES (9, 'lacks the rest')")
        store.begin_run("kept too", {}, 0.0)
    with Store(path, is_read_only=True) as reader:
        runs = [row["command"] for row in reader._connection.execute("SELECT command FROM run")]
    assert runs == ["kept", "kept too"]


def test_two_connections_of_a_process_see_one_journal(path: Path) -> None:
    """As a run has it: one plans and reads, a thread writes."""
    with Store(path) as first:
        first.begin_run("one", {}, 0.0)

        def write() -> None:
            with Store(path) as second:
                second.begin_run("two", {}, 0.0)

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert [row["command"] for row in first._connection.execute("SELECT command FROM run")] == [
            "one",
            "two",
        ]
        first.begin_run("three", {}, 0.0)
    with Store(path, is_read_only=True) as reader:
        assert reader._connection.execute("SELECT COUNT(*) FROM run").fetchone()[0] == 3


# -- What a crash, a disk or a hand does to the file ---------------------------------------


@pytest.fixture
def whole(path: Path, log: Path) -> list[bytes]:
    """Give the log after each of four transactions."""
    states = []
    with Store(path) as store:
        for number in range(4):
            store.begin_run(f"run {number} 🔋", {}, float(number))
            states.append(log.read_bytes())
    return states


def runs_in(path: Path, *, is_read_only: bool = False) -> int:
    with Store(path, is_read_only=is_read_only) as store:
        return int(store._connection.execute("SELECT COUNT(*) FROM run").fetchone()[0])


def test_a_record_cut_short_at_any_byte_is_not_there_and_the_others_are(
    path: Path, log: Path, whole: list[bytes]
) -> None:
    before, after = whole[-2:]
    for cut in range(len(before), len(after)):
        # Short, or (at every few bytes) of the right length with what the disk held before.
        padded = after[:cut] + b"\xa5" * (len(after) - cut)
        for torn in (after[:cut], padded)[: 1 + (cut % SAMPLED_BYTES == 0)]:
            log.write_bytes(torn)
            assert runs_in(path, is_read_only=True) == 3, cut
            assert log.read_bytes() == torn, "a reader changes nothing"
            assert list(check_journal(log)) == []
            with Store(path) as store:
                assert store.torn_bytes == len(torn) - len(before)
            assert runs_in(path) == 3, cut
            assert log.read_bytes() == before
    with Store(path) as store:
        store.begin_run("after it", {}, 0.0)
    assert runs_in(path) == 4


def test_a_log_that_was_hardly_begun_is_begun_again(path: Path, log: Path) -> None:
    for cut in range(len(HEADER)):
        log.write_bytes(HEADER[:cut])
        assert runs_in(path, is_read_only=True) == 0
        assert runs_in(path) == 0
        assert log.read_bytes() == HEADER


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_a_byte_that_changed_in_the_middle_is_damage(
    flip: int, path: Path, log: Path, whole: list[bytes]
) -> None:
    # One flip at every byte, the others at every few of them, and throughout the header.
    places = [at for at in range(len(whole[-2])) if at < len(HEADER) or at % SAMPLED_BYTES == 0]
    for at in range(len(whole[-2])) if flip == 0x01 else places:
        damaged = bytearray(whole[-1])
        damaged[at] ^= flip
        log.write_bytes(damaged)
        for is_read_only in (True, False):
            with pytest.raises(JournalError) as raised:
                Store(path, is_read_only=is_read_only)
            if at >= len(HEADER):
                assert f"{log} is damaged at byte" in str(raised.value)
        assert log.read_bytes() == damaged


def test_damage_before_a_whole_record_is_damage_though_the_last_is_cut_short(
    path: Path, log: Path, whole: list[bytes]
) -> None:
    damaged = bytearray(whole[-1][:-5])
    damaged[len(whole[0]) + 30] ^= 0xFF
    log.write_bytes(damaged)
    with pytest.raises(JournalError, match=f"is damaged at byte {len(whole[0]):,} .record 2"):
        Store(path)
    assert log.read_bytes() == damaged


def test_a_record_without_text_is_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / LOG_NAME
    log = RecordFile(path)
    assert list(log.records()) == []
    log.append("one")
    log.append("")
    log.close()
    assert list(read_records(path)) == ["one", ""]
    damaged = bytearray(path.read_bytes())
    damaged[len(HEADER) + 5] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(JournalError, match="is damaged at byte"):
        list(read_records(path))


def test_a_record_that_is_missing_in_the_middle_is_damage(
    path: Path, log: Path, whole: list[bytes]
) -> None:
    log.write_bytes(whole[0] + whole[-1][len(whole[1]) :])
    with pytest.raises(JournalError, match="is damaged at byte"):
        Store(path)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"theirs\n" * 9, "not a journal of bulkload"),
        (
            b"bulkload journal log 2\n\n\n",
            "a journal of version 2; this bulkload reads version 1",
        ),
        (b"bulkload journal log 12\n", "a journal of version 12; this bulkload reads version 1"),
    ],
)
@pytest.mark.parametrize("is_read_only", [True, False])
def test_a_file_of_another_kind_is_left_as_it_is(
    said: bytes, words: str, path: Path, log: Path, *, is_read_only: bool
) -> None:
    log.write_bytes(said)
    with pytest.raises(JournalError) as raised:
        Store(path, is_read_only=is_read_only)
    assert str(raised.value) == f"{log} is {words}"
    assert log.read_bytes() == said


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (["sqlite_master", [1], {"sql": "x"}], "'sqlite_master'"),
        (["run", [1], {"command; DROP TABLE run": "x"}], "a row of run has other columns"),
        (["run", [7], {"command": "of no run"}], "a row of run does not exist"),
        (["run", [1, 2], {"command": "x"}], "a row of run has other columns"),
        (["run", [1], {"command": {"an": "object"}}], "type 'dict' is not supported"),
        ("no change at all", "too many values to unpack"),
    ],
)
def test_a_record_that_says_what_cannot_be_is_refused(change: object, why: str, path: Path) -> None:
    """Whole by its checksum: written by another program, or a defect of ours."""
    with Store(path) as store:
        store.begin_run("upload", {}, 0.0)
    file = RecordFile(path.with_name(LOG_NAME))
    assert len(list(file.records())) == 1
    file.append(json.dumps([change]))
    file.close()
    with pytest.raises(JournalError, match=f"^record 2 of the journal cannot be applied: .*{why}"):
        Store(path)


def test_two_journals_in_one_folder_are_refused(path: Path, log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Store(other / FILE_NAME).close()
    (other / FILE_NAME).rename(path)
    with pytest.raises(JournalError, match="two journals"):
        Store(path)
    assert log.read_bytes() == b""


def test_what_somebody_else_wrote_meanwhile_ends_the_writing(path: Path, log: Path) -> None:
    """Where the locks of a file system are none, two runs must still not mix."""
    with Store(path) as store:
        store.begin_run("ours", {}, 0.0)
        theirs = RecordFile(log)
        list(theirs.records())
        theirs.append("[]")
        theirs.close()
        for _ in range(2):
            with pytest.raises(JournalError, match="another process wrote"):
                store.begin_run("ours again", {}, 0.0)
    assert runs_in(path) == 1


class Full(RecordFile):
    """A log on a disk that takes only so many bytes more."""

    room = 10**6

    def _write(self, data: bytes) -> None:
        super()._write(data[: self.room])
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_what_a_full_disk_did_not_take_is_not_there_and_what_it_takes_later_is(
    tmp_path: Path,
) -> None:
    path = tmp_path / LOG_NAME
    log = Full(path)
    assert list(log.records()) == []
    log.append("one")
    log.room = 7
    with pytest.raises(OSError, match="No space left"):
        log.append("two")
    log.room = 10**6
    log.append("three")
    log.close()
    assert list(read_records(path)) == ["one", "three"]


# -- What is flushed before anything is built on it --------------------------------------------


@pytest.fixture
def flushed(log: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the log held at each flush of it, and nothing for a flush of its folder."""
    found: list[bytes] = []

    def fsync(handle: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        found.append(b"" if is_folder else log.read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_a_log_and_its_name_are_on_the_disk_before_the_first_record(
    log: Path, flushed: list[bytes]
) -> None:
    log.unlink()
    RecordFile(log).close()
    assert flushed == [HEADER, b""]


def test_a_system_that_cannot_flush_a_folder_does_without(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.unlink()

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    RecordFile(log).close()
    assert log.read_bytes() == HEADER


def test_a_record_is_on_the_disk_when_it_is_written(log: Path, flushed: list[bytes]) -> None:
    file = RecordFile(log)
    assert list(file.records()) == []
    flushed.clear()
    file.append("one")
    one = log.read_bytes()
    file.append("two")
    file.close()
    assert flushed == [one, log.read_bytes()]


def test_what_is_cut_off_is_off_the_disk_before_the_next_record(
    log: Path, whole: list[bytes], flushed: list[bytes]
) -> None:
    log.write_bytes(whole[1] + b"\xff\xfe")
    file = RecordFile(log)
    assert file.torn_bytes == 0
    assert len(list(file.records())) == 2
    assert file.torn_bytes == 2
    assert flushed == [whole[1]]
    file.close()
    full = Full(log)
    assert len(list(full.records())) == 2
    assert flushed == [whole[1]]
    full.room = 7
    with pytest.raises(OSError, match="No space left"):
        full.append("three")
    assert flushed == [whole[1], whole[1]]
    full.close()


def test_a_log_that_is_ahead_of_its_database_is_not_written_any_more(path: Path) -> None:
    """The record is on the disk, and SQLite does not take the commit."""

    def no_commit(action: int, name: str | None, *_: object) -> int:
        is_commit = action == sqlite3.SQLITE_TRANSACTION and name == "COMMIT"
        return sqlite3.SQLITE_DENY if is_commit else sqlite3.SQLITE_OK

    with Store(path) as store:
        store.begin_run("one", {}, 0.0)
        store._connection.set_authorizer(no_commit)
        with pytest.raises(JournalError, match="not authorized"):
            store.begin_run("two", {}, 0.0)
        store._connection.set_authorizer(None)
        with pytest.raises(JournalError, match="an earlier write failed"):
            store.begin_run("three", {}, 0.0)
    assert runs_in(path) == 2


# -- What it holds, and what belongs to it -------------------------------------------------------


def test_a_record_is_the_rows_that_a_transaction_changed(path: Path, log: Path) -> None:
    """Of a row that was there, the columns that changed."""
    with Store(path) as store:
        store.begin_run("upload", {}, 0.5)
        store.end_run(1, 2.5, {})
        store.put_parent(1, Parent("cell_instance", "i1", "c", None, None))
        store.drop_parent("cell_instance", "i1")
        with store.transaction():
            store.end_run(1, 2.5, {})
    assert list(read_records(log)) == [
        (
            '[["run",[1],{"command":"upload","ended_at":null,"id":1,"settings":"{}","started_at":0.5,'
            '"summary":null}]]'
        ),
        '[["run",[1],{"ended_at":2.5,"summary":"{}"}]]',
        (
            '[["parent",["cell_instance","i1"],{"id":"i1","kind":"cell_instance","name":"c",'
            '"parent_id":null,"run":1,"updated_at":null}]]'
        ),
        '[["parent",["cell_instance","i1"],null]]',
    ]


@pytest.mark.parametrize("is_logged", [True, False])
def test_any_thread_may_use_a_journal_and_waits_for_another(
    path: Path, log: Path, *, is_logged: bool
) -> None:
    if not is_logged:
        log.unlink()
    noted: list[int] = []
    with Store(path) as store:
        thread = threading.Thread(target=lambda: noted.append(store.begin_run("there", {}, 0.0)))
        thread.start()
        thread.join()
        assert noted == [1]
        (wait_ms,) = store._connection.execute("PRAGMA busy_timeout").fetchone()
        assert wait_ms == 30_000
        assert store._connection.isolation_level is None
    with Store(path, is_read_only=True) as store:
        assert store._connection.isolation_level is None


def test_databases_of_processes_that_are_gone_are_removed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setattr(psutil, "pid_exists", lambda number: number != 17)
    kept = {"bulkload-journal-18-a-b", "bulkload-journal-x-a", "other-17-a"}
    for name in (*kept, "bulkload-journal-17-a-b"):
        (scratch / name).mkdir()
        (scratch / name / "journal.sqlite").touch()
    with Store(path) as store:
        store.begin_run("upload", {}, 0.0)
        (ours,) = {one.name for one in scratch.iterdir()} - kept
        assert ours.startswith(f"bulkload-journal-{os.getpid()}-")
    assert {one.name for one in scratch.iterdir()} == kept
    with Store(path):
        (ours,) = {one.name for one in scratch.iterdir()} - kept
        # Who clears the folder for temporary files took it away.
        shutil.rmtree(scratch / ours)
