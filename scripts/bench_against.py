"""Read each format with two checkouts by turns, and print speed and memory as after / before.

Run as ``bench_readers.py --against PATH``; this file is what each of the two processes runs: it
reads the path on each line of its input and answers with one line of JSON. Both are started by
this interpreter, so that both have the same packages, each with its own checkout in front.

A file may have columns of measurements that the checkout before never looked at. The second ratio
is therefore of the time a column that was read: those that the parser of text gave, or those of
the result where a file is no text. The first is of the whole file.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.csv as pa_csv

#: Turns of each checkout; the best of each counts.
TURNS: Final = 9

#: Suffixes of workbooks: their columns count as in the result, whatever parses their cells.
NO_TEXT: Final = frozenset({".xls", ".xlsx"})

#: What no format may fall below.
AIM: Final = 0.95


@dataclass(frozen=True, slots=True)
class Answer:
    """What one reading took."""

    #: Of the processor, programs that were run included.
    seconds: float
    #: Columns that were read.
    columns: int
    #: What the process needs more at its peak than before it read, in bytes.
    peak_bytes: int


def answer_paths() -> None:
    """Read the path on each line of the standard input; answer on the standard output."""
    from bulkload.readers import read

    parsed = _count_parsed()
    for line in sys.stdin:
        parsed.clear()
        before_bytes, before = _peak_bytes(), _spent()
        path = Path(line.rstrip("\n"))
        table = read(path).table
        taken = _spent() - before
        columns = table.num_columns if path.suffix in NO_TEXT else sum(parsed) or table.num_columns
        found = [taken, columns, _peak_bytes() - before_bytes]
        print(json.dumps(found), flush=True)


def _count_parsed() -> list[int]:
    """Return a list to which the parser of text adds how many columns it gives, at each call."""
    parsed: list[int] = []
    parse = pa_csv.read_csv

    def counting(*arguments: Any, **options: Any) -> Any:
        table = parse(*arguments, **options)
        parsed.append(table.num_columns)
        return table

    pa_csv.read_csv = counting
    return parsed


def _spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _peak_bytes() -> int:
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


class Reader:
    """A process that reads with one checkout."""

    def __init__(self, checkout: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env={**os.environ, "PYTHONPATH": str(checkout.resolve())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self, path: Path) -> Answer:
        """Read one file; raises ``RuntimeError`` where the process ends of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{path.name} cannot be read with one of the checkouts")
        seconds, columns, peak_bytes = json.loads(line)
        return Answer(seconds, columns, peak_bytes)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def ratios_table(files: Mapping[str, Path], before: Path, after: Path) -> Sequence[str]:
    """Read every file with both checkouts, turn by turn; return the lines of a table."""
    titles = (
        *("format", "before ms", "after ms", "speed after / before", "columns read before, after"),
        *("speed a column read", "peak MB before, after", ""),
    )
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for label, path in files.items():
        old, new = _by_turns(path, before, after)
        ratio = old.seconds / new.seconds
        a_column = ratio * new.columns / old.columns
        lines.append(
            f"| {label} | {old.seconds * 1e3:.1f} | {new.seconds * 1e3:.1f} | {ratio:.2f} "
            f"| {old.columns}, {new.columns} | {a_column:.2f} "
            f"| {old.peak_bytes / 1e6:.0f}, {new.peak_bytes / 1e6:.0f} "
            f"| {'' if ratio >= AIM else 'falls short'} |"
        )
    return lines


def _by_turns(path: Path, before: Path, after: Path) -> tuple[Answer, Answer]:
    readers = (Reader(before), Reader(after))
    turns = [[reader.read(path) for reader in readers] for _ in range(TURNS)]
    for reader in readers:
        reader.close()
    best = [
        Answer(
            min(answer.seconds for answer in answers),
            answers[0].columns,
            max(answer.peak_bytes for answer in answers),
        )
        for answers in zip(*turns, strict=True)
    ]
    return best[0], best[1]


if __name__ == "__main__":
    answer_paths()
