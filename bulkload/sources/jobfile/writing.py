"""Write a ``bulkload.toml`` with comments: what a survey proposes, for a person to correct."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A text of a list, and what is remarked on it; one that is not active is a comment."""

    text: str
    remark: str = ""
    is_active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedSource:
    """A ``[[source]]`` to be written."""

    path: str
    layouts: Sequence[Line] = ()
    exclude: Sequence[Line] = ()
    remarks: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedJob:
    """A job to be written: sources, and the sheets that people keep."""

    sources: Sequence[ProposedSource]
    cells: str | None = None
    tests: str | None = None
    #: Columns of these sheets -> fields.
    map: Mapping[str, str] = field(default_factory=dict)
    #: Options, and the evidence for each.
    options: Sequence[Line] = ()
    remarks: Sequence[str] = ()


def write_job_file(path: Path, job: ProposedJob) -> None:
    """Write a job with comments.

    Side effects: the file appears, or replaces an older one, whole.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text("\n".join(_lines(job)) + "\n", "utf-8")
    unfinished.replace(path)


def _lines(job: ProposedJob) -> Iterator[str]:
    yield from (f"# {remark}" for remark in job.remarks)
    for key, value in (("cells", job.cells), ("tests", job.tests)):
        if value is not None:
            yield f"{key} = {_text(value)}"
    yield '# specs = "specifications.xlsx"'
    if job.map:
        yield from ("", "[map]", *(f"{_text(name)} = {_text(to)}" for name, to in job.map.items()))
    if job.options:
        yield from ("", "[options]")
    for option in job.options:
        yield from (f"# {option.remark}", f"{option.text} = true")
    for source in job.sources:
        yield from ("", *(f"# {remark}" for remark in source.remarks), "[[source]]")
        yield f"path = {_text(source.path)}"
        if source.layouts:
            yield "# Tried in this order; the first that fits a path is taken."
            yield from _list("layout", source.layouts)
        if source.exclude:
            yield from _list("exclude", source.exclude)
    yield from (
        "",
        "# What holds for every path that matches:",
        "# [[defaults]]",
        '# match = "**/RPT*"',
        '# protocol = "RPT"',
        '# tags = ["rpt"]',
    )


def _list(key: str, lines: Sequence[Line]) -> Iterator[str]:
    # A list without an entry would state that nothing fits.
    lead = "" if any(line.is_active for line in lines) else "# "
    yield f"{lead}{key} = ["
    for line in lines:
        if line.remark:
            yield f"    # {line.remark}"
        mark = "" if line.is_active else "# "
        yield f"    {mark}{_text(line.text)},"
    yield f"{lead}]"


def _text(value: str) -> str:
    # A string of JSON is a basic string of TOML but for the letter that TOML forbids bare.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
