"""Where a source lies: a path on disk, a member of an archive, or a URL.

A member is written ``year.zip!/cell7/a.nda``, one of a nested archive
``year.zip!/week.tar.gz!/a.nda``; a file of a remote tree is its URL. Both are paths like any other
in plan, journal and account.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

#: What stands between an archive and the path in it.
MEMBER_MARK: Final = "!/"

#: Endings of archives -> form, and compression of the whole of a tar.
ARCHIVE_FORMS: Final = {
    ".zip": ("zip", ""),
    ".7z": ("7z", ""),
    ".tar": ("tar", ""),
    ".tar.gz": ("tar", "gzip"),
    ".tgz": ("tar", "gzip"),
    ".tar.bz2": ("tar", "bz2"),
    ".tbz2": ("tar", "bz2"),
    ".tar.xz": ("tar", "xz"),
    ".txz": ("tar", "xz"),
    ".tar.zst": ("tar", "zstd"),
    ".tzst": ("tar", "zstd"),
}
_PLAIN_ENDINGS: Final = tuple(ARCHIVE_FORMS)
_ENDINGS: Final = "|".join(re.escape(ending) for ending in ARCHIVE_FORMS)
_ARCHIVE: Final = re.compile(rf"[^/\\](?P<ending>{_ENDINGS})\Z", re.IGNORECASE)
_MARK: Final = re.compile(rf"(?P<ending>{_ENDINGS})!(?:[/\\]|\Z)", re.IGNORECASE)
#: A scheme has at least two letters: one is a drive of Windows. ``Path`` leaves one slash of two.
_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):[/\\]{1,2}(?=[^/\\])")
#: Schemes that name no remote tree: a file is named by its path, a database by its ``.toml``.
_NO_TREES: Final = frozenset({"file", "local", "postgresql", "postgres", "mysql", "sqlite"})
_DRIVE: Final = re.compile(r"[A-Za-z]:")


def archive_form(name: str) -> tuple[str, str] | None:
    """Return form and compression of an archive by its ending, None for any other file."""
    # Once a file: nearly all names end otherwise.
    found = _ARCHIVE.search(name) if name.lower().endswith(_PLAIN_ENDINGS) else None
    return None if found is None else ARCHIVE_FORMS[found["ending"].lower()]


def is_url(path: str) -> bool:
    """Return whether a path is the URL of a remote tree or of a file in one."""
    found = _URL.match(path)
    return found is not None and found["scheme"].lower() not in _NO_TREES


def is_elsewhere(path: str) -> bool:
    """Return whether a path is not a file of its own on disk: a member, or a URL."""
    return ("!" in path and _MARK.search(path) is not None) or (":" in path and is_url(path))


def place(path: object) -> str:
    """Return a path as text; one that was a ``Path`` has its URL's slashes again."""
    text = str(path)
    if is_remote(text):
        found = _URL.match(text)
        assert found is not None
        text = f"{found['scheme']}://{text[found.end() :]}".replace("\\", "/")
    marked = _MARK.search(text) if "!" in text else None
    if marked is None:
        return text
    return text[: marked.start()] + text[marked.start() :].replace("\\", "/")


def innermost(path: str) -> tuple[str, str]:
    """Split a member's path into the path of its archive and its own in it."""
    marks = list(_MARK.finditer(path))
    if not marks:
        raise ValueError(f"{path} lies in no archive")
    return path[: marks[-1].end("ending")], path[marks[-1].end() :]


def is_member(path: str) -> bool:
    """Return whether a path lies in an archive."""
    return "!" in path and _MARK.search(path) is not None


def is_remote(path: str) -> bool:
    """Return whether a path is a URL, or lies in an archive of one."""
    return ":" in path and is_url(path)


def nesting(path: str) -> int:
    """Return in how many archives a path lies."""
    return sum(1 for _ in _MARK.finditer(path))


def member_path(archive: str, member: str) -> str:
    """Return the path of a member."""
    return f"{archive}{MEMBER_MARK}{member}"


def file_name(path: str) -> str:
    """Return the last part of a path."""
    return re.split(r"[/\\]", path)[-1]


def folder_name(name: str) -> str:
    """Return the name of a folder; of an archive that stands for one, without its ending."""
    found = _MARK.search(name)
    return name if found is None else name[: found.start("ending")]


def layout_parts(parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the forms in which a layout may fit folders and name, in their order.

    An archive counts as a folder of its name without ending, or with it; where no layout fits so,
    as none: what lies in it then lies where it does.
    """
    if not any(part.endswith("!") for part in parts[:-1]):
        yield parts
        return
    yield tuple(folder_name(part) for part in parts)
    yield tuple(part[:-1] if _is_archive_folder(part) else part for part in parts)
    yield tuple(part for part in parts if not _is_archive_folder(part))


def _is_archive_folder(part: str) -> bool:
    return part.endswith("!") and _MARK.search(part) is not None


def unsafe_member(name: str) -> str | None:
    """Return why a member's name leaves its archive or cannot be a path, None if it can."""
    if not name.strip("/"):
        return "has no name"
    if name.startswith("/") or _DRIVE.match(name):
        return "has an absolute path"
    if ".." in name.split("/"):
        return "has '..' in its path, which leads out of the archive"
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        return "has a control character in its name"
    if any(0xD800 <= ord(char) <= 0xDFFF for char in name):
        return "has a name that is not UTF-8 text"
    if _MARK.search(name):
        return f"has {MEMBER_MARK!r} after the ending of an archive in its name"
    return None


def plain_member(name: str) -> str:
    """Return a member's path without ``./`` and doubled slashes."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))
