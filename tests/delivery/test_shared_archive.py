"""An archive that is not this run's alone: another run beside it, a share that is away a moment."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import archive, sums
from tests.jobs import Jobs, StartStudio, running, until
from tests.official import judge_of


@pytest.mark.timeout(300)
def test_two_runs_on_one_archive_bring_each_measurement_once(
    start_studio: StartStudio, tmp_path: Path
) -> None:
    """Each has a job folder of its own, so that no lock keeps them apart: only the names do."""
    made = archive(tmp_path / "archive", specs=1, cells=3, measurements=8)
    studio = start_studio(latency_s=0.02, processing_s=0.2)
    words = ["upload", "archive", "--workers", "1", "--job"]
    with (
        running([*words, "one"], folder=tmp_path, studio=studio, job="one") as first,
        running([*words, "two"], folder=tmp_path, studio=studio, job="two") as second,
    ):
        until(lambda: studio.requests.by_endpoint["measurement.initiate"] > 1, "both at work")
        ends = [first.wait(), second.wait()]
    total = Counter[str]()
    for ended in ends:
        assert ended.code == 0, ended.out + ended.err
        assert ended.counts.keys() <= {"created", "existing"}
        assert sum(ended.counts.values()) == len(made)
        total.update(ended.counts)
    assert total == {"created": len(made), "existing": len(made)}
    with judge_of(studio) as judge:
        assert Counter(one.key for one in judge.measurements()) == dict.fromkeys(made, 1)
        held = judge.by_key()
        for key, table in made.items():
            assert sums(judge.time_series(held[key].id)) == sums(table)


def test_a_share_that_shows_a_file_empty_for_a_moment_costs_one_more_run(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", measurements=2)
    path = tmp_path / "archive/spec 0/cell 0/run 1.csv"
    whole = path.read_bytes()
    path.write_bytes(b"")
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.counts == {"created": 1, "rejected": 1}
    assert ended.rows["run 1"].cause == "empty_file"
    path.write_bytes(whole)
    again = jobs.upload("archive")
    assert again.code == 0, again.out
    assert again.counts == {"created": len(made)}
