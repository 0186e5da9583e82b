"""What happened, on disk before it is acted upon: the job folder's memory."""

from bulkload.journal.events import Parent
from bulkload.journal.journal import Journal, open_journal
from bulkload.journal.store import FILE_NAME

__all__ = ["FILE_NAME", "Journal", "Parent", "open_journal"]
