"""Defaults by pattern: what a file of a job states for every path that matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bulkload.sources.entry import Entry, Found
from bulkload.sources.jobfile.document import PatternDefaults


def with_defaults(entries: Found, defaults: Sequence[PatternDefaults]) -> Found:
    """Yield entries with what is stated for their paths below their source."""
    if not defaults:
        yield from entries
        return
    for entry in entries:
        fields = _fields(entry, defaults) if isinstance(entry, Entry) else {}
        yield replace(entry, defaults=fields) if isinstance(entry, Entry) and fields else entry


def _fields(entry: Entry, defaults: Sequence[PatternDefaults]) -> Mapping[str, Any]:
    """Join what matches: a later statement takes precedence, objects are joined key by key."""
    path = Path(entry.job.path)
    below = path.relative_to(entry.root) if path.is_relative_to(entry.root) else path
    text = "/".join(part for part in below.parts if part != below.anchor)
    joined: dict[str, Any] = {}
    for one in defaults:
        if one.match.verdict(text)[0]:
            for key, value in one.fields.items():
                known = joined.get(key)
                if isinstance(known, dict) and isinstance(value, dict):
                    joined[key] = {**known, **value}
                else:
                    joined[key] = value
    return joined
