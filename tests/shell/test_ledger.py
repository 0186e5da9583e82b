"""Every row that was read ends in one class, and the account says how many in which."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from bulkload.core.outcome import OutcomeKind
from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.prepare_result import PrepareTask, Rejected
from bulkload.core.terms import CURRENT, JobKey
from bulkload.journal import FILE_NAME, Store
from bulkload.journal.database import connect
from bulkload.journal.report import row_ledger
from bulkload.localstudio import LocalStudio
from bulkload.readers import ReadOptions, TimeSeries, read
from bulkload.worker.prepare import prepare
from tests.archives import archive, series, write
from tests.jobs import Jobs

FOLDER = Path("archive/spec 0/cell 0")
OPTIONS = ("--existing", "verify", "--no-strict")
#: A reader of a cycler's export leaves out what is no sample: here the second of its rows.
EXPORT = "Test_Time(s),Voltage(V),Current(A)\n0,3.7,0.5\n10,,0.5\n20,3.69,0.5\n30,3.68,0.5\n"


def test_the_account_says_where_every_row_went(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=3, rows=60)
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    backward = series(rows=30)
    flipped = backward.set_column(
        backward.column_names.index(CURRENT),
        CURRENT,
        pa.array([-value for value in backward.column(CURRENT).to_pylist()]),
    )
    write(tmp_path / FOLDER / "reversed.csv", flipped)
    (tmp_path / FOLDER / "empty.csv").write_text("", "utf-8")
    (tmp_path / FOLDER / "export.csv").write_text(EXPORT, "utf-8")
    (tmp_path / FOLDER / "run 0.csv").write_text("not what is in Studio", "utf-8")

    ended = jobs.upload("archive", *OPTIONS)
    assert ended.counts == {"created": 1, "existing": 2, "rejected": 3}, ended.out
    assert (
        "rows: 154 read = 3 created + 120 existing + 30 rejected + 1 left out by their reader; "
        "the rows of files that were not read are unknown (2 rejected)\n"
    ) in ended.out
    with Store(tmp_path / "job" / FILE_NAME, is_read_only=True) as store:
        ledger = row_ledger(store, 1, is_waiting=True)
    assert ledger.adds_up
    assert ledger.unknown[OutcomeKind.REJECTED] == 2
    # Again, with nothing to do: the account is the same.
    assert "rows: 154 read = 3 created + 120" in jobs.upload("archive", *OPTIONS).out


def test_files_that_are_there_and_were_not_read_are_named_as_such(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    jobs.use(studio)
    jobs.upload("archive", job="first")
    said = jobs.upload("archive").out
    assert "rows: 0 read = 0 created; the rows of files that were not read are unknown" in said
    assert "(2 existing)" in said


def test_a_row_that_studio_was_not_given_is_a_defect(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    jobs.use(studio)
    assert jobs.upload("archive").code == 0
    with closing(connect(tmp_path / "job" / FILE_NAME, is_read_only=False)) as journal:
        journal.execute("UPDATE job SET stored_rows = stored_rows - 1 WHERE id = 1")
    ended = jobs.upload("archive")
    assert ended.code == 1
    assert "the rows do not add up" in ended.out


def test_rows_that_get_lost_between_reading_and_sending_are_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours: a reader that says it read more than it gave."""
    path = tmp_path / "run.csv"
    write(path, series(rows=20))

    def forgetful(source: Path, options: ReadOptions) -> TimeSeries:
        series = read(source, options)
        return replace(series, provenance={**series.provenance, "rows_read": 21})

    monkeypatch.setattr("bulkload.worker.time_series.read", forgetful)
    job = UploadJob(key=JobKey("s", "c", "run"), path=str(path))
    answer = prepare(PrepareTask(job=job, checks=Checks(strict=False), spool_path=None))
    assert isinstance(answer, Rejected)
    assert answer.cause == "rows_lost"
    assert "21 rows were read, and 20" in answer.message
