"""The log grows without bound in number, never in one file, and loses no line."""

from __future__ import annotations

import gzip
from pathlib import Path

from bulkload.engine.log import LogFile

LINE = '{"event": "x"}\n'


def lines_in(folder: Path) -> list[str]:
    found: list[str] = []
    for path in sorted(folder.glob("log*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            found += file.readlines()
    return found + (folder / "log.jsonl").read_text("utf-8").splitlines(keepends=True)


def test_a_full_log_goes_on_in_a_new_file(tmp_path: Path) -> None:
    with LogFile(tmp_path / "log.jsonl", limit_bytes=4 * len(LINE)) as log:
        for _ in range(10):
            log.write(LINE)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["log.1.jsonl.gz", "log.2.jsonl.gz", "log.jsonl"]
    assert lines_in(tmp_path) == [LINE] * 10


def test_the_next_run_takes_the_next_number(tmp_path: Path) -> None:
    for _ in range(2):
        with LogFile(tmp_path / "log.jsonl", limit_bytes=2 * len(LINE)) as log:
            for _ in range(3):
                log.write(LINE)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["log.1.jsonl.gz", "log.2.jsonl.gz", "log.jsonl"]
    assert lines_in(tmp_path) == [LINE] * 6
