"""Walk a folder as a stream, with one folder's listing in memory at a time.

The order is the same in every run: a folder's files before its subfolders, files by the cell
that the layout reads from them and then by name. So a cell's measurements stay together wherever
the layout puts the cell into a folder or into the names within one folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from bulkload.archives.stores import refuse_secrets
from bulkload.core.address import archive_form, layout_parts, place
from bulkload.core.layouts import Layouts
from bulkload.core.path_layout import Layout, normalised, parse_date, split_suffix
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Problem, Skip, UploadJob
from bulkload.core.survey.dates import DateOrder, date_of
from bulkload.core.survey.marks import temperature_of
from bulkload.core.terms import JobKey, MeasurementType
from bulkload.core.text import is_encodable, shown
from bulkload.sources.entry import Entry, Found, LeftFolder
from bulkload.sources.listings import Listings
from bulkload.sources.metadata_files import role_of
from bulkload.sources.own_folders import is_own_folder
from bulkload.sources.patience import patience
from bulkload.sources.selection import Selection
from bulkload.sources.tree import TreeWalker

#: Deepest folder below the source that is read; no archive in use is half as deep.
MAX_DEPTH: Final = 64

FILE_SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".pdf"}
)
PROPERTIES_SUFFIXES: Final = frozenset(
    {".properties.json", ".properties.yaml", ".properties.yml", ".properties.toml"}
)
_METADATA_FIELDS: Final = frozenset({"temperature", "rate", "channel", "operator"})
_SYSTEM_NAMES: Final = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "$recycle.bin"),
        "system volume information",
    }
)
_TEMPORARY_SUFFIXES: Final = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".swp", "~")


def walk(
    source: Path,
    layout: Layout | Layouts,
    selection: Selection,
    order: DateOrder | None = None,
    listings: Listings | None = None,
) -> Found:
    """Yield the contents of a folder; an unreadable folder or file is reported and passed over.

    ``order`` is that of day and month in dates of names. ``listings`` notes what each folder held.
    """
    root = Path(os.path.abspath(source))  # noqa: PTH100  (links in the path stay as they are)
    walker = _Walker(root, os.path.realpath(root), layout, order, listings)
    yield from walker.folder(root, (), frozenset(), selection)


def walk_archive(
    source: Path, layout: Layout | Layouts, selection: Selection, order: DateOrder | None = None
) -> Found:
    """Yield the contents of an archive; what cannot be read of it is reported and passed over."""
    path = os.path.abspath(source)  # noqa: PTH100  (links in the path stay as they are)
    walker = _Walker(Path(f"{path}!"), "", layout, order)
    yield from TreeWalker(walker.entries, left_out_rule).archive(path, (), selection)


def walk_remote(
    url: str, layout: Layout | Layouts, selection: Selection, order: DateOrder | None = None
) -> Found:
    """Yield the contents of a remote tree, or of an archive there."""
    if archive_form(url) is not None:
        refuse_secrets(url)
        walker = _Walker(Path(f"{url}!"), "", layout, order)
        yield from TreeWalker(walker.entries, left_out_rule).archive(url, (), selection)
        return
    walker = _Walker(Path(url), "", layout, order)
    yield from TreeWalker(walker.entries, left_out_rule).remote(url, selection)


def measurement_type(file_name: str) -> MeasurementType:
    """Return the type of measurement that a file's ending implies."""
    _, ending = split_suffix(file_name)
    if ending.lower() in PROPERTIES_SUFFIXES:
        return MeasurementType.PROPERTIES
    is_file = ending.lower() in FILE_SUFFIXES
    return MeasurementType.FILE if is_file else MeasurementType.TIME_SERIES


@dataclass(frozen=True, slots=True)
class _Listing:
    files: list[str]
    folders: list[os.DirEntry[str]]
    archives: list[str]
    reports: list[Problem | Skip]


