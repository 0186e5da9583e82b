"""Places of another user: a sentence and exit code 2, and nothing is sent."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Ended, running

#: Number of the user who owns nothing.
NOBODY = 65534
#: Everything may be read, as the interpreter lies where this user has it; nothing may be written.
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0 or shutil.which("setpriv") is None,
    reason="only root of Linux can become another user, by setpriv",
)


def run(words: list[str], folder: Path, studio: LocalStudio) -> Ended:
    environment = {"HOME": str(folder), "TMPDIR": "/tmp"}
    with running(
        words, folder=folder, studio=studio, environment=environment, before=AS_NOBODY
    ) as started:
        return started.wait()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--job", "ours/job"], "ours"),
        (["--job", "ours"], "ours"),
        ([], ".bulkload"),
        (["--job", "theirs/job", "--summary", "ours/s.json"], "--summary: ours/s.json"),
    ],
    ids=["parent", "job folder", "default", "summary"],
)
def test_a_place_of_another_user_is_a_sentence(
    words: list[str], says: str, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1, rows=20)
    (tmp_path / "ours").mkdir(mode=0o755)
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", NOBODY, NOBODY)
    ended = run(["upload", "archive", "--workers", "1", *words], tmp_path, studio)
    assert ended.code == 2, ended.err
    assert says in ended.err
    assert "ermission denied" in ended.err or "cannot be written" in ended.err
    assert "Traceback" not in ended.err
    assert studio.requests.total == 0


def test_a_journal_of_another_user_can_be_looked_at_and_not_gone_on_with(
    studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1, rows=20)
    words = ["upload", "archive", "--job", "job", "--workers", "1"]
    with running(words, folder=tmp_path, studio=studio) as started:
        assert started.wait().code == 0
    asked = studio.requests.total
    ended = run(words, tmp_path, studio)
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    assert studio.requests.total == asked
    seen = run(["status", "job"], tmp_path, studio)
    assert (seen.code, "1  created" in seen.out) == (0, True), seen.out + seen.err


def test_a_job_of_ones_own_in_an_archive_of_another_user(
    studio: LocalStudio, tmp_path: Path
) -> None:
    """Nothing is written beside the data."""
    archive(tmp_path / "archive", measurements=2, rows=20)
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", NOBODY, NOBODY)
    words = ["upload", "archive", "--job", "theirs/job", "--workers", "1"]
    ended = run(words, tmp_path, studio)
    assert ended.code == 0, ended.out + ended.err
