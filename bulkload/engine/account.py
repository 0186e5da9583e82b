"""Write the account of a job as a table."""

from __future__ import annotations

from pathlib import Path

from bulkload.errors import SettingsError
from bulkload.journal import Store
from bulkload.journal.account import ACCOUNT_COLUMNS, account_rows, proofs
from bulkload.sources.writers import write_table


def write_account(store: Store, job_dir: Path, path: Path, *, is_waiting: bool = True) -> int:
    """Write a job's account in the form of the path's ending; return its number of entries.

    Raises ``SettingsError`` for a journal without an upload.

    Side effects: the file appears, or replaces an older one, whole.
    """
    run = store.last_upload()
    if run is None:
        raise SettingsError(f"{job_dir} has a journal without an upload")
    rows = account_rows(store, run.id, proofs(job_dir), is_waiting=is_waiting)
    return write_table(path, rows, ACCOUNT_COLUMNS)
