"""Write the account of a job as a table."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

from bulkload.errors import SettingsError
from bulkload.journal import Store
from bulkload.journal.account import ACCOUNT_COLUMNS, account_rows, proofs
from bulkload.sources.writers import write_table


def write_account(
    stores: Iterable[Store], job_dir: Path, path: Path, *, is_waiting: bool = True
) -> int:
    """Write a job's account in the form of the path's ending; return its number of entries.

    ``stores`` are the job's journals, one a part. Raises ``SettingsError`` where none of them
    has an upload.

    Side effects: the file appears, or replaces an older one, whole.
    """
    # Closed before the journals are, whatever prevents the writing.
    with closing(_rows(stores, job_dir, is_waiting=is_waiting)) as rows:
        if (first := next(rows, None)) is None:
            raise SettingsError(f"{job_dir} has a journal without an upload")
        return write_table(path, chain([first], rows), ACCOUNT_COLUMNS)


def _rows(stores: Iterable[Store], job_dir: Path, *, is_waiting: bool) -> Generator[dict[str, Any]]:
    proved = proofs(job_dir)
    for store in stores:
        if (last := store.last_upload()) is not None:
            yield from account_rows(store, last.id, proved, is_waiting=is_waiting)
