"""The job folder's memory: what happened, on disk before it is acted upon."""

from bulkload.journal.database import FILE_NAME, LOG_NAME, find
from bulkload.journal.journal import Journal, open_journal
from bulkload.journal.rows import Gone, JobRow, Parent, RunRow
from bulkload.journal.store import Store

__all__ = [
    "FILE_NAME",
    "LOG_NAME",
    "Gone",
    "JobRow",
    "Journal",
    "Parent",
    "RunRow",
    "Store",
    "find",
    "open_journal",
]
