"""Retries, pauses and levels of a stretch of work, from the logs of a job."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bulkload.core.timeline import Course, place_of, set_level

LOG_NAME: Final = "log.jsonl"
#: What a line must hold to be of use here: most lines of a log are not, and are not decoded.
_OF_USE: Final = re.compile(rb'"event": "(?:Retrying|Paused|LevelChanged|OutOfReach|Recovered)"')


def add_log(course: Course, folder: Path, limit_bytes: int) -> None:
    """Add what the logs of a folder say about a stretch of work; at most the newest bytes."""
    for line in _lines(folder, limit_bytes):
        at = _moment(line)
        if at is not None:
            _add(course, at, line)


def _add(course: Course, at: float, line: dict[str, Any]) -> None:
    place = place_of(course, at)
    match line.get("event"):
        case "Recovered":
            _add_outage(course, at - line["seconds"], at, "")
        case "OutOfReach":
            _add_outage(course, at - line["seconds"], at, str(line.get("reason", "")))
        case "Retrying" if place is not None:
            course.retries[place] += 1
            cause = str(line.get("cause", "unknown"))
            course.retry_causes[cause] = course.retry_causes.get(cause, 0) + 1
        case "Paused" if place is not None:
            course.waits_s[place] += line["seconds"]
        case "LevelChanged" if "control" in line:
            set_level(course, f"{line['service']} {line['control']}", at, line["value"])


def _add_outage(course: Course, begin: float, end: float, reason: str) -> None:
    """Add an outage, or lengthen the one that is told of again."""
    begin, end = max(begin, course.stretch.begin), min(end, course.stretch.end)
    if begin >= end:
        return
    if course.outages and begin <= course.outages[-1][1] + 1:
        first, last, why = course.outages[-1]
        course.outages[-1] = (min(first, begin), max(last, end), why or reason)
    else:
        course.outages.append((begin, end, reason))


def _lines(folder: Path, limit_bytes: int) -> Iterator[dict[str, Any]]:
    left = limit_bytes
    for path in _files(folder):
        # A log that cannot be read, or is cut short, costs its lines.
        with suppress(OSError, EOFError), _open(path) as file:
            for line in file:
                left -= len(line)
                if left < 0:
                    return
                if _OF_USE.search(line):
                    with suppress(ValueError):
                        yield json.loads(line)


def _files(folder: Path) -> list[Path]:
    """Return the logs of a folder, the newest first."""
    found = [path for path in folder.glob("log*.jsonl*") if path.suffix in {".jsonl", ".gz"}]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def _open(path: Path) -> Any:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _moment(line: dict[str, Any]) -> float | None:
    try:
        return datetime.fromisoformat(line["timestamp"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return None
