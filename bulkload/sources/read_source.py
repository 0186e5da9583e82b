"""Read folders, manifests, databases and tables as one stream of plan items.

``read_source`` yields a plan as a stream and keeps nothing of it. A ``Problem`` is yielded in its
place, and the stream continues.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bulkload.core.address import archive_form, is_url, place
from bulkload.core.layouts import Layouts
from bulkload.core.path_layout import Layout
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import PlanItem, Problem, Scope, Skip, Specification, UploadJob
from bulkload.core.text import is_encodable, shown
from bulkload.errors import PlanError
from bulkload.sources.entry import Entry, Found
from bulkload.sources.folder import walk, walk_archive, walk_remote
from bulkload.sources.jobfile.defaults import with_defaults
from bulkload.sources.jobfile.document import JobFile, PatternDefaults, is_job_file, read_job_file
from bulkload.sources.joining import FOLDER, Links, joined, links_of
from bulkload.sources.listings import Listings
from bulkload.sources.manifest import MANIFEST_SUFFIXES, existing, read_frame, read_manifest
from bulkload.sources.manifest_header import ManifestOptions
from bulkload.sources.members import Members
from bulkload.sources.plan_builder import Assembler
from bulkload.sources.plan_sheets import carried_specifications
from bulkload.sources.selection import Selection
from bulkload.sources.sheets.stated import SheetOptions, read_sheets
from bulkload.sources.specs import Stated, read_specifications

if TYPE_CHECKING:
    import pandas as pd

    from bulkload.databases.run_databases import Databases


def read_source(
    *sources: str | Path | pd.DataFrame,
    layout: Layout,
    specs: Path | None = None,
    members: Members | None = None,
    databases: Databases | None = None,
    sheets: SheetOptions | None = None,
    selection: Selection | None = None,
    accepts_drift: bool = False,
    joins: Path | None = None,
    listings: Listings | None = None,
) -> Iterator[PlanItem]:
    """Yield the plan of one or several sources (folders, manifests, plans, tables) as one stream.

    ``sheets`` names sheets of cells and tests that people keep. ``members`` finds the tests
    in a file; without it a file is one job, unopened. ``databases`` holds what is opened for
    a source that is a database's ``.toml`` file. ``selection`` says which
    entries are taken; the others are skipped, each with its rule. ``accepts_drift`` takes the
    sources of a plan as they are now, not as the plan saw them. ``joins`` is the folder for the
    files that name the parts of tests in several files. ``listings`` notes what each folder held.

    Each specification comes before its first job and each cell's metadata before the cell's
    first job; a name that two sources claim is found across sources.
    """
    stated = Stated()
    if specs is not None:
        yield from read_specifications(specs, stated)
    options = sheets or SheetOptions()
    said, problems = read_sheets(options)
    yield from problems
    selection = selection or Selection()
    parts: list[_Part] = []
    for source in sources:
        if isinstance(source, str | Path) and is_job_file(Path(source)):
            job = read_job_file(Path(source))
            parts += _parts_of(job, layout, selection)
            said.add(job.cells)
            stated.update({one.name: one for one in job.specifications})
        else:
            parts.append(_Part(source, layout, selection))
    for part in parts:
        source = part.source
        if isinstance(source, str | Path) and _is_manifest(Path(source)):
            yield from carried_specifications(Path(source), stated)
            yield from said.add_carried(Path(source))
    manifest_options = ManifestOptions(
        columns=options.columns,
        order=options.order,
        spec_of=said.spec_of(),
        accepts_drift=accepts_drift,
    )
    for specification in said.specifications():
        stated.setdefault(specification.name, specification)
    split = _as_one if members is None else members.split
    assembler = Assembler(stated, specs, split, said)
    for part in parts:
        options_of_part, links = manifest_options, Links()
        if isinstance(part.source, str | Path) and _is_manifest(Path(part.source)):
            base = Path(os.path.abspath(part.source)).parent  # noqa: PTH100 - links stay as they are
            links = links_of(Path(part.source), base)
            options_of_part = replace(manifest_options, links=links)
        found = _entries(part, options_of_part, databases, stated, listings)
        entries = with_defaults(found, part.defaults)
        if members is not None:
            entries = members.look_ahead(entries)
        yield from assembler.items(joined(entries, links, joins or Path(FOLDER)))


def _as_one(job: UploadJob) -> Iterator[UploadJob]:
    """Return the job of a file as the only test in it."""
    yield job


def _entries(
    part: _Part,
    options: ManifestOptions,
    databases: Databases | None,
    stated: dict[str, Specification],
    listings: Listings | None,
) -> Found:
    source = part.source
    if not isinstance(source, str | Path):
        return _taken(existing(read_frame(source, options=options)), part.selection, Path.cwd())
    if is_url(place(source)):
        return walk_remote(place(source), part.layout, part.selection, options.order)
    path = Path(source)
    if path.is_dir() and is_encodable(str(source)):
        return walk(path, part.layout, part.selection, options.order, listings)
    if archive_form(str(source)) is not None and path.is_file():
        if listings is not None:
            listings.add_archive(str(path.absolute()))
        return walk_archive(path, part.layout, part.selection, options.order)
    found = _found(path, options, databases, stated)
    return _taken(found, part.selection, path.absolute().parent)


@dataclass(frozen=True, slots=True)
class _Part:
    """A source with what is stated for it alone."""

    source: str | Path | pd.DataFrame
    layout: Layout | Layouts
    selection: Selection
    defaults: tuple[PatternDefaults, ...] = ()


def _parts_of(job: JobFile, layout: Layout, selection: Selection) -> Iterator[_Part]:
    for one in job.sources:
        narrowed = selection.narrowed(one.include, one.exclude)
        yield _Part(one.path, one.layouts or layout, narrowed, job.defaults)


def _taken(entries: Found, selection: Selection, base: Path) -> Found:
    """Yield entries with those replaced by skips that the selection leaves out."""
    for entry in entries:
        if not isinstance(entry, Entry):
            yield entry
            continue
        path = Path(entry.job.path)
        below = path.relative_to(base) if path.is_relative_to(base) else path
        rule = selection.rule([part for part in below.parts if part != below.anchor])
        yield entry if rule is None else Skip(where=entry.where, rule=rule)


def _is_manifest(source: Path) -> bool:
    return source.suffix.lower() in MANIFEST_SUFFIXES and source.is_file()


def _found(
    source: Path,
    options: ManifestOptions,
    databases: Databases | None,
    stated: dict[str, Specification],
) -> Found:
    if not is_encodable(str(source)):
        raise PlanError(
            f"{shown(str(source))}: not valid text in this system's encoding; rename it"
        )
    if not source.exists():
        raise PlanError(f"{source}: there is no such file or folder")
    elif source.suffix.lower() in MANIFEST_SUFFIXES:
        yield from existing(read_manifest(source, options))
    elif source.suffix.lower() == ".toml" and databases is not None:
        # Only here: what reads databases takes long to load.
        from bulkload.sources.sql import read_database

        yield from existing(read_database(source, databases, stated))
    else:
        message = (
            f"{shown(str(source))} is neither a folder, an archive nor a manifest "
            f"({', '.join(MANIFEST_SUFFIXES)}); for a file of data, give the folder it lies in"
        )
        yield Problem(where=str(source), rule=Rule.NOT_A_SOURCE, message=message, scope=Scope.PLAN)
