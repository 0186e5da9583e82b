"""A disk that is full: for the spool, for the log. A clear end, and the next run goes on.

The journal's full disk is in ``tests/shell/test_journal.py``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import archive, sums
from tests.jobs import Ended, running
from tests.official import judge_of

ROOM_KIB = 640


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a file system of a few hundred KiB for the length of the block."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small file system can be mounted by the superuser of Linux only")
    folder.mkdir(parents=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={ROOM_KIB}k", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def upload(studio: LocalStudio, folder: Path, *words: str) -> Ended:
    all_words = ["upload", "archive", "--job", "job", "--workers", "1", *words]
    with running(all_words, folder=folder, studio=studio) as started:
        return started.wait()


def assert_ended_clearly(ended: Ended, what: str) -> None:
    said = ended.out + ended.err
    assert ended.code == 5, said
    assert what in said
    assert "No space left" in said
    assert "bulkload upload archive --job job" in said
    assert "Traceback" not in said


def assert_all_arrives(
    studio: LocalStudio, folder: Path, made: Mapping[tuple[str, str, str], pa.Table]
) -> None:
    ended = upload(studio, folder)
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": len(made)}
    with judge_of(studio) as judge:
        held = judge.by_key()
        assert set(held) == set(made)
        for key, table in made.items():
            assert sums(judge.time_series(held[key].id)) == sums(table)


def test_a_full_disk_for_the_spool_rejects_no_file(studio: LocalStudio, tmp_path: Path) -> None:
    made = archive(tmp_path / "archive", measurements=2, rows=200_000)
    with small_disk(tmp_path / "job" / "spool"):
        ended = upload(studio, tmp_path)
        assert_ended_clearly(ended, "the prepared file cannot be written")
        assert ended.counts == {}
    assert_all_arrives(studio, tmp_path, made)


def test_a_full_disk_for_the_log_ends_the_run(studio: LocalStudio, tmp_path: Path) -> None:
    made = archive(tmp_path / "archive", measurements=30)
    with small_disk(tmp_path / "small"):
        (tmp_path / "small" / "filler").write_bytes(b"x" * (ROOM_KIB * 1024 - 8192))
        ended = upload(studio, tmp_path, "--log-json", str(tmp_path / "small" / "log.jsonl"))
        assert_ended_clearly(ended, "log.jsonl cannot be written")
    assert_all_arrives(studio, tmp_path, made)


def test_what_a_crash_left_in_the_spool_is_gone_at_the_next_start(
    studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    spool = tmp_path / "job" / "spool"
    spool.mkdir(parents=True)
    (spool / "99.parquet").write_bytes(b"left behind")
    with running(["upload", "archive", "--job", "job"], folder=tmp_path, studio=studio) as started:
        ended = started.wait()
    assert ended.code == 0, ended.out + ended.err
    assert not spool.exists()
