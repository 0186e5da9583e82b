"""Walk what is listed at once, without a folder on disk: the members of an archive.

The order is that of a folder: files, then what lies deeper. Nested archives count as folders.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bulkload.archives.access import beginning, directory_of
from bulkload.archives.limits import MAX_INNER_ARCHIVES, MAX_MEMBERS
from bulkload.archives.remote import tree_of
from bulkload.core.address import archive_form, file_name, member_path
from bulkload.core.path_layout import normalised
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Problem, Skip
from bulkload.core.text import printable, shown
from bulkload.errors import MissingExtraError, SettingsError, UnreadableError
from bulkload.sources.entry import Entry, Found, LeftFolder
from bulkload.sources.metadata_files import role_of
from bulkload.sources.selection import IGNORE_FILE, Selection

#: Deepest folder of a tree that is read: as in a folder on disk.
MAX_DEPTH: Final = 64
#: Largest `.bulkloadignore` of an archive, in bytes.
MAX_IGNORE_BYTES: Final = 1024**2
#: Characters of a refused member's name that are kept.
MAX_NAME: Final = 400

#: Yields the entries of a folder, given where it lies, its parts for the layout, and file names.
EntriesOf = Callable[[Path, tuple[str, ...], Sequence[str]], Iterator[Entry | Problem]]
LeftOut = Callable[[str], Rule | None]


@dataclass(slots=True)
class _Taken:
    """What one outermost archive has taken of its limits."""

    members: int = 0
    archives: int = 0


@dataclass(frozen=True, slots=True)
class _Tree:
    #: Path of the top, and its parts.
    top: str
    parts: tuple[str, ...]
    #: Folder below the top -> its files, and its folders.
    files: Mapping[str, Sequence[str]]
    folders: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class TreeWalker:
    """Walks trees; the folder walker says what a file is and what is left out."""

    entries: EntriesOf
    left_out: LeftOut

    def archive(
        self,
        path: str,
        parts: tuple[str, ...],
        selection: Selection,
        taken: _Taken | None = None,
    ) -> Found:
        """Yield the contents of an archive; ``parts`` are its own, its folder's name included."""
        taken = taken or _Taken()
        name = shown(file_name(path))
        try:
            directory = directory_of(path)
        except (UnreadableError, MissingExtraError) as error:
            yield Problem(where=path, rule=error.cause, message=f"{name} {error}")
            return
        except OSError as error:
            message = f"{name} cannot be read: {error.strerror or error}"
            yield Problem(where=path, rule=Rule.UNREADABLE_FILE, message=message)
            return
        taken.members += len(directory.members)
        taken.archives += 1
        if taken.members > MAX_MEMBERS or taken.archives > MAX_INNER_ARCHIVES:
            message = (
                f"{name} is passed over: the archive that it lies in holds more than "
                f"{MAX_MEMBERS:,} members or {MAX_INNER_ARCHIVES:,} archives, the limits; unpack "
                "it and give the folder"
            )
            yield Problem(where=path, rule=Rule.ARCHIVE_BOMB, message=message)
            return
        for refusal in directory.refusals:
            inner = printable(refusal.name)[:MAX_NAME]
            where = member_path(path, inner) if inner else path
            told = f"{shown(inner)} in {name}" if inner else name
            yield Problem(where=where, rule=refusal.rule, message=f"{told} {refusal.message}")
        tree = _Tree(f"{path}!", parts, directory.folders, _folders(directory.folders))
        yield from self._folder(tree, "", selection, taken)

    def remote(self, url: str, selection: Selection) -> Found:
        """Yield the files below a URL, which is listed once."""
        found = tree_of(url)
        base = url.rstrip("/")
        for folder, why in found.unlisted.items():
            message = f"cannot be listed: {why}"
            yield Problem(where=f"{base}/{folder}", rule=Rule.UNREADABLE_FOLDER, message=message)
        tree = _Tree(base, (), found.files, _folders(found.files))
        yield from self._folder(tree, "", selection, None)

    def _folder(
        self, tree: _Tree, folder: str, selection: Selection, taken: _Taken | None
    ) -> Found:
        where = f"{tree.top}/{folder}" if folder else tree.top
        parts = (*tree.parts, *folder.split("/")) if folder else tree.parts
        names = sorted(tree.files.get(folder, ()), key=lambda name: (normalised(name), name))
        try:
            if IGNORE_FILE in names:
                selection = _within(selection, f"{where}/{IGNORE_FILE}", len(parts))
        except UnreadableError as error:
            yield Problem(where=where, rule=Rule.UNREADABLE_FILE, message=str(error))
            return
        files: list[str] = []
        archives: list[str] = []
        for name in names:
            rule = self._rule(name, parts, selection, is_folder=False)
            if rule is not None:
                yield Skip(where=f"{where}/{name}", rule=rule)
            elif archive_form(name) is not None:
                archives.append(name)
            elif role_of(name) is None:
                files.append(name)
        yield from self.entries(Path(where), parts, files)
        for name in archives:
            inner = f"{where}/{name}"
            yield from self.archive(inner, (*parts, f"{name}!"), selection, taken)
        for name in tree.folders.get(folder, ()):
            rule = self._rule(name, parts, selection, is_folder=True)
            if rule is None:
                yield from self._below(tree, folder, name, selection, taken)
            else:
                yield Skip(where=f"{where}/{name}", rule=rule)
        yield LeftFolder(Path(where))

    def _below(
        self, tree: _Tree, folder: str, name: str, selection: Selection, taken: _Taken | None
    ) -> Found:
        below = f"{folder}/{name}" if folder else name
        if below.count("/") >= MAX_DEPTH:
            message = f"is over {MAX_DEPTH} folders deep, the limit"
            yield Problem(where=f"{tree.top}/{below}", rule=Rule.TOO_DEEP, message=message)
        else:
            yield from self._folder(tree, below, selection, taken)

    def _rule(
        self, name: str, parts: tuple[str, ...], selection: Selection, *, is_folder: bool
    ) -> str | None:
        rule = self.left_out(name)
        if rule is not None:
            return rule
        # Metadata are used where they lie; what is left out is data.
        if not is_folder and role_of(name) is not None:
            return None
        is_open = is_folder or archive_form(name) is not None
        return selection.rule((*parts, name), is_folder=is_open)


def _within(selection: Selection, path: str, depth: int) -> Selection:
    try:
        texts = beginning(path, MAX_IGNORE_BYTES).decode("utf-8").splitlines()
    except ValueError as error:
        raise SettingsError(f"{path} cannot be read as UTF-8 text: {error}") from error
    return selection.with_ignored(texts, depth)


def _folders(files: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Return the folders in each folder, sorted; those that hold only folders included."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in files:
        below = folder
        while below:
            above, _, name = below.rpartition("/")
            if name in found[above]:
                break
            found[above].add(name)
            below = above
    return {
        folder: sorted(names, key=lambda name: (normalised(name), name))
        for folder, names in found.items()
    }
