"""``bulkload.toml``: what a job is made from, as a file that people read and keep."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

#: Paths named as examples of what fits no layout.
MAX_EXAMPLES: Final = 5


class TomlSource(BaseModel):
    """A folder, and how names come out of the paths below it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    layout: str | None = None


class TomlDefaults(BaseModel):
    """What holds for every measurement whose path matches a pattern."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: str
    protocol: str | None = None
    tags: tuple[str, ...] = ()
    data_type: str | None = None


class JobToml(BaseModel):
    """A job: its sources with their layouts, the sheets people keep, and defaults by pattern."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[TomlSource, ...]
    defaults: tuple[TomlDefaults, ...] = ()
    cells: str | None = None
    tests: str | None = None
    #: Columns of these sheets -> fields.
    map: dict[str, str] = {}


def write_job_toml(path: Path, job: JobToml, remarks: Iterable[tuple[int, str]]) -> None:
    """Write a job with comments; a remark stands above the source of its index, -1 at the top.

    Side effects: the file appears, or replaces an older one, whole.
    """
    comments: dict[int, list[str]] = {}
    for index, remark in remarks:
        comments.setdefault(index, []).append(remark)
    lines = [f"# {remark}" for remark in comments.get(-1, ())]
    for key in ("cells", "tests"):
        value = getattr(job, key)
        if value is not None:
            lines.append(f"{key} = {_text(value)}")
    if job.map:
        lines += ["", "[map]", *(f"{_text(name)} = {_text(to)}" for name, to in job.map.items())]
    for index, source in enumerate(job.sources):
        lines += ["", *(f"# {remark}" for remark in comments.get(index, ())), "[[sources]]"]
        lines.append(f"path = {_text(source.path)}")
        if source.layout is not None:
            lines.append(f"layout = {_text(source.layout)}")
    lines += [
        "",
        "# What holds for every path that matches:",
        "# [[defaults]]",
        '# match = "**/RPT*"',
        '# protocol = "RPT"',
        '# tags = ["rpt"]',
    ]
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text("\n".join(lines) + "\n", "utf-8")
    unfinished.replace(path)


def _text(value: str) -> str:
    # A string of JSON is a basic string of TOML but for the letter that TOML forbids bare.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
