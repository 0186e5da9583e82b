"""The main job, end to end: what was meant is what the vendor's client finds."""

from __future__ import annotations

from pathlib import Path

from bulkload.localstudio import LocalStudio
from tests.archives import archive, sums
from tests.jobs import Jobs
from tests.official import judge_of


def test_every_measurement_arrives_as_it_was_meant(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", specs=2, cells=2, measurements=3)
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": len(made)}
    with judge_of(studio) as judge:
        held = judge.by_key()
        assert set(held) == set(made)
        for key, table in made.items():
            read = judge.time_series(held[key].id)
            assert read.num_rows == table.num_rows
            assert sums(read) == sums(table)
