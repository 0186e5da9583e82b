"""A local Studio ends with the run that it serves, and says who holds its folder."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil

from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import PATIENCE_S, Running, running, until


def studios(run: Running) -> list[psutil.Process]:
    return [child for child in run.children() if "studio" in child.cmdline()]


def test_a_studio_does_not_outlive_a_killed_run(tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=2)
    words = ["upload", "archive", "--local", "studio", "--job", "job", "--workers", "1"]
    with running(words, folder=tmp_path) as run:
        until(lambda: bool(studios(run)), "the local Studio starts")
        (studio,) = studios(run)
        run.signal(signal.SIGKILL)
        run.wait()
        studio.wait(PATIENCE_S)
        assert not studio.is_running()
    with running(words, folder=tmp_path) as run:
        ended = run.wait()
    assert ended.code == 0, ended.err
    assert ended.counts == {"created": 2}


def test_a_folder_in_use_names_the_process(studio: LocalStudio, tmp_path: Path) -> None:
    folder = Path(studio.settings.data_dir)
    with running(["studio", "--data", str(folder)], folder=tmp_path) as other:
        ended = other.wait()
    assert ended.code == 2
    assert f"process id {psutil.Process().pid}" in ended.err
    assert "end that one, or give another folder" in ended.err
