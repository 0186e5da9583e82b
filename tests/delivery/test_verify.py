"""``verify`` and ``rollback``: what differs is named, what is not ours is left."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Ended, Jobs
from tests.official import judge_of


@pytest.fixture
def uploaded(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> Ended:
    archive(tmp_path / "archive", cells=2, measurements=2)
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.code == 0, ended.out + ended.err
    return ended


def stored_series(studio: LocalStudio, ended: Ended, cell: str, name: str) -> Path:
    """Return the file in which the Studio keeps a measurement."""
    from contextlib import closing

    from bulkload.journal import FILE_NAME
    from bulkload.journal.database import connect

    assert ended.job is not None
    with closing(connect(ended.job / FILE_NAME, is_read_only=True)) as reader:
        row = reader.execute(
            "SELECT measurement_id FROM job WHERE cell=? AND measurement=?", (cell, name)
        ).fetchone()
    (path,) = studio.settings.data_dir.rglob(f"{row['measurement_id']}.time_series.parquet")
    return path


def verify_report(ended: Ended) -> dict[str, object]:
    assert ended.job is not None
    found: dict[str, object] = json.loads((ended.job / "verify.json").read_text("utf-8"))
    return found


def test_what_is_equal_is_said_to_be_equal(jobs: Jobs, uploaded: Ended) -> None:
    told = jobs.command("verify", "job", "--all")
    assert told.code == 0, told.out + told.err
    assert verify_report(uploaded)["sample"] == 4
    assert "240 rows compared" in told.out


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda table: table.slice(0, 59), "holds 59 rows, the source 60"),
        (lambda table: table.drop_columns(["Step count"]), "lacks the columns Step count"),
        (
            lambda table: table.append_column("Extra", pa.array([0.0] * 60)),
            "has the further columns Extra",
        ),
        (
            lambda table: table.set_column(
                1,
                "Voltage [V]",
                pa.array([*table["Voltage [V]"].to_pylist()[:-1], 3.7000001]),
            ),
            "different values",
        ),
        (None, "cannot be read"),
    ],
    ids=["a row is missing", "a column is missing", "a column more", "one value", "no Parquet"],
)
def test_what_differs_is_named(
    spoil: object, words: str, jobs: Jobs, studio: LocalStudio, uploaded: Ended
) -> None:
    path = stored_series(studio, uploaded, "cell 1", "run 0")
    if callable(spoil):
        pq.write_table(spoil(pq.read_table(path)), path)
    else:
        path.write_bytes(b"not what it was")
    told = jobs.command("verify", "job", "--all")
    assert told.code == 3, told.out + told.err
    assert "spec 0 / cell 1 / run 0" in told.out
    assert words in told.out
    assert "cell 0" not in told.out
    differences = verify_report(uploaded)["differences"]
    assert isinstance(differences, list)
    assert len(differences) == 1


def test_a_measurement_that_is_gone_is_named(
    jobs: Jobs, studio: LocalStudio, uploaded: Ended
) -> None:
    with judge_of(studio) as judge:
        held = judge.by_key()["spec 0", "cell 0", "run 1"]
        judge.client.cell_measurement.delete(held.id)
    told = jobs.command("verify", "job", "--all")
    assert told.code == 3
    assert "spec 0 / cell 0 / run 1" in told.out
    assert "no longer has this measurement" in told.out


def test_a_sample_says_in_words_what_it_is_worth(jobs: Jobs, uploaded: Ended) -> None:
    told = jobs.command("verify", "job", "--sample", "2", "--seed", "1")
    assert told.code == 0
    assert "95" in told.out
    assert verify_report(uploaded)["sample"] == 2


def test_a_rollback_deletes_all_that_nobody_touched(
    jobs: Jobs, studio: LocalStudio, uploaded: Ended
) -> None:
    told = jobs.command("rollback", "job", "--yes")
    assert told.code == 0, told.out + told.err
    with judge_of(studio) as judge:
        assert judge.measurements() == []
        assert list(judge.client.cell_spec.list()) == []
    # Told is the upload's plan, of which nothing is done any more, and what was done since.
    told = jobs.command("status", "job")
    assert "4  not done" in told.out
    assert "4  planned" in told.out
    assert told.out.count("has ended") == 2
    assert "bulkload rollback job --yes" in told.out
    # What was undone can be done again.
    again = jobs.upload("archive")
    assert (again.code, again.counts) == (0, {"created": 4})


def test_a_rollback_leaves_what_was_changed_or_is_not_ours(
    jobs: Jobs, studio: LocalStudio, uploaded: Ended
) -> None:
    with judge_of(studio) as judge:
        held = judge.by_key()
        client = judge.client.cell_measurement
        client.update(held["spec 0", "cell 0", "run 0"].id, {"notes": "looked at, is fine"})
        cell = held["spec 0", "cell 1", "run 0"].record.cell_instance_id
        client.create_properties(cell, "somebody's own", {"mass": {"value": 1.0, "unit": "g"}})
    told = jobs.command("rollback", "job", "--yes")
    assert told.code == 3, told.out + told.err
    with judge_of(studio) as judge:
        assert set(judge.by_key()) == {
            ("spec 0", "cell 0", "run 0"),
            ("spec 0", "cell 1", "somebody's own"),
        }
    assert "run 0" in told.out
    assert "changed since" in told.out


def test_a_rollback_that_nobody_confirms_deletes_nothing(
    jobs: Jobs, studio: LocalStudio, uploaded: Ended
) -> None:
    told = jobs.command("rollback", "job")
    assert told.code == 2
    assert "--yes" in told.err
    with judge_of(studio) as judge:
        assert len(judge.measurements()) == 4
