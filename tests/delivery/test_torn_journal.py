"""A journal torn by a loss of power, at any byte: what was committed before is there, whole."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

from bulkload.core.lifecycle import Act, Attempting, Failed
from bulkload.core.plan_items import UploadJob
from bulkload.core.terms import JobKey
from bulkload.journal import FILE_NAME, Store, events
from bulkload.journal.check import check_journal
from bulkload.journal.codec import job_to_text
from bulkload.journal.database import connect

COMMITS = 12
#: Distance of the cuts, in bytes: prime, so that they fall on every part of a frame.
STEP = 613


def test_what_was_committed_before_the_cut_is_there(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    job = UploadJob(key=JobKey("s", "c", "m"), path="m.csv")
    #: Length of the log after each commit, and the events that are there then.
    known: list[tuple[int, int]] = []
    wal = path.with_name(f"{FILE_NAME}-wal")
    with Store(path) as store:
        run = store.begin_run("upload", {}, 0.0)
        store.add_job(run, job, job_to_text(job), "recipe")
        store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for number in range(COMMITS):
            is_last = number == COMMITS - 1
            event = Failed(cause="c", message="m") if is_last else Attempting(act=Act.PUT)
            with store.transaction():
                events.append(store, run, 1, float(number), event)
            known.append((wal.stat().st_size, number + 1))
        log, base = wal.read_bytes(), path.read_bytes()
    for cut in [*range(0, len(log), STEP), *range(len(log) - 64, len(log) + 1)]:
        torn = tmp_path / "torn"
        torn.mkdir()
        (torn / FILE_NAME).write_bytes(base)
        # What was not flushed may be anything: garbage of the right length, not only a short file.
        (torn / wal.name).write_bytes(log[:cut] + b"\xa5" * (len(log) - cut))
        assert list(check_journal(torn / FILE_NAME)) == []
        with closing(connect(torn / FILE_NAME, is_read_only=False)) as connection:
            found = connection.execute("SELECT COUNT(*) FROM event").fetchone()[0]
        assert found == max((count for size, count in known if size <= cut), default=0), cut
        shutil.rmtree(torn)
