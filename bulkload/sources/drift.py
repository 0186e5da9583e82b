"""What a plan saw when it was written, and what of it no longer holds when it is carried out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bulkload.core.outlook import Standing
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import UploadJob
from bulkload.core.terms import DATABASE
from bulkload.core.text import shown
from bulkload.sources import field_parsers
from bulkload.sources.columns import Cell
from bulkload.sources.entry import Entry
from bulkload.sources.stamp import quick_stamp

#: Seconds by which two times of modification may differ and be one: plans say whole seconds.
SAME_S: Final = 1.0


def seen_columns(job: UploadJob) -> dict[str, Cell]:
    """Return the cells that say what a job's source is now."""
    seen = None if job.reader == DATABASE else quick_stamp(Path(job.path))
    if seen is None:
        return {"size_bytes": None, "modified": None}
    return {"size_bytes": float(seen[0]), "modified": _moment(seen[1] / 1e9)}


def seen_in(row: Mapping[str, Any]) -> tuple[int, float] | None:
    """Return the size and the time of modification that a row states, None where it does not.

    Raises ``ValueError`` for what is no time or no number.
    """
    size, modified = (field_parsers.plain(row.get(name)) for name in ("size_bytes", "modified"))
    if size is None or modified is None:
        return None
    moment = dt.datetime.fromisoformat(field_parsers.time(modified))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return int(field_parsers.number(size)), moment.timestamp()


def is_stated_new(row: Mapping[str, Any]) -> bool:
    """Return whether a row states that its name was free in Studio."""
    return str(row.get("in_studio") or "").strip() == Standing.NEW


def drift(entry: Entry) -> tuple[Rule, str] | None:
    """Return what has changed of a source since its plan saw it, None where nothing has."""
    if entry.seen is None or (now := quick_stamp(Path(entry.job.path))) is None:
        return None
    (size, modified), (size_now, modified_ns) = entry.seen, now
    if size == size_now and abs(modified_ns / 1e9 - modified) < SAME_S:
        return None
    return Rule.SOURCE_DRIFTED, (
        f"{shown(entry.job.path)} has changed since this plan was written: {size:,} bytes of "
        f"{_moment(modified)} then, {size_now:,} of {_moment(modified_ns / 1e9)} now; plan again, "
        "or send it as it is now with --accept-drift"
    )


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(" ", "seconds")