@dataclass(frozen=True, slots=True)
class _Walker:
    root: Path
    real_root: str
    layout: Layout | Layouts
    order: DateOrder | None
    listings: Listings | None = None

    def folder(
        self,
        path: Path,
        parts: tuple[str, ...],
        above: frozenset[tuple[int, int]],
        selection: Selection,
    ) -> Found:
        try:
            looked = partial(self._look, path, parts, selection)
            status, selection, listing = patience().one(looked)
        except OSError as error:
            yield _problem(path, Rule.UNREADABLE_FOLDER, f"cannot be listed: {_reason(error)}")
            return
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            yield Skip(where=_where(path), rule=Rule.LINK_LOOP)
            return
        yield from listing.reports
        yield from self.entries(path, parts, listing.files)
        tree = TreeWalker(self.entries, left_out_rule)
        for name in listing.archives:
            yield from tree.archive(str(path / name), (*parts, f"{name}!"), selection)
        for entry in listing.folders:
            below = (*parts, entry.name)
            if len(below) > MAX_DEPTH:
                message = (
                    f"is over {MAX_DEPTH} folders deep, the limit; give its parent as the source"
                )
                yield _problem(path / entry.name, Rule.TOO_DEEP, message)
            else:
                yield from self.folder(path / entry.name, below, above | {identity}, selection)
        yield LeftFolder(path)

    def _look(
        self, path: Path, parts: tuple[str, ...], selection: Selection
    ) -> tuple[os.stat_result, Selection, _Listing]:
        """Return all that has to be asked of the file system about a folder."""
        selection = selection.within(path, len(parts))
        return path.stat(), selection, self._list(path, parts, selection)

    def _list(self, path: Path, parts: tuple[str, ...], selection: Selection) -> _Listing:
        listing = _Listing([], [], [], [])
        with os.scandir(path) as entries:
            found = sorted(entries, key=lambda item: (normalised(item.name), item.name))
        if is_own_folder(path, {entry.name for entry in found}):
            listing.reports.append(Skip(where=_where(path), rule=Rule.OWN_FOLDER))
            return listing
        if self.listings is not None:
            self.listings.add(str(path), found)
        for entry in found:
            report = _left_out(path, entry)
            report = report or self._place(path, parts, entry, listing, selection)
            if report is not None:
                listing.reports.append(report)
        return listing

    def _place(
        self,
        path: Path,
        parts: tuple[str, ...],
        entry: os.DirEntry[str],
        listing: _Listing,
        selection: Selection,
    ) -> Problem | Skip | None:
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            rule = Rule.BROKEN_LINK if entry.is_symlink() else Rule.UNREADABLE_FILE
            what = (
                "points to nothing"
                if entry.is_symlink()
                else f"cannot be accessed: {_reason(error)}"
            )
            return _problem(path / entry.name, rule, what)
        # Metadata are used where they lie; what is left out is data.
        is_metadata = role_of(entry.name) is not None
        is_archive = archive_form(entry.name) is not None and not stat.S_ISDIR(mode)
        is_open = is_archive or stat.S_ISDIR(mode)
        left_out = selection.rule((*parts, entry.name), is_folder=is_open)
        if left_out is not None and not is_metadata:
            return Skip(where=_where(path / entry.name), rule=left_out)
        if stat.S_ISDIR(mode):
            # Its target is read where it stands; reading it again would plan everything twice.
            if entry.is_symlink() and self._is_within(path / entry.name):
                return Skip(where=_where(path / entry.name), rule=Rule.LINK_INTO_SOURCE)
            listing.folders.append(entry)
        elif not stat.S_ISREG(mode):
            return Skip(where=_where(path / entry.name), rule=Rule.NOT_A_FILE)
        elif is_archive:
            listing.archives.append(entry.name)
        elif not is_metadata:
            listing.files.append(entry.name)
        return None

    def _is_within(self, link: Path) -> bool:
        target = os.path.realpath(link)
        return target == self.real_root or target.startswith(self.real_root.rstrip(os.sep) + os.sep)

    def entries(
        self, path: Path, parts: tuple[str, ...], files: Sequence[str]
    ) -> Iterator[Entry | Problem]:
        """Yield what the files of a folder are by the layout."""
        matched = [(self._fields((*parts, name)), name) for name in files]
        before = place(os.path.join(path, ""))  # noqa: PTH118  (names are added to it)
        # Sorting is stable: within a cell the order by name stays.
        for fields, name in sorted(matched, key=lambda item: _cell_of(item[0])):
            fault = None if fields is None else _field_fault(fields, self.order)
            if fault is not None:
                where = shown("/".join((*parts, name)))
                yield _problem(path / name, Rule.BAD_VALUE, f"{where} {fault}")
            elif fields is None:
                where = shown("/".join((*parts, name)))
                message = (
                    f"{where} does not fit the layout {shown(self.layout.text)}; "
                    "choose another --layout, move it away, or name it in a manifest"
                )
                yield _problem(path / name, Rule.NO_LAYOUT, message)
            else:
                yield self._entry(path, f"{before}{name}", name, fields)

    def _fields(self, parts: tuple[str, ...]) -> Mapping[str, str] | None:
        """Return what the layout reads from a path, None for one that does not fit."""
        for form in layout_parts(parts):
            found = self.layout.match(form)
            if found is not None:
                return found
        return None

    def _entry(self, folder: Path, path: str, name: str, fields: Mapping[str, str]) -> Entry:
        part = f" part {fields['part']}" if "part" in fields else ""
        measurement = fields["measurement"] + part
        key = JobKey(fields.get("spec", ""), fields.get("cell", ""), measurement)
        kind = measurement_type(name)
        return Entry(
            where=path,
            job=UploadJob(key=key, type=kind, path=path, origin=path, metadata=_metadata(fields)),
            folder=folder,
            root=self.root,
            folder_batch=fields.get("batch"),
            folder_date=_date_of(fields["date"], self.order) if "date" in fields else None,
        )


