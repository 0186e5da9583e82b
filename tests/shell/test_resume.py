"""The same command again: what an earlier run of the job folder means for this one."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive, series, sums, write
from tests.jobs import Jobs, StartStudio, event_names, running, until
from tests.official import judge_of

FIRST = Path("archive/spec 0/cell 0/run 0.csv")


def test_a_source_that_changed_after_its_upload_fails_and_studio_keeps_what_it_has(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", measurements=2)
    jobs.use(studio)
    assert jobs.upload("archive").code == 0
    write(tmp_path / FIRST, series(rows=70, seed=9))
    ended = jobs.upload("archive")
    assert ended.code == 3
    assert ended.counts == {"created": 1, "failed": 1}
    row = ended.rows["run 0"]
    assert row.cause == "source_changed"
    assert "run 0.csv" in row.message
    assert "changed since it was uploaded" in row.message
    with judge_of(studio) as judge:
        held = judge.by_key()["spec 0", "cell 0", "run 0"]
        assert sums(judge.time_series(held.id)) == sums(made["spec 0", "cell 0", "run 0"])
    # It stays so, and costs no request, until somebody does something about it.
    asked = studio.requests.total
    assert jobs.upload("archive").counts == {"created": 1, "failed": 1}
    assert studio.requests.total == asked


def test_a_source_that_only_changed_its_form_or_date_is_still_the_same(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    jobs.use(studio)
    assert jobs.upload("archive").code == 0
    text = (tmp_path / FIRST).read_text("utf-8")
    (tmp_path / FIRST).write_text(text.replace(",", ";"), "utf-8")
    os.utime(tmp_path / FIRST, ns=(1, 1))
    ended = jobs.upload("archive")
    assert ended.code == 0, ended.out
    assert ended.counts == {"created": 2}
    assert studio.requests.by_endpoint["measurement.initiate"] == 2
    # That is known from now on: the next run of the same command asks nothing.
    asked = studio.requests.total
    assert jobs.upload("archive").counts == {"created": 2}
    assert studio.requests.total == asked


@pytest.mark.parametrize("name", ["size.properties.json", "photo.png"])
def test_properties_and_files_that_changed_are_noticed_too(
    name: str, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    source = tmp_path / "archive" / "spec 0" / "cell 0" / name
    source.write_bytes(b'{"mass": {"value": 69.4, "unit": "g"}}')
    jobs.use(studio)
    assert jobs.upload("archive").counts == {"created": 2}
    os.utime(source, ns=(1, 1))
    assert jobs.upload("archive").counts == {"created": 2}
    asked = studio.requests.total
    assert jobs.upload("archive").counts == {"created": 2}
    assert studio.requests.total == asked
    source.write_bytes(b'{"mass": {"value": 70.0, "unit": "g"}}')
    ended = jobs.upload("archive")
    assert ended.code == 3
    assert ended.counts == {"created": 1, "failed": 1}
    assert ended.summary["causes"] == {"source_changed": 1}


def test_what_was_rejected_is_read_again_only_when_it_or_the_settings_changed(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    (tmp_path / FIRST).write_bytes(b"")
    jobs.use(studio)
    assert jobs.upload("archive").counts == {"created": 1, "rejected": 1}
    assert jobs.upload("archive").counts == {"created": 1, "rejected": 1}
    assert event_names(tmp_path / "job", "run 0") == ["SourceRejected"]
    write(tmp_path / FIRST, series())
    assert jobs.upload("archive").counts == {"created": 2}


def test_settings_that_forgive_bring_in_what_was_rejected(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    table = series()
    times = [
        value + (20_000.0 if at >= 30 else 0.0)
        for at, value in enumerate(table["Time [s]"].to_pylist())
    ]
    import pyarrow as pa

    write(tmp_path / FIRST, table.set_column(0, "Time [s]", pa.array(times)))
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.rows["run 0"].cause == "time_gap_too_large"
    ended = jobs.upload("archive", "--skip-check", "time_gaps")
    assert ended.counts == {"created": 1}


def test_a_later_run_takes_up_what_an_interrupted_one_left_in_processing(
    jobs: Jobs, start_studio: StartStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    studio = start_studio()
    stuck = studio.faults.add(FaultRule(kind=FaultKind.PROCESSING_STUCK, endpoint="processing"))
    words = ["upload", "archive", "--job", "job"]
    with running(words, folder=tmp_path, studio=studio) as run:
        until(lambda: stuck.struck == 2, "both are in processing")
        run.process.kill()
    initiated = studio.requests.by_endpoint["measurement.initiate"]
    jobs.use(studio)
    ended = jobs.upload("archive", "--no-wait")
    assert ended.code == 0
    assert ended.summary["causes"] == {"processing_not_awaited": 2}
    assert studio.requests.by_endpoint["measurement.initiate"] == initiated


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_with_its_code_and_the_last_line_resumes_it(
    number: signal.Signals, code: int, start_studio: StartStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "an archive", measurements=6)
    studio = start_studio(latency_s=0.1)
    words = ["upload", "an archive", "--job", "job", "--workers", "1", "--connections", "1"]
    with running(words, folder=tmp_path, studio=studio) as run:
        until(lambda: studio.requests.by_endpoint["measurement.confirm"] >= 1, "a confirm")
        run.signal(number)
        ended = run.wait()
        assert not run.children()
    assert ended.code == code, ended.err
    assert "stopping" in ended.err
    assert "Traceback" not in ended.err
    last = ended.out.splitlines()[-1]
    assert last == "bulkload upload 'an archive' --job job --workers 1 --connections 1"
    assert ended.summary["exit_code"] == code
    assert 1 <= ended.counts["created"] < 6
    assert not (tmp_path / "job" / "spool").exists()
    import shlex

    with running(shlex.split(last)[1:], folder=tmp_path, studio=studio) as run:
        again = run.wait()
    assert again.code == 0
    assert again.counts == {"created": len(made)}
    with judge_of(studio) as judge:
        assert set(judge.by_key()) == set(made)


def test_a_second_signal_ends_at_once(start_studio: StartStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=2)
    studio = start_studio()
    silence = FaultRule(kind=FaultKind.SILENCE, endpoint="storage.put", seconds=100.0)
    silent = studio.faults.add(silence)
    with running(["upload", "archive", "--job", "job"], folder=tmp_path, studio=studio) as run:
        until(lambda: silent.struck > 0, "a PUT that gets no answer")
        run.signal(signal.SIGTERM)
        assert run.process.stderr is not None
        assert "stopping" in run.process.stderr.readline()
        run.signal(signal.SIGTERM)
        run.process.wait(10)
        assert not run.children()
    assert run.process.returncode == 143
    summary = json.loads((tmp_path / "job" / "summary.json").read_text("utf-8"))
    assert summary["exit_code"] == 143


def test_a_second_run_of_a_job_folder_is_refused(
    jobs: Jobs, start_studio: StartStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    studio = start_studio()
    silent = studio.faults.add(FaultRule(kind=FaultKind.SILENCE, endpoint="spec.*", seconds=50.0))
    jobs.use(studio)
    with running(["upload", "archive", "--job", "job"], folder=tmp_path, studio=studio):
        until(lambda: silent.struck > 0, "the first run is at work")
        ended = jobs.command("upload", "archive", "--job", "job")
        assert ended.code == 2
        assert "another run is using job" in ended.err
    studio.faults.clear()
    # The lock died with its holder.
    assert jobs.upload("archive").code == 0


def test_a_job_folder_is_refused_for_another_target(
    jobs: Jobs, start_studio: StartStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    first, second = start_studio(), start_studio()
    jobs.use(first)
    assert jobs.upload("archive").code == 0
    jobs.use(second)
    ended = jobs.upload("archive")
    assert ended.code == 2
    assert "another target" in ended.err
    assert "--job" in ended.err
    assert second.requests.total == 0
    jobs.use(first)
    jobs.environment.setenv("IONWORKS_PROJECT_ID", "another")
    assert jobs.upload("archive").code == 2
