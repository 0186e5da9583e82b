"""The parts of a job: groups of whole cells, each with a journal, spool, log and lock of its own.

A job of one part is a folder as it always was. A job of several has ``job.json``, which fixes
their number, and ``parts/0000``, ``parts/0001`` and so on, each laid out as a job of one part. A
cell belongs to its part by a hash of its names: the same archive planned again, or grown, puts
it there again. To read a whole job, go over ``part_folders`` and add up.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bulkload.errors import JournalError
from bulkload.journal.limits import MAX_PARTS
from bulkload.journal.report import write_json

JOB_NAME: Final = "job.json"
PARTS_NAME: Final = "parts"
#: What ``job.json`` is written as; another version is not read.
VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLayout:
    """What ``job.json`` says of a job of several parts."""

    #: How many parts there are: fixed when the job is planned first.
    parts: int
    #: Whether the last plan was written into all of them.
    is_planned: bool
    #: Distinguishes this job from every other: parts that were done apart belong together by it.
    id: str


def read_layout(job_dir: Path) -> JobLayout | None:
    """Return the layout of a job of several parts, None for a job of one or none.

    Raises ``JournalError`` for a ``job.json`` that cannot be understood.
    """
    path = job_dir / JOB_NAME
    try:
        kept = json.loads(path.read_text("utf-8"))
        if kept.pop("version") != VERSION:
            raise JournalError(f"{path} is of another version of bulkload")
        layout = JobLayout(**kept)
        if not 1 <= layout.parts <= MAX_PARTS:
            raise JournalError(f"{path} states {layout.parts} parts, which no job has")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise JournalError(f"{path} cannot be interpreted: {error}") from error
    return layout


def write_layout(job_dir: Path, layout: JobLayout) -> None:
    """Write ``job.json``, whole or not at all."""
    write_json(job_dir / JOB_NAME, {"version": VERSION, **asdict(layout)})


def part_folder(job_dir: Path, part: int) -> Path:
    """Return the folder of a part, counted from 0, of a job of several."""
    return job_dir / PARTS_NAME / f"{part:04d}"


def part_folders(job_dir: Path) -> tuple[Path, ...]:
    """Return the folders that hold a job's journals: of a job of one part its own.

    Of a job of several parts all of them, whether they are there or not.
    """
    layout = read_layout(job_dir)
    if layout is None:
        return (job_dir,)
    return tuple(part_folder(job_dir, part) for part in range(layout.parts))


def part_of(spec: str, cell: str, parts: int) -> int:
    """Return the part that a cell belongs to: the same in every run, on every machine."""
    digest = hashlib.sha256(f"{spec}\0{cell}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % parts
