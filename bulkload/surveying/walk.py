"""List what a source holds, members of archives included; nothing is opened but archives."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bulkload.archives.access import directory_of
from bulkload.archives.directory import Member
from bulkload.core.address import MEMBER_MARK, archive_form, is_elsewhere, member_path
from bulkload.core.plan_check import Rule
from bulkload.core.survey.content import ContentKind
from bulkload.core.survey.proposal import FileFacts
from bulkload.core.text import printable
from bulkload.errors import MissingExtraError, PlanError, UnreadableError
from bulkload.sources.folder import MAX_DEPTH, left_out_rule
from bulkload.sources.metadata_files import role_of
from bulkload.sources.own_folders import is_own_folder

#: What a member is that its archive's directory speaks against.
_REFUSED: Final = ContentKind.UNREADABLE

_KINDS: Final = {
    Rule.HIDDEN: ContentKind.SYSTEM,
    Rule.SYSTEM_FILE: ContentKind.SYSTEM,
    Rule.TEMPORARY_FILE: ContentKind.TEMPORARY,
    Rule.OFFICE_LOCK: ContentKind.TEMPORARY,
}


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file of the source that is to be looked at."""

    #: Below the source, with ``/``.
    path: str
    #: Where it lies: on disk, or in an archive.
    file: str
    size_bytes: int
    modified_s: float

    @property
    def is_member(self) -> bool:
        """Return whether it lies in an archive."""
        return is_elsewhere(self.file)


def walk(source: Path, prefix: str = "") -> Iterator[ListedFile | FileFacts]:
    """Yield what is to be looked at, and the facts of what its name or place settles already.

    An unreadable folder or file becomes a fact of its own. Raises ``PlanError`` for a source that
    is not there.
    """
    if not source.exists():
        raise PlanError(f"{source}: there is no such file or folder")
    if source.is_file():
        yield from _file(source.name, str(source), source.stat())
    else:
        yield from _folder(str(source), prefix, 0, os.path.realpath(source))


def _folder(folder: str, prefix: str, depth: int, root: str) -> Iterator[ListedFile | FileFacts]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        yield _fact(prefix or ".", ContentKind.UNREADABLE, f"cannot be listed: {error.strerror}")
        return
    if is_own_folder(Path(folder), {entry.name for entry in entries}):
        remark = f"left out by the rule {Rule.OWN_FOLDER.value}"
        yield _fact(prefix.removesuffix("/") or ".", ContentKind.SYSTEM, remark)
    else:
        yield from _entries(entries, prefix, depth, root)


def _entries(
    entries: Sequence[os.DirEntry[str]], prefix: str, depth: int, root: str
) -> Iterator[ListedFile | FileFacts]:
    folders: list[os.DirEntry[str]] = []
    for entry in entries:
        path = prefix + entry.name
        rule = left_out_rule(entry.name)
        try:
            status = entry.stat()
            if stat.S_ISDIR(status.st_mode) and rule is None:
                if not (entry.is_symlink() and _is_within(entry.path, root)):
                    folders.append(entry)
                continue
        except OSError as error:
            yield _fact(path, ContentKind.UNREADABLE, f"cannot be seen: {error.strerror}")
            continue
        if rule is not None:
            remark = f"left out by the rule {rule.value}"
            yield _fact(path, _KINDS[rule], remark, status)
        elif not stat.S_ISREG(status.st_mode):
            yield _fact(path, ContentKind.SYSTEM, "neither a file nor a folder", status)
        else:
            yield from _file(path, entry.path, status)
    for entry in folders:
        if depth >= MAX_DEPTH:
            remark = f"lies more than {MAX_DEPTH} folders deep; give its parent as the source"
            yield _fact(prefix + entry.name, ContentKind.UNREADABLE, remark)
        else:
            yield from _folder(entry.path, f"{prefix}{entry.name}/", depth + 1, root)


def _is_within(link: str, root: str) -> bool:
    target = os.path.realpath(link)
    return target == root or target.startswith(root.rstrip(os.sep) + os.sep)


def _file(path: str, file: str, status: os.stat_result) -> Iterator[ListedFile | FileFacts]:
    if role_of(path.rpartition("/")[2]) is not None:
        remark = "metadata beside the data: used where it lies"
        yield _fact(path, ContentKind.METADATA, remark, status)
    elif status.st_size == 0:
        yield _fact(path, ContentKind.EMPTY, "0 bytes", status)
    elif archive_form(file) is not None:
        yield from _archive(path, file, status)
    else:
        yield ListedFile(path, file, status.st_size, status.st_mtime)


def _archive(
    path: str, file: str, status: os.stat_result | None
) -> Iterator[ListedFile | FileFacts]:
    """Yield the facts of an archive and what is in it; nested ones are looked into too."""
    try:
        directory = directory_of(file)
    except (UnreadableError, MissingExtraError, OSError) as error:
        kinds = {Rule.BROKEN_ARCHIVE.value: ContentKind.CUT_SHORT}
        kind = kinds.get(getattr(error, "cause", ""), ContentKind.UNREADABLE)
        yield _fact(path, kind, f"an archive that is not read: {error}", status)
        return
    count = len(directory.members)
    yield _fact(path, ContentKind.ARCHIVE, f"an archive: its {count} members are rows", status)
    for refusal in directory.refusals:
        remark = f"{refusal.rule.value}: {refusal.message}"
        yield _fact(f"{path}{MEMBER_MARK}{printable(refusal.name)}", _REFUSED, remark)
    for member in directory.members.values():
        yield from _member(path, file, member)


def _member(path: str, file: str, member: Member) -> Iterator[ListedFile | FileFacts]:
    inner, place = f"{path}{MEMBER_MARK}{member.name}", member_path(file, member.name)
    rules = (left_out_rule(part) for part in member.name.split("/"))
    rule = next((found for found in rules if found is not None), None)
    if rule is not None:
        yield _fact(inner, _KINDS[rule], f"left out by the rule {rule.value}")
    elif role_of(member.name.rpartition("/")[2]) is not None:
        yield _fact(inner, ContentKind.METADATA, "metadata beside the data: used where it lies")
    elif member.size_bytes == 0:
        yield _fact(inner, ContentKind.EMPTY, "0 bytes")
    elif archive_form(member.name) is not None:
        yield from _archive(inner, place, None)
    else:
        yield ListedFile(inner, place, member.size_bytes, 0.0)


def _fact(
    path: str, kind: ContentKind, remark: str, status: os.stat_result | None = None
) -> FileFacts:
    return FileFacts(
        path=path,
        size_bytes=0 if status is None else status.st_size,
        modified_s=0.0 if status is None else status.st_mtime,
        kind=kind,
        remark=remark,
    )
