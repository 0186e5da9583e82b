"""Rows of a manifest that go on with one another: several files become one measurement.

A row names in ``continues`` the path of the row that it goes on from. The files of such a chain
become one entry, whose source is a small file that names them with their sizes and times: where
one of them changes, that file does, and so the entry counts as changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from bulkload.core.address import is_elsewhere
from bulkload.core.joints import Part, parts_in, parts_text
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Problem, Skip, UploadJob
from bulkload.core.terms import JOINED, MeasurementType
from bulkload.core.text import shown
from bulkload.errors import UnreadableError
from bulkload.sources import field_parsers
from bulkload.sources.entry import Entry, Found
from bulkload.sources.stamp import quick_stamp
from bulkload.sources.tables import Header, Row, read_table

COLUMN: Final = "continues"
#: The ending of a file that names the parts of a test, and the folder for them in a job folder.
SUFFIX: Final = ".joined.json"
FOLDER: Final = "joined"
#: Files of one test: more of them are no test that was continued, but a mistake in the column.
MAX_PARTS: Final = 1000

_NAMES: Final = ("spec", "cell", "measurement")


@dataclass(frozen=True, slots=True)
class Links:
    """Which rows of a manifest go on with which."""

    #: Path of the first file -> all files of the test, in order.
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Path of a later file -> names of its first row, for those that it leaves empty.
    names: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Path -> what is wrong with the row's statement.
    faults: Mapping[str, str] = field(default_factory=dict)


def links_of(path: Path, base: Path) -> Links:
    """Read which rows of a manifest go on with which; no link where it has no such column.

    Only one column of the table is kept. What is wrong with the table is reported by reading it.
    """
    before: dict[str, str] = {}
    heads: dict[str, Mapping[str, Any]] = {}
    try:
        for line in read_table(path):
            # Rows of JSON lines have their columns themselves.
            if isinstance(line, Header) and COLUMN not in line.columns:
                if path.suffix.lower() != ".jsonl":
                    return Links()
            elif isinstance(line, Row) and (own := _path(line.cells.get("path"), base)):
                previous = _path(line.cells.get(COLUMN), base)
                if previous:
                    before[own] = previous
                else:
                    heads[own] = {name: line.cells.get(name) for name in _NAMES}
    except UnreadableError:
        return Links()
    return _linked(before, heads)


def _path(cell: object, base: Path) -> str:
    stated = field_parsers.plain(cell)
    return "" if stated is None else os.path.normpath(base / str(stated).strip())


def _linked(before: Mapping[str, str], heads: Mapping[str, Mapping[str, Any]]) -> Links:
    after: dict[str, str] = {}
    faults: dict[str, str] = {}
    for own, previous in before.items():
        if previous not in before and previous not in heads:
            faults[own] = f"continues {shown(previous)}, which no row of this manifest names"
        elif previous in after:
            faults[own] = f"continues {shown(previous)}, as {shown(after[previous])} does too"
        else:
            after[previous] = own
    chains: dict[str, tuple[str, ...]] = {}
    names: dict[str, Mapping[str, Any]] = {}
    for head in heads:
        chain = [head]
        while (following := after.get(chain[-1])) is not None:
            chain.append(following)
        if len(chain) > 1:
            chains[head] = tuple(chain)
            names |= dict.fromkeys(chain[1:], heads[head])
    reached = {part for chain in chains.values() for part in chain}
    for own in before:
        if own not in reached:
            faults.setdefault(own, "continues a row that no first file of a test leads to")
    return Links(chains, names, faults)


def with_names(row: Mapping[str, Any], links: Links, base: Path) -> Mapping[str, Any]:
    """Return a row with the names that it leaves to the row that it goes on from."""
    names = links.names.get(_path(row.get("path"), base), {})
    filled = {name: value for name, value in names.items() if not str(row.get(name) or "").strip()}
    return {**row, **filled} if filled else row


def joined(found: Found, links: Links, folder: Path) -> Found:
    """Yield entries with those of one test joined; their files lie in ``folder``, made on demand.

    A test of which any row is in the way is not sent: a part of it would pass for the whole.
    """
    if not links.chains and not links.faults:
        yield from found
        return
    chain_of = {part: chain for chain in links.chains.values() for part in chain}
    waiting: dict[str, dict[str, Entry]] = {}
    for entry in found:
        if not isinstance(entry, Entry):
            yield entry
            continue
        path = entry.job.path
        if path in links.faults:
            yield _problem(entry, f"{shown(path)} {links.faults[path]}")
        elif path not in chain_of:
            yield entry
        else:
            chain = chain_of[path]
            members = waiting.setdefault(chain[0], {})
            members[path] = entry
            if len(members) == len(chain):
                del waiting[chain[0]]
                yield from _join([members[part] for part in chain], folder)
    for head, members in waiting.items():
        missing = next(part for part in links.chains[head] if part not in members)
        for entry in members.values():
            message = (
                f"{shown(entry.job.path)} is one of {len(links.chains[head])} files of a test, and "
                f"the row of {shown(missing)} is in the way; correct that one first"
            )
            yield _problem(entry, message)


def _join(entries: list[Entry], folder: Path) -> Iterator[Entry | Problem | Skip]:
    first, *rest = entries
    fault = _fault(first, rest)
    if fault is not None:
        for entry in entries:
            yield _problem(entry, fault)
        return
    parts = [_part(entry.job) for entry in entries]
    if any(part is None for part in parts):
        yield from (_problem(entry, "a part of this test cannot be accessed") for entry in entries)
        return
    path = _written(folder, [part for part in parts if part is not None])
    job = replace(first.job, path=str(path), reader=JOINED)
    yield replace(first, job=job, seen=None)
    for entry in rest:
        yield Skip(where=entry.job.path, rule=Rule.JOINED)


def _fault(first: Entry, rest: list[Entry]) -> str | None:
    if len(rest) >= MAX_PARTS:
        return f"a test of {len(rest) + 1:,} files is more than the {MAX_PARTS:,} that are joined"
    for entry in (first, *rest):
        job = entry.job
        where = shown(job.path)
        if job.type is not MeasurementType.TIME_SERIES:
            return f"{where} is not a time series, so nothing continues it"
        if job.member is not None or is_elsewhere(job.path):
            return f"{where} is one of several tests in a file or archive; files are joined whole"
        if job.key[:2] != first.job.key[:2]:
            return (
                f"{where} is a test of {shown(' / '.join(job.key[:2]))} and continues one of "
                f"{shown(' / '.join(first.job.key[:2]))}"
            )
    return None


def _part(job: UploadJob) -> Part | None:
    seen = quick_stamp(Path(job.path))
    if seen is None:
        return None
    return Part(
        path=job.path,
        size_bytes=seen[0],
        mtime_ns=seen[1],
        reader=job.reader,
        start_time=job.metadata.get("start_time"),
    )


def _written(folder: Path, parts: list[Part]) -> Path:
    """Write the file that names the parts, unless it is there with the same content."""
    digest = blake2b("\0".join(part.path for part in parts).encode(), digest_size=6).hexdigest()
    path = folder.absolute() / f"{Path(parts[0].path).stem} +{len(parts) - 1} {digest}{SUFFIX}"
    text = parts_text(parts)
    if not path.is_file() or path.read_text("utf-8") != text:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return path


def parts_of(job: UploadJob) -> tuple[UploadJob, ...]:
    """Return the jobs of the files of a joined test, the first with its metadata."""
    first, *rest = parts_in(Path(job.path).read_text("utf-8"))
    metadata = [{} if part.start_time is None else {"start_time": part.start_time} for part in rest]
    return (
        replace(job, path=first.path, reader=first.reader),
        *(
            UploadJob(key=job.key, path=part.path, reader=part.reader, metadata=stated)
            for part, stated in zip(rest, metadata, strict=True)
        ),
    )


def _problem(entry: Entry, message: str) -> Problem:
    return Problem(where=entry.where, rule=Rule.NOT_JOINED, message=message)
