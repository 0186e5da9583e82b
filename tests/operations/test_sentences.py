"""Mistakes of the command line and of names: one sentence each, never a defect."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Jobs


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def lab(jobs: Jobs) -> Jobs:
    archive(jobs.folder / "archive", measurements=2, rows=20)
    return jobs


@pytest.mark.parametrize("port", ["65536", "-1"])
@pytest.mark.parametrize(
    "words",
    [
        ("studio", "--data", "data", "--port"),
        ("page", "archive", "--port"),
        ("upload", "archive", "--metrics"),
        ("upload", "archive", "--page"),
    ],
    ids=["studio", "page", "metrics", "upload --page"],
)
def test_a_port_that_tcp_does_not_have(words: tuple[str, ...], port: str, lab: Jobs) -> None:
    *before, option = words
    ended = lab.command(*before, f"{option}={port}")
    assert ended.code == 2, ended.out + ended.err
    assert "Must be" in ended.out + ended.err


def test_a_word_that_is_no_text(lab: Jobs) -> None:
    ended = lab.command("upload", os.fsdecode(b"cell \xe9"))
    assert ended.code == 2
    assert r"bulkload: cell \udce9: is not valid UTF-8; rename it" in ended.out + ended.err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name")
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_survey_with_a_name_that_is_no_text(lab: Jobs, ending: str) -> None:
    folder = lab.folder / "archive" / "spec 0" / "cell 0"
    shutil.copy(next(lab.folder.rglob("*.csv")), os.fsdecode(os.fsencode(folder) + b"/t\xff.csv"))
    ended = lab.command("survey", "archive", "--workers=1", "--out", f"plan{ending}")
    assert ended.code == 2, ended.out + ended.err
    assert r"\udcff" in ended.out + ended.err
    assert "not valid UTF-8; rename it" in plain(ended.out + ended.err)
    assert not (lab.folder / f"plan{ending}").exists()


def test_a_survey_of_nothing_is_no_success(lab: Jobs) -> None:
    (lab.folder / "empty").mkdir()
    ended = lab.command("survey", "empty")
    assert ended.code == 2
    assert "no file was found in empty" in plain(ended.out + ended.err)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("plan", "archive", "--specs", "pipe.json"), 2),
        (("plan", "pipe.toml"), 2),
        (("detect", "pipe.csv"), 3),
        (("detect", "archive"), 3),
    ],
)
def test_what_is_no_file_is_not_waited_for(words: tuple[str, ...], code: int, lab: Jobs) -> None:
    for name in ("pipe.json", "pipe.toml", "pipe.csv"):
        os.mkfifo(lab.folder / name)
    ended = lab.command(*words)
    assert ended.code == code, ended.out + ended.err
    said = plain(ended.out + ended.err)
    assert "is not a file but a folder, a pipe or a device" in said
    assert said.count(f"{words[-1]}:") <= 1


def test_an_account_that_cannot_be_written(lab: Jobs, studio: LocalStudio) -> None:
    """An error in closing what was read would be a warning, which fails the test."""
    lab.use(studio)
    job = Path("job")
    assert lab.command("upload", "archive", "--job", job, "--quiet").code == 0
    for out, said in (
        ("account.txt", "the ending must be one of .csv"),
        ("nowhere/account.csv", "No such file or directory"),
    ):
        ended = lab.command("account", job, "--out", out)
        assert ended.code == 2
        assert said in plain(ended.out + ended.err)
