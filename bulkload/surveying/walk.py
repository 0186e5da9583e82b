"""List what a source holds, members of zip archives included; nothing is opened but archives."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bulkload.core.plan_check import Rule
from bulkload.core.survey.content import ContentKind
from bulkload.core.survey.proposal import FileFacts
from bulkload.errors import PlanError
from bulkload.sources.folder import MAX_DEPTH, left_out_rule
from bulkload.sources.metadata import role_of

#: Members of one archive that are listed: a broken directory may announce any number.
MAX_MEMBERS: Final = 200_000
#: What stands between an archive and the path in it.
MEMBER_MARK: Final = "!/"

_KINDS: Final = {
    Rule.HIDDEN: ContentKind.SYSTEM,
    Rule.SYSTEM_FILE: ContentKind.SYSTEM,
    Rule.TEMPORARY_FILE: ContentKind.TEMPORARY,
    Rule.OFFICE_LOCK: ContentKind.TEMPORARY,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of the source that is to be looked at."""

    #: Below the source, with ``/``.
    path: str
    #: The file on disk, and the member where that is an archive.
    file: str
    size_bytes: int
    modified_s: float
    member: str = ""


def walk(source: Path, prefix: str = "") -> Iterator[Listed | FileFacts]:
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


def _folder(folder: str, prefix: str, depth: int, root: str) -> Iterator[Listed | FileFacts]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        yield _fact(prefix or ".", ContentKind.UNREADABLE, f"cannot be listed: {error.strerror}")
        return
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


def _file(path: str, file: str, status: os.stat_result) -> Iterator[Listed | FileFacts]:
    if role_of(path.rpartition("/")[2]) is not None:
        remark = "metadata beside the data: used where it lies"
        yield _fact(path, ContentKind.METADATA, remark, status)
    elif status.st_size == 0:
        yield _fact(path, ContentKind.EMPTY, "0 bytes", status)
    elif file.lower().endswith(".zip"):
        yield from _zip(path, file, status)
    else:
        yield Listed(path, file, status.st_size, status.st_mtime)


def _zip(path: str, file: str, status: os.stat_result) -> Iterator[Listed | FileFacts]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        yield _fact(path, ContentKind.CUT_SHORT, f"not a readable zip archive: {error}", status)
        return
    yield _fact(
        path, ContentKind.ARCHIVE, f"an archive: its {len(members)} members are rows", status
    )
    for member in members[:MAX_MEMBERS]:
        yield from _member(path, file, member)
    if len(members) > MAX_MEMBERS:
        remark = f"{len(members)} members; {MAX_MEMBERS} are listed: unpack it"
        yield _fact(f"{path}{MEMBER_MARK}", ContentKind.UNREADABLE, remark)


def _member(path: str, file: str, member: zipfile.ZipInfo) -> Iterator[Listed | FileFacts]:
    inner = f"{path}{MEMBER_MARK}{member.filename}"
    rules = (left_out_rule(part) for part in member.filename.split("/"))
    rule = next((found for found in rules if found is not None), None)
    if rule is not None:
        yield _fact(inner, _KINDS[rule], f"left out by the rule {rule.value}")
    elif member.flag_bits & 1:
        yield _fact(inner, ContentKind.UNREADABLE, "encrypted: unpack it with its password")
    elif member.file_size == 0:
        yield _fact(inner, ContentKind.EMPTY, "0 bytes")
    else:
        yield Listed(inner, file, member.file_size, 0.0, member.filename)


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
