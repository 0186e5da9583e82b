"""Copy a part's folder, and find out which of two copies of one part goes on from the other."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from itertools import zip_longest
from pathlib import Path
from typing import Final

from bulkload.errors import JournalError
from bulkload.journal.database import FILE_NAME, connect, find
from bulkload.journal.lock import FILE_NAME as LOCK_NAME
from bulkload.journal.store import Store

#: What belongs to a process or a machine, and not to a copy; the journal is copied by itself.
_LEFT: Final = frozenset({LOCK_NAME, "live.json"})


class HistoryOrder(StrEnum):
    """How one copy of a part stands to another."""

    SAME = "same"
    #: It has all that the other has, and more.
    LATER = "later"
    EARLIER = "earlier"
    #: Each has what the other has not.
    APART = "apart"


def compare(folder: Path, other: Path) -> HistoryOrder:
    """Return how the journal of a folder stands to that of another: all runs and events."""
    with (
        Store(folder / FILE_NAME, is_read_only=True) as mine,
        Store(other / FILE_NAME, is_read_only=True) as others,
    ):
        # Where one history has ended, the other is the same with more behind.
        for one, another in zip_longest(_history(mine), _history(others)):
            if one is None:
                return HistoryOrder.EARLIER
            if another is None:
                return HistoryOrder.LATER
            if one != another:
                return HistoryOrder.APART
        return HistoryOrder.SAME


def _history(store: Store) -> Iterator[tuple[object, ...]]:
    """Yield what ever happened, in its order: runs, and behind each its events."""
    for row in store.rows("history_of_all"):
        yield tuple(row)


def copy_part(folder: Path, to: Path) -> None:
    """Copy a part whose lock is held into a folder that is not there yet.

    Side effects: the folder, with the journal as it was committed.
    """
    journal = find(folder)
    if journal is None:
        raise JournalError(f"{folder} holds no journal")
    to.mkdir(parents=True)
    for path in sorted(folder.iterdir()):
        is_own = path.name in _LEFT or path.name.startswith(journal.name)
        if path.is_file() and not path.is_symlink() and not is_own:
            shutil.copy2(path, to / path.name)
    if journal.name != FILE_NAME:
        shutil.copy2(journal, to / journal.name)
        return
    with (
        closing(connect(journal, is_read_only=True)) as committed,
        closing(sqlite3.connect(to / FILE_NAME)) as copy,
    ):
        committed.backup(copy)
