"""Folders that bulkload made itself: job folders and local Studios, in which nothing is planned."""

from __future__ import annotations

import json
from collections.abc import Callable, Container
from pathlib import Path
from typing import Final

#: Bytes of a file that are looked at: more than the header of an SQLite file has.
_HEAD_BYTES: Final = 4096
#: Where the header of an SQLite file has the four bytes that name its program, and ours.
_PROGRAM_AT: Final = 68
_PROGRAM: Final = b"BULK"


def is_own_folder(folder: Path, names: Container[str]) -> bool:
    """Return whether the files ``names`` of a folder show that bulkload made it.

    The name of a file alone proves nothing: what it holds has to be ours too.
    """
    return any(name in names and proves(_head(folder / name)) for name, proves in _PROOFS.items())


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""


def _has_keys(*keys: str) -> Callable[[bytes], bool]:
    def proves(head: bytes) -> bool:
        try:
            found = json.loads(head)
        except ValueError:
            return False
        return isinstance(found, dict) and all(key in found for key in keys)

    return proves


def _is_our_database(head: bytes) -> bool:
    return head[_PROGRAM_AT : _PROGRAM_AT + len(_PROGRAM)] == _PROGRAM


_PROOFS: Final[dict[str, Callable[[bytes], bool]]] = {
    "journal.log": lambda head: head.startswith(b"bulkload journal log "),
    "journal.sqlite": _is_our_database,
    "lock.sqlite": _is_our_database,
    "job.json": _has_keys("version", "parts", "is_planned", "id"),
    "studio.json": _has_keys("url", "project_id", "process_id"),
}
