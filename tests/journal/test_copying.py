"""Copies of a part: what is in one, and which of two goes on from the other."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bulkload.core.lifecycle import Failed, SourcePrepared
from bulkload.core.plan_items import UploadJob
from bulkload.core.terms import JobKey
from bulkload.errors import JournalError
from bulkload.journal import FILE_NAME, LOG_NAME, Store, events
from bulkload.journal.codec import job_to_text
from bulkload.journal.copying import HistoryOrder, compare, copy_part
from tests.journal.test_database import BACK_TO_2

JOB = UploadJob(key=JobKey("s", "c", "m"), path="m.csv")
PREPARED = SourcePrepared(
    rows=1, size_bytes=1, sha256="", content_digest="", source_bytes=1, source_mtime_ns=1,
    source_sha256="",
)  # fmt: skip
FAILED = Failed(cause="permission", message="not yours")


@pytest.fixture(params=["database", "log"])
def part(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A part with one run, a job and an event, in either form of a journal."""
    folder = tmp_path / "part"
    folder.mkdir()
    if request.param == "log":
        (folder / LOG_NAME).touch()
    with Store(folder / FILE_NAME) as store:
        store.begin_run("bulkload upload", {}, 1.0)
        store.add_job(1, JOB, job_to_text(JOB), "options")
        events.append(store, 1, 1, 2.0, PREPARED)
    return folder


def go_on(folder: Path, event: Failed | SourcePrepared | None, command: str = "") -> None:
    """Have an event happen in a part, or a run begin."""
    with Store(folder / FILE_NAME) as store:
        if event is None:
            store.begin_run(command, {}, 3.0)
        else:
            events.append(store, 1, 1, 3.0, event)


def test_a_copy_is_the_same_until_one_of_them_goes_on(part: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy_part(part, copy)
    assert compare(part, copy) is HistoryOrder.SAME
    # How a run ended is no part of what happened.
    with Store(copy / FILE_NAME) as store:
        store.end_run(1, 9.0, {})
    assert compare(part, copy) is HistoryOrder.SAME
    go_on(part, FAILED)
    assert compare(part, copy) is HistoryOrder.LATER
    assert compare(copy, part) is HistoryOrder.EARLIER
    go_on(part, None, "bulkload resume")
    assert compare(part, copy) is HistoryOrder.LATER
    go_on(copy, FAILED)
    assert compare(part, copy) is HistoryOrder.LATER
    go_on(copy, None, "bulkload resume")
    assert compare(part, copy) is HistoryOrder.SAME


@pytest.mark.parametrize("command", ["bulkload retry", ""])
def test_copies_that_both_went_on_are_apart(command: str, part: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy_part(part, copy)
    go_on(part, FAILED)
    go_on(copy, None, command)
    assert compare(part, copy) is HistoryOrder.APART
    assert compare(copy, part) is HistoryOrder.APART
    # Also where one has the more.
    go_on(part, None, "bulkload resume")
    assert compare(part, copy) is HistoryOrder.APART


def test_a_copy_has_the_files_of_its_part_and_nothing_of_a_process(
    part: Path, tmp_path: Path
) -> None:
    for name in ("bulkload.log", "summary.json", "lock.sqlite", "live.json"):
        (part / name).write_text(name, "utf-8")
    (part / "spool").mkdir()
    (part / "spool" / "1.parquet").touch()
    (part / "link").symlink_to(part / "bulkload.log")
    copy = tmp_path / "parts" / "copy"
    with Store(part / FILE_NAME) as store:
        # Committed, and perhaps not in the file itself yet.
        store.put_raw_data("ff", "r1")
        copy_part(part, copy)
    journal = LOG_NAME if (part / LOG_NAME).exists() else FILE_NAME
    assert {one.name for one in copy.iterdir()} == {"bulkload.log", "summary.json", journal}
    assert (copy / "summary.json").read_text("utf-8") == "summary.json"
    with Store(copy / FILE_NAME, is_read_only=True) as store:
        assert store.raw_data_id("ff") == "r1"
        assert [name for _, name in store.history(1)] == ["SourcePrepared"]
    with pytest.raises(FileExistsError):
        copy_part(part, copy)


def test_who_compares_or_copies_changes_nothing(part: Path, tmp_path: Path) -> None:
    """A record cut short stays, and a journal of an older version is not taken on."""
    log = part / LOG_NAME
    if log.exists():
        log.write_bytes(log.read_bytes() + b"\xff\xfe")
    else:
        with closing(sqlite3.connect(part / FILE_NAME)) as old:
            old.executescript(BACK_TO_2)
    name = LOG_NAME if log.exists() else FILE_NAME
    before = (part / name).read_bytes()
    copy_part(part, tmp_path / "copy")
    copied = (tmp_path / "copy" / name).read_bytes()
    assert compare(part, tmp_path / "copy") is HistoryOrder.SAME
    assert compare(tmp_path / "copy", part) is HistoryOrder.SAME
    assert (part / name).read_bytes() == before
    assert (tmp_path / "copy" / name).read_bytes() == copied


def test_a_folder_without_a_journal_is_not_copied(tmp_path: Path) -> None:
    with pytest.raises(JournalError) as raised:
        copy_part(tmp_path, tmp_path / "copy")
    assert str(raised.value) == f"{tmp_path} holds no journal"
    assert list(tmp_path.iterdir()) == []