def _field_fault(fields: Mapping[str, str], order: DateOrder | None) -> str | None:
    """Return which field of a path does not fit the layout, None where all do."""
    if "date" in fields:
        try:
            _date_of(fields["date"], order)
        except ValueError as error:
            return f"has {shown(fields['date'])} where the layout has {{date}}: it {error}"
    stated = fields.get("temperature")
    if stated is None or temperature_of(stated) is not None:
        return None
    return f"has {shown(stated)} where the layout has {{temperature}}: a number in degrees Celsius"


def _date_of(text: str, order: DateOrder | None) -> str | None:
    """Return a date of a path in ISO 8601, None where it is none; ``ValueError`` for several."""
    return parse_date(text) or date_of(text, order)


def _metadata(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return what a layout reads from a path besides the names."""
    if _METADATA_FIELDS.isdisjoint(fields):
        return {}
    protocol: dict[str, Any] = {}
    if "temperature" in fields:
        value = temperature_of(fields["temperature"])
        if value is not None:
            protocol["ambient_temperature_degc"] = value
    if "rate" in fields:
        protocol["rate"] = fields["rate"]
    setup: dict[str, Any] = {}
    if "channel" in fields:
        channel = fields["channel"]
        setup["channel_number"] = int(channel) if channel.isdecimal() else channel
    if "operator" in fields:
        setup["operator"] = fields["operator"]
    stated = {"protocol": protocol, "test_setup": setup}
    return {key: value for key, value in stated.items() if value}


def _left_out(path: Path, entry: os.DirEntry[str]) -> Problem | Skip | None:
    if not is_encodable(entry.name):
        message = "its name is not valid text in this system's encoding; rename it"
        return _problem(path / entry.name, Rule.UNDECODABLE_NAME, message)
    rule = left_out_rule(entry.name)
    return None if rule is None else Skip(where=_where(path / entry.name), rule=rule)


def left_out_rule(name: str) -> Rule | None:
    """Return the rule by which a file or folder of this name is left out, None for none."""
    folded = name.lower()
    if folded.startswith("~$"):
        return Rule.OFFICE_LOCK
    if folded in _SYSTEM_NAMES:
        return Rule.SYSTEM_FILE
    if folded.startswith("."):
        return Rule.HIDDEN
    return Rule.TEMPORARY_FILE if folded.endswith(_TEMPORARY_SUFFIXES) else None


def _cell_of(fields: Mapping[str, str] | None) -> tuple[str, str]:
    return ("", "") if fields is None else (fields.get("spec", ""), fields.get("cell", ""))


def _problem(path: Path, rule: Rule, message: str) -> Problem:
    return Problem(where=_where(path), rule=rule, message=message)


def _where(path: Path) -> str:
    """Return a path as text that can be encoded, with undecodable bytes as escapes."""
    return place(os.fsencode(path).decode("utf-8", "backslashreplace"))


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
