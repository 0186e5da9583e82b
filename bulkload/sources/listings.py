"""What the folders of a plan's sources held: whether they hold the same now.

Where nothing that a plan is made of has changed, the plan is the one that the journal has. The
inputs are kept in one file of the job folder, ``listings.jsonl``: of each folder that was listed a
digest of its entries, with their size, times of modification and of change, and inode. The time
of change cannot be set back, so a file that was replaced by one of the same size and time of
modification is found. The file may be deleted at any time: the next plan is made anew.
"""

from __future__ import annotations

import json
import os
import stat
import sysconfig
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Final

from bulkload.core.address import archive_form, is_url
from bulkload.sources.limits import FOLDERS_AT_ONCE, MAX_KEPT_FOLDERS, SETTLED_AFTER_NS
from bulkload.sources.patience import patience

FILE_NAME: Final = "listings.jsonl"


class Listings:
    """Notes what folders hold while they are listed for a plan, and keeps it with the plan."""

    def __init__(self, file: Path, stated: Mapping[str, Any], files: Iterable[Path]) -> None:
        """Keep the notes in a file, which need not be there.

        ``stated`` are the options that say how sources are read, and ``files`` what they name.
        """
        self._file = file
        states = [_state(str(one)) for one in files]
        #: What a plan depends on beside its sources.
        self.identity = json.dumps([stated, _packages(), states], default=str)
        self._digests: dict[str, str] = {}
        #: Whether a folder changed, or may have, while the plan was made.
        self._is_settled = True

    def add(self, folder: str, entries: Iterable[os.DirEntry[str]]) -> None:
        """Note what a folder holds."""
        self._note(folder, *_of_entries(entries))

    def add_archive(self, path: str) -> None:
        """Note the state of an archive that is a source itself."""
        try:
            self._note(path, *_of_file(path))
        except OSError:
            self._is_settled = False

    def _note(self, place: str, digest: str, changed_ns: int) -> None:
        # What was changed just now may change again within one tick of the file system's clock.
        is_old = time.time_ns() - changed_ns > SETTLED_AFTER_NS
        is_same = self._digests.setdefault(place, digest) == digest
        self._is_settled = self._is_settled and is_old and is_same

    def keep(self, head: Mapping[str, Any]) -> None:
        """Keep the notes, with what the plan says of itself; nothing where they prove nothing."""
        if not self._is_settled or len(self._digests) > MAX_KEPT_FOLDERS:
            return
        scratch = self._file.with_name(f"{self._file.name}.part")
        # A plan is complete without: the next one is made anew.
        with suppress(OSError):
            with scratch.open("w", encoding="ascii") as file:
                file.write(json.dumps({**head, "folders": len(self._digests)}) + "\n")
                for one in self._digests.items():
                    file.write(json.dumps(one) + "\n")
            scratch.replace(self._file)

    def unchanged(self, asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return what the last plan says of itself, None where a plan made now may differ.

        ``asked`` are the keys that have to be equal.
        """
        try:
            with self._file.open(encoding="ascii") as file:
                head: dict[str, Any] = json.loads(file.readline())
                if any(head.get(key) != value for key, value in asked.items()):
                    return None
                count = 0
                while lines := list(islice(file, FOLDERS_AT_ONCE)):
                    kept = [json.loads(line) for line in lines]
                    found = patience().each(_listed, [folder for folder, _ in kept])
                    if any(one != digest for one, (_, digest) in zip(found, kept, strict=True)):
                        return None
                    count += len(kept)
                    self._digests.update(kept)
        except (OSError, ValueError, TypeError, AttributeError):
            return None
        return head if count == head.get("folders") else None


def is_listed(source: str) -> bool:
    """Return whether listings and states of archives say all that a source holds."""
    # The time of change is that of creation on Windows, and proves nothing there.
    if os.name != "posix" or is_url(source):
        return False
    return os.path.isdir(source) or archive_form(source) is not None  # noqa: PTH112


def _packages() -> str:
    """Return which packages are installed: a new one may read what could not be opened before.

    By their names and versions. The files of an environment may be links that it shares with
    others, and their time of change is that of the last environment that was made.
    """
    try:
        found = [one.name for one in Path(sysconfig.get_path("purelib")).glob("*.dist-info")]
    except OSError as error:
        return f"{error} {time.time_ns()}"
    return _hash(os.fsencode("\0".join(sorted(found))))


def _state(place: str) -> tuple[str, str]:
    """Return what a file holds, or what a folder lists; no error is equal to another."""
    try:
        if os.path.isdir(place):  # noqa: PTH112
            return place, _listed(place)
        return place, _hash(Path(place).read_bytes())
    except OSError as error:
        return place, f"{error} {time.time_ns()}"


def _listed(place: str) -> str:
    """Return the digest of what a folder holds now, or of an archive's state."""
    if not os.path.isdir(place):  # noqa: PTH112
        return _of_file(place)[0]
    with os.scandir(place) as entries:
        return _of_entries(entries)[0]


def _of_file(path: str) -> tuple[str, int]:
    status = os.stat(path)  # noqa: PTH116
    return _hash(os.fsencode(_line("", status))), status.st_ctime_ns


def _of_entries(entries: Iterable[os.DirEntry[str]]) -> tuple[str, int]:
    """Return the digest of a folder's entries, and when the newest file was changed, in ns."""
    lines, newest_ns = [], 0
    for entry in entries:
        try:
            status = entry.stat()
        except OSError as error:
            lines.append(f"{entry.name}\0{error.errno}")
            continue
        lines.append(_line(entry.name, status))
        if not stat.S_ISDIR(status.st_mode):
            newest_ns = max(newest_ns, status.st_ctime_ns)
    return _hash(os.fsencode("\0\0".join(sorted(lines)))), newest_ns


def _line(name: str, status: os.stat_result) -> str:
    known = f"{name}\0{status.st_mode}\0{status.st_dev}\0{status.st_ino}"
    if stat.S_ISDIR(status.st_mode):
        # What a folder holds is its own listing, if it is looked into at all.
        return known
    return f"{known}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}"


def _hash(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
