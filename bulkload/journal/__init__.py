"""The job folder's memory: what happened, on disk before it is acted upon.

The journal of a run in progress is ``journal.journal``: who only reads need not load it.
"""

from bulkload.journal.database import FILE_NAME, LOG_NAME, find
from bulkload.journal.rows import Gone, JobRow, Parent, RunRow
from bulkload.journal.store import Store

__all__ = [
    "FILE_NAME",
    "LOG_NAME",
    "Gone",
    "JobRow",
    "Parent",
    "RunRow",
    "Store",
    "find",
]
